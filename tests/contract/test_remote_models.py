"""Models behind a server, on good days and bad ones, asked by a whole bouquetd."""

import math
import signal
import time

import numpy as np
import pytest

from tests.harness import Daemon, Home, prose, until, work
from tests.model_server import ModelServer


@pytest.fixture
def server():
    with ModelServer() as running:
        yield running


def remote(server, **options):
    return {"provider": "openai", "url": server.url, "model": "m", "dimensions": 8, "timeout": "1s", **options}


@pytest.fixture
def home(tmp_path, server):
    return Home(tmp_path / "home", {"embed": remote(server)})


BAD_DAYS = {
    "down": lambda server: setattr(server, "status", 502),
    "hung": lambda server: server.hang(),
    "busy": lambda server: setattr(server, "status", 429),
    "wrong key": lambda server: setattr(server, "key", "another"),
    "wrong dimension": lambda server: setattr(server, "dimensions", 9),
    "not a number": lambda server: setattr(
        server, "mangle", lambda rows: [{**row, "embedding": [math.nan] * 8} for row in rows]
    ),
    "too few": lambda server: setattr(server, "mangle", lambda rows: rows[1:]),
}


def well_again(server):
    server.status, server.key, server.dimensions, server.mangle = 200, None, 8, lambda rows: rows
    server.go_on()


QUICK = ("hung", "busy", "not a number")
"""Those of each kind that `make test` has."""


@pytest.mark.parametrize(
    "day", [day if day in QUICK else pytest.param(day, marks=pytest.mark.long) for day in BAD_DAYS]
)
def test_on_a_bad_day_of_the_embedder_files_are_held_and_then_stored_once_with_right_vectors(home, server, day):
    home.put("a.txt", prose(5_000, 1))
    with home.engine() as (parts, log):
        BAD_DAYS[day](server)
        for _ in range(2):
            until(lambda: parts.worker.step() and parts.worker.trouble, "it holds")
        assert home.states() == {"a.txt": "claimed"}
        assert home.entries()["a.txt"].document.attempts == 0
        assert log.text.count("Holding the intake") == 1
        assert parts.worker.trouble.reason in log.text.replace("The embedder", "the embedder")
        well_again(server)
        until(lambda: parts.worker.step() and not parts.worker.trouble, "it goes on")
        work(parts)
        assert log.text.count("Going on") == 1
    assert home.states() == {"a.txt": "filed"}
    stored = home.stored()
    assert sorted(row.metadata["chunk"] for row in stored.values()) == list(range(len(stored)))
    for row in stored.values():
        vector = np.array(server.vector(row.text))
        assert np.allclose(row.vector, vector / np.linalg.norm(vector), atol=1e-6)


def test_a_server_that_asks_to_be_left_alone_is_while_others_are_answered(home, server):
    home.put("a.txt", "herons")
    with home.engine() as (parts, log):
        server.status, server.headers = 429, {"Retry-After": "600"}
        assert until(lambda: wait if (wait := parts.worker.step()) > 500 else 0, "it holds") >= 600
        server.status, asked = 200, len(server.asked)
        question = parts.worker.requests.ask(lambda: "answered")
        assert parts.worker.step() > 500
        assert question.result(0) == "answered"
        assert len(server.asked) == asked
        assert parts.health.trouble(time.monotonic() + 599, waiting=1) is None
        assert "wants fewer requests (429)" in parts.worker.trouble.reason
        parts.worker._clock = lambda: time.monotonic() + 601
        work_on = until(lambda: parts.worker.step() == 0.0 or parts.worker.idle, "it goes on")
        assert work_on
        work(parts)
    assert home.states() == {"a.txt": "filed"}
    assert log.text.count("Holding the intake") == 1


def test_a_search_asks_the_server_for_the_question_and_says_when_it_cannot(home, server):
    home.configure(embed=remote(server, query_prefix="query: "))
    home.put("a.txt", "herons wade")
    assert home.once().status == 0
    assert home.cli("search", "herons", "--json").json
    assert server.texts[-1] == "query: herons"
    server.status = 401
    failed = home.cli("search", "herons")
    assert failed.status == 69
    assert "did not accept the key" in failed.err
    assert home.cli("files").status == 0


def test_a_key_is_shown_by_no_command_and_a_provider_without_an_address_is_refused(home, server, monkeypatch):
    monkeypatch.setenv("BOUQUETD_EMBED_KEY", "sk-secret")
    server.key = "sk-other"
    shown = home.cli("check")
    assert shown.status == 0
    assert "sk-" not in shown.out + shown.err
    home.configure(embed={"provider": "openai", "url": server.url, "model": "m"})
    refused = home.cli("check")
    assert refused.status == 78
    assert "openai needs embed.dimensions; write there how many numbers" in refused.err + refused.out


def test_entities_of_a_model_elsewhere_are_stored_with_the_chunk(home, server):
    entities = {"provider": "openai", "url": server.url, "model": "chat"}
    home.configure(embed=remote(server), entities=entities)
    server.entities = [{"kind": "person", "value": "Ada Lovelace"}, {"kind": "person", "value": "Bob"}]
    home.put("a.txt", "Ada Lovelace wrote to ada@example.org.")
    assert home.once().status == 0
    [row] = home.stored().values()
    assert set(row.metadata["entities"]) == {"email:ada@example.org", "person:Ada Lovelace"}


def test_what_has_a_grammar_is_stored_also_while_the_model_for_entities_is_down(home, server):
    entities = {"provider": "openai", "url": server.url, "model": "chat"}
    home.configure(embed={}, entities=entities)
    server.status = 503
    home.put("a.txt", "Ada Lovelace wrote to ada@example.org.")
    assert home.once().status == 0
    [row] = home.stored().values()
    assert row.metadata["entities"] == ["email:ada@example.org"]
    assert row.metadata["entities_missing"]


@pytest.mark.long
def test_a_daemon_starts_while_the_server_is_down_and_lives_through_its_bad_days(tmp_path, monkeypatch):
    (tmp_path / "embed-key").write_text("sk-right")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with ModelServer() as gone:
        port = gone.port
    home = Home(tmp_path / "home", {"embed": remote(gone, key_file="embed-key")})
    home.put("a.txt", prose(5_000, 1))
    with Daemon(home) as daemon:
        daemon.says("Waiting for the embedder")
        with ModelServer(port=port) as server:
            server.key = "sk-right"
            daemon.ready()
            daemon.reaches({"a.txt": "filed"})
            for number, harm in enumerate(BAD_DAYS.values()):
                harm(server)
                source = f"{number}.txt"
                home.put(source, prose(3_000, number + 2))
                daemon.says("Holding the intake", number + 1)
                daemon.until(lambda: daemon.status["state"] == "holding", "the status says it")
                well_again(server)
                server.key = "sk-right"
                daemon.until(lambda name=source: home.states().get(name) == "filed", f"{source} is filed")
        assert daemon.log.count("Waiting for the embedder") == 1
        assert daemon.log.count("Holding the intake") == len(BAD_DAYS)
        assert "sk-" not in daemon.log
        assert daemon.stop() == 0
    texts = [row.text for row in home.stored().values()]
    assert len(texts) == len(set(texts))


@pytest.mark.long
def test_a_daemon_that_waits_for_the_embedder_can_be_stopped_and_a_drain_gives_up(tmp_path):
    with ModelServer() as gone:
        pass
    home = Home(tmp_path / "home", {"embed": remote(gone)})
    with Daemon(home) as daemon:
        daemon.says("Waiting for the embedder")
        daemon.signal(signal.SIGTERM)
        daemon.process.wait(20)
    home.put("a.txt", "herons")
    drained = home.process("once")
    assert drained.status == 69
    assert "cannot be reached" in drained.err
    assert (home.inbox / "a.txt").exists()

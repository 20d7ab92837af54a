"""A store is refused to another embedder or chunker, and moved over to it by ``bouquetd reindex``."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from bouquetd import recovery, reindexing
from bouquetd.bouquet import Bouquet
from bouquetd.control import SOCKET, NoDaemon, request
from bouquetd.errors import ConfigError, Stopped, Unavailable
from bouquetd.store.embedded import Embedded
from bouquetd.store.shards import SCRATCH, Store
from tests import another
from tests.chroma_server import ChromaServer
from tests.fake_chroma import InMemory
from tests.harness import Home, merged, prose, until
from tests.model_server import ModelServer

SMALL = {"store": {"batch_size": 10, "shard_chunks": 20}, "pipeline": {"batch_size": 10}}
OTHER = {"chunk": {"size": 500, "overlap": 60}}
ASKED = (
    "files", "status", "status --json", "verify", "forget 1.txt", "retry --all", "verify --repair", "drain",
    "memory --report", "pause --reason disk", "resume", "reindex",
)  # fmt: skip
SOURCES = {f"{n}.txt": prose(size, n) for n, size in enumerate((2_000, 24_000, 300, 6_000))}

STATE = ["bouquetd.lock", "kept-g1", "ledger.db", "run", "words-g1.db"]
"""What is in the state directory of a store that was reindexed once."""


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """A store that each test takes a copy of."""
    home = Home(tmp_path_factory.mktemp("pattern") / "home", SMALL)
    for source, content in SOURCES.items():
        home.put(source, content)
    home.put("twin.txt", SOURCES["0.txt"])
    home.put("broken.csv", b"\x00\x01\x02\x03" * 50)
    assert home.once().status == 1
    return home


@pytest.fixture
def home(pattern, tmp_path):
    shutil.copytree(pattern.root, tmp_path / "home")
    return Home(tmp_path / "home", SMALL)


def reset(home, **sections):
    home.configure(**{**home.options, **sections})


def stored(home, generation):
    """What lies in Chroma, of one generation."""
    chroma = Embedded(home.root / "store")
    chroma.generation = generation
    found = {}
    for name in chroma.names():
        found |= chroma.get(name, sorted(chroma.ids(name)))
    chroma.close()
    return found


def joined(records):
    """The text of each source, put together by offsets."""
    texts = {}
    for record in records.values():
        known = record.metadata
        text = texts.setdefault(known["source"], {})
        text.update(zip(range(known["start"], known["end"]), record.text, strict=True))
    return {source: re.sub(r"\s+", "", "".join(c for _, c in sorted(t.items()))) for source, t in texts.items()}


def by_place(records):
    """Records by source and number: what their ids say, but for the recipe."""
    return {(r.metadata["source"], r.metadata["chunk"]): r for r in records.values()}


def rows(home):
    """What the ledger says that a reindexing must not change."""
    with home.ledger() as ledger:
        found = list(ledger.entries())
        names = {e.document.id: e.document.source for e in found}
    return {
        e.document.source: (
            e.state, e.document.digest, e.document.size, e.document.since, e.document.media_type, e.updated,
            names.get(e.twin), e.destination, e.reason, e.remedy, e.note, e.fingerprint, e.whole,
        )
        for e in found
    }  # fmt: skip


def test_a_start_with_another_chunker_is_refused_with_both_ways_out(home):
    reset(home, **OTHER)
    refused = home.once()
    assert refused.status == 78
    assert "chunk.size: the store was filled with static/wordllama-l2-supercat-256" in refused.err
    ways = "set chunk.size: 800 and chunk.overlap: 100 again, or move the store over with `bouquetd reindex`"
    assert ways in refused.err
    assert home.cli("search", "river").status == 78
    assert home.cli("files").status == 0
    reset(home, chunk={})
    assert home.cli("search", "river stone").status == 0


def assert_only_the_new_generation_is_left(home):
    assert stored(home, 0) == {}
    assert sorted(os.listdir(home.root / "state")) == [
        "bouquetd.lock",
        "history.db",
        "kept-g1",
        "ledger.db",
        "run",
        "words-g1.db",
    ]


def test_a_reindexed_store_has_every_text_under_the_new_chunker_and_all_that_the_ledger_knew(home):
    before, known, texts = home.stored(), rows(home), joined(home.stored())
    reset(home, **OTHER)
    done = home.cli("reindex")
    assert done.status == 0, done.err
    assert "Done: the store is reindexed" in done.out
    after = stored(home, 1)
    assert joined(after) == texts
    assert len(after) > len(before)
    assert max(len(record.text) for record in after.values()) <= 500
    assert rows(home) == known
    assert_only_the_new_generation_is_left(home)
    assert home.cli("verify").status == 0
    assert home.cli("search", "harbour candle").status == 0
    for source in SOURCES:
        home.put(source, SOURCES[source])
    assert f"0 chunks, {len(SOURCES)} already there" in home.once().err
    assert home.cli("reindex").out.startswith("Nothing is to be done")


def test_with_the_same_chunker_each_chunk_gets_a_new_vector_and_nothing_else_changes(home):
    before = by_place(home.stored())
    with another.wanted():
        refused = home.once()
        assert "filled with static/wordllama-l2-supercat-256 (256 dimensions" in refused.err
        assert "ask for another/first-half (128 dimensions" in refused.err
        assert home.cli("reindex").status == 0
        after = by_place(stored(home, 1))
        assert {place: (r.text, r.metadata) for place, r in after.items()} == {
            place: (r.text, r.metadata) for place, r in before.items()
        }
        vectors = another.Another().embed([r.text for r in after.values()])
        assert np.allclose(np.stack([r.vector for r in after.values()]), vectors, atol=1e-5)
        assert home.cli("verify").status == 0
        assert SOURCES["2.txt"][:30] in home.cli("search", SOURCES["2.txt"][:80]).out
        home.put("new.txt", prose(900, 77))
        assert home.once().status == 0
    assert home.once().status == 78


def test_entities_that_were_found_are_not_asked_for_again_also_where_their_provider_is_down(tmp_path):
    with ModelServer() as models:
        entities = {"provider": "openai", "url": models.url, "model": "chat"}
        home = Home(tmp_path / "home", {**SMALL, "entities": entities})
        models.entities = [{"kind": "person", "value": "Ada Lovelace"}]
        home.put("a.txt", "Ada Lovelace wrote to ada@example.org.")
        assert home.once().status == 0
        [before] = by_place(home.stored()).values()
        assert "person:Ada Lovelace" in before.metadata["entities"]
        models.status, asked = 503, len(models.asked)
        with another.wanted():
            assert home.cli("reindex").status == 0
        [after] = by_place(stored(home, 1)).values()
        assert after.metadata == before.metadata
        assert len(models.asked) == asked


def test_any_chroma_that_keeps_the_contract_can_be_reindexed(tmp_path, monkeypatch):
    collections, home = {}, Home(tmp_path / "home", SMALL)
    monkeypatch.setattr(recovery, "chroma", lambda *_: InMemory(collections))
    for source, content in SOURCES.items():
        home.put(source, content)
    assert home.once().status == 0
    before = {row[1] for collection in collections.values() for row in collection.rows.values()}
    with another.wanted():
        assert home.cli("reindex").status == 0
        assert home.cli("verify").status == 0
    assert {name[:11] for name in collections} == {"bouquet-g1-"}
    rows = [row for collection in collections.values() for row in collection.rows.values()]
    assert {text for _, text, _ in rows} == before
    assert {vector.shape for vector, _, _ in rows} == {(128,)}


def test_the_store_as_it_was_answers_meanwhile_and_nothing_is_changed_in_it(home, monkeypatch):
    seen = {}
    original = reindexing.Reindex.run

    def run(work):
        original(work)  # all is stored anew, and the old store still the one that is asked
        quoted = SOURCES["1.txt"][5_000:5_080]
        seen["search"] = home.cli("search", quoted)
        until(lambda: "100 %" in home.cli("status").out, "it says how far it is, as it does once a second")
        for command in ASKED:
            seen[command] = home.cli(*command.split())

    monkeypatch.setattr(reindexing.Reindex, "run", run)
    with another.wanted():
        assert home.cli("reindex").status == 0
    assert "1.txt" in seen["search"].out
    assert seen["files"].status == 0
    assert "bouquetd is reindexing, 100 %" in seen["status"].out
    assert seen["status --json"].json["state"] == "reindexing"
    for command in ("forget 1.txt", "retry --all", "verify --repair", "drain", "memory --report"):
        assert "is being reindexed" in seen[command].err
    assert "(disk)" in seen["pause --reason disk"].out
    assert "The intake goes on" in seen["resume"].out
    assert seen["reindex"].status == 69
    assert "stop the daemon first" in seen["reindex"].err


@contextmanager
def interrupted(monkeypatch, after):
    """Have a reindexing stop as a signal stops it, after so many batches."""
    calls = iter(range(after))
    original = Store.add

    def add(store, records):
        original(store, records)
        if next(calls, None) is None:
            raise Stopped("asked to stop")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "add", add)
        yield


def test_one_that_was_stopped_goes_on_at_its_chunk_and_embeds_nothing_twice(home, monkeypatch):
    before = home.stored()
    embedded = []
    original = another.Another.embed

    def embed(self, texts, tokens=None):
        embedded.extend(texts)
        return original(self, texts, tokens)

    monkeypatch.setattr(another.Another, "embed", embed)
    with another.wanted():
        for _ in range(2):
            with interrupted(monkeypatch, 0):
                assert "goes on from here" in home.cli("reindex").out
            assert "a reindexing is half done" in home.cli("status").out
        assert home.cli("reindex").status == 0
        assert home.cli("verify").status == 0
    wanted = sorted(record.text for record in before.values())
    assert sorted(text for text in embedded if not text.startswith("Warm before")) == wanted
    assert by_place(stored(home, 1)).keys() == by_place(before).keys()


@pytest.mark.long
def test_what_is_half_done_is_dropped_when_settings_change_again_or_back_and_when_asked(home, monkeypatch):
    before, next_ = home.stored(), home.root / "state" / "next"
    reset(home, **OTHER)
    with interrupted(monkeypatch, 1):
        home.cli("reindex")
    assert stored(home, 1)
    reset(home, chunk={"size": 300, "overlap": 30})
    with interrupted(monkeypatch, 1):
        assert "chunks of 500 characters, 60 overlapping (chunk/2), is dropped" in home.cli("reindex").out
    assert max(len(r.text) for r in stored(home, 1).values()) <= 300
    assert "Dropped" in home.cli("reindex", "--abandon").out
    assert not next_.exists()
    assert stored(home, 1) == {}
    assert "No reindexing" in home.cli("reindex", "--abandon").out
    with interrupted(monkeypatch, 1):
        home.cli("reindex")
    reset(home, chunk={})
    assert "Dropped a half-done reindexing" in home.once().err
    assert not next_.exists()
    assert stored(home, 1) == {}
    assert home.stored().keys() == before.keys()


def test_a_server_of_models_that_asks_for_patience_is_waited_for_and_nothing_is_stored_twice(home, monkeypatch):
    before = by_place(home.stored())
    with ModelServer() as models:
        reset(home, embed={"provider": "openai", "url": models.url, "model": "m", "dimensions": 8})
        answer, persist, refused, waits = models._answer, reindexing.Reindex.persist, iter([False, True]), []

        def moody(path, key, question):
            storing = not question["input"][0].startswith("Warm")
            return (429, {}) if storing and next(refused, False) else answer(path, key, question)

        def wait(seconds):
            waits.append(seconds)
            until(lambda: "wants fewer requests (429)" in home.cli("status").out, "the status says why")

        monkeypatch.setattr(models, "_answer", moody)
        monkeypatch.setattr(models, "headers", {"Retry-After": "7"})
        monkeypatch.setattr(reindexing.Reindex, "persist", lambda work, _, tell: persist(work, wait, tell))
        done = home.cli("reindex")
        assert done.status == 0, done.err
        assert waits == [7.0]
        after = stored(home, 1)
        assert len(after) == len(before)
        assert by_place(after).keys() == before.keys()


def test_a_chunk_that_is_lost_ends_it_with_what_to_do(home, monkeypatch):
    monkeypatch.setattr(reindexing, "_records", lambda *_: lambda _shard, _ids: {})
    with another.wanted():
        done = home.cli("reindex")
    assert done.status == 69
    assert re.search(r"chunk of \S+ is lost.*verify --repair", done.err)


def test_nobody_is_answered_from_a_store_from_which_another_generation_is_just_being_dropped(home, monkeypatch):
    question, answers, deleted = SOURCES["1.txt"][5_000:5_080], [], []
    asked = {"question": question, "n": 3, "context": 0, "merged": True, "conditions": {"source": ["1.txt"]}}
    expected = home.cli("search", question, "-n", "3", "--source", "1.txt", "--json").json
    reset(home, **OTHER)
    with interrupted(monkeypatch, 1):
        home.cli("reindex")
    original = Embedded.delete

    def delete(chroma, name):
        original(chroma, name)
        if chroma.generation == 1 and name != SCRATCH:
            with suppress(NoDaemon):
                answers.append(request(home.runtime / SOCKET, "search", 30.0, **asked)["passages"])
            deleted.append(name)

    monkeypatch.setattr(Embedded, "delete", delete)
    reset(home, chunk={"size": 300, "overlap": 30})
    assert home.cli("reindex").status == 0
    assert deleted
    assert all([p["id"] for p in answer] == [p["id"] for p in expected] for answer in answers)


@pytest.mark.long
def test_a_ledger_lost_meanwhile_or_afterwards_is_rebuilt_from_the_generation_in_force(home, monkeypatch):
    before = home.stored()
    with another.wanted():
        with interrupted(monkeypatch, 2):
            home.cli("reindex")
        os.unlink(home.root / "state" / "ledger.db")
        assert home.cli("reindex").status == 0
        after = stored(home, 1)
        assert by_place(after).keys() == by_place(before).keys()
        os.unlink(home.root / "state" / "ledger.db")
        outcome = home.once()
        assert f"{len(SOURCES)} documents found whole" in outcome.err
        assert stored(home, 1).keys() == after.keys()
        assert home.cli("verify").status == 0
        for source in SOURCES:
            home.put(source, SOURCES[source])
        assert "0 chunks" in home.once().err
    os.unlink(home.root / "state" / "ledger.db")
    assert "another/first-half" in home.once().err  # the collections have the record


def test_an_empty_store_takes_whatever_is_set(tmp_path):
    home = Home(tmp_path / "home", SMALL)
    home.put("a.txt", prose(3_000, 1))
    assert home.once().status == 0
    assert home.cli("forget", "a.txt").status == 0
    with another.wanted():
        home.put("b.txt", prose(3_000, 2))
        assert home.once().status == 0
        assert {r.vector.shape for r in home.stored().values()} == {(128,)}
        assert home.cli("verify").status == 0


@pytest.mark.long
def test_a_store_without_record_counts_as_filled_by_the_static_embedder_and_the_chunker_as_set(home):
    with home.ledger() as ledger, ledger._write() as db:
        db.execute("DELETE FROM facts")
    assert home.once().status == 0
    with home.ledger() as ledger, ledger._write() as db:
        db.execute("DELETE FROM facts")
    with another.wanted():
        assert "filled with static/wordllama-l2-supercat-256" in home.once().err


def test_a_ledger_with_pages_still_beside_it_does_not_take_the_place_of_the_old_one(home, monkeypatch):
    path, mark = home.root / "state" / "next" / "ledger.db", Embedded.mark_whole

    def mark_whole(chroma):
        mark(chroma)
        held.execute("SELECT count(*) FROM documents").fetchone()  # who reads hinders SQLite from folding it in

    before = rows(home)
    with another.wanted():
        with monkeypatch.context() as patched:
            patched.setattr(Embedded, "mark_whole", mark_whole)
            with interrupted(monkeypatch, 1):
                home.cli("reindex")
            with closing(sqlite3.connect(path)) as held:
                refused = home.cli("reindex")
        assert refused.status == 69
        assert "is not whole" in refused.err
        assert home.cli("reindex").status == 0
        assert home.cli("verify").status == 0
    assert rows(home) == before


@pytest.mark.long
@pytest.mark.parametrize("step", ["succeed", "mark_whole", "switch", "remove"])
def test_a_kill_at_any_step_of_the_end_leaves_one_whole_store(home, step):
    before = home.stored()
    where = {
        "succeed": "bouquetd.ledger.Ledger.succeed", "mark_whole": "bouquetd.store.chroma.Chroma.mark_whole",
        "switch": "os.replace", "remove": "bouquetd.recovery.remove",
    }[step]  # fmt: skip
    for moment in ("before", "after"):
        die = f"""
from unittest import mock
import os, importlib
from pkgutil import resolve_name
real = resolve_name({where!r})
def dying(*a, **k):
    if {where!r} == "os.replace" and "ledger.db" not in str(a[0]):
        return real(*a, **k)
    if {where!r} == "bouquetd.recovery.remove" and 0 not in a[2:]:  # not of the generation that is replaced
        return real(*a, **k)
    if {moment!r} == "after":
        real(*a, **k)
    os._exit(9)
mock.patch({where!r}, dying).start()
"""
        program = f"{another.PATCH}\n{die}\nimport sys\nfrom bouquetd.cli import main\nmain()"
        died = subprocess.run(
            [sys.executable, "-c", program, "reindex", "-c", str(home.yaml)],
            capture_output=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        if (step, moment) != ("switch", "after"):
            assert died.returncode == 9, died.stderr
    with another.wanted():
        assert home.cli("reindex").status == 0
        assert home.once().status == 0
        assert home.cli("verify").status == 0
    assert by_place(stored(home, 1)).keys() == by_place(before).keys()
    assert_only_the_new_generation_is_left(home)


@pytest.mark.long
def test_a_store_in_a_server_is_moved_while_applications_read_it(tmp_path):
    with ChromaServer(tmp_path) as server:
        home = Home(tmp_path / "home", merged(SMALL, {"store": {"mode": "server", "url": server.url}}))
        for source, content in SOURCES.items():
            home.put(source, content)
        assert home.once().status == 0
        with Bouquet(server.url) as bouquet:
            before = {(r.metadata["source"], r.metadata["chunk"]): r.text for r in bouquet}
            reset(home, **OTHER)
            reading = bouquet.chunks()
            next(reading)
            assert home.cli("reindex").status == 0
            with pytest.raises(Unavailable, match="reindexed while it was read"):
                list(reading)
            after = {(r.metadata["source"], r.metadata["chunk"]): r.text for r in bouquet}
            assert len(after) > len(before)
            assert max(map(len, after.values())) <= 500
            assert bouquet.query(SOURCES["1.txt"][5_000:5_080], 1)[0].source == "1.txt"
        assert home.cli("verify").status == 0
        with another.wanted():
            assert home.cli("reindex").status == 0
            assert home.cli("verify").status == 0
        with Bouquet(server.url) as bouquet:
            assert len(list(bouquet)) == len(after)
            with pytest.raises(ConfigError, match="no embedder 'another/first-half'"):
                bouquet.query("harbour")

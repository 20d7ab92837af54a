"""``bouquetd doctor`` as a command, on real configurations, with a real daemon and without."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bouquetd.cli import doctor
from bouquetd.config import Settings, Store
from bouquetd.errors import Unavailable
from tests.harness import Home, prose


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """How full this machine is must not decide a test."""
    monkeypatch.delenv("BOUQUETD_CONFIG", raising=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One file stored and one failed, in good order, and no daemon."""
    made = Home(tmp_path_factory.mktemp("doctor"), {"memory": {"limit": "400MB"}})
    made.put("a.txt", prose(3000))
    made.put("bad.pdf", b"%PDF-1.7 torn")
    assert made.process("once").status == 1
    return made


def told(report: dict[str, Any], check: str) -> dict[str, str]:
    """The first thing that a check found."""
    found: dict[str, str] = next(f for f in report["findings"] if f["check"] == check)
    return found


def test_beside_a_daemon_it_asks_the_daemon_and_leaves_the_store_alone(home: Home) -> None:
    with home.daemon() as daemon:
        done = home.process("doctor", "--json")
        report = done.json
        assert daemon.process.poll() is None
    assert told(report, "runs")["level"] == "pass"
    assert "The daemon has the ledger open" in told(report, "ledger")["told"]
    assert (
        told(report, "matches")["told"] == "The store was filled with the embedder and chunker of the settings."
    )
    assert told(report, "words")["level"] == "pass"
    assert not [f for f in report["findings"] if "failed:" in f["told"]]
    assert (done.status, report["counts"]["fail"]) == (0, 0), report
    assert report["left_out"] == []


def test_with_no_daemon_it_reads_the_ledger_itself_and_says_how_to_start(home: Home) -> None:
    before = {p: p.stat().st_mtime_ns for p in (home.root / "store").rglob("*")}
    done = home.cli("doctor")
    assert done.status == 0, done.out
    assert "warn  No daemon runs: files in the inbox wait.\n        " in done.out
    assert f"run -c {home.yaml}" in done.out
    assert "ok    The ledger is undamaged: " in done.out
    assert "ok    No shard is in doubt." in done.out
    assert {p: p.stat().st_mtime_ns for p in (home.root / "store").rglob("*")} == before


def test_a_broken_yaml_is_the_failure_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.yaml.write_text("memory:\n  limit: 500 bananas\n")
    done = home.cli("doctor")
    assert done.status == 1
    assert f"FAIL  {home.yaml}:2: memory.limit: " in done.out
    assert "chromadb 1." in done.out
    assert "checks wait for a sound configuration" in done.out
    assert done.out.splitlines()[-1].endswith("1 failed.")


def test_a_missing_inbox_is_a_failure_and_the_command_it_names_mends_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    os.makedirs(home.runtime, exist_ok=True)
    (home.runtime / "status.json").write_text('{"pid": 999999999, "at": 0}')
    home.inbox.rmdir()
    done = home.cli("doctor", "--json")
    found = told(done.json, "there")
    assert (done.status, found["level"]) == (1, "fail")
    assert os.system(found["remedy"]) == 0
    assert told(home.cli("doctor", "--json").json, "there")["level"] == "pass"


def test_a_store_filled_by_another_embedder_is_a_failure_that_names_reindex(home: Home) -> None:
    usual = home.options
    home.configure(chunk={"size": 500})
    found = told(home.cli("doctor", "--json").json, "matches")
    home.configure(**usual)
    assert found["level"] == "fail"
    assert "reindex" in found["remedy"]


def test_a_failed_file_is_told_with_the_command_that_lists_it(home: Home) -> None:
    found = told(home.cli("doctor", "--json").json, "failures")
    assert found["told"] == "1 file failed in the last day."
    assert "bad.pdf" in home.cli(*found["remedy"].split()[1:4]).out


@contextmanager
def answering(status: int, body: str = "") -> Iterator[str]:
    """An HTTP server that answers everything alike; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, '"1.0.0"', None),
        (200, '"0.6.3"', "has version 0.6.3"),
        (401, "", "did not accept the token (401)"),
        (403, "", "did not let us in (403)"),
        (404, "", "does not answer as one of version 1.x does"),
        (500, "", "failed: 500"),
    ],
)
def test_what_a_server_says_is_told_apart(status: int, body: str, told: str | None) -> None:
    with answering(status, body) as url:
        settings = Settings(store=Store(mode="server", url=url))
        if told is None:
            doctor._reach(settings)
            return
        with pytest.raises(Unavailable) as error:
            doctor._reach(settings)
    assert told in error.value.reason


def test_a_server_that_is_away_or_hangs_is_told_within_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("bouquetd.ops.doctor.surroundings.PATIENCE", 0.1)
        with pytest.raises(Unavailable, match="did not answer within 0"):
            doctor._reach(Settings(store=Store(mode="server", url=url)))
    with pytest.raises(Unavailable, match="cannot be reached"):
        doctor._reach(Settings(store=Store(mode="server", url=url)))


def test_the_daemons_program_is_named_by_its_path_where_it_is_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.argv", ["/opt/x/bin/bouquetd", "doctor"])
    assert doctor._program() == "/opt/x/bin/bouquetd"

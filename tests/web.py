"""A page and metrics on a server of the test's own, and how they are asked."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bouquetd.config import load
from bouquetd.model import printable
from bouquetd.reasons import REASONS
from bouquetd.web.site import Site
from tests.harness import Recorder

SEEN: dict[str, Any] = {
    "state": "idle", "why": "", "remedy": "", "pid": 77, "version": "1.2.3", "since": 1.7e9, "hung": None,
    "rss_mb": 154.25, "peak_mb": 201.0, "vsz_mb": 900.0, "limit_mb": 500.0, "throttle_mb": 400.0,
    "resume_mb": 350.0, "available_mb": 3000.0, "baseline_mb": 120.0, "ceiling_mb": 4096.0, "pressure": 0.02,
    "machine_pressure": 0.03, "watch": "events", "watches_full": None,
    "throttles": 2, "pauses": 1, "paused_seconds": 7.5, "queue": {"files": 3, "bytes": 4096, "oldest": 75.0},
    "last_scan": 1.7e9, "current": None, "stage": "", "stages": {}, "documents": 12, "chunks": 480,
    "bytes": 123456, "chunks_per_second": 33.0, "bytes_per_second": 9000, "failed": 4, "duplicates": 5,
    "reasons": {**dict.fromkeys(REASONS, 0), "too_large": 3, "encrypted": 1},
}  # fmt: skip
"""A status as the daemon gives it."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answers:
    """What the daemon would answer, and what it was asked."""

    def __init__(self) -> None:
        self.failed: list[dict[str, Any]] = []
        self.passages: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def fail(self, source: str, reason: str = "it is damaged", remedy: str = "Get it `again`.") -> None:
        self.failed.append({"source": printable(source), "reason": reason, "remedy": remedy, "at": 1.7e9})

    def __call__(self, op: str, given: dict[str, Any]) -> Any:
        self.asked.append((op, given))
        if op == "overview":
            states = {"filed": 12, "failed": len(self.failed), "duplicate": 5}
            return {"states": states, "failures": self.failed[: given["failures"]]}
        if op == "search":
            searched = {"documents": 12, "chunks": 480}
            return {"passages": self.passages, "searched": None if self.passages else searched}
        return {"done": [{"source": given["patterns"][0], "error": None}], "after": None}


class Served:
    """What is served, with all that it is asked from."""

    def __init__(self, folder: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
        text = "\n".join(
            f"{name}: {{{', '.join(f'{key}: {value!r}' for key, value in options.items())}}}"
            for name, options in sections.items()
        )
        (folder / "bouquetd.yaml").write_text(text)
        settings = load(folder / "bouquetd.yaml", {}).settings
        settings.paths.state.mkdir(exist_ok=True)
        self.seen: dict[str, Any] | None = SEEN | {"at": time.time()}
        self.answers, self.log = Answers(), Recorder()
        self.history = settings.paths.state / "history.db"
        self.site = Site(settings, lambda: self.seen, self.answers, self.history, self.log)

    @property
    def metrics(self) -> Any:
        return self.site.metrics


@contextmanager
def serving(folder: Path, **sections: Mapping[str, str]) -> Iterator[Served]:
    """Serve what these sections of the options ask for."""
    served = Served(folder, sections)
    served.site.start()
    try:
        yield served
    finally:
        served.site.stop()


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()


class _Unix(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def ask(
    where: int | Path, path: str, form: Mapping[str, str] | None = None, method: str = "", **headers: str
) -> Answer:
    """Ask a port of this machine or a socket; ``_`` in a header's name stands for ``-``."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", where, timeout=10)
        if isinstance(where, int)
        else _Unix(str(where), timeout=10)
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None if form is None else urlencode(form)
    if form is not None:
        named.setdefault("Content-Type", "application/x-www-form-urlencoded")
    if isinstance(where, Path):
        named.setdefault("Host", "localhost")
    try:
        connection.request(method or ("GET" if form is None else "POST"), path, body, named)
        return Answer(connection.getresponse())
    finally:
        connection.close()

"""What it costs to be watched: a daemon with metrics and page, scraped and looked at, beside one with both off.

Each is a daemon as people run it, on the same files, taking turns. Both keep the history of memory, which
nobody can switch off.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from bouquetd.worker import REST
from tests.bench.machine import cpu_seconds, memory
from tests.bench.process import Bench, Daemon, Home, say
from tests.bench.report import Failed, Result, Table
from tests.bench.text import mixed_files

SIZES = (10_000, 30_000, 100_000, 300_000)
"""Bytes of the documents, in turn."""

EVERY = {"/metrics": 5.0, "/live.json": 2.0, "/curve.svg": 10.0, "/healthz": 5.0}
"""Seconds between two requests: Prometheus, three times as often as usual, and a browser with the page open."""

SETTLED = 3.0
"""Seconds after REST until a daemon has given back what it can."""

AIM_MB, AIM_SHARE = 10, 0.01
"""RSS and share of throughput that metrics and page may take together."""


def measure(bench: Bench) -> Result:
    """RSS when ready, at rest after work, and at most; wall time and CPU for the same files."""
    files = mixed_files(bench.folder / "files", bench.pick(4_000, 20_000), SIZES)
    runs: dict[str, list[dict[str, float]]] = {"off": [], "on": []}
    for turn in range(bench.pick(3, 5)):
        # Who comes first changes, so that a machine that grows slower harms neither.
        for name in sorted(runs, reverse=bool(turn % 2)):
            runs[name].append(_run(bench.folder / f"{name}-{turn}", files, watched=name == "on"))
            say(f"costs: turn {turn}, {name}: {runs[name][-1]}")
    middle = {name: {key: median(run[key] for run in own) for key in own[0]} for name, own in runs.items()}
    off, on = middle["off"], middle["on"]
    more = {key: on[key] - off[key] for key in off}
    slower = 1 - off["seconds"] / on["seconds"]
    busier = on["CPU s"] / off["CPU s"] - 1
    return Result(
        [
            Table(
                f"Watched and not: {len(files)} files, medians of {len(runs['on'])} turns",
                ["", *off],
                [["off", *off.values()], ["on", *on.values()], ["more", *more.values()]],
            ),
            Table(
                "What metrics and page take",
                ["", "measured", "aim"],
                [
                    ["RSS when ready, MB", more["RSS when ready MB"], f"under {AIM_MB}"],
                    ["RSS at rest, MB", more["RSS at rest MB"], f"under {AIM_MB}"],
                    ["throughput by wall time", f"{slower:.1%}", f"under {AIM_SHARE:.0%}"],
                    ["CPU for the same work", f"{busier:.1%}", f"under {AIM_SHARE:.0%}"],
                ],
            ),
        ],
        {"runs": runs, "more": more, "slower": slower, "busier": busier},
        ["On a machine that others use, the figure of CPU is the firmer one."],
    )


def _run(folder: Path, files: list[Path], *, watched: bool) -> dict[str, float]:
    port = _free_port()
    address = {"listen": f"127.0.0.1:{port}"} if watched else {}
    home = Home.fresh(folder, metrics=address, page=address)
    try:
        with Daemon(home) as daemon:
            time.sleep(SETTLED)
            ready = memory(daemon.pid)[0]
            with _looked_at(port if watched else None):
                time.sleep(SETTLED)  # what is loaded with the first request is no cost of the work
                before, began = cpu_seconds(daemon.pid), time.monotonic()
                home.drop(files)
                daemon.filed(len(files))
                took, busy = time.monotonic() - began, cpu_seconds(daemon.pid) - before
                chunks = daemon.status()["chunks"]
                time.sleep(REST + SETTLED)
                rest, peak = memory(daemon.pid)
        home.prove(len(files))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "RSS when ready MB": ready, "RSS at rest MB": rest, "peak RSS MB": peak, "seconds": took,
        "chunks/s": chunks / took, "CPU s": busy,
    }  # fmt: skip


@contextmanager
def _looked_at(port: int | None) -> Iterator[None]:
    """Ask as Prometheus and a browser do, until the end; fails when anything is answered with an error."""
    if port is None:
        yield
        return
    over, trouble = threading.Event(), list[Exception]()

    def ask(path: str, every: float) -> None:
        while not over.is_set():
            try:
                with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                    answer.read()
            except OSError as error:
                trouble.append(error)
            over.wait(every)

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in EVERY.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if trouble:
        raise Failed(f"asked in vain {len(trouble)} times, first: {trouble[0]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: Any = probe.getsockname()
        return int(found[1])

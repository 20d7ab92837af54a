"""Idle: what a daemon without work costs, and whether many small files leave anything behind in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bouquetd.worker import REST
from tests.bench.machine import cpu_seconds, memory
from tests.bench.process import Bench, Daemon, Home
from tests.bench.report import Result, Table
from tests.bench.text import note, paragraphs

PORTION = 1_000
"""Small files dropped at once; RSS is read after each portion."""

SIZE = 1_024
"""Bytes of a small file."""

AIM = 0.005
"""Share of a core that an idle daemon is to stay under."""


def measure(bench: Bench) -> Result:
    """CPU of an empty daemon; then RSS after each thousand files, at work and at rest.

    At work Chroma holds the index of the shard being written, which grows with its chunks until the shard is
    full. At rest, ten seconds after the last file, its client is closed: what is left is the daemon's own.
    """
    home, source = Home.fresh(bench.folder / "home"), paragraphs(3)
    with Daemon(home) as daemon:
        time.sleep(REST + 5)
        seconds, before = bench.pick(15, 60), cpu_seconds(daemon.pid)
        time.sleep(seconds)
        share = (cpu_seconds(daemon.pid) - before) / seconds
        samples: list[dict[str, Any]] = []
        for number in range(bench.pick(2, 10)):
            _drop(home.inbox, bench.folder / "waiting", number, source)
            began = time.monotonic()
            daemon.filed((number + 1) * PORTION)
            took, working = time.monotonic() - began, memory(daemon.pid)[0]
            time.sleep(REST + 3)
            samples.append(
                {
                    "files": (number + 1) * PORTION,
                    "chunks": daemon.status()["chunks"],
                    "seconds": took,
                    "RSS at work MB": working,
                    "RSS at rest MB": memory(daemon.pid)[0],
                }
            )
        _, peak = memory(daemon.pid)
    home.prove(len(samples) * PORTION)
    growth = samples[-1]["RSS at rest MB"] - samples[0]["RSS at rest MB"]
    return Result(
        [
            Table("Idle", ["", "measured", "aim"], [["share of a core", f"{share:.2%}", f"under {AIM:.1%}"]]),
            Table("Small files of 1 KB", list(samples[0]), [list(sample.values()) for sample in samples]),
        ],
        {"cpu_share": share, "seconds": seconds, "samples": samples, "growth_mb": growth, "peak_mb": peak},
        [f"RSS at rest grew by {growth:.1f} MB after the first thousand files; peak {peak:.0f} MB."],
    )


def _drop(inbox: Path, waiting: Path, number: int, source: Any) -> None:
    """Written beside the inbox and moved in, as somebody does who knows that a daemon is watching."""
    waiting.mkdir(exist_ok=True)
    for i in range(PORTION):
        path = waiting / f"{number:03}-{i:03}.txt"
        path.write_text(note(source, SIZE), encoding="utf-8")
    for path in sorted(waiting.iterdir()):
        path.rename(inbox / path.name)

"""One million chunks of 256 dimensions in the embedded store: memory, speed, starts and searches.

``python -m tests.bench.million CONFIG FILES CHUNKS`` is the engine of the daemon in a process of its own, with
the whole pipeline and the governor, without inbox, watcher and moves: real text in files of some hundred to
some thousand chunks is claimed, cut, embedded by the real static embedder, journalled, stored in batches of the
pipeline's size, completed and filed. A million chunks want more text than there is: the paragraphs come around
again in another order, so that chunks resemble each other and none is the same (``text``). Then daemons as
people run them: an empty one, and one that starts with the million and is searched.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from bouquetd.assembly import Engine
from bouquetd.inbox.opening import digest
from bouquetd.ledger import Whole
from bouquetd.model import MB, Fingerprint, Record
from bouquetd.worker import REST
from tests.bench import needles
from tests.bench.inside import warmed
from tests.bench.machine import memory
from tests.bench.process import Bench, Daemon, Home, child, say
from tests.bench.report import Failed, Result, Table
from tests.bench.text import plain_files

SIZES = (300_000, 1_000_000, 3_000_000, 600_000)
"""Bytes of the documents, in turn."""

SAMPLES, STRETCHES = 200, 10
"""How often RSS is looked at, evenly over the chunks; of how many parts the speed is told."""

LIMIT_MB, AIM_PACE, AIM_READY, AIM_REST_MB = 350, 0.9, 5, 20
"""Peak RSS in MB; last over second stretch; seconds until READY; MB at rest above an empty daemon."""

SETTLED = 3.0
"""Seconds after REST until a daemon has given back what it can."""


def measure(bench: Bench) -> Result:
    """Fill, start empty, start with the million, search, verify."""
    wanted = bench.pick(20_000, 1_000_000)
    files = plain_files(bench.folder / "files", wanted, [size // bench.pick(10, 1) for size in SIZES])
    listed = bench.folder / "list"
    listed.write_text("\n".join(map(str, needles.plant(bench.folder / "files", files))))
    say(f"million: {len(files):,} files are written")
    home = Home.fresh(bench.folder / "home", store={"shard_chunks": bench.pick(2_000, 5_000)})
    filled = child("million", home.config, listed, wanted, log=bench.folder / "million.log")
    chunks, samples = filled["chunks"], filled["samples"]
    say(f"million: {chunks:,} chunks are stored")
    with Daemon(Home.fresh(bench.folder / "empty")) as daemon:
        empty = _started(daemon)
    with Daemon(home) as daemon:
        full = _started(daemon)
        found = [needles.find(home, number) for number in range(len(needles.TEXTS))]
        peak_of_search = memory(daemon.pid)[1]
    say("million: the needles are found; verifying")
    proven = home.ask("verify")
    if proven["faults"] or proven["chunks"] != chunks:
        raise Failed(f"{chunks} chunks were stored; {proven['chunks']} are there, {proven['faults']} faults")
    paces = _paces(samples)
    pace = paces[-1][1] / paces[1][1]
    peak, above = filled["peak_mb"], full["RSS at rest MB"] - empty["RSS at rest MB"]
    disk = {name: _disk(getattr(home, name)) for name in ("store", "state")}
    slowest = max(needle["seconds"] for needle in found)
    aims = [
        ["peak RSS while storing, MB", peak, f"under {LIMIT_MB}"],
        ["speed of the last stretch over the second", pace, f"{AIM_PACE} or more"],
        ["READY with all of it, s", full["READY s"], f"under {AIM_READY}"],
        ["RSS at rest above an empty daemon, MB", above, f"{AIM_REST_MB} at most"],
        ["needles found", f"{len(found)} of {len(needles.TEXTS)}", "all"],
        ["peak RSS of the daemon searched, MB", peak_of_search, f"under {LIMIT_MB}"],
    ]
    return Result(
        [
            Table(f"{chunks:,} chunks in {proven['shards']} shards", ["", "measured", "aim"], aims),
            Table("Speed on the way", ["chunks", "chunks/s", "highest RSS MB"], paces),
            Table(
                "Starts",
                ["", *empty],
                [["an empty home", *empty.values()], [f"{chunks:,} chunks", *full.values()]],
            ),
            Table("Needles", list(found[0]), [list(needle.values()) for needle in found]),
            Table("Disk", ["", "MB", "KB a chunk"], [[n, mb, 1024 * mb / chunks] for n, mb in disk.items()]),
        ],
        {
            "chunks": chunks, "shards": proven["shards"], "limit_mb": LIMIT_MB, "samples": samples,
            "peak_mb": peak, "baseline_mb": filled["baseline_mb"], "seconds": filled["seconds"],
            "paces": paces, "pace_ratio": pace, "empty": empty, "full": full, "above_empty_mb": above,
            "needles": found, "peak_with_search_mb": peak_of_search, "disk_mb": disk,
        },
        [
            f"{chunks / filled['seconds']:.0f} chunks a second in all; the slowest of {len(found)} searches"
            f" took {slowest:.1f} s, a command's own start among it. RSS after READY is with the index of the"
            f" shard being written, which the warm-up loads; at rest is {REST + SETTLED:.0f} s later. Every"
            " chunk was verified afterwards."
        ],
    )  # fmt: skip


def _started(daemon: Daemon) -> dict[str, float]:
    """What a start took, and RSS a moment after READY and at rest."""
    began = time.monotonic()
    working = memory(daemon.pid)[0]
    time.sleep(REST + SETTLED - (time.monotonic() - began))
    return {
        "READY s": daemon.ready(),
        "RSS after READY MB": working,
        "RSS at rest MB": memory(daemon.pid)[0],
        "peak RSS MB": memory(daemon.pid)[1],
    }


def _paces(samples: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Speed and highest RSS of each stretch."""
    each = SAMPLES // STRETCHES
    marks = [{"seconds": 0.0, "chunks": 0, "rss_mb": 0.0}, *samples]
    return [
        [
            f"{marks[low]['chunks']:,} to {marks[high]['chunks']:,}",
            (marks[high]["chunks"] - marks[low]["chunks"]) / (marks[high]["seconds"] - marks[low]["seconds"]),
            max(sample["rss_mb"] for sample in marks[low : high + 1]),
        ]
        for low, high in pairwise(range(0, SAMPLES + 1, each))
    ]


def _disk(folder: Path) -> float:
    """MB that a folder takes."""
    return sum(512 * path.lstat().st_blocks for path in folder.rglob("*")) / MB


# -- in the process that is measured ----------------------------------------------------------------------


@dataclass(slots=True)
class Sampler:
    """RSS and time whenever ``step`` more chunks went through."""

    step: int
    began: float = field(default_factory=time.perf_counter)
    chunks: int = 0
    samples: list[dict[str, float]] = field(default_factory=list)

    def count(self, chunks: int) -> None:
        """So many more were stored."""
        self.chunks += chunks
        if self.chunks >= (len(self.samples) + 1) * self.step and len(self.samples) < SAMPLES:
            seconds, rss = time.perf_counter() - self.began, memory()[0]
            self.samples.append({"seconds": seconds, "chunks": self.chunks, "rss_mb": rss})
            if len(self.samples) % STRETCHES == 0:
                say(f"million: {self.chunks:,} chunks after {seconds:.0f} s, {rss:.0f} MB")


def _stored(parts: Engine, files: Iterator[Path], sampler: Sampler) -> None:
    """Bring files into the store as the worker does, but for the inbox: claim, ingest, complete, file."""

    def store(records: Sequence[Record]) -> None:
        parts.store.add(records)
        sampler.count(len(records))

    pipeline = replace(parts.worker._pipeline, store=store)
    waiting = deque[tuple[str, int]]()

    def file_away() -> None:
        landed = list(takewhile(lambda item: item[1] <= parts.store.landed, waiting))
        parts.ledger.complete([Whole(id_) for id_, _ in landed])
        parts.ledger.filed([(id_, "") for id_, _ in landed])  # like files deleted once they are stored
        for _ in landed:
            waiting.popleft()

    for path in files:
        with open(path, "rb") as file:
            seen = Fingerprint.of(os.fstat(file.fileno()))
            document = parts.ledger.claim(path.name, digest(file, MB), seen)
            pipeline.ingest(replace(document, media_type="text/plain"), file)
        waiting.append((document.id, parts.store.taken + len(pipeline.ahead)))
        file_away()
    pipeline.flush()
    parts.store.flush()
    file_away()


def main(config: Path, listed: Path, wanted: int) -> None:
    """Store the files that a list names, print what it took."""
    with warmed(config, sink=False) as (parts, baseline), open(listed, encoding="utf-8") as names:
        sampler = Sampler(wanted // SAMPLES)
        _stored(parts, (Path(name.rstrip("\n")) for name in names), sampler)
        seconds, peak = time.perf_counter() - sampler.began, memory()[1]
    print(
        json.dumps(
            {
                "chunks": sampler.chunks,
                "seconds": seconds,
                "baseline_mb": baseline,
                "peak_mb": peak,
                "samples": sampler.samples,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

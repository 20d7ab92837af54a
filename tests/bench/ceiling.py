"""No ceiling: far more chunks than one shard holds, through a real daemon, and needles found again."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from bouquetd.config import load
from bouquetd.ledger import Ledger
from bouquetd.model import MB
from bouquetd.recovery import LEDGER
from tests.bench.machine import memory
from tests.bench.process import Bench, Daemon, Home
from tests.bench.report import Failed, Result, Table
from tests.bench.text import plain_files

SIZE = 5_000_000
"""Bytes of a document."""

SAMPLE = 1.0
"""Seconds between two samples of the memory."""

STEP = 20_000
"""Chunks between two figures of speed."""

AIM_MB = 400

NEEDLES = {
    "first": "The lighthouse keeper of Skerry Vore counted four thousand barnacles on the northern step before"
    " breakfast, wrote the sum into a green notebook, and fed the two grey seals that had waited for him.",
    "middle": "Aunt Philomena's quince marmalade needs eleven quinces, a copper kettle, the peel of one bitter"
    " orange and a cellar that faces away from the railway, for the trains shake the jars and cloud the jelly.",
    "last": "On the glacier above Zinal the cartographers buried a brass theodolite under a cairn of slate, so"
    " that the next expedition might measure again how far the ice had crept towards the larch trees.",
}


def measure(bench: Bench) -> Result:
    """RSS of each shard while it is written, speed of each stretch, and three searches at the end."""
    shard_chunks = bench.pick(2_000, 5_000)
    files = plain_files(bench.folder / "files", bench.pick(20_000, 300_000), (bench.pick(500_000, SIZE),))
    files = _with_needles(bench.folder / "files", files)
    home = Home.fresh(bench.folder / "home", store={"shard_chunks": shard_chunks})
    for file in files:
        file.rename(home.inbox / file.name)
    high: dict[int, float] = {}
    marks: list[tuple[float, int]] = []
    samples: list[dict[str, float]] = []

    with Daemon(home) as daemon:
        began = time.monotonic()

        def look(seen: dict[str, Any]) -> None:
            shard, now, rss = seen["chunks"] // shard_chunks + 1, time.monotonic(), memory(daemon.pid)[0]
            high[shard] = max(high.get(shard, 0.0), rss)
            if not samples or now - began >= samples[-1]["seconds"] + SAMPLE:
                samples.append(
                    {"seconds": round(now - began, 1), "chunks": seen["chunks"], "rss_mb": round(rss, 1)}
                )
            if seen["chunks"] and (not marks or seen["chunks"] >= marks[-1][1] + STEP // bench.pick(4, 1)):
                marks.append((now, seen["chunks"]))

        daemon.filed(len(files), look)
        _, peak = memory(daemon.pid)
        found = [_find(home, place, text) for place, text in NEEDLES.items()]
        _, peak_of_search = memory(daemon.pid)
    chunks = home.prove(len(files))
    shards = sorted({shard for shard, _ in _shards(home)})
    places = [needle["shard"] for needle in found]
    if places[0] != shards[0] or places[2] != shards[-1] or not shards[0] < places[1] < shards[-1]:
        raise Failed(f"the needles lie in shards {places} of {shards[0]} to {shards[-1]}")
    paces = [
        [f"{at:,} to {until:,}", (until - at) / (then - now)] for (now, at), (then, until) in pairwise(marks)
    ]
    full = [high[shard] for shard in sorted(high)][1:-1] or list(high.values())
    return Result(
        [
            Table(
                f"No ceiling: {chunks:,} chunks in {len(shards)} shards of {shard_chunks:,}",
                ["shard", "highest RSS MB"],
                [[shard, high[shard]] for shard in sorted(high)],
            ),
            Table("Speed on the way", ["chunks", "chunks/s"], paces),
            Table("Needles", list(found[0]), [list(needle.values()) for needle in found]),
        ],
        {
            "chunks": chunks, "peak_mb": peak, "peak_with_search_mb": peak_of_search, "shards": high,
            "paces": paces, "needles": found, "samples": samples,
            "limit_mb": load(home.config).settings.memory.limit / MB,
        },
        [
            f"Peak RSS {peak:.0f} MB while ingesting, {peak_of_search:.0f} with the searches; the aim is under"
            f" {AIM_MB}. After the first, full shards took between {min(full):.0f} and {max(full):.0f} MB."
        ],
    )  # fmt: skip


def _with_needles(folder: Path, files: list[Path]) -> list[Path]:
    """The files in their order with a needle before the first, one in the middle, one after the last."""
    places = {"first": 0, "middle": len(files) // 2 + 1, "last": len(files) + 2}
    for place, text in NEEDLES.items():
        path = folder / f"needle-{place}.txt"
        path.write_text(text + "\n", encoding="utf-8")
        files.insert(places[place], path)
    for number, path in enumerate(files):
        os.utime(path, (1_700_000_000 + number,) * 2)
    return files


def _find(home: Home, place: str, text: str) -> dict[str, Any]:
    """Search for the middle of a needle; fails when its document is not the first answer."""
    words = " ".join(text.split()[5:17])
    began = time.monotonic()
    hits = home.ask("search", words, "-n", "3")
    seconds = time.monotonic() - began
    rank = next((i for i, hit in enumerate(hits, 1) if hit["source"] == f"needle-{place}.txt"), None)
    if rank is None:
        raise Failed(f"the {place} needle was not found by {words!r}; found {[hit['source'] for hit in hits]}")
    shard = next(s for s, document in _shards(home) if document == hits[rank - 1]["document"])
    return {
        "needle": place,
        "shard": shard,
        "rank": rank,
        "distance": hits[rank - 1]["distance"],
        "seconds": seconds,
    }


def _shards(home: Home) -> list[tuple[int, str]]:
    """Which shard holds a part of which document."""
    settings = load(home.config).settings
    ledger = Ledger(settings.paths.state / LEDGER, check=False)
    try:
        return [
            (shard, entry.document.id)
            for entry in ledger.entries()
            for shard, _, _ in ledger.placements(entry.document.id)
        ]
    finally:
        ledger.close()

"""The remote embedder: what it takes of memory here, with the server in another process on loopback.

The server answers at once, so the chunks a second are those of JSON and HTTP alone (``python -m
tests.bench.remote URL DIMENSIONS BATCHES``). Its vectors are a digest of the text.
"""

from __future__ import annotations

import json
import sys
import time

from bouquetd.config import Embed
from bouquetd.embed.remote import RemoteEmbedder
from bouquetd.memory.probe import Probe
from bouquetd.model import MB
from tests.bench.process import Bench, child
from tests.bench.report import Result, Table
from tests.bench.text import paragraphs
from tests.model_server import ModelServer

BATCH = 20
"""Chunks embedded at a time, as ``pipeline.batch_size`` has it."""


def measure(bench: Bench) -> Result:
    """RSS with the texts alone, warm, and what is added then, by the length of the vectors."""
    rows, figures = [], {}
    for dimensions in (384, 1024, 4096):
        with ModelServer(dimensions) as server:
            batches = bench.pick(50, 1000)
            log = bench.folder / f"{dimensions}.log"
            seen = child("remote", server.url, dimensions, batches, log=log)
        figures[str(dimensions)] = seen
        rows.append([dimensions, seen["before"], seen["warm"], seen["after"] - seen["warm"], seen["speed"]])
    columns = ["dimensions", "before MB", "warm MB", "growth since MB", "chunks/s"]
    return Result([Table(f"The remote embedder, {batches * BATCH:,} chunks", columns, rows)], figures)


def main(url: str, dimensions: int, batches: int) -> None:
    """Embed so many batches of real text, print."""
    given = {"provider": "openai", "url": url, "model": "m", "dimensions": dimensions}
    embedder, words = RemoteEmbedder(Embed.read(given)), paragraphs(1)
    with Probe() as probe:
        texts = [next(words)[:800] for _ in range(BATCH)]
        before = probe.rss()
        for _ in range(5):
            embedder.embed(texts)
        warm, began = probe.rss(), time.monotonic()
        for _ in range(batches):
            embedder.embed([next(words)[:800] for _ in range(BATCH)])
        took, after = time.monotonic() - began, probe.rss()
    speed = BATCH * batches / took
    print(json.dumps({"before": before / MB, "warm": warm / MB, "after": after / MB, "speed": speed}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

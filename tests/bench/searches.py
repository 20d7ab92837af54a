"""Searches of 200,000 chunks in shards: what of the ten nearest is found, how soon, in how much memory.

The store is filled as in ``million``. Then a daemon as people run it is asked. Questions are sentences of the
same kind of text: as vectors, whose answers are compared with the ten nearest of all vectors in the store, and
as text, which is what ``bouquetd search`` puts. The first question to a fresh daemon is the cold one; what the
system still holds of the files is not dropped for it, which only a whole machine could do.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bouquetd.bouquet import Bouquet
from tests.bench.machine import memory
from tests.bench.million import SIZES
from tests.bench.process import Bench, Daemon, Home, child, say
from tests.bench.report import Result, Table
from tests.bench.text import paragraphs, plain_files

PLACES = 10

AIM_RECALL, AIM_COLD, AIM_WARM, LIMIT_MB = 0.98, 1.5, 0.3, 500
"""Share of the ten nearest; seconds of the first and of a later search; ``memory.limit``."""

QUESTIONS = 100


def measure(bench: Bench) -> Result:
    """Fill, ask by vector and by text, compare."""
    wanted = bench.pick(10_000, 200_000)
    files = plain_files(bench.folder / "files", wanted, [size // bench.pick(10, 1) for size in SIZES])
    (listed := bench.folder / "list").write_text("\n".join(map(str, files)))
    home = Home.fresh(bench.folder / "home")
    chunks = child("million", home.config, listed, wanted, log=bench.folder / "log")["chunks"]
    say(f"searches: {chunks:,} chunks are stored")
    texts = list(islice(_sentences(), QUESTIONS))
    with Bouquet(str(home.config)) as bouquet:
        asked = bouquet.embedder.embed(texts)
    exact = _nearest(home, asked)
    with Daemon(home) as daemon, Bouquet(str(home.config)) as bouquet:
        before = memory(daemon.pid)[0]
        by_text = [_timed(bouquet, text) for text in texts]
        by_vector = [_timed(bouquet, vector) for vector in asked]
        peak = memory(daemon.pid)[1]
    recall = float(np.mean([_share(own, ids) for (_, ids), own in zip(by_vector, exact, strict=True)]))
    cold, warm = by_text[0][0], median(seconds for seconds, _ in by_text[1:])
    rows = [
        [f"of the {PLACES} nearest, found", recall, f"{AIM_RECALL} or more"],
        ["first search of a fresh daemon, s", cold, f"under {AIM_COLD}"],
        ["a later search, median, s", warm, f"under {AIM_WARM}"],
        ["slowest later search, s", max(seconds for seconds, _ in by_text[1:]), ""],
        ["by vector alone, median, s", median(seconds for seconds, _ in by_vector), ""],
        ["RSS before, MB", before, ""],
        ["peak RSS, MB", peak, f"under {LIMIT_MB}"],
    ]
    return Result(
        [Table(f"{len(texts)} questions to {chunks:,} chunks", ["", "measured", "aim"], rows)],
        {
            "chunks": chunks, "shards": home.count("SELECT COUNT(*) FROM shards"),
            "recall": recall, "cold": cold, "warm": warm, "peak_mb": peak,
            "by_text": [seconds for seconds, _ in by_text], "by_vector": [seconds for seconds, _ in by_vector],
        },
    )  # fmt: skip


def _sentences() -> Iterator[str]:
    """Whole sentences, from anywhere in the text."""
    rng = random.Random("searches")
    for paragraph in paragraphs(3):
        found = [s for s in re.split(r"(?<=[.!?])\s+", paragraph) if 40 < len(s) < 200]
        if found and rng.random() < 0.02:
            yield rng.choice(found)


def _timed(bouquet: Bouquet, question: str | NDArray[np.float32]) -> tuple[float, list[str]]:
    began = time.perf_counter()
    found = bouquet.query(question, PLACES, merged=False)
    return time.perf_counter() - began, [passage.id for passage in found]


def _share(exact: list[tuple[str, float]], found: list[str]) -> float:
    """How many of the nearest were found; of those as near as the last one any will do."""
    last = exact[PLACES - 1][1] + 1e-6
    as_near = {id_ for id_, distance in exact if distance <= last}
    return len(as_near.intersection(found)) / PLACES


def _nearest(home: Home, asked: NDArray[np.float32]) -> list[list[tuple[str, float]]]:
    """For each question the ids nearest to it of all that are stored, with their distances, nearest first."""
    best: list[list[tuple[str, float]]] = [[] for _ in asked]

    def look(page: list[Any]) -> None:
        distances = 1 - asked @ np.stack([record.vector for record in page]).T
        for own, row in zip(best, distances, strict=True):
            near = [(page[i].id, float(row[i])) for i in np.argsort(row)[: 3 * PLACES]]
            own[:] = sorted([*own, *near], key=lambda item: item[1])[: 3 * PLACES]

    with Bouquet(str(home.config)) as bouquet:
        page: list[Any] = []
        for record in bouquet.chunks(vectors=True):
            page.append(record)
            if len(page) == 2_000:
                look(page)
                page = []
        if page:
            look(page)
    return best

"""How every peer is measured, in its own process: its time and memory, and what it says to too many chunks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bouquetd.embed.static import StaticEmbedder
from tests.bench.machine import memory

EMBEDDER = StaticEmbedder()
"""The same for all, behind the interface that each of them wants."""

TOO_MANY = 5_462
"""One record more than Chroma takes in a call."""


def take(
    put: Callable[[Path, Path], object], count: Callable[[Path], int], at_once: Callable[[Path], object]
) -> None:
    """Warm up, take the time, print. The process is started with the folder of files and that of the store.

    ``put`` brings files into a store, ``count`` says how many chunks are there.
    ``at_once`` hands ``TOO_MANY`` short texts over in one go; it runs when all else has been measured.
    """
    folder, store = Path(sys.argv[1]), Path(sys.argv[2])
    EMBEDDER.embed(["warm"] * 100)
    began, cpu = time.perf_counter(), time.process_time()
    put(folder, store)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak, chunks = memory()[1], count(store)
    try:
        at_once(store.with_name(f"{store.name}-at-once"))
        refusal = None
    except Exception as error:
        refusal = str(error)
    print(json.dumps({"chunks": chunks, "seconds": seconds, "cpu": cpu, "peak_mb": peak, "refusal": refusal}))

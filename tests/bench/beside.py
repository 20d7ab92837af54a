"""bouquetd and the bare loop on one folder of files: each in a process of its own, taking turns.

Both are warm when the clock starts and have all in Chroma when it stops. Ours is a whole daemon, with ledger,
journal and moves (``stages``); theirs is ``bare``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.process import Home, child

Run = dict[str, Any]
"""What one run took: ``chunks``, ``seconds``, ``cpu``, ``peak_mb``; ours has its ``stages`` besides."""


def turns(files: Path, folder: Path, number: int) -> tuple[list[Run], list[Run]]:
    """So many runs of ours and of the bare loop on the same files; ``folder`` is where they work."""
    folder.mkdir(exist_ok=True)
    ours, bare = list[Run](), list[Run]()
    for _ in range(number):
        bare.append(_bare(files, folder))
        ours.append(_ours(files, folder))
    return ours, bare


def ratio(ours: list[Run], bare: list[Run]) -> float:
    """How many times as fast as the bare loop we are, by the medians of wall time."""
    return seconds(bare) / seconds(ours)


def seconds(runs: list[Run]) -> float:
    """The median of the wall time."""
    return float(median(run["seconds"] for run in runs))


def _bare(files: Path, folder: Path) -> Run:
    store = folder / "store"
    try:
        return child("bare", files, store, log=folder / "bare.log")
    finally:
        shutil.rmtree(store, ignore_errors=True)


def _ours(files: Path, folder: Path) -> Run:
    home, dropped = Home.fresh(folder / "home"), sorted(files.iterdir())
    try:
        home.drop(dropped)
        run = child("stages", home.config, len(dropped), log=folder / "bouquetd.log")
        home.prove(len(dropped))
        return run
    finally:
        shutil.rmtree(home.config.parent, ignore_errors=True)

"""The daemon's engine in the measuring process, stepped from outside until the inbox is empty."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bouquetd import log as logging
from bouquetd.assembly import Engine, engine
from bouquetd.config import load
from bouquetd.model import Record
from bouquetd.running import settle_in
from bouquetd.store.shards import Store


@contextmanager
def warmed(config: Path, *, sink: bool) -> Iterator[tuple[Engine, float]]:
    """An engine ready for its first file, and its baseline in MB.

    With ``sink`` the last stage drops what it is given: all is as in the daemon, and nothing reaches Chroma.
    """
    settings = load(config).settings
    logging.configure("console", settings.logging.level)
    settle_in(settings)
    with engine(settings, logging.get(), stopping=threading.Event()) as parts:
        baseline = parts.warm()
        parts.worker.reconcile()
        if sink:
            parts.worker._pipeline.store = partial(_drop, parts.store)
        yield parts, baseline / 1024 / 1024


def _drop(store: Store, records: Sequence[Record]) -> None:
    """What ``Store.add`` would have done in the end, but for Chroma."""
    store.taken += len(records)
    store.landed = store.taken


def drain(parts: Engine, files: int) -> None:
    """Work until so many files were dealt with, whatever became of them."""
    tally = parts.worker.tally
    parts.intake.next_scan = 0.0
    while tally.documents + tally.failed + tally.duplicates < files:
        time.sleep(min(parts.worker.step(), 0.1))

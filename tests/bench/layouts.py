"""Layouts: 49 MB of each format, laid out in the ways that are hard on memory, through a real daemon.

All limits are the default ones, the files just under ``inbox.max_file_size``. One is stored whole or refused
with a reason, and which of them it is is part of the result: what must be read whole (a notebook) is refused
before it is opened. Of a package that is what its text takes within.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from bouquetd.model import MB
from tests import samples
from tests.bench.large import LIMIT_MB
from tests.bench.machine import memory
from tests.bench.process import Bench, Daemon, Home, say
from tests.bench.report import Failed, Result, Table
from tests.layouts import MAKERS, PACKED, Maker, fill


def notebook(path: Path, size: int) -> None:
    """One long cell."""
    head, _, tail = samples.notebook(["MARK"]).decode().partition("MARK")
    fill(path, size, "word " * 1000, head, tail)


LAYOUTS: dict[str, Maker] = {**MAKERS, **PACKED, "one cell.ipynb": notebook}

REFUSED = {"one cell.ipynb": "too large to be read whole"}
"""What must not be stored, and the reason."""


def measure(bench: Bench) -> Result:
    """One row for each layout; fails when one is refused that must not be, or the other way round."""
    rows, wrong = [], []
    for name in LAYOUTS:
        row, reason = _one(bench, name)
        rows.append(row)
        say(f"{name}: {row}")
        if (REFUSED[name] not in reason) if name in REFUSED else reason:
            wrong.append(f"{name}: {reason or 'stored'}")
    if wrong:
        raise Failed(f"not as it must be: {'; '.join(wrong)}")
    worst = max(rows, key=lambda row: float(row[4]))
    return Result(
        [Table("49 MB of each layout", ["file", "MB", "outcome", "chunks", "peak RSS MB", "seconds"], rows)],
        {str(row[0]): row[1:] for row in rows},
        [f"Highest peak {worst[4]:.0f} MB (VmHWM), of {worst[0]}; the aim is under {LIMIT_MB}."],
    )


def _one(bench: Bench, name: str) -> tuple[list[Any], str]:
    """What became of a file, and why it was refused, if so."""
    home = Home.fresh(bench.folder / "home")
    file = bench.folder / name
    LAYOUTS[name](file, bench.pick(2, 49) * MB)
    size = file.stat().st_size / MB
    home.drop([file])
    file.unlink()
    with Daemon(home) as daemon:
        began = time.monotonic()
        daemon.dealt_with(11 if name in PACKED else 1)
        took, (_, peak), chunks = time.monotonic() - began, memory(daemon.pid), daemon.status()["chunks"]
        reason = home.ledger("SELECT reason FROM documents WHERE reason IS NOT NULL")
    shutil.rmtree(home.config.parent)
    why = str(reason[0]) if reason else ""
    return [name, size, why[:60] or "stored", chunks, peak, took], why

"""Large files: one of each kind, just under ``inbox.max_file_size``, through a daemon with the default limits.

Twice each: through a real ``bouquetd run``, for the peak of the whole; and through the same engine with a sink
in Chroma's place (``python -m tests.bench.large CONFIG``), for what everything else takes above the baseline.
Text, HTML and PDF go beside the bare loop besides, which reads each whole.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from bouquetd.model import MB
from tests.bench import beside
from tests.bench.inside import drain, warmed
from tests.bench.machine import forget_peak, memory
from tests.bench.process import Bench, Daemon, Home, child
from tests.bench.report import Failed, Result, Table
from tests.bench.text import KINDS, PDF_PAGE, book

WRITERS = {**KINDS, "pdf": book}

COMPARED = ("txt", "html", "pdf")
"""Kinds that the bare loop reads."""

LIMIT_MB, EXCESS_MB = 350, 40
"""What the peak and the excess over the baseline outside Chroma are to stay under."""

AIM = 1.0
"""Of the bare loop's speed, for each kind."""


def measure(bench: Bench) -> Result:
    """Peak, baseline and excess of each kind; the ratio to the bare loop of some."""
    sizes = dict.fromkeys(KINDS, bench.pick(10, 50)) | {"pdf": bench.pick(6, 30)}
    files = {kind: _written(bench.folder / kind, kind, megabytes) for kind, megabytes in sizes.items()}
    runs = [_kind(file, kind, sizes[kind]) for kind, file in files.items()]
    compared = [_compared(files[kind], kind, sizes[kind]) for kind in COMPARED]
    worst = {key: max(run[key] for run in runs) for key in ("peak RSS MB", "excess without Chroma MB")}
    lowest = min(row["ratio"] for row in compared)
    pages = sizes["pdf"] * MB // PDF_PAGE
    return Result(
        [
            Table("Large files", list(runs[0]), [list(run.values()) for run in runs]),
            Table("Beside the bare loop", list(compared[0]), [list(row.values()) for row in compared]),
        ],
        {"megabytes": sizes, "runs": runs, "worst": worst, "beside": compared, "ratio": lowest},
        [
            f"Highest peak {worst['peak RSS MB']:.0f} MB (VmHWM); the aim is under {LIMIT_MB}. Largest excess"
            f" over the warm baseline without Chroma {worst['excess without Chroma MB']:.1f} MB; the aim is"
            f" {EXCESS_MB} at most.",
            f"Lowest ratio to the bare loop {lowest:.2f}; the aim is {AIM} or more each. The PDF has {pages:,}"
            " pages. The seconds beside the bare loop run from the file taken to the file put away; those above"
            " from READY on, with the time a file must have been quiet.",
        ],
    )


def _written(folder: Path, kind: str, megabytes: int) -> Path:
    """The file of a kind, alone in its folder."""
    (folder / "file").mkdir(parents=True)
    file = folder / "file" / f"large.{kind}"
    WRITERS[kind](file, megabytes * MB, 7)
    return file


def _kind(file: Path, kind: str, megabytes: int) -> dict[str, Any]:
    folder = file.parents[1]
    whole, alone = Home.fresh(folder / "whole"), Home.fresh(folder / "alone")
    whole.drop([file])
    alone.drop([file])
    with Daemon(whole) as daemon:
        began = time.monotonic()
        daemon.filed(1)
        seconds, (_, peak), baseline = (
            time.monotonic() - began,
            memory(daemon.pid),
            daemon.status()["baseline_mb"],
        )
    chunks = whole.prove(1)
    without = child("large", alone.config, log=folder / "alone.log")
    if without["chunks"] != chunks:
        raise Failed(f"{kind}: {chunks} chunks with Chroma, {without['chunks']} without")
    for home in (whole, alone):
        shutil.rmtree(home.config.parent)
    return {
        "kind": kind,
        "MB": megabytes,
        "chunks": chunks,
        "seconds": seconds,
        "baseline MB": baseline,
        "peak RSS MB": peak,
        "baseline without Chroma MB": without["baseline_mb"],
        "peak without Chroma MB": without["peak_mb"],
        "excess without Chroma MB": without["peak_mb"] - without["baseline_mb"],
    }


def _compared(file: Path, kind: str, megabytes: int) -> dict[str, Any]:
    ours, bare = beside.turns(file.parent, file.parents[1] / "beside", 1)
    return {
        "kind": kind,
        "MB": megabytes,
        "seconds": ours[0]["seconds"],
        "bare loop seconds": bare[0]["seconds"],
        "ratio": beside.ratio(ours, bare),
        "chunks": ours[0]["chunks"],
        "bare loop chunks": bare[0]["chunks"],
        "peak RSS MB": ours[0]["peak_mb"],
        "bare loop peak RSS MB": bare[0]["peak_mb"],
    }


def main(config: Path) -> None:
    """One file through everything but Chroma, print."""
    with warmed(config, sink=True) as (parts, baseline):
        forget_peak()
        drain(parts, 1)
        tally, peak = parts.worker.tally, memory()[1]
    if tally.documents != 1:
        sys.exit("the file failed")
    print(json.dumps({"chunks": tally.chunks, "baseline_mb": baseline, "peak_mb": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

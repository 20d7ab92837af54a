"""Large files: one of each kind, just under ``inbox.max_file_size``, through a daemon with the default limits.

Twice each: through a real ``bouquetd run``, for the peak of the whole; and through the same engine with a sink
in Chroma's place (``python -m tests.bench.large CONFIG``), for what everything else takes above the baseline.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from bouquetd.model import MB
from tests.bench.inside import drain, warmed
from tests.bench.machine import forget_peak, memory
from tests.bench.process import Bench, Daemon, Home, child
from tests.bench.report import Failed, Result, Table
from tests.bench.text import KINDS

LIMIT_MB, EXCESS_MB = 500, 40
"""What the peak and the excess over the baseline outside Chroma are to stay under."""


def measure(bench: Bench) -> Result:
    """Peak, baseline and excess of each kind."""
    megabytes = bench.pick(10, 50)
    runs = [_kind(bench, kind, megabytes) for kind in KINDS]
    columns = list(runs[0])
    worst = {key: max(run[key] for run in runs) for key in ("peak RSS MB", "excess without Chroma MB")}
    return Result(
        [Table(f"Files of {megabytes} MB", columns, [list(run.values()) for run in runs])],
        {"megabytes": megabytes, "runs": runs, "worst": worst},
        [
            f"Highest peak {worst['peak RSS MB']:.0f} MB (VmHWM); the aim is under {LIMIT_MB}. Largest excess"
            f" over the warm baseline without Chroma {worst['excess without Chroma MB']:.1f} MB; the aim is"
            f" {EXCESS_MB} at most.",
        ],
    )


def _kind(bench: Bench, kind: str, megabytes: int) -> dict[str, Any]:
    folder = bench.folder / kind
    folder.mkdir()
    file = folder / f"large.{kind}"
    KINDS[kind](file, megabytes * MB, 7)
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
    shutil.rmtree(folder)
    return {
        "kind": kind,
        "chunks": chunks,
        "seconds": seconds,
        "baseline MB": baseline,
        "peak RSS MB": peak,
        "baseline without Chroma MB": without["baseline_mb"],
        "peak without Chroma MB": without["peak_mb"],
        "excess without Chroma MB": without["peak_mb"] - without["baseline_mb"],
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

"""Operations: by how much RSS grows during one operation of a stage, once warm.

A mixed inbox goes through the engine, with Chroma and with a sink in its place (``python -m
tests.bench.operation CONFIG FILES``). With Chroma, a stage that runs while Chroma's own thread adds a batch is
charged with what that thread takes meanwhile; without, the figure is the stage's own.
"""

from __future__ import annotations

import json
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from bouquetd.memory.meter import Work
from bouquetd.model import MB
from tests import samples
from tests.bench.inside import drain, warmed
from tests.bench.process import Bench, Home, child
from tests.bench.report import Result, Table
from tests.bench.text import KINDS, paragraphs

AIM_MB = 5
"""``memory.operation``."""


def measure(bench: Bench) -> Result:
    """The largest growth by stage."""
    runs = {True: _run(bench, "sink"), False: _run(bench, "chroma")}
    stages = sorted(set(runs[True]["worst"]) | set(runs[False]["worst"]))
    rows = [
        [stage, *(runs[sink][which].get(stage, 0.0) for sink in (True, False) for which in ("first", "worst"))]
        for stage in stages
    ]
    worst = max(runs[True]["worst"].values())
    columns = ["stage", "warming up MB", "warm MB", "warming up, with Chroma MB", "warm, with Chroma MB"]
    return Result(
        [Table(f"Largest growth of one operation, {runs[False]['chunks']:,} chunks", columns, rows)],
        {"sink": runs[True], "chroma": runs[False]},
        [f"The largest of a warm operation without Chroma is {worst:.2f} MB; the aim is {AIM_MB} at most."],
    )


def _run(bench: Bench, end: str) -> dict[str, Any]:
    home = Home.fresh(bench.folder / end)
    first = _mixed(bench.folder / f"{end}-first", 20_000, 1, seed=1)
    rest = _mixed(bench.folder / f"{end}-rest", bench.pick(500_000, 5_000_000), bench.pick(2, 3), seed=100)
    answer = child("operation", home.config, end, first, rest, log=bench.folder / f"{end}.log")
    shutil.rmtree(first)
    shutil.rmtree(rest)
    if end == "chroma":
        home.prove(answer["files"])
    return answer


def _mixed(folder: Path, size: int, each: int, seed: int) -> Path:
    """Files of every kind: text, HTML, JSON, CSV of some ``size`` bytes, PDF and DOCX of a tenth."""
    folder.mkdir()
    for turn in range(each):
        for suffix, write in KINDS.items():
            write(folder / f"{seed + turn}.{suffix}", size, seed + turn)
        parts = list(islice(paragraphs(seed + turn), size // 5_000 + 5))
        pages = [part.encode("latin-1", "replace").decode("latin-1") for part in parts]
        (folder / f"{seed + turn}.pdf").write_bytes(samples.pdf(pages))
        (folder / f"{seed + turn}.docx").write_bytes(samples.docx(parts))
    return folder


def main(config: Path, end: str, first: Path, rest: Path) -> None:
    """Warm up with the first folder, measure on the second, print."""
    home = Home(config)
    with warmed(config, sink=end == "sink") as (parts, _):
        files = sorted(first.iterdir())
        home.drop(files)
        drain(parts, len(files))
        before = _in_mb(parts.meter.work)
        parts.meter.work.clear()
        files += sorted(rest.iterdir())
        home.drop(sorted(rest.iterdir()))
        drain(parts, len(files))
        tally, worst = parts.worker.tally, _in_mb(parts.meter.work)
    if tally.documents != len(files):
        sys.exit(f"{len(files)} files, {tally.documents} stored")
    print(json.dumps({"files": len(files), "chunks": tally.chunks, "first": before, "worst": worst}))


def _in_mb(stages: dict[str, Work]) -> dict[str, float]:
    return {stage: work.grown / MB for stage, work in stages.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))

"""Small files: ten thousand of 1 KB beside the bare loop, which fills its batches across files as we do."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench import beside
from tests.bench.process import Bench
from tests.bench.report import Result, Table
from tests.bench.text import note, paragraphs

SIZE = 1_024
"""Characters of a file."""

AIM = 0.8


def measure(bench: Bench) -> Result:
    """Files a second of both, each file claimed, journalled, stored and moved by ours."""
    number = bench.pick(1_000, 10_000)
    files = _written(bench.folder / "files", number)
    ours, bare = beside.turns(files, bench.folder / "runs", bench.pick(2, 3))
    ratio = beside.ratio(ours, bare)
    rows = [
        [
            name,
            runs[0]["chunks"],
            (took := beside.seconds(runs)),
            number / took,
            min(run["cpu"] for run in runs),
            max(run["peak_mb"] for run in runs),
        ]
        for name, runs in (("bouquetd", ours), ("bare loop", bare))
    ]
    typical = sorted(ours, key=lambda run: run["seconds"])[len(ours) // 2]
    where = [
        [stage, took, 1e6 * took / number]
        for stage, took in sorted(typical["stages"].items(), key=lambda stage: -stage[1])
    ]
    return Result(
        [
            Table(
                f"{number:,} files of 1 KB",
                ["", "chunks", "seconds", "files/s", "CPU s", "peak RSS MB"],
                rows,
            ),
            Table("Where the worker's time goes", ["stage", "seconds", "µs a file"], where),
        ],
        {"files": number, "ratio": ratio, "bouquetd": ours, "bare": bare},
        [
            f"Ratio of files a second, by the medians of {len(ours)} runs each: {ratio:.2f}; the aim is {AIM}"
            " or more."
        ],
    )


def _written(folder: Path, number: int) -> Path:
    """Numbered notes: no two have the same content, or the second would be a duplicate."""
    folder.mkdir()
    source = paragraphs(5)
    for i in range(number):
        path = folder / f"{i:05}.txt"
        path.write_text(note(source, SIZE - 12) + f"\n\nNote {i:05}", encoding="utf-8")
        os.utime(path, (1_700_000_000 + i,) * 2)
    return folder

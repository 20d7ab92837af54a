"""Speed: the daemon beside a bare loop, on the same files, in one run, taking turns."""

from __future__ import annotations

import shutil
from statistics import median
from typing import Any

from bouquetd.model import MB
from tests.bench.process import Bench, Home, child
from tests.bench.report import Result, Table
from tests.bench.text import mixed_files

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
"""Bytes of the documents, in turn."""

AIM = 1.2


def measure(bench: Bench) -> Result:
    """Ratios of medians; both warm before the clock starts, both with all in Chroma when it stops."""
    files = mixed_files(bench.folder / "files", bench.pick(8_000, 40_000), SIZES)
    text = sum(file.stat().st_size for file in files) / MB
    ours, bare = list[dict[str, Any]](), list[dict[str, Any]]()
    for turn in range(bench.pick(2, 3)):
        bare.append(run_bare(bench, turn))
        ours.append(run_ours(bench, turn, len(files)))
    rows = [row("bouquetd", ours, text), row("bare loop", bare, text)]
    ratio = {key: rows[0][key] / rows[1][key] for key in ("chunks/s", "MB/s", "CPU s", "peak RSS MB")}
    columns = ["", *(key for key in rows[0] if key != "name")]
    table = [list(values.values()) for values in rows]
    table.append(["ratio", "", "", "", *ratio.values()])
    typical = sorted(ours, key=lambda run: run["seconds"])[len(ours) // 2]
    shares = sorted(typical["stages"].items(), key=lambda stage: -stage[1])
    where = [
        [
            name,
            seconds,
            f"{seconds / typical['seconds']:.1%}",
            1e6 * seconds / typical["chunks"],
            1e6 * typical["stages_cpu"][name] / typical["chunks"],
        ]
        for name, seconds in shares
    ]
    return Result(
        [
            Table(f"Speed: {len(files)} text, Markdown and HTML files, {text:.1f} MB", columns, table),
            Table(
                "Where the worker's time goes",
                ["stage", "seconds", "share", "µs a chunk", "of them CPU"],
                where,
            ),
        ],
        {"ratio": ratio, "rows": rows, "bouquetd": ours, "bare": bare, "files": len(files), "text_mb": text},
        [
            f"Median of {len(ours)} runs each, in turns. Ratio of chunks a second of wall time:"
            f" {ratio['chunks/s']:.2f}; the aim is {AIM} or more. The two splitters cut the same text into"
            " different numbers of chunks; the ratio by bytes stands beside it.",
            "A stage's time is its own, without that of the stages it calls; what is not CPU is waiting: for"
            " the disk, for another thread (entities run in threads of their own), for a core.",
            f"Chroma worked {typical['chroma']:.1f} of these {typical['seconds']:.1f} s, in the stage `store`.",
        ],
    )


def run_bare(bench: Bench, turn: int) -> dict[str, Any]:
    """The bare loop on the folder ``files``, into a store that is removed afterwards."""
    store = bench.folder / f"bare-{turn}"
    try:
        return child("bare", bench.folder / "files", store, log=bench.folder / "bare.log")
    finally:
        shutil.rmtree(store, ignore_errors=True)


def run_ours(bench: Bench, turn: int, files: int) -> dict[str, Any]:
    """The daemon on a copy of the folder ``files``, into a home that is removed afterwards."""
    home = Home.fresh(bench.folder / f"bouquetd-{turn}")
    try:
        home.drop(sorted((bench.folder / "files").iterdir()))
        run = child("stages", home.config, files, log=bench.folder / "bouquetd.log")
        home.prove(files)
        return run
    finally:
        shutil.rmtree(home.config.parent, ignore_errors=True)


def row(name: str, runs: list[dict[str, Any]], text: float) -> dict[str, Any]:
    """What a table says of some runs on ``text`` MB of text: medians."""
    chunks, seconds = runs[0]["chunks"], median(run["seconds"] for run in runs)
    return {
        "name": name,
        "chunks": chunks,
        "characters a chunk": round(text * MB / chunks),
        "seconds": seconds,
        "chunks/s": chunks / seconds,
        "MB/s": text / seconds,
        "CPU s": median(run["cpu"] for run in runs),
        "peak RSS MB": median(run["peak_mb"] for run in runs),
    }

"""One screen of a terminal that shows the daemon at work: what ``bouquetd top`` draws each second. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bouquetd.memory.governor import Mode
from bouquetd.memory.recorded import Recorded
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
from bouquetd.ops import curve
from bouquetd.ops.drawing import columns as columns_of
from bouquetd.ops.figures import lasting, percent, size

COLUMNS, ROWS = 60, 16
"""The smallest screen that all of it fits on; a smaller one shows its upper left part."""

CURVE = 10
"""Rows of the curve at least; what a larger screen has more is shared with the files."""

SPAN = 900.0
"""Seconds that the curve goes back."""

MODES = {"throttled": Mode.THROTTLE, "paused": Mode.PAUSE}
"""The governor's mode by the daemon's state; in all others it runs."""

STAGES = ("extract", "entities", "embed", "journal", "store")
"""In the order of a document's way."""


def shares(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, float]:
    """Of the time between two looks, what each stage took, 0 to 1."""
    passed = now["at"] - before["at"] if before else 0.0
    if not before or passed <= 0 or before["pid"] != now["pid"]:
        return {}
    old = before["stages"]
    return {
        stage: min(1.0, max(0.0, work["seconds"] - old.get(stage, {}).get("seconds", 0.0)) / passed)
        for stage, work in now["stages"].items()
    }


def with_now(recorded: Recorded, shown: Mapping[str, Any]) -> Recorded:
    """History, which is written each 10 s, with this moment behind it."""
    if "stages" not in shown:
        return recorded
    rss, current = int(shown["rss_mb"] * MB), shown["current"]
    source = current["source"] if current else ""
    mode = MODES.get(shown["state"], Mode.RUN)
    last = Sample(shown["at"], 1, rss, rss, shown["stage"], source, mode)
    return replace(recorded, until=max(recorded.until, last.at), samples=(*recorded.samples, last))


def screen(
    shown: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    recorded: Recorded,
    taken: Mapping[str, float],
    *,
    columns: int,
    rows: int,
    plain: bool = False,
) -> list[str]:
    """The lines, at most ``rows``, none wider than ``columns``.

    ``shown`` is the daemon's status with the ledger's overview, ``files`` the documents that changed last,
    ``taken`` the share of time by stage; ``plain`` uses ASCII only.
    """
    width = max(COLUMNS, columns)
    head, foot = list(_head(shown, width, plain=plain)), list(_foot(shown, taken))
    room = max(ROWS, rows) - len(head) - len(foot) - 3
    drawn = min(max(CURVE, room * 2 // 3), room)
    # Without the ceiling, which would flatten what is below.
    low = replace(recorded, marks=recorded.marks._replace(ceiling=0))
    graph = curve.terminal(low, columns=width, rows=drawn, plain=plain, bare=True) if drawn >= CURVE else []
    listed = list(_files(files, room - len(graph), width, plain=plain))
    lines = [*head, *graph, *foot, *listed, "", "q or Ctrl-C leaves"]
    return [_cut(line, columns, plain=plain) for line in lines[:rows]]


def _head(shown: Mapping[str, Any], width: int, *, plain: bool) -> Iterator[str]:
    why = f": {shown['why']}" if shown.get("why") else ""
    stamp = time.strftime("%H:%M:%S", time.localtime(shown["at"])) if "at" in shown else ""
    title = f"bouquetd is {shown['state']}{why}"
    title = _cut(title, width - len(stamp) - 1, plain=plain)
    yield f"{title}{' ' * (width - columns_of(title) - len(stamp))}{stamp}"
    if shown.get("remedy"):
        yield f"to do    {shown['remedy']}"


def _foot(shown: Mapping[str, Any], taken: Mapping[str, float]) -> Iterator[str]:
    if "stages" not in shown:  # it does not run, or it reindexes
        yield "start it with: bouquetd run, or systemctl start bouquetd" if not shown["running"] else ""
        return
    yield (
        f"memory   {shown['rss_mb']:,.0f} of {shown['limit_mb']:,.0f} MB RSS, peak {shown['peak_mb']:,.0f};"
        f" machine {shown['available_mb']:,.0f} MB free, pressure {percent(shown['pressure'])}"
    )
    queue = shown["queue"]
    oldest = f", the next for {lasting(queue['oldest'])}" if queue["files"] else ""
    yield f"inbox    {queue['files']:,} waiting, {size(queue['bytes'])}{oldest}"
    current = shown["current"]
    yield (
        f"now      {percent(current['share']):>5} of {size(current['size'])}, {current['chunks']:,} chunks:"
        f" {current['source']}"
        if current
        else "now      -"
    )
    busy = "  ".join(f"{stage} {percent(taken.get(stage, 0.0))}" for stage in STAGES)
    yield f"stages   {busy}"
    yield (
        f"speed    {shown['chunks_per_second']:,.0f} chunks and {size(shown['bytes_per_second'])} a second;"
        f" {shown['documents']:,} stored, {shown['failed']:,} failed"
    )


def _files(files: Iterable[Mapping[str, Any]], room: int, width: int, *, plain: bool) -> Iterator[str]:
    for row in list(files)[: max(0, room)]:
        when = time.strftime("%H:%M:%S", time.localtime(row["updated"]))
        why = f": {row['reason']}" if row["reason"] else ""
        line = f"{when} {row['state']:<9} {row['chunks']:>6} chunks  {row['source']}{why}"
        yield _cut(line, width, plain=plain)


def _cut(line: str, width: int, *, plain: bool) -> str:
    """A line in at most so many columns; what is cut off ends in a mark."""
    if columns_of(line) <= width:
        return line
    mark = "..." if plain else "…"
    room, kept = width - len(mark), 0
    while kept < len(line) and (room := room - columns_of(line[kept])) >= 0:
        kept += 1
    return line[:kept] + mark

"""What the history of memory comes to: the highest peak and whose it was, throttles, pauses, ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bouquetd.config import Paths
from bouquetd.memory import history, recorded
from bouquetd.memory.governor import exact, short
from bouquetd.memory.history import Event, Kind
from bouquetd.memory.recorded import Attributed, Recorded

NOTHING = (
    "Nothing is recorded of that time: the daemon takes down its memory while it runs. Start it with:"
    " bouquetd run, or systemctl start bouquetd"
)

SHOWN = 5
"""Ends of processes that are told in full."""


def told(paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The request ``memory``: the history ``since`` a time until now, in seconds since the epoch."""
    since = float(arguments["since"])
    return recorded.plain(recorded.read(paths.state / history.FILE, since, time.time()))


@dataclass(frozen=True, slots=True)
class Summary:
    """A stretch of history in figures: bytes and seconds.

    ``mean`` of RSS while a daemon ran; ``paused`` seconds in ``pauses``, the longest of them ``longest``;
    ``ends``: the processes that died, and why.
    """

    highest: Attributed | None
    mean: int
    throttles: int
    pauses: int
    paused: float
    longest: float
    starts: int
    ends: tuple[Event, ...]
    held: int


def summary(stretch: Recorded) -> Summary:
    """Count it together."""
    kinds = [event.kind for event in stretch.events]
    lengths = _pauses(stretch)
    ticks = sum(one.ticks for one in stretch.samples)
    return Summary(
        highest=stretch.peaks[0] if stretch.peaks else None,
        mean=sum(one.rss * one.ticks for one in stretch.samples) // ticks if ticks else 0,
        throttles=kinds.count(Kind.THROTTLED),
        pauses=len(lengths),
        paused=round(sum(lengths), 1),
        longest=round(max(lengths, default=0.0), 1),
        starts=kinds.count(Kind.STARTED),
        ends=tuple(event for event in stretch.events if event.kind in (Kind.DIED, Kind.STUCK)),
        held=kinds.count(Kind.HELD),
    )


def _pauses(stretch: Recorded) -> list[float]:
    """How long each pause was: until it was over, or the process was."""
    lengths: list[float] = []
    began: float | None = None
    for event in stretch.events:
        if event.kind == Kind.PAUSED:
            began = event.at
        elif event.kind in (Kind.RESUMED, Kind.STOPPED, Kind.DIED, Kind.STARTED):
            if began is not None:
                lengths.append(max(0.0, event.at - began))
            began = None
    return lengths if began is None else [*lengths, stretch.until - began]


def sentences(stretch: Recorded) -> list[str]:
    """The summary in words, one line each."""
    found = summary(stretch)
    if found.highest is None:
        return [NOTHING]
    limit = stretch.marks.limit
    share = f", {found.highest.peak / limit:.0%} of memory.limit ({short(limit)})" if limit else ""
    lines = [
        f"Highest {exact(found.highest.peak)}{share}, {moment(found.highest.at)}: {whose(found.highest)}",
        f"Mean {exact(found.mean)}; throttled {times(found.throttles)}, paused {times(found.pauses)}"
        + (f", {found.paused:.0f} s in all, at most {found.longest:.0f} s" if found.pauses else "")
        + f", started {times(found.starts)}"
        + (f", held up {times(found.held)}" if found.held else ""),
    ]
    lines += [f"{event.kind.capitalize()} {moment(event.at)}: {event.text}" for event in found.ends[-SHOWN:]]
    if len(found.ends) > SHOWN:
        lines.append(f"Died {times(len(found.ends) - SHOWN)} more before; --json has them all")
    return lines


def whose(peak: Attributed) -> str:
    """Whose a peak was, in words."""
    if not peak.stage and not peak.source:
        return "nothing in hand"
    stage = {"": "", "start": "while it started"}.get(peak.stage, f"in the stage {peak.stage}")
    return " ".join(filter(None, (peak.source, stage)))


def moment(at: float) -> str:
    """A time in words, in the time of here."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def times(number: int) -> str:
    """``never``, ``once``, ``7 times``."""
    return {0: "never", 1: "once"}.get(number, f"{number} times")

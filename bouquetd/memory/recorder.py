"""Takes RSS down as time goes by: many readings become one sample for each bucket of time. Pure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from typing import NamedTuple

from bouquetd.memory.governor import Mode

BUCKET = 10
"""Seconds that one sample stands for: a day is 8,640 of them."""

GRAVITY = tuple(Mode)
"""The modes, the gravest last: a sample has the gravest of its time."""


class Peak(NamedTuple):
    """The largest RSS of some time, in bytes, with the stage that ran and the source in hand at that moment."""

    rss: int
    stage: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one bucket of time was like.

    ``at``: its begin, in seconds since the epoch; ``ticks``: how many looks it is made of; ``rss``: their mean
    and ``peak`` the largest, in bytes; ``stage`` and ``source``: what ran at the peak, empty for nothing;
    ``mode``: the gravest of the governor's.
    """

    at: float
    ticks: int
    rss: int
    peak: int
    stage: str
    source: str
    mode: str


def merged(one: Sample, other: Sample) -> Sample:
    """Two samples as one, which begins where ``one`` does."""
    ticks = one.ticks + other.ticks
    higher = other if other.peak > one.peak else one
    return replace(
        higher,
        at=one.at,
        ticks=ticks,
        rss=(one.rss * one.ticks + other.rss * other.ticks) // ticks,
        mode=max(one.mode, other.mode, key=_gravity),
    )


def begin(at: float, width: float) -> float:
    """When the bucket began that a time lies in."""
    return floor(at / width) * width


class Recorder:
    """Gathers the ticks of one bucket and hands them on as a sample when the next one begins."""

    def __init__(self) -> None:
        self._held: Sample | None = None

    def tick(self, now: float, rss: int, mode: str, peak: Peak) -> Sample | None:
        """Take down one look: RSS ``now``, and the largest since the look before.

        ``now`` in seconds since the epoch. Returns the sample of the bucket that this look ended, if it did.
        """
        looked = Sample(begin(now, BUCKET), 1, rss, max(rss, peak.rss), peak.stage, peak.source, mode)
        held = self._held
        if held is None or held.at == looked.at:
            self._held = merged(held, looked) if held else looked
            return None
        self._held = looked
        return held

    def finish(self) -> Sample | None:
        """The sample that is not full yet, for a process that ends."""
        held, self._held = self._held, None
        return held


class Watermark:
    """Remembers the largest RSS that anybody read since it was last asked; for any thread.

    ``running`` tells which stage runs, and on which source.
    """

    def __init__(self, rss: Callable[[], int]) -> None:
        self.running: Callable[[], tuple[str, str]] = lambda: ("", "")
        self._rss = rss
        self._lock = threading.Lock()
        self._peak = Peak(0)

    def rss(self) -> int:
        """Read the RSS, in bytes."""
        rss = self._rss()
        if rss > self._peak.rss:
            self._note(Peak(rss, *self.running()))
        return rss

    def see(self, rss: int) -> None:
        """Take note of an RSS that was seen elsewhere; where nothing runs any more, it was of what ran last."""
        stage, source = self.running()
        self._note(Peak(rss, stage, source) if stage or source else self._peak._replace(rss=rss))

    def _note(self, peak: Peak) -> None:
        with self._lock:
            self._peak = max(self._peak, peak, key=_height)

    def take(self) -> Peak:
        """The largest since this was last asked; an RSS of 0 where nobody read any."""
        with self._lock:
            peak, self._peak = self._peak, Peak(0)
        return peak


def _gravity(mode: str) -> int:
    return GRAVITY.index(Mode(mode))


def _height(peak: Peak) -> int:
    return peak.rss

"""The governor: decides from the RSS whether the worker runs, throttles or pauses. Pure, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bouquetd.model import MB

INTERVAL = 1.0
"""Seconds in THROTTLE after which the batch is halved once more."""

SMALLEST = 2.0**-13
"""The floor of ``scale``: it takes Chroma's largest call (5,461 records) down to one."""


class Mode(StrEnum):
    """What the worker may do."""

    RUN = "run"
    THROTTLE = "throttle"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the modes change.

    ``limit`` in bytes of RSS. ``throttle`` and ``resume`` are fractions of it, ``resume`` the smaller.
    ``pressure`` is the share of time (0 to 1) in which the kernel may keep tasks waiting for memory; 0 switches
    it off.
    """

    limit: int
    throttle: float = 0.8
    resume: float = 0.7
    pressure: float = 0.0

    def __post_init__(self) -> None:
        if self.limit <= 0 or not 0 < self.resume < self.throttle <= 1 or self.pressure < 0:
            raise ValueError(f"limits that no memory can meet: {self}")

    @property
    def throttle_at(self) -> float:
        """The RSS, in bytes, from which batches shrink."""
        return self.throttle * self.limit

    @property
    def resume_at(self) -> float:
        """The RSS, in bytes, under which work goes on at full size."""
        return self.resume * self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """One tick's answer. ``reason`` explains the latest change and is empty before the first."""

    state: Mode
    changed: bool
    reason: str


class Governor:
    """A state machine over RSS, with the kernel's memory pressure as a second, optional witness.

    ``scale`` is what the configured batch is multiplied by, ``since`` the start of the current mode in the
    clock of ``tick``, ``crossed`` true for the one tick in which the RSS took it out of RUN. ``limits`` may be
    replaced at any time and hold from the next tick on.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.mode = Mode.RUN
        self.scale = 1.0
        self.since = 0.0
        self.crossed = False
        self._reason = ""
        self._halved = 0.0

    def tick(self, rss: int, now: float, pressure: float = 0.0) -> Verdict:
        """Judge ``rss`` (bytes) and ``pressure`` (0 to 1) at ``now`` (seconds of any steady clock)."""
        before, self.mode = self.mode, self._next(rss, pressure)
        changed = self.mode is not before
        self.crossed = before is Mode.RUN and changed and rss >= self.limits.throttle_at
        if changed:
            self.since = self._halved = now
            self._reason = self._explain(rss, pressure)
        if self.mode is Mode.RUN:
            self.scale = 1.0
        elif self.mode is Mode.THROTTLE and now - self._halved >= INTERVAL:
            self.scale = max(self.scale / 2, SMALLEST)
            self._halved = now
        return Verdict(self.mode, changed, self._reason)

    def _next(self, rss: int, pressure: float) -> Mode:
        limits = self.limits
        if rss >= limits.limit or 0 < limits.pressure <= pressure:
            return Mode.PAUSE
        if self.mode is Mode.RUN:
            return Mode.THROTTLE if rss >= limits.throttle_at else Mode.RUN
        relieved = limits.pressure == 0 or pressure < limits.pressure / 2
        return Mode.RUN if rss < limits.resume_at and relieved else self.mode

    def _explain(self, rss: int, pressure: float) -> str:
        limits, now, limit = self.limits, exact(rss), short(self.limits.limit)
        if self.mode is Mode.RUN:
            return f"{now} RSS, under {limits.resume:.0%} of the limit of {limit}"
        if self.mode is Mode.THROTTLE:
            return f"{now} RSS, over {limits.throttle:.0%} of the limit of {limit}"
        if rss >= limits.limit:
            return f"{now} RSS at the limit of {limit}"
        return f"kernel memory pressure {pressure:.0%}, the mark is {limits.pressure:.0%}, at {now} RSS"


def exact(size: int) -> str:
    """Bytes as the memory lines show them: ``46.12 MB``."""
    return f"{size / MB:.2f} MB"


def short(size: int) -> str:
    """Bytes as a person configured them: ``500 MB``, ``0.5 MB``."""
    return f"{size / MB:.2f}".rstrip("0").rstrip(".") + " MB"

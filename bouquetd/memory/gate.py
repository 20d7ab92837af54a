"""The gate: where the worker asks the governor between two batches, and waits while memory is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from bouquetd.errors import Explained, Stopped
from bouquetd.log import Log
from bouquetd.memory.governor import Governor, Limits, Mode, Verdict, exact, short
from bouquetd.memory.history import Kind
from bouquetd.memory.probe import Vitals
from bouquetd.memory.reclaim import Freed, Ladder
from bouquetd.model import MB

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
"""Seconds between two looks in a pause; doubled each time, up to the second figure."""

PRESSURE_EVERY = 1.0
"""Seconds a figure of the kernel's pressure is good for: the kernel itself renews it every 2 s."""

_KINDS = {Mode.RUN: Kind.RESUMED, Mode.THROTTLE: Kind.THROTTLED, Mode.PAUSE: Kind.PAUSED}


class Stuck(Explained):
    """Memory stayed short for longer than ``memory.pause_limit``: only a fresh process helps."""


class Reader(Protocol):
    """What the gate wants to know of the process; ``Probe`` answers it."""

    def rss(self) -> int:
        """Resident memory in bytes."""

    def vitals(self) -> Vitals:
        """RSS, peak and VSZ."""

    def pressure(self) -> float:
        """The kernel's memory pressure, 0 to 1."""


class Stopping(Protocol):
    """The part of ``threading.Event`` that the gate uses."""

    def is_set(self) -> bool:
        """Whether the daemon was asked to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait for that, at most ``timeout`` seconds."""


class Gate:
    """Between the worker and memory.

    ``clock`` counts seconds steadily, ``batch_size`` is the configured number of chunks, ``pause_limit`` the
    seconds a pause may last. The last two may be replaced at any time (``configured``, ``pause_limit``).
    ``beat`` is called at every look of a pause, ``heard`` with what happens: its kind, words for it, and the
    RSS in bytes; ``rest`` raises ``Paused`` while the operator wants none to go. ``throttles`` and ``pauses``
    count those since the start.
    """

    def __init__(
        self,
        governor: Governor,
        probe: Reader,
        ladder: Ladder,
        *,
        clock: Callable[[], float],
        log: Log,
        batch_size: int,
        stopping: Stopping,
        pause_limit: float,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.configured = batch_size
        self.pause_limit = pause_limit
        self.beat: Callable[[], None] | None = None
        self.heard: Callable[[Kind, str, int], None] | None = None
        self.throttles = 0
        self.pauses = 0
        self._rested = 0.0
        self._governor = governor
        self._probe = probe
        self._ladder = ladder
        self._clock = clock
        self._log = log
        self._stopping = stopping
        self._rest = rest
        self._pressed = (float("-inf"), 0.0)

    @property
    def batch_size(self) -> int:
        """Chunks the next batch may have: what is configured, or less while throttled, at least 1."""
        return max(1, int(self.configured * self._governor.scale))

    @property
    def mode(self) -> Mode:
        """What the governor decided last."""
        return self._governor.mode

    @property
    def since(self) -> float:
        """When the current mode began, in seconds of the gate's clock."""
        return self._governor.since

    @property
    def paused(self) -> float:
        """Seconds the current pause has lasted; 0 outside one."""
        return self._clock() - self.since if self.mode is Mode.PAUSE else 0.0

    @property
    def rested(self) -> float:
        """Seconds of all pauses since the start, the current one included."""
        return self._rested + self.paused

    @property
    def limits(self) -> Limits:
        """The marks in force."""
        return self._governor.limits

    def wait(self) -> None:
        """Return when the next batch may go.

        Raises ``Stopped`` once the daemon is to stop, ``Paused`` when the operator wants the intake to rest,
        ``Stuck`` when a pause for memory outlasts its limit.
        """
        if self._tick().state is Mode.PAUSE:
            self._pause()

    def memory_line(self, operation: str, **fields: str) -> None:
        """Log ``[MEMORY] <operation>: <RSS> MB RSS``; ``fields`` say for machines what it was about."""
        rss = self._probe.rss()
        self._log.info(f"[MEMORY] {operation}: {exact(rss)} RSS", what="memory", rss_mb=_mb(rss), **fields)

    def _tick(self) -> Verdict:
        if self._stopping.is_set():
            raise Stopped("asked to stop between two batches")
        self._rest()
        governor, rss, now = self._governor, self._probe.rss(), self._clock()
        before, began = governor.mode, governor.since
        verdict = governor.tick(rss, now, self._pressure(now) if governor.limits.pressure else 0.0)
        if governor.crossed:
            self._log.warning(f"[MEMORY] High memory usage: {exact(rss)}", what="high memory", rss_mb=_mb(rss))
        if verdict.changed:
            self._count(before, verdict.state, now - began)
            self._tell(verdict, rss, f" after {now - began:.1f} s" if before is Mode.PAUSE else "")
        if verdict.changed and verdict.state is Mode.THROTTLE:
            self._reclaim(now, governor.limits.resume_at, cheap=True)
        return verdict

    def _count(self, before: Mode, mode: Mode, lasted: float) -> None:
        self._rested += lasted if before is Mode.PAUSE else 0.0
        self.throttles += mode is Mode.THROTTLE
        self.pauses += mode is Mode.PAUSE

    def _pressure(self, now: float) -> float:
        asked, pressure = self._pressed
        if now - asked >= PRESSURE_EVERY:
            pressure = self._probe.pressure()
            self._pressed = now, pressure
        return pressure

    def _hear(self, kind: Kind, text: str, rss: int) -> None:
        if self.heard:
            self.heard(kind, text, rss)

    def _tell(self, verdict: Verdict, rss: int, after: str) -> None:
        self._hear(_KINDS[verdict.state], verdict.reason, rss)
        match verdict.state:
            case Mode.RUN:
                self._log.info(f"[MEMORY] Resumed{after}: {verdict.reason}", what="resumed", rss_mb=_mb(rss))
            case Mode.THROTTLE:
                self._log.info(
                    f"[MEMORY] Throttled: {verdict.reason}; smaller batches", what="throttled", rss_mb=_mb(rss)
                )
            case Mode.PAUSE:
                self._log.warning(
                    f"[MEMORY] Paused: {verdict.reason}; reclaiming", what="paused", rss_mb=_mb(rss)
                )

    def _pause(self) -> None:
        tried: Counter[str] = Counter()
        given: Counter[str] = Counter()
        wait = FIRST_WAIT
        while True:
            for freed in self._relieve():
                tried[freed.rung] += 1
                given[freed.rung] += freed.size
            if self.beat:
                self.beat()
            if self._tick().state is not Mode.PAUSE:
                return
            if self.paused > self.pause_limit:
                raise self._stuck(tried, given)
            self._stopping.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _relieve(self) -> list[Freed]:
        """Climb the ladder; where only the kernel's pressure holds us, give back what costs nothing."""
        resume_at, now = self._governor.limits.resume_at, self._clock()
        if self._probe.rss() >= resume_at:
            return self._reclaim(now, resume_at, cheap=False)
        return self._reclaim(now, 0, cheap=True)

    def _reclaim(self, now: float, target: float, *, cheap: bool) -> list[Freed]:
        climbed = self._ladder.climb(now, target, cheap=cheap)
        for freed in climbed:
            if freed.error:
                self._log.warning(
                    f"[MEMORY] Could not {freed.rung} to free memory: {freed.error}", what="memory"
                )
        if any(freed.enough for freed in climbed):
            before, after = climbed[0].before, climbed[-1].after
            by = ", ".join(freed.rung for freed in climbed if freed.enough)
            how = f"{exact(before)} to {exact(after)} RSS ({by})"
            self._hear(Kind.RECLAIMED, how, after)
            self._log.info(
                f"[MEMORY] Reclaimed: {how}",
                what="reclaimed",
                rss_mb=_mb(after),
            )
        return climbed

    def _stuck(self, tried: Counter[str], given: Counter[str]) -> Stuck:
        vitals, limit = self._probe.vitals(), short(self._governor.limits.limit)
        rungs = "; ".join(f"{rung} tried {tried[rung]}x, freed {exact(given[rung])}" for rung in tried)
        reason = f"memory stayed short for {self.paused:.0f} s: {exact(vitals.rss)} RSS, memory.limit {limit}"
        self._hear(Kind.STUCK, reason, vitals.rss)
        self._log.error(
            f"[MEMORY] Stuck: {reason}; peak {exact(vitals.peak)}, VSZ {exact(vitals.vsz)}; "
            f"{rungs or 'no rung of the ladder could be tried'}",
            what="stuck",
            rss_mb=_mb(vitals.rss),
        )
        return Stuck(
            reason, "a fresh start frees it; if it comes back, raise memory.limit or lower the batch size"
        )


def _mb(size: int) -> float:
    return round(size / MB, 2)

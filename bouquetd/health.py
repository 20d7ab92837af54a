"""Whether the worker makes progress: the policy behind the watchdog. Pure; the clock is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class _Activity:
    """What the worker last said it does, and until when that alone counts as healthy."""

    name: str
    since: float
    due: float


class Health:
    """Records what the worker does and judges whether it still does it.

    All times in seconds of one steady clock. ``deadline`` is how long one step of a stage may take,
    ``deadlines`` the exceptions by stage, ``pause_limit`` how long a pause for memory may last. The worker's
    thread records, the main thread judges. That a loop turned is no sign of life: ``idle`` with work waiting
    and ``paused`` count from the first time they were said.
    """

    def __init__(
        self, deadline: float, pause_limit: float = inf, deadlines: Mapping[str, float] | None = None
    ) -> None:
        self.deadline = deadline
        self.pause_limit = pause_limit
        self.deadlines = dict(deadlines or {})
        self._activity = _Activity("idle", -inf, inf)
        self._waiting: tuple[_Activity, float] | None = None

    @property
    def doing(self) -> str:
        """The stage that the worker said it is in, or ``idle``, ``paused``, ``backing off``, ``resting``."""
        return self._activity.name

    def beat(self, now: float, stage: str) -> None:
        """A step is done, or begins, in ``stage``: real progress."""
        self._activity = _Activity(stage, now, now + self.deadlines.get(stage, self.deadline))

    def idle(self, now: float) -> None:
        """There is nothing to do."""
        if self._activity.name != "idle":
            self._activity = _Activity("idle", now, inf)

    def paused(self, now: float) -> None:
        """The gate holds the worker until memory is free."""
        if self._activity.name != "paused":
            self._activity = _Activity("paused", now, now + self.pause_limit)

    def resting(self, now: float) -> None:
        """The operator wants nothing done, for as long as they like."""
        if self._activity.name != "resting":
            self._activity = _Activity("resting", now, inf)

    def backing_off(self, now: float, until: float) -> None:
        """Something around us is missing; the worker sleeps until ``until`` and then tries again."""
        self._activity = _Activity("backing off", now, until + self.deadline)

    def alive(self, now: float, *, waiting: int) -> bool:
        """Whether the watchdog may be fed. ``waiting`` is the number of settled files that nobody has taken."""
        return self.trouble(now, waiting=waiting) is None

    def trouble(self, now: float, *, waiting: int) -> str | None:
        """What is wrong, in words for the log; None while all is well."""
        doing = self._activity
        if doing.name == "idle":
            return self._neglect(now, doing, waiting)
        self._waiting = None
        if now < doing.due:
            return None
        if doing.name == "paused":
            return (
                f"paused for memory for {now - doing.since:.0f} s, memory.pause_limit is {self.pause_limit:g} s"
            )
        allowed = doing.due - doing.since
        return f"no progress in {doing.name} for {now - doing.since:.0f} s, {allowed:.0f} s allowed"

    def _neglect(self, now: float, doing: _Activity, waiting: int) -> str | None:
        """A settled file may wait for one deadline, however often the worker says that it is idle."""
        if not waiting:
            self._waiting = None
            return None
        if self._waiting is None or self._waiting[0] is not doing:
            self._waiting = doing, now
        waited = now - self._waiting[1]
        if waited < self.deadline:
            return None
        return f"idle, with settled files waiting ({waiting}) for {waited:.0f} s, {self.deadline:g} s allowed"

"""Measures what one operation of a stage costs in RSS and time, and says so when it grows by too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bouquetd.log import Log
from bouquetd.memory.governor import exact, short
from bouquetd.model import MB

QUIET = 60.0
"""Seconds between two lines about one stage, so that a bad file cannot flood the log."""


@dataclass(slots=True)
class Work:
    """All operations of a stage since the start: how many, their seconds, the most bytes that one grew by."""

    operations: int = 0
    seconds: float = 0.0
    grown: int = 0


class Meter:
    """Watches operations one at a time; ``allowance`` is the bytes each may grow by (``memory.operation``).

    It may be replaced at any time. ``clock`` counts seconds steadily. ``stage`` is the one that runs just now,
    "" between two; ``work`` what each has done, by stage; ``heard`` is told of every operation, with its stage
    and its seconds.
    """

    def __init__(self, rss: Callable[[], int], allowance: int, clock: Callable[[], float], log: Log) -> None:
        self.allowance = allowance
        self.stage = ""
        self.work: dict[str, Work] = {}
        self.heard: Callable[[str, float], None] | None = None
        self._rss = rss
        self._clock = clock
        self._log = log
        self._spoke: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    @contextmanager
    def operation(self, stage: str, document: str) -> Iterator[None]:
        """Measure what runs inside. ``stage`` is one of the few fixed names, ``document`` what it works on."""
        around, self.stage = self.stage, stage
        before, began = self._rss(), self._clock()
        try:
            yield
        finally:
            grown, took = self._rss() - before, self._clock() - began
            self.stage = around
            self._judge(stage, document, grown, took)

    def _judge(self, stage: str, document: str, growth: int, seconds: float) -> None:
        work = self.work.get(stage) or self.work.setdefault(stage, Work())
        work.operations += 1
        work.seconds += seconds
        work.grown = max(growth, work.grown)
        if self.heard:
            self.heard(stage, seconds)
        if growth <= self.allowance:
            return
        now = self._clock()
        if now - self._spoke.get(stage, float("-inf")) < QUIET:
            self._unsaid[stage] = self._unsaid.get(stage, 0) + 1
            return
        self._spoke[stage] = now
        unsaid = self._unsaid.pop(stage, 0)
        self._log.warning(
            f"[MEMORY] Operation {stage} grew by {exact(growth)} "
            f"(memory.operation is {short(self.allowance)}): {document}",
            what="operation",
            stage=stage,
            grown_mb=round(growth / MB, 2),
            **({"unreported": unsaid} if unsaid else {}),
        )

"""Measures how much RSS one operation of a stage costs, and says so when it costs more than it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bouquetd.log import Log
from bouquetd.memory.governor import exact, short
from bouquetd.model import MB

QUIET = 60.0
"""Seconds between two lines about one stage, so that a bad file cannot flood the log."""


class Meter:
    """Watches operations one at a time; ``allowance`` is the bytes each may grow by (``memory.operation``).

    It may be replaced at any time.
    ``worst`` holds the largest growth seen for each stage, in bytes.
    """

    def __init__(self, rss: Callable[[], int], allowance: int, clock: Callable[[], float], log: Log) -> None:
        self.allowance = allowance
        self.worst: dict[str, int] = {}
        self._rss = rss
        self._clock = clock
        self._log = log
        self._spoke: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    @contextmanager
    def operation(self, stage: str, document: str) -> Iterator[None]:
        """Measure what runs inside. ``stage`` is one of the few fixed names, ``document`` what it works on."""
        before = self._rss()
        try:
            yield
        finally:
            self._judge(stage, document, self._rss() - before)

    def _judge(self, stage: str, document: str, growth: int) -> None:
        self.worst[stage] = max(growth, self.worst.get(stage, 0))
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

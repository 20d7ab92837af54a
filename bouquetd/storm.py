"""A storm of bad files must not flood the journal: the first of each minute are told, the rest are counted."""

from __future__ import annotations

MOST, WINDOW = 20, 60.0
"""Lines in so many seconds."""


class Storm:
    """Counts what happens; times in seconds of any steady clock."""

    def __init__(self, most: int = MOST, window: float = WINDOW) -> None:
        self._most = most
        self._window = window
        self._began = float("-inf")
        self._told = 0
        self._untold = 0

    def admit(self, now: float) -> bool:
        """Whether this one is to be told; else it is counted."""
        if now - self._began >= self._window and not self._untold:
            self._began, self._told = now, 0
        if self._told < self._most:
            self._told += 1
            return True
        self._untold += 1
        return False

    def passed(self, now: float) -> int:
        """How many were not told, once, when their window is over; else 0."""
        if not self._untold or now - self._began < self._window:
            return 0
        untold, self._untold = self._untold, 0
        return untold

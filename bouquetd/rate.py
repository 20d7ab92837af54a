"""How fast something went of late."""

from __future__ import annotations

from collections import deque

WINDOW = 10.0
"""Seconds that are looked back."""


class Rate:
    """A count's growth a second, over the last ``WINDOW`` seconds or as many as there were."""

    def __init__(self) -> None:
        # At ten looks a second at most; more would only shorten the window.
        self._seen: deque[tuple[float, int]] = deque(maxlen=100)

    def of(self, now: float, count: int) -> float:
        """The rate, given the count now; ``now`` in seconds of any steady clock."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        began, first = self._seen[0]
        return (count - first) / (now - began) if now > began else 0.0

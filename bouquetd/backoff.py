"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST, LAST = 1.0, 60.0
"""Seconds before the first new try, and at most; doubled from one to the other."""

SPREAD = 0.25
"""The share by which a wait is longer or shorter than that: five hosts must not ask one server in step."""

LEAST = FIRST * (1 - SPREAD)
"""Seconds of the shortest wait."""


@dataclass(slots=True)
class BackOff:
    """Waits that grow with each failure in a row; ``chance`` gives numbers from 0 to 1."""

    chance: Callable[[], float] = random.random
    _wait: float = field(default=FIRST, init=False)

    def next(self) -> float:
        """Seconds until the next try."""
        wait, self._wait = self._wait, min(2 * self._wait, LAST)
        return wait * (1 + SPREAD * (2 * self.chance() - 1))

    def reset(self) -> None:
        """It worked."""
        self._wait = FIRST

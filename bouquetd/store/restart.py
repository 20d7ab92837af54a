"""Asking for a Chroma server that hangs to be started again, where somebody answers.

Chroma 1.5 whose disk was full once keeps its database locked, when there is room again too, until it is started
anew. As packaged, a service with the right to do so starts it again when a file appears
(``bouquetd-restart.service``). Elsewhere nobody is asked, and a person is told what to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

AGAIN = 600.0
"""Seconds after which it is asked for once more: a start with a large store takes a while too."""


class Restart:
    """Whom to ask; ``ask`` is the file that asks, None where nobody would answer. Times in seconds."""

    def __init__(self, ask: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asked: float | None = None

    def __call__(self) -> bool:
        """The server did not answer in time: whether it is going to be started again, asked now or before."""
        if self._ask is None:
            return False
        now = self._clock()
        if self._asked is None or now - self._asked > AGAIN:
            try:
                self._ask.touch()
            except OSError:
                return False
            self._asked = now
        return True

"""Asking to be let in, where what people dropped is of a mode that keeps the daemon out.

`cp -r` gives folders the mode they had, `mv` files; then the daemon can read a file and not move it, or not
even read it. As packaged, a service with the right to do so opens the inbox to the daemon's group when a file
appears (``bouquetd-inbox.service``). Elsewhere nobody is asked, and a person is told what to do.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

PATIENCE = 3.0
"""Seconds that the answer may take; it has been seen within one."""

AGAIN = 600.0
"""Seconds after which the same is asked for once more."""

MOST = 1000
"""What was asked for is remembered for that many; the oldest is forgotten."""


class Access:
    """What was asked for and when; ``ask`` is the file that asks, None where nobody would answer.

    ``moves`` says whether files are to be moved out of their folders, ``may`` is asked as ``os.access`` is.
    Times in seconds of any steady clock.
    """

    def __init__(
        self, inbox: Path, ask: Path | None, *, moves: bool, may: Callable[[Path, int], bool] = os.access
    ) -> None:
        self._inbox = inbox
        self._ask = ask
        self._moves = moves
        self._may = may
        self._asked: OrderedDict[str, float] = OrderedDict()

    def awaited(self, source: str, now: float) -> float | None:
        """Until when to wait with a file that cannot be read or moved yet; None to go on with it."""
        if self._ask is None:
            return None
        parent = os.path.dirname(source)
        if self._moves and not self.may_change(parent):
            return self.denied(parent, now)
        self._asked.pop(parent, None)
        return None if self._may(self._inbox / source, os.R_OK) else self.denied(source, now)

    def may_change(self, folder: str) -> bool:
        """Whether files can be moved out of a folder of the inbox, "" for itself."""
        return self._may(self._inbox / folder, os.W_OK | os.X_OK)

    def denied(self, what: str, now: float) -> float | None:
        """Ask for what is denied; until when the answer may come, None when none is to be expected."""
        if self._ask is None:
            return None
        since = self._asked.get(what)
        if since is None or now - since > AGAIN:
            try:
                self._ask.touch()
            except OSError:
                return None
            self._asked[what] = since = now
            self._asked.move_to_end(what)
            if len(self._asked) > MOST:
                self._asked.popitem(last=False)
        return since + PATIENCE if now - since < PATIENCE else None

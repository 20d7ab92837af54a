"""What lies in the inbox and stays there, unread or unmoved: said once, listed by `bouquetd files`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from bouquetd.inbox.opening import is_gone
from bouquetd.ledger import Ledger
from bouquetd.log import Log
from bouquetd.model import printable
from bouquetd.storm import Storm


class Alone:
    """Remembers in the ledger what was said, so that a restart does not say it again."""

    def __init__(self, inbox: Path, ledger: Ledger, clock: Callable[[], float], log: Log) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._storm = Storm()

    def leave(self, source: str, reason: str) -> None:
        """Leave this where it is; ``reason`` completes a sentence that begins with its name."""
        if self._ledger.leave_alone(source, reason) and self._storm.admit(self._clock()):
            self._log.warning(f"Left alone {printable(source)}: {reason}", what="left alone")

    def calm(self) -> None:
        """Say how much was not told one by one, when its minute is over."""
        if untold := self._storm.passed(self._clock()):
            self._log.warning(
                f"Left alone {untold} more in the same minute; `bouquetd files` lists them", what="left alone"
            )

    def forget_gone(self) -> None:
        """Forget what is there no more, and folders that may be read and changed by now."""
        after = ""
        while page := self._ledger.left_alone(after):
            after = page[-1][0]
            self._ledger.no_longer_left_alone([source for source, _ in page if self._settled(source)])

    def _settled(self, source: str) -> bool:
        path = self._inbox / source
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                return os.access(path, os.R_OK | os.W_OK | os.X_OK)
        except OSError:
            return is_gone(self._inbox, source)
        return False

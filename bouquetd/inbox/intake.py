"""What lies in the inbox, brought into the queue: by events where they come, by a whole scan where not."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bouquetd.errors import Unavailable
from bouquetd.inbox.access import Access
from bouquetd.inbox.alone import Alone
from bouquetd.inbox.opening import is_gone
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.rules import Rules
from bouquetd.inbox.scan import Found, Ignore, Skipped, scan
from bouquetd.inbox.vanish import may_forget
from bouquetd.inbox.watcher import Marks
from bouquetd.ledger import Ledger
from bouquetd.log import Log
from bouquetd.model import Fingerprint, State

SPARING = 100
"""A rescan comes no sooner than this many times what the last one took: at most a hundredth of a core."""


@dataclass(slots=True)
class Intake:
    """Keeps the queue in step with the inbox.

    ``busy`` says of a source that it is in hand already, ``rescan`` is the seconds between two whole scans,
    ``keep`` that files stay in the inbox (``inbox.after: keep``). ``rescan``, ``ignore`` and ``rules``, the
    operator's own, may be replaced at any time. ``awaited`` is whether the last whole scan met something that
    may be let in yet. ``last_scan`` is when the last whole scan ended, in seconds of ``clock``, None before the
    first.
    """

    inbox: Path
    queue: Queue
    marks: Marks
    ledger: Ledger
    access: Access
    alone: Alone
    ignore: Ignore
    rescan: float
    keep: bool
    busy: Callable[[str], bool]
    clock: Callable[[], float]
    log: Log
    next_scan: float = 0.0
    scanned: bool = False
    awaited: bool = False
    rules: Rules = field(default_factory=Rules)
    last_scan: float | None = None
    _held: str | None = None

    @property
    def pending(self) -> bool:
        """Whether something is marked, or a whole scan asked for, that ``refresh`` has not followed yet."""
        return bool(self.marks) or not self.next_scan

    def refresh(self) -> None:
        """Follow what events marked; scan all when it is time. Raises ``Unavailable`` without an inbox."""
        self.alone.calm()
        marked, overflow = self.marks.take()
        now = self.clock()
        try:
            if overflow or now >= self.next_scan:
                self._scan_all(now)
            else:
                for path in sorted(marked):
                    self.queue.see_all(self._wanted(scan(self.inbox, self.ignore, path)), now, self.clock)
        except Unavailable:
            self.next_scan = 0.0  # what was marked must not be lost; a mark would wake the worker at once
            raise

    def _scan_all(self, started: float) -> None:
        self.next_scan = math.inf
        self.awaited = False
        self.queue.see_all(self._wanted(scan(self.inbox, self.ignore)), started, self.clock)
        self.queue.forget_unseen(started)
        self.alone.forget_gone()
        now = self.clock()
        self.next_scan = min(now + max(self.rescan, SPARING * (now - started)), self.next_scan)
        self.scanned, self.last_scan = True, now

    def look_again(self, when: float) -> None:
        """Scan all not later than that."""
        self.next_scan = min(self.next_scan, when)

    def _wanted(self, found: Iterable[Found | Skipped]) -> Iterator[tuple[str, Fingerprint]]:
        for item in found:
            if isinstance(item, Skipped):
                until = self.access.denied(item.source, self.clock()) if item.denied else None
                if until is None:
                    self.alone.leave(item.source, item.reason)
                else:
                    self.awaited = True
                    self.look_again(until)
            elif (
                self.rules(item.source) is None
                and not self.busy(item.source)
                and not self.ledger.knows(item.source, item.fingerprint)
            ):
                yield item.source, item.fingerprint

    def vanished(self) -> list[str]:
        """With ``keep``: the ids of documents whose files their owners deleted.

        None while that looks like an accident to the inbox as a whole; then says once what to do.
        """
        exists = self.inbox.is_dir()
        device = str(os.stat(self.inbox).st_dev) if exists else ""
        kept = sum(1 for _ in self._kept())
        gone = self.missing() if exists else [id_ for id_, _ in self._kept()]
        same = self.ledger.fact("inbox.device") in (None, device)
        reason = may_forget(kept, len(gone), same_device=same, inbox_exists=exists)
        if reason is None:
            self._held = None
            if self.ledger.fact("inbox.device") != device:
                self.ledger.remember("inbox.device", device)
            return gone
        if gone and reason != self._held:
            self._held = reason
            self.log.warning(
                f"Holding the chunks of {len(gone)} missing files: {reason}. If they were meant to go, run"
                " `bouquetd forget --missing`; if not, bring them back"
            )
        return []

    def missing(self) -> list[str]:
        """The ids of documents kept in the inbox whose files are no longer there."""
        return [id_ for id_, source in self._kept() if is_gone(self.inbox, source)]

    def _kept(self) -> Iterator[tuple[str, str]]:
        for entry in self.ledger.entries(State.FILED, State.DUPLICATE, State.FORGOTTEN):
            if entry.destination is None:
                yield entry.document.id, entry.document.source

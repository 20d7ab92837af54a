"""Where a file goes when nothing more is to be done with it, and what leaves the store at that moment.

Into the archive, away, or nowhere, as ``inbox.after`` says; into ``failed/`` when it cannot be ingested. The
ledger is told before and after the move, so that it can be interrupted anywhere and done again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from bouquetd.config import Settings
from bouquetd.errors import Changed, Rejected, Unavailable
from bouquetd.health import Health
from bouquetd.inbox.archive import delete_source, fail_away, file_away, sync_folders
from bouquetd.inbox.intake import Intake
from bouquetd.inbox.opening import fingerprint
from bouquetd.inbox.scan import remove_empty_parents
from bouquetd.ledger import Entry, Ledger
from bouquetd.log import Log
from bouquetd.model import UNREAD, Document, Fingerprint, State, printable
from bouquetd.reasons import REASONS, category
from bouquetd.store.shards import Store
from bouquetd.storm import Storm


@dataclass(slots=True)
class Tally:
    """What happened since the start, for the status; ``reasons`` has each of ``REASONS``, of ``failed``."""

    documents: int = 0
    chunks: int = 0
    failed: int = 0
    duplicates: int = 0
    bytes: int = 0
    reasons: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))


class Filing:
    """Puts files away; all methods belong to the worker's thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        store: Store,
        intake: Intake,
        health: Health,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.tally = Tally()
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._intake = intake
        self._health = health
        self._clock = clock
        self._log = log
        self._storm = Storm()

    def move(self, document: Document, seen: Fingerprint, *, durably: bool = True) -> str | None:
        """Where the file of an ingested document goes: "" when it has none (any more), None when it stays.

        Without ``durably`` a power cut may undo it until ``settle`` was called.
        """
        inbox, after = self._intake.inbox, self._settings.inbox.after
        if document.parent is not None:
            return ""
        if after == "keep":
            return None
        destination: str | None = ""
        try:
            if after == "archive":
                target = self._settings.paths.archive
                destination = file_away(inbox, document.source, seen, target, document.digest, durably=durably)
            else:
                delete_source(inbox, document.source, seen)
        except Changed:
            self._intake.marks.add(document.source)  # a newer file took its place, or none
        except Unavailable:
            if not self._immovable(document.source):
                raise
            return None
        remove_empty_parents(inbox, document.source)
        return destination

    def settle(self, destinations: Iterable[str | None]) -> None:
        """Make the moves to these places in the archive durable, each folder once for all that came into it."""
        if self._settings.inbox.after == "archive":
            sync_folders(self._settings.paths.archive, {os.path.dirname(path) for path in destinations if path})

    def _immovable(self, source: str) -> bool:
        """Whether it is this file's folder that forbids the move; then the others must not wait for it."""
        folder = os.path.dirname(source)
        if not folder or self._intake.access.may_change(folder):
            return False
        until = self._intake.access.denied(folder, self._clock())
        if until is None:
            self._intake.alone.leave(
                folder,
                "the daemon's user may not move files out of this folder; they are done with, and stay there"
                " until it may (chmod g+w)",
            )
        else:
            self._intake.look_again(until)
        return True

    def again(self, entry: Entry, seen: Fingerprint) -> None:
        """The same source with the same content: nothing to store."""
        self._ledger.seen_again(entry.document.id, seen, entry.destination)
        self.remove()
        destination = self.move(entry.document, seen)
        self._ledger.seen_again(entry.document.id, seen, destination)
        self.tally.duplicates += 1
        self._log.info(
            f"Already stored {printable(entry.document.source)}: its content has not changed",
            what="unchanged",
            document=entry.document.id,
            digest=entry.document.digest,
        )

    def duplicate(self, source: str, sha: str, seen: Fingerprint, twin: Entry, same: str = "content") -> None:
        """Another source of which the ``same`` is stored already: nothing to store."""
        document = replace(twin.document, source=source, digest=sha)
        self._ledger.duplicate(source, sha, seen, twin.document.id, None)
        self.remove()
        destination = self.move(document, seen)
        self._ledger.duplicate(source, sha, seen, twin.document.id, destination)
        self.tally.duplicates += 1
        first = printable(twin.document.source)
        self._log.info(
            f"Duplicate {printable(source)}: the same {same} is stored as {first}",
            what="duplicate",
            document=twin.document.id,
            digest=sha,
        )

    def packed_duplicate(self, source: str, sha: str, seen: Fingerprint, twin: Entry, parent: Document) -> None:
        """What is packed in another document has a content that is stored already."""
        self._ledger.duplicate(source, sha, seen, twin.document.id, "", parent)
        self.tally.duplicates += 1

    def refuse(self, document: Document, error: Rejected) -> None:
        """What is packed in another document cannot be read; no chunk of it stays behind, and that one does."""
        self._ledger.failed(document.id, error.reason, error.remedy, "", document.media_type)
        self.remove()
        self._log.info(
            f"Refused {printable(document.source)}: {error.told}",
            what="refused",
            document=document.id,
            digest=document.digest,
        )

    def move_at_last(self) -> None:
        """Move what should have left the inbox before: a kill, a full disk or a forbidding folder kept it."""
        kept = () if self._intake.keep else (State.FILED, State.DUPLICATE)
        for entry in self._ledger.entries(State.FAILED, *kept, unmoved=True):
            document, seen = entry.document, entry.fingerprint
            if entry.state is State.FAILED:
                self.reject(document, seen, Rejected(entry.reason or "", entry.remedy or ""))
            else:
                # Its ctime may differ: its owner, or the service that was asked, changed its mode.
                there = fingerprint(self._intake.inbox, document.source)
                same = there is not None and replace(there, ctime_ns=seen.ctime_ns) == seen
                self._ledger.seen_again(document.id, seen, self.move(document, seen) if same else "")

    def reject(self, document: Document, seen: Fingerprint, error: Rejected) -> None:
        """Into ``failed/`` with a reason; no chunk stays behind."""
        source = document.source
        failed = partial(
            self._ledger.failed, document.id, error.reason, error.remedy, media_type=document.media_type
        )
        failed(destination=None)
        self.remove()
        try:
            destination = fail_away(
                self._intake.inbox,
                source,
                seen,
                self._settings.paths.failed,
                reason=error.reason,
                remedy=error.remedy,
                when=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
                digest=None if document.digest == UNREAD else document.digest,
            )
        except Changed:
            self._ledger.drop(document.id)
            self._intake.marks.add(source)
            return
        except Unavailable:
            if not self._immovable(source):
                raise
            return
        failed(destination=destination)
        remove_empty_parents(self._intake.inbox, source)
        self.tally.failed += 1
        self.tally.reasons[category(error.reason, error.remedy)] += 1
        if self._storm.admit(self._clock()):
            where = printable(os.path.join(self._settings.paths.failed, destination))
            self._log.warning(
                f"Rejected {printable(source)}: {error.told} It lies in {where}",
                what="rejected",
                document=document.id,
                digest=document.digest,
            )

    def calm(self) -> None:
        """Say how many rejections were not told one by one, when their minute is over."""
        if untold := self._storm.passed(self._clock()):
            self._log.warning(
                f"Rejected {untold} more files in the same minute; `bouquetd files --state failed` lists them",
                what="rejected",
            )

    def remove(self) -> None:
        """Take out of Chroma what the ledger says must go."""
        while ids := self._ledger.removals():
            self._health.beat(self._clock(), "remove")
            self._store.remove(ids)

"""Take a file, claim it, run the pipeline, file it away, record: one document after the other, in one thread.

``Worker.step`` does one thing and returns how long there is nothing to do. Whatever it raises leaves every file
and the ledger in a state from which the next step, or the next process, goes on.

Past 400 lines because what the operator asks and wants is here too: it is all about what this thread has in
hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import takewhile
from typing import Any, BinaryIO

from bouquetd.backoff import LEAST, BackOff
from bouquetd.config import Settings
from bouquetd.errors import Changed, Paused, Rejected, Unavailable, sentence
from bouquetd.filing import Filing
from bouquetd.health import Health
from bouquetd.inbox.intake import Intake
from bouquetd.inbox.opening import LeftAlone, digest, fingerprint, open_source
from bouquetd.inbox.queue import Queue, Sighting
from bouquetd.inbox.rules import Rules
from bouquetd.ingestion import Current, Ingested, Ingestion
from bouquetd.ledger import Entry, Ledger, Whole
from bouquetd.log import Log
from bouquetd.memory.gate import Gate
from bouquetd.model import MB, PACKED, UNREAD, Fingerprint, State, printable
from bouquetd.pause import Pause
from bouquetd.pipeline import Pipeline
from bouquetd.requests import Requests
from bouquetd.store.shards import Store

REASONS = 5
"""Reasons told of one outage: a server on its way down and up again fails in many ways."""

GATHER = 5.0
"""Seconds a document that is read may wait for others to share its store batch while the inbox has more."""

LOOK = 1.0
"""Seconds between two looks whether the operator's pause is over, where nobody wakes us."""

REST = 10.0
"""Seconds of idleness after which Chroma is closed: its memory is given back, and a kill harms nothing."""


class Worker:
    """Brings files from the inbox into the store. All methods belong to one thread; others use ``requests``."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        store: Store,
        queue: Queue,
        intake: Intake,
        filing: Filing,
        pipeline: Pipeline,
        ingestion: Ingestion,
        gate: Gate,
        pause: Pause,
        health: Health,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.settings = settings
        self.tally = filing.tally
        self.pause = pause
        self.paused: Paused | None = None
        self.trouble: Unavailable | None = None
        self.requests = Requests()
        self._ledger = ledger
        self._store = store
        self._queue = queue
        self._intake = intake
        self._filing = filing
        self._pipeline = pipeline
        self._ingestion = ingestion
        self._gate = gate
        self._health = health
        self._clock = clock
        self._log = log
        self._backoff = BackOff()
        self._told: set[str] = set()
        self._spared: set[str] = set()
        self._not_before = 0.0
        self._asked = self._looked = self._emptied = 0
        self._active = clock()
        intake.busy = self.busy
        ingestion.settle = lambda: self._file_away(wait=True)
        gate.beat = lambda: health.paused(clock())

    @property
    def current(self) -> Current | None:
        """The document in hand."""
        return self._ingestion.current

    @property
    def working_on(self) -> str:
        """The source in hand, or of those that are read and not yet stored the last; empty for none."""
        if (current := self.current) is not None:
            return current.source
        with suppress(IndexError):  # the thread that asks may be another
            return self._ingestion.waiting[-1].document.source
        return ""

    @property
    def unfinished(self) -> int:
        """Documents that are read, and neither all in Chroma nor filed away."""
        return len(self._ingestion.waiting)

    def apply(self, settings: Settings) -> None:
        """Take over settings that may change while running; what is missing is tried at once."""
        self.settings = self._ingestion.settings = settings
        self._not_before = 0.0

    # -- the loop -----------------------------------------------------------------------------------------

    def step(self) -> float:
        """Do one thing; returns the seconds until there may be another.

        Never raises what is the file's or the world's fault. Raises ``Stopped`` when asked to stop and
        ``Stuck`` when memory stays short.
        """
        try:
            if (paused := self.pause.look()) is not None:
                return self._rest(paused)
            if (held := self._hold()) > 0:
                return held
            self._go_on()
            wait = self._step()
        except Paused as error:
            return self._rest(error)
        except Unavailable as error:
            return self._back_off(error)
        if self.trouble is not None:
            self._log.info(f"Going on: what was missing is back ({self.trouble.reason})", what="resumed")
            self.trouble = None
            self._backoff.reset()
            self._told.clear()
            self._spared.clear()
        return wait

    def _step(self) -> float:
        self.requests.answer()
        self._gate.wait()
        self._ingestion.settle_debt()
        self._store.retry()
        self._filing.remove()
        self._filing.calm()
        asked = self._asked
        if asked > self._looked:
            self._intake.look_again(0.0)
        self._intake.refresh()
        self._looked = asked
        if self._intake.scanned:
            self._intake.scanned = False
            self._follow_deletions()
            self._filing.move_at_last()
        now = self._clock()
        root = self._intake.inbox
        sighting = self._queue.take(now, lambda source: fingerprint(root, source))
        if sighting is not None:
            self._active = now
            self._health.beat(now, "take")
            self._take(sighting)
            first = next(iter(self._ingestion.waiting), None)
            self._file_away(wait=first is not None and self._clock() - first.ended > GATHER)
            return 0.0
        self._file_away(wait=True)
        if self.idle and not self._intake.awaited:
            self._emptied = self._looked
        if self._store.tidy():
            self._health.beat(self._clock(), "tidy")
            return 0.0
        self._health.idle(self._clock())
        return self._until_next()

    def _until_next(self) -> float:
        now = self._clock()
        if self._store.awake and now - self._active >= REST:
            self._store.rest()
        due = self._queue.next_at()
        until = self._intake.next_scan if due is None else min(due, self._intake.next_scan)
        if self._store.awake:
            until = min(until, self._active + REST)
        return max(0.0, until - now)

    def finish(self) -> None:
        """File away what is journalled, on the way out; what cannot be is done at the next start."""
        try:
            self._store.flush()
            self._file_away(wait=False)
        except Unavailable as error:
            self._log.warning(f"Stopping with files still to be put away, at the next start. {error.told}")
        with suppress(Unavailable):
            self.disown()

    def disown(self) -> None:
        """Give back the attempts of what is not done: that we stop is no death of the files' making.

        The main thread calls it when it stops without waiting.
        """
        for id_ in (*self._unwritten(), *([self.current.document] if self.current else [])):
            self._ledger.give_back(id_)

    def _unwritten(self) -> list[str]:
        """Documents that are read, and not journalled to their end; each in its first attempt."""
        waiting, taken = self._ingestion.waiting.copy(), self._store.taken
        return [item.document.id for item in waiting if item.position > taken]

    def _spare(self, why: str) -> None:
        """Give back the attempts of what an outage keeps waiting: a kill meanwhile is none of its doing."""
        for id_ in self._unwritten():
            if id_ not in self._spared:
                self._ledger.give_back(id_, why)
                self._spared.add(id_)

    def _hold(self) -> float:
        """Seconds for which somebody wants to be left alone; who asks us something meanwhile is answered."""
        now = self._clock()
        if now >= self._not_before:
            return 0.0
        self.requests.answer()
        self._health.backing_off(now, self._not_before)
        return self._not_before - now

    def _rest(self, paused: Paused) -> float:
        """The operator's pause: what is journalled lands, nothing new is taken, who asks is answered."""
        now = self._clock()
        if self.paused is None:
            self._log.info(
                f"Paused {paused.reason}: no file is taken until `{paused.remedy}`", what="operator's pause"
            )
            self.paused = paused
            self._health.beat(now, "store")
            with suppress(Unavailable):  # told on the way on, if it still is so
                self._spare(paused.reason)
                self._store.flush()
                self._file_away(wait=False)
        self.paused = paused
        self.requests.answer()
        with suppress(Unavailable):
            self._intake.refresh()
            if self._store.awake and now - self._active >= REST:
                self._store.rest()
        self._health.resting(self._clock())
        return LOOK

    def _go_on(self) -> None:
        if self.paused is not None:
            self._log.info("Going on: the operator's pause is over", what="resumed")
            self.paused = None
            self._spared.clear()

    def _back_off(self, error: Unavailable) -> float:
        wait, self.trouble = max(self._backoff.next(), error.after), error
        if error.reason not in self._told and len(self._told) < REASONS:
            self._told.add(error.reason)
            self._log.error(f"Holding the intake, trying again by itself. {error.told}", what="holding")
        with suppress(Unavailable):
            self._spare(error.reason)
        now = self._clock()
        self._not_before = now + wait  # whatever wakes us: a folder full of new files is no sign of recovery
        self._health.backing_off(now, self._not_before)
        return wait

    def look(self, source: str) -> dict[str, Any]:
        """What becomes of a source right now, for whoever asks from another thread.

        ``state`` is in hand, read (and on its way into Chroma), queued, or "" for one that is nowhere; with it
        how far, and what holds everything up.
        """
        current, now = self.current, self._clock()
        held = self.paused or self.trouble
        seen: dict[str, Any] = {"state": "", "held": held.told if held else None}
        if current is not None and _within(source, current.source):
            return seen | {
                "state": "in hand", "source": current.source, "share": current.share, "chunks": current.chunks,
                "stage": self._health.doing,
            }  # fmt: skip
        if any(_within(source, item.document.source) for item in self._ingestion.waiting.copy()):
            return seen | {"state": "read"}
        if waiting := self._queue.place(source, now):
            return seen | {"state": "queued", **asdict(waiting)}
        return seen

    def heed_rules(self) -> None:
        """The operator's rules have changed: what waits and is ignored by now leaves the queue."""
        self._intake.rules = Rules(self._ledger.rules())
        self._intake.marks.add("")

    def ask_emptied(self) -> int:
        """Have the inbox searched; ``emptied`` says by this number whether all that was found is done with."""
        self._asked += 1
        self._intake.marks.add("")  # wakes the worker
        return self._asked

    def pending(self) -> dict[str, Any]:
        """What is still to be done, and what holds it up, for whoever waits in another thread."""
        current, held = self.current, self.trouble
        return {
            "files": self._queue.count() + len(self._ingestion.waiting),
            "current": current and printable(current.source),
            "paused": self.paused and self.paused.told,
            "held": held and held.told,
        }

    def emptied(self, number: int) -> bool:
        """Whether all was searched since then, and nothing found waits, settles, or is not filed away."""
        return self._emptied >= number

    def busy(self, source: str) -> bool:
        """Whether the source is ingested and only waits to be filed away."""
        return any(item.document.source == source for item in self._ingestion.waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits, nothing is in hand and nothing is still to be filed away."""
        return not (self._intake.pending or self._queue.count() or self._ingestion.waiting or self.current)

    # -- one file -----------------------------------------------------------------------------------------

    def _take(self, sighting: Sighting) -> None:
        source = sighting.source
        until = self._intake.access.awaited(source, self._clock())
        if until is not None:
            self._queue.postpone(source, until)
            return
        try:
            self._open(source, sighting.fingerprint)
        except LeftAlone as error:
            self._intake.alone.leave(source, error.reason)
        except Changed as error:
            self._intake.marks.add(source)
            self._log.info(f"Put back {printable(source)}: {error}", what="put back")
        except Unavailable:
            self._queue.postpone(source, self._clock() + LEAST)
            raise
        self._queue.drop(source)

    def _open(self, source: str, expected: Fingerprint) -> None:
        try:
            with open_source(self._intake.inbox, source, self.settings.stream.read_size) as file:
                if (seen := Fingerprint.of(os.fstat(file.fileno()))) != expected:
                    raise Changed("it was modified a moment ago")
                self._consider(source, seen, file)
        except Rejected as error:  # before it had a digest
            self._filing.reject(self._ledger.claim(source, UNREAD, expected), expected, error)

    def _consider(self, source: str, seen: Fingerprint, file: BinaryIO) -> None:
        """Decide by content whether there is anything to do, and do it."""
        limit = self.settings.inbox.max_file_size
        if seen.size > limit:
            raise Rejected(
                f"too large: {seen.size / MB:.1f} MB, inbox.max_file_size is {limit / MB:g} MB",
                "split it, or raise inbox.max_file_size, reload, and run `bouquetd retry`",
            )
        sha = digest(file, self.settings.stream.read_size)
        known = self._ingestion.known(source, sha)
        if known and known.state is State.FORGOTTEN and self._intake.keep:
            self._ledger.seen_again(known.document.id, seen, None)
            return
        if known and known.state in (State.COMPLETE, State.FILED):
            self._filing.again(known, seen)
            return
        if holder := self._ingestion.holder(sha):
            self._filing.duplicate(source, sha, seen, holder)
        else:
            self._ingestion.ingest(source, sha, seen, file)

    # -- afterwards ---------------------------------------------------------------------------------------

    def _file_away(self, *, wait: bool) -> None:
        """Complete what has landed in Chroma and move its file; with ``wait``, see that all lands first."""
        if wait and self._ingestion.waiting:
            self._pipeline.flush()
            self._health.beat(self._clock(), "store")
            self._store.flush()
        landed = list(takewhile(lambda item: item.position <= self._store.landed, self._ingestion.waiting))
        if not landed:
            return
        landed = self._with_what_is_missing(landed)
        self._ledger.complete(
            Whole(item.document.id, item.packed, "; ".join(item.notes) or None) for item in landed
        )
        self._filing.remove()
        moved: list[tuple[str, str | None]] = []
        try:
            # On an error, what was moved before it stays in the list.
            moved.extend(
                (item.document.id, self._filing.move(item.document, item.fingerprint, durably=False))
                for item in landed
            )
        finally:
            self._filing.settle(destination for _, destination in moved)
            self._ledger.filed(moved)
            for item, _ in zip(landed, moved, strict=False):
                self._ingestion.waiting.popleft()
                self._tell(item)
            self._ingestion.left()

    def _with_what_is_missing(self, landed: Sequence[Ingested]) -> list[Ingested]:
        """The same with a note for each that was stored while its entities could not be found."""
        missing = self._ledger.without_entities([item.document.id for item in landed])
        return [
            replace(item, notes=(*item.notes, f"{missing[item.document.id]} chunks have no entities"))
            if item.document.id in missing
            else item
            for item in landed
        ]

    def _tell(self, item: Ingested) -> None:
        self.tally.documents += 1
        if item.document.parent is None:
            self.tally.bytes += item.document.size
        source, took = printable(item.document.source), self._clock() - item.began
        what = [f"{item.chunks} chunks"] if item.chunks or not item.packed else []
        if item.packed:
            what.append(f"{len(item.packed)} files packed in it")
        notes, text_digest = item.notes, item.document.text_digest
        if text_digest and (like := self._ledger.same_text(text_digest, item.document.source)):
            notes += (f"its text is that of {printable(like.document.source)}",)
        note = f". {'; '.join(map(sentence, notes))}".rstrip(".") if notes else ""
        if self.settings.logging.memory == "document":
            self._gate.memory_line(
                f"Stored {source}", stage="store", document=item.document.id, digest=item.document.digest
            )
        self._log.info(
            f"Stored {source}: {', '.join(what)} in {took:.1f} s{note}",
            what="stored",
            document=item.document.id,
            digest=item.document.digest,
        )

    def _follow_deletions(self) -> None:
        if self._intake.keep:
            for id_ in self._intake.vanished():
                entry = self._ledger.entry(id_)
                self.forget(entry)
                self._ledger.drop(id_)
                self._log.info(
                    f"Forgot {printable(entry.document.source)}: its file was deleted",
                    what="forgotten",
                    document=id_,
                )

    def forget(self, entry: Entry) -> None:
        """Take a document out of the store; duplicates of it whose files are at hand are ingested instead.

        One that is on its way in is dropped; its file waits in the inbox as if nothing had been read of it.
        """
        if entry.state in (State.CLAIMED, State.STORING) or self.busy(entry.document.source):
            self._ingestion.leave_out(entry.document)
            self._ledger.abandon(entry.document.id)
            self._filing.remove()
            self._intake.next_scan = 0.0
            return
        self._ledger.forgotten(entry.document.id)
        for twin in self._ledger.duplicates_of(entry.document.id):
            self._ledger.drop(twin.document.id)
            if self._intake.keep and twin.document.parent is not None:
                self._ledger.reopen(twin.document)
            self._intake.next_scan = 0.0
        self._filing.remove()

    def missing(self, after: str) -> Iterator[Entry]:
        """With ``inbox.after: keep``: documents whose files are gone from the inbox, held or not.

        By id, from the one behind ``after`` on.
        """
        gone = self._intake.missing() if self._intake.keep else ()
        return filter(None, map(self._ledger.find, sorted(id_ for id_ in gone if id_ > after)))

    # -- the start ----------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Finish what a kill interrupted, before anything new is taken. The store is already recovered."""
        self._ledger.died()
        self._filing.remove()
        for entry in list(self._ledger.entries(State.COMPLETE, State.STORING, State.CLAIMED)):
            packed = entry.document.parent is not None
            there = None if packed else fingerprint(self._intake.inbox, entry.document.source)
            whole = entry.whole and not self._ingestion.may_hold(entry.document)
            if entry.state is State.COMPLETE or (whole and (packed or there == entry.fingerprint)):
                now = self._clock()
                self._ingestion.wait_for(Ingested(entry.document, entry.fingerprint, 0, entry.chunks, now, now))
            elif packed:
                continue  # until what it is packed in is read again
            elif there != entry.fingerprint:
                self._ledger.abandon(entry.document.id)
                self._log.info(f"Dropped {printable(entry.document.source)}: its file went away half-way")
        self._filing.remove()
        self._file_away(wait=False)
        self._intake.refresh()
        for entry in self._ledger.entries(State.CLAIMED, State.STORING):
            document = entry.document
            if document.parent is None:
                self._queue.resume(document.source, entry.fingerprint, document.attempts, self._clock())


def _within(source: str, other: str) -> bool:
    """Whether it is that one, or packed in it, or that is packed in it."""
    return source == other or source.startswith(other + PACKED) or other.startswith(source + PACKED)

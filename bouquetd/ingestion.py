"""One open file, and whatever is packed in it: claim, tell the kind, admit, read; or say why not.

What is packed in an archive or a mail is a document of its own, called ``source!/name``: claimed, read, counted
and resumed like a file of the inbox, and refused alone. Only the file around it is moved, when all is stored. A
mail's own text comes last, so that a document whose last chunk is journalled is whole, with all that is in it.
Past 400 lines because what is packed goes the same way as what it is packed in, through the same methods.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import BinaryIO

from bouquetd.config import Settings
from bouquetd.errors import Changed, Rejected, Stopped, Unavailable
from bouquetd.extract.packed import Budget, Member, TooMuch, labels, unpacked
from bouquetd.filing import Filing
from bouquetd.health import Health
from bouquetd.inbox.intake import Intake
from bouquetd.inbox.opening import digest, fingerprint
from bouquetd.inbox.scan import Ignore
from bouquetd.ledger import Corrupt, Entry, Ledger, identity
from bouquetd.log import Log
from bouquetd.memory.gate import Gate, Stuck
from bouquetd.model import PACKED, UNREAD, Chunk, Document, Fingerprint, State, printable
from bouquetd.pipeline import Pipeline
from bouquetd.reader import Reader
from bouquetd.store.shards import Store


@dataclass(frozen=True, slots=True)
class Ingested:
    """A document that is read to its end; ``position`` of its last chunk in the store's stream.

    That one may still be among what the pipeline read ahead. ``packed`` are the ids of what is packed in it,
    ``notes`` what its owner should know. ``began`` and ``ended`` in seconds of the worker's clock.
    """

    document: Document
    fingerprint: Fingerprint
    position: int
    chunks: int
    began: float
    ended: float
    packed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Current:
    """The document in hand: how many of its file's bytes were read, and how many chunks came of it.

    ``began`` in seconds of the worker's clock.
    """

    document: str
    source: str
    size: int
    file: BinaryIO
    began: float
    chunks: int = 0

    @property
    def share(self) -> float:
        """How far the reader is through the file, 0 to 1."""
        try:
            position = os.lseek(self.file.fileno(), 0, os.SEEK_CUR)
        except (OSError, ValueError):  # closed meanwhile, by the other thread
            return 1.0
        return min(1.0, position / self.size) if self.size else 1.0


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that is open: one of the inbox, or ``depth`` deep in one, by whose ``budget`` it is judged."""

    source: str
    digest: str
    seen: Fingerprint
    file: BinaryIO
    budget: Budget
    parent: Document | None = None
    depth: int = 0


@dataclass(slots=True)
class _Inside:
    """What became of the files packed in one.

    The ids of all that were looked at; how many of them were refused, and the first; how many were ignored.
    """

    ids: list[str] = field(default_factory=list)
    refused: int = 0
    first: str = ""
    ignored: int = 0

    def refuse(self, id_: str, source: str, error: Rejected) -> None:
        """One cannot be read."""
        self.ids.append(id_)
        self.refused += 1
        self.first = self.first or f"{printable(source.rpartition(PACKED)[2])}: {error.reason}"

    def told(self) -> Iterator[str]:
        """What the owner of the file they are packed in should know."""
        if self.refused:
            yield f"{self.refused} of {len(self.ids)} files in it were refused: {self.first}"
        if self.ignored:
            yield f"{self.ignored} files in it have names that inbox.ignore leaves alone"


class Ingestion:
    """Reads files, one after the other; all methods belong to the worker's thread.

    ``waiting`` are the documents that are read and not yet all in Chroma. ``settle`` is to bring them there.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        store: Store,
        pipeline: Pipeline,
        reader: Reader,
        filing: Filing,
        intake: Intake,
        admit: Callable[[str, int], None],
        gate: Gate,
        health: Health,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.settings = settings
        self.current: Current | None = None
        self.waiting: deque[Ingested] = deque()
        self.contents: set[str] = set()
        self.settle: Callable[[], None] = lambda: None
        self._ledger = ledger
        self._store = store
        self._pipeline = pipeline
        self._reader = reader
        self._filing = filing
        self._intake = intake
        self._admit = admit
        self._gate = gate
        self._health = health
        self._clock = clock
        self._log = log
        self._owed: list[tuple[str, str | None]] = []
        pipeline.watch = self._watch

    def ingest(self, source: str, sha: str, seen: Fingerprint, file: BinaryIO) -> None:
        """Read a file of the inbox and all that is packed in it; one that cannot be read is filed as failed.

        Raises ``Changed`` and ``Unavailable``, ``Stopped`` and ``Stuck``, after which nothing is half done.
        """
        it = _Opened(source, sha, seen, file, Budget(seen.size, self.settings.bounds))
        document, error = self._take(it)
        if error:
            self._filing.reject(document, seen, error)

    def known(self, source: str, sha: str) -> Entry | None:
        """What the ledger knows of a content under a name, once all that was read of that content is stored."""
        if sha in self.contents:
            self.settle()
        known = self._ledger.find(identity(source, sha, self._ledger.recipe))
        if known and known.document.attempts:
            self._pipeline.flush()  # it may have killed us before: nobody else's attempts are to pay for it
        return known

    def holder(self, sha: str) -> Entry | None:
        """The document that has a content already, where duplicates are left out."""
        return self._ledger.holder(sha) if self.settings.inbox.duplicates != "keep" else None

    def may_hold(self, document: Document) -> bool:
        """Whether something may be packed in a document, which is then whole only when that is."""
        return self._reader.may_hold(document.media_type)

    def wait_for(self, item: Ingested) -> None:
        """A document is read."""
        self.waiting.append(item)
        self.contents.add(item.document.digest)

    def left(self) -> None:
        """Some of those that waited are done with."""
        self.contents = {item.document.digest for item in self.waiting}

    def settle_debt(self) -> None:
        """Give back attempts that could not be given back when it was time."""
        while self._owed:
            self._ledger.give_back(*self._owed[-1])
            self._owed.pop()

    # -- one document -------------------------------------------------------------------------------------

    def _take(self, it: _Opened) -> tuple[Document, Rejected | None]:
        """Claim a document and read it; returns it and, where it cannot be read, why."""
        document = self._ledger.claim(it.source, it.digest, it.seen, it.parent)
        self._pass_over(document)
        outer = self.current
        self.current = Current(document.id, it.source, it.seen.size, it.file, self._clock(), document.stored)
        try:
            if document.attempts > self.settings.pipeline.max_attempts:
                raise Rejected(
                    f"the daemon was killed {self.settings.pipeline.max_attempts} times while reading it",
                    "look in the log for what killed it (memory, watchdog); then `bouquetd retry`",
                )
            document = replace(document, media_type=self._reader.media_type(it.file, document.name))
            self._admit(document.media_type, it.seen.size)
            self._read(document, it)
        except (Stuck, Corrupt):
            raise
        except (Stopped, Unavailable) as error:
            self._give_back(document, error.reason if isinstance(error, Unavailable) else None)
            raise
        except Changed:
            self.leave_out(document)
            self._ledger.abandon(document.id)
            self._filing.remove()
            raise
        except Rejected as error:
            self.leave_out(document)
            if isinstance(error, TooMuch) and it.parent:
                raise  # the whole file is refused for it
            return document, error
        except OSError as error:
            self._give_back(document, error.strerror or str(error))
            raise Unavailable(
                f"the file {printable(it.source)} cannot be read: {error.strerror or error}",
                "look at the disk or the mount under the inbox (dmesg)",
            ) from error
        except Exception as error:
            self.leave_out(document)
            self._log.exception(
                f"Could not ingest {printable(it.source)}",
                what="failed",
                document=document.id,
                digest=it.digest,
            )
            return document, Rejected(
                f"bouquetd failed on it: {type(error).__name__}: {printable(str(error))[:200]}",
                "please report it with the file, if it may be shared; the log has the traceback",
            )
        finally:
            self.current = outer
        return document, None

    def _read(self, document: Document, it: _Opened) -> None:
        began, chunks = self._clock(), 0
        inside = self._unpack(document, it)
        notes = tuple(inside.told())
        if self._reader.has_text(document.media_type):
            chunks, text = self._pipeline.ingest(document, it.file)
            document = replace(document, text_digest=text or None)
            notes += self._reader.notes()
        elif not inside.ids:
            raise Rejected("no file with anything in it is packed in it", "Look whether it was packed in full.")
        elif len(inside.ids) == inside.refused:
            raise Rejected(
                f"none of the {inside.refused} file(s) packed in it can be read; {inside.first}",
                "Unpack it, convert what is in it, and drop that.",
            )
        if document.attempts > 1:
            self._pipeline.flush()
        if it.parent is None:
            self._unchanged(it)
        if not inside.ids and (twin := self._same_text(document)):
            self._drop_for(document, it, twin)
            return
        position = self._store.taken + len(self._pipeline.ahead)
        self.wait_for(
            Ingested(document, it.seen, position, chunks, began, self._clock(), tuple(inside.ids), notes)
        )

    def _same_text(self, document: Document) -> Entry | None:
        """With ``inbox.duplicates: text`` the document that has this text already."""
        if self.settings.inbox.duplicates != "text" or not document.text_digest:
            return None
        if any(item.document.text_digest == document.text_digest for item in self.waiting):
            self.settle()
        return self._ledger.same_text(document.text_digest, document.source)

    def _drop_for(self, document: Document, it: _Opened, twin: Entry) -> None:
        """Leave nothing of a document whose text another one has, and file it as a duplicate of that."""
        self.leave_out(document)
        self._ledger.abandon(document.id)
        self._filing.remove()
        if it.parent is None:
            self._filing.duplicate(it.source, it.digest, it.seen, twin, "text")
        else:
            self._filing.packed_duplicate(it.source, it.digest, it.seen, twin, it.parent)

    def _unchanged(self, it: _Opened) -> None:
        """Raise ``Changed`` unless what was read is what still lies there."""
        there = fingerprint(self._intake.inbox, it.source)
        if Fingerprint.of(os.fstat(it.file.fileno())) != it.seen or there != it.seen:
            raise Changed("it was modified, replaced or removed while it was read")

    def _pass_over(self, document: Document) -> None:
        """Drop what an unfinished earlier content of the same source left behind."""
        for id_ in self._ledger.unfinished(document.source, document.id):
            self._ledger.abandon(id_)
        self._filing.remove()

    def leave_out(self, document: Document) -> None:
        """Forget what is read of a document, and of what is packed in it, and not yet stored."""
        inside = document.source + PACKED

        def of_it(other: Document) -> bool:
            return other.id == document.id or (other.parent is not None and other.source.startswith(inside))

        self._unread(of_it)
        self.waiting = deque(item for item in self.waiting if not of_it(item.document))
        self.left()

    def _unread(self, unwanted: Callable[[Document], bool]) -> None:
        """Drop what is read of some documents and not journalled; those read after them move up."""
        taken, ahead = self._store.taken, self._pipeline.ahead
        gone = list(accumulate((unwanted(document) for document, _ in ahead), initial=0))
        self._pipeline.leave_out(unwanted)
        self.waiting = deque(
            replace(item, position=item.position - gone[item.position - taken])
            if item.position > taken
            else item
            for item in self.waiting
        )

    def _give_back(self, document: Document, held_up: str | None = None) -> None:
        """Undo the attempt; where the disk is too full even for that, before anything else is claimed."""
        self._unread(lambda other: other.id == document.id)
        self._owed.append((document.id, held_up))
        with suppress(Unavailable):
            self.settle_debt()

    def _watch(self, batch: Sequence[tuple[Document, Chunk]]) -> None:
        self._health.beat(self._clock(), "embed")
        every = self.settings.logging.memory
        if every != "document":
            for document, chunk in batch if every == "chunk" else batch[:1]:
                about = {"stage": "embed", "document": document.id, "digest": document.digest}
                self._gate.memory_line(f"Embedding chunk {chunk.number}", **about)
        document, chunk = batch[-1]
        if self.current is not None and self.current.document == document.id:
            self.current.chunks = chunk.number + 1
        self._filing.tally.chunks += len(batch)

    # -- what is packed in it -----------------------------------------------------------------------------

    def _unpack(self, document: Document, it: _Opened) -> _Inside:
        """Read all that is packed in a document. Raises ``TooMuch``, and Rejected for one that is damaged."""
        inside, depth = _Inside(), self.settings.bounds.depth
        members = self._reader.members(it.file, document.media_type)
        if members is None:
            return inside
        if it.depth >= depth:
            if self._reader.has_text(document.media_type):
                return inside
            raise Rejected(
                f"it is packed more than {depth} deep, which is all that bounds.depth allows",
                "Unpack what is around it and drop that, or raise bounds.depth, reload, and drop it again.",
            )
        label, ignore = labels(), Ignore(self.settings.inbox.ignore)
        for member in members:
            it.budget.member()
            name = label(member.name or os.path.splitext(document.name)[0])
            if any(map(ignore, name.split("/"))):
                inside.ignored += 1
            else:
                self._gate.wait()
                self._member(document, it, member, document.source + PACKED + name, inside)
        return inside

    def _member(self, parent: Document, it: _Opened, member: Member, source: str, inside: _Inside) -> None:
        read_size = self.settings.stream.read_size
        try:
            file = unpacked(member, it.budget, self.settings.inbox.max_file_size, read_size, self._reader.pulse)
        except TooMuch:
            raise
        except Rejected as error:
            document = self._ledger.claim(source, UNREAD, it.seen, parent)
            self._filing.refuse(document, error)
            inside.refuse(document.id, source, error)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            if size:
                seen = replace(it.seen, size=size)
                sha = digest(file, read_size)
                self._consider(_Opened(source, sha, seen, file, it.budget, parent, it.depth + 1), inside)

    def _consider(self, it: _Opened, inside: _Inside) -> None:
        """Decide by content whether anything is to be done about a packed file, and do it."""
        id_ = identity(it.source, it.digest, self._ledger.recipe)
        known = self.known(it.source, it.digest)
        if known and (
            known.state in (State.COMPLETE, State.FILED)
            or (known.state is State.FORGOTTEN and self._intake.keep)
            or any(item.document.id == id_ for item in self.waiting)
        ):
            inside.ids.append(id_)
            return
        if it.parent and (holder := self.holder(it.digest)):
            self._filing.packed_duplicate(it.source, it.digest, it.seen, holder, it.parent)
            inside.ids.append(id_)
            return
        document, error = self._take(it)
        if error:
            self._filing.refuse(document, error)
            inside.refuse(id_, it.source, error)
        else:
            inside.ids.append(id_)

"""The ledger: what happened to every document, and the journal of the shard being written.

One SQLite file in WAL mode with ``synchronous=FULL``: when a method returns, what it wrote survives a power
cut (``claim`` and ``journal`` say why theirs need not). Every step of a document's life is one transaction
here, made *before* the step it permits: an attempt is counted before the file is parsed, a batch is journalled
before Chroma sees it, a document is complete before its file moves. Sources are stored as bytes, since a file
name need not be text.

Past 400 lines because these transactions span documents, placements and journal: one file, one class.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from bouquetd import mentions, trail
from bouquetd.errors import Explained, Rejected, Unavailable
from bouquetd.model import PACKED, Document, Fingerprint, Record, State, printable
from bouquetd.row import Row, packed, unpacked
from bouquetd.selection import PRINTED, Selection, Sort, order, printed_source
from bouquetd.trail import Outcome

FILE = "ledger.db"
"""In the state directory."""

NEXT = "next"
"""The folder in the state directory with the ledger of the next generation, while that is filled."""

Place = tuple[int, str, int]
"""Where a chunk lies and which it is: shard, document, number."""

_HELD = (State.CLAIMED, State.STORING, State.COMPLETE, State.FILED)

PAGE = 500
"""Rows read at a time where a table may be long."""

PATIENCE = 10.0
"""Seconds that another who has the file open is waited for."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE documents (
        id          TEXT PRIMARY KEY,
        source      BLOB NOT NULL,
        digest      TEXT NOT NULL,
        size        INTEGER NOT NULL,
        media_type  TEXT NOT NULL DEFAULT '',
        state       TEXT NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        chunks      INTEGER NOT NULL DEFAULT 0,  -- durable in the journal or in a shard
        whole       INTEGER NOT NULL DEFAULT 0,  -- the last chunk is among them
        since       REAL NOT NULL,               -- first claim, seconds since the epoch
        updated     REAL NOT NULL,
        twin        TEXT,                        -- of a duplicate: the document that holds the chunks
        destination BLOB,                        -- below archive or failed; '': deleted; NULL: in the inbox
        reason      TEXT,
        remedy      TEXT,
        device INTEGER, inode INTEGER, mtime_ns INTEGER, ctime_ns INTEGER
    ) STRICT;
    CREATE INDEX documents_source ON documents (source);
    CREATE INDEX documents_digest ON documents (digest);
    CREATE INDEX documents_state ON documents (state, updated);
    CREATE INDEX documents_twin ON documents (twin) WHERE twin IS NOT NULL;
    CREATE INDEX documents_unmoved ON documents (id) WHERE destination IS NULL;

    CREATE TABLE placements (                    -- which chunk numbers of a document lie in which shard
        document TEXT NOT NULL,
        shard    INTEGER NOT NULL,
        first    INTEGER NOT NULL,
        last     INTEGER NOT NULL,
        PRIMARY KEY (document, shard)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX placements_shard ON placements (shard);

    CREATE TABLE shards (
        number     INTEGER PRIMARY KEY,
        collection TEXT NOT NULL UNIQUE,
        sealed     INTEGER NOT NULL DEFAULT 0,
        dirty      INTEGER NOT NULL DEFAULT 0,   -- Chroma may differ: rebuild it after a kill
        chunks     INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE journal (                       -- the active shard, chunk by chunk
        seq      INTEGER PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        document TEXT NOT NULL,
        text     TEXT NOT NULL,
        metadata TEXT NOT NULL,
        vector   BLOB NOT NULL
    ) STRICT;
    CREATE INDEX journal_document ON journal (document);

    CREATE TABLE removals (document TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;  -- chunks that are to go
    CREATE TABLE left_alone (                    -- what is in the inbox and will never be read
        source BLOB PRIMARY KEY, reason TEXT NOT NULL, since REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE shards ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;  -- still take room in Chroma's index
    """,
    """
    ALTER TABLE documents ADD COLUMN parent BLOB;  -- of what is packed in another: the source of that
    ALTER TABLE documents ADD COLUMN within TEXT;  -- and its id, as it was when this was read
    ALTER TABLE documents ADD COLUMN note TEXT;    -- what its owner should know although it was read
    CREATE INDEX documents_parent ON documents (parent) WHERE parent IS NOT NULL;
    CREATE INDEX documents_within ON documents (within) WHERE within IS NOT NULL;
    """,
    """
    ALTER TABLE documents ADD COLUMN text_digest TEXT;  -- of the normalised text of one that is whole
    CREATE INDEX documents_text ON documents (text_digest) WHERE text_digest IS NOT NULL;
    """,
    mentions.SCHEMA,
    trail.SCHEMA,
    """
    CREATE TABLE rules (                         -- the operator's: what of the inbox is not taken
        glob BLOB PRIMARY KEY, since REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
"""One script a schema version; ``user_version`` says how many have run."""


class Corrupt(Explained):
    """The ledger's file is damaged."""

    def __init__(self, how: object) -> None:
        super().__init__(
            f"the ledger is corrupt: {how}",
            "start bouquetd again: it sets the file aside and rebuilds it from the store",
        )


class Whole(NamedTuple):
    """A document of which all is read: its id, the ids of what is packed in it, what its owner should know."""

    id: str
    packed: Collection[str] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A Chroma collection of bounded size.

    ``chunks`` counts what was ever added and not removed, ``deleted`` what was removed and still takes room in
    Chroma's index, which never shrinks.
    """

    number: int
    collection: str
    sealed: bool
    dirty: bool
    chunks: int
    deleted: int = 0

    @property
    def hollow(self) -> bool:
        """Whether most of what its index holds is deleted."""
        return self.deleted > self.chunks


@dataclass(frozen=True, slots=True)
class Entry:
    """A document's row, as ``bouquetd files`` shows it. Times in seconds since the epoch."""

    document: Document
    state: State
    chunks: int
    whole: bool
    updated: float
    twin: str | None
    destination: str | None
    reason: str | None
    remedy: str | None
    note: str | None
    fingerprint: Fingerprint


def identity(source: str, digest: str, recipe: str) -> str:
    """A document's id, 32 hex digits: the same source, content, chunker and embedder give the same."""
    seed = os.fsencode(source) + b"\0" + digest.encode() + b"\0" + recipe.encode()
    return hashlib.sha256(seed).hexdigest()[:32]


class Ledger:
    """The open ledger. Safe to use from several threads; each method is one transaction."""

    def __init__(self, path: Path, recipe: str = "", *, check: bool = True, read_only: bool = False) -> None:
        """Open or create the ledger, bring its schema up to date and, with ``check``, prove it undamaged.

        ``recipe`` names chunker and embedder; only who claims documents needs it. With ``read_only`` nothing
        is made or changed, and the proof leaves the indexes out. Raises ``Corrupt`` when the file is damaged,
        ``Unavailable`` when it cannot be opened at all or is of another bouquetd.
        """
        self.path = path
        self.recipe = recipe
        self._lock = threading.RLock()
        self._durably = True
        self._leaving = True
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            place = f"{path.absolute().as_uri()}?mode=ro" if read_only else path
            self._db = sqlite3.connect(
                place, isolation_level=None, check_same_thread=False, timeout=PATIENCE, uri=read_only
            )
            if not read_only:
                os.chmod(path, 0o600)
        except (OSError, sqlite3.OperationalError) as error:
            raise _unavailable(path, error) from error
        self._db.row_factory = sqlite3.Row
        self._db.create_function(PRINTED, 1, printed_source, deterministic=True)
        self._mentions = mentions.Mentions(self._db)
        try:
            if read_only:
                self._look(check)
            else:
                self._prepare(check)
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise _trouble(path, error) from error
            raise

    def _prepare(self, check: bool) -> None:  # noqa: FBT001
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA cache_size=-2000")
        self._db.execute("PRAGMA journal_size_limit=8388608")
        verdict = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0] if check else "ok"
        if verdict != "ok":
            raise Corrupt(verdict)
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise _unavailable(
                self.path, f"written by a newer bouquetd (schema {version}, this one knows {len(MIGRATIONS)})"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT;")

    def _look(self, check: bool) -> None:  # noqa: FBT001
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0] if check else "ok"
        if verdict != "ok":
            raise Corrupt(verdict)
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version != len(MIGRATIONS):
            whose = "a newer" if version > len(MIGRATIONS) else "an older"
            raise _unavailable(
                self.path, f"written by {whose} bouquetd (schema {version}, this one knows {len(MIGRATIONS)})"
            )

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _write(self, *, durably: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction; unless ``durably``, it outlives any death of the process but perhaps no power cut."""
        with self._lock:
            try:
                if durably is not self._durably:
                    self._db.execute(f"PRAGMA synchronous={'FULL' if durably else 'NORMAL'}")
                    self._durably = durably
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError):
                    raise _trouble(self.path, error) from error
                raise

    def _rows(self, sql: str, *arguments: Any) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self._db.execute(sql, arguments).fetchall()
            except sqlite3.DatabaseError as error:
                raise _trouble(self.path, error) from error

    # -- a document's life --------------------------------------------------------------------------------

    def claim(
        self, source: str, digest: str, fingerprint: Fingerprint, parent: Document | None = None
    ) -> Document:
        """Take a document in hand: count one attempt before any risky work on its file.

        It outlives any death of the process. A power cut may forget it, and no file causes one: so small files
        need not wait for the disk twice each. What is packed in a ``parent`` takes the blame for a death from
        that one.
        """
        id_, now, f = identity(source, digest, self.recipe), time.time(), fingerprint
        since = round(now, 3)  # of a float of more digits Chroma gives back one that differs in the last
        around = None if parent is None else (os.fsencode(parent.source), parent.id)
        with self._write(durably=False) as db:
            if parent:
                db.execute("UPDATE documents SET attempts = 0 WHERE id = ?", (parent.id,))
            row = db.execute(
                "INSERT INTO documents (id, source, digest, size, state, attempts, since, updated, parent,"
                " within, device, inode, mtime_ns, ctime_ns) VALUES (?,?,?,?,'claimed',1,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET"
                " attempts = CASE WHEN state IN ('claimed', 'storing') THEN attempts ELSE 0 END + 1,"
                " state = CASE WHEN chunks > 0 THEN 'storing' ELSE 'claimed' END, updated = excluded.updated,"
                " reason = NULL, remedy = NULL, note = NULL, twin = NULL, destination = NULL,"
                " parent = excluded.parent, within = excluded.within, device = excluded.device,"
                " inode = excluded.inode, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns"
                " RETURNING *",
                (
                    id_, os.fsencode(source), digest, f.size, since, now, *(around or (None, None)),
                    _signed(f.device), _signed(f.inode), f.mtime_ns, f.ctime_ns,
                ),
            ).fetchone()  # fmt: skip
            if row["since"] != since:
                trail.begin(db, row["source"], now, row["attempts"])
        return _entry(row).document

    def give_back(self, id_: str, held_up: str | None = None) -> None:
        """Undo the attempt: a graceful stop, or where it was ``held_up`` the world's fault, by a reason."""
        with self._write() as db:
            trail.end(db, [id_], time.time(), Outcome.HELD_UP if held_up else Outcome.STOPPED, held_up)
            db.execute("UPDATE documents SET attempts = max(0, attempts - 1) WHERE id = ?", (id_,))

    def journal(self, parts: Sequence[tuple[Document, Sequence[Record], bool]]) -> None:
        """Write a batch and its documents' progress in one transaction, before Chroma sees the batch.

        Of each document its records, which continue its numbering without a gap, and whether the last chunk is
        among them. It outlives any death of the process, and once ``sync`` was called a power cut: many batches
        go to Chroma in one call.
        """
        with self._write(durably=False) as db:
            shard, now = self._active(db), time.time()
            for document, records, whole in parts:
                numbers = [int(r.id.rpartition(":")[2]) for r in records]
                db.executemany(
                    "INSERT INTO journal (id, document, text, metadata, vector) VALUES (?,?,?,?,?)",
                    [(id_, document.id, *rest) for id_, *rest in map(packed, records)],
                )
                db.execute(
                    "UPDATE documents SET state = 'storing', chunks = ?, whole = ?, media_type = ?,"
                    " updated = ?, text_digest = ? WHERE id = ?",
                    (
                        numbers[-1] + 1,
                        whole,
                        document.media_type,
                        now,
                        records[-1].metadata.get("text_digest"),
                        document.id,
                    ),
                )
                db.execute(
                    "INSERT INTO placements VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET last = excluded.last",
                    (document.id, shard, numbers[0], numbers[-1]),
                )
                named = mentions.counted(r.metadata for r in records)
                self._mentions.add(document.id, named, begun=numbers[0] > 0)
            # Dirty from here on: were we killed now, Chroma would lack this batch.
            db.execute(
                "UPDATE shards SET chunks = chunks + ?, dirty = 1 WHERE number = ?",
                (sum(len(records) for _, records, _ in parts), shard),
            )

    def sync(self) -> None:
        """See that all that was written so far survives a power cut, before Chroma sees any of it."""
        self.remember("synced", str(time.time()))

    def complete(self, documents: Iterable[Whole]) -> None:
        """Every chunk of these is in Chroma. What they replace is queued for removal in the same breath.

        An older version that a duplicate under another name still refers to is kept.
        """
        done = list(documents)
        with self._write() as db:
            now = time.time()
            db.executemany(
                "UPDATE documents SET state = 'complete', whole = 1, note = coalesce(?, note), updated = ?"
                " WHERE id = ?",
                [(item.note, now, item.id) for item in done],
            )
            db.executemany(
                "UPDATE documents SET within = ? WHERE id = ?",
                [(item.id, packed) for item in done for packed in item.packed],
            )
            for id_ in _replacing(db, [item.id for item in done]):
                stale = db.execute(
                    "SELECT id FROM documents WHERE within IS NOT ?1"
                    " AND parent = (SELECT source FROM documents WHERE id = ?1)",
                    (id_,),
                ).fetchall()
                self._condemn(db, [row["id"] for row in stale], at_any_rate=False)
                self._supersede(db, id_)

    def filed(self, destinations: Iterable[tuple[str, str | None]]) -> None:
        """The files of these documents lie where they go afterwards (``None``: kept, "": deleted)."""
        done, now = list(destinations), time.time()
        with self._write() as db:
            trail.end(db, [id_ for id_, _ in done], now, Outcome.STORED)
            db.executemany(
                "UPDATE documents SET state = 'filed', destination = ?, updated = ? WHERE id = ?",
                [(_bytes(path), now, id_) for id_, path in done],
            )

    def failed(self, id_: str, reason: str, remedy: str, destination: str | None, media_type: str = "") -> None:
        """The file lies in ``failed/``; chunks it may have left are queued for removal.

        ``media_type`` is "" where nobody came to know it.
        """
        now = time.time()
        with self._write() as db:
            if not db.execute("SELECT 1 FROM documents WHERE id = ? AND state = 'failed'", (id_,)).fetchone():
                trail.end(db, [id_], now, Outcome.FAILED, reason)
            db.execute(
                "UPDATE documents SET state = 'failed', reason = ?, remedy = ?, destination = ?,"
                " media_type = ?, updated = ? WHERE id = ?",
                (reason, remedy, _bytes(destination), media_type, now, id_),
            )
            self._leave_nothing(db, id_)

    def duplicate(
        self,
        source: str,
        digest: str,
        fingerprint: Fingerprint,
        twin: str,
        destination: str | None,
        parent: Document | None = None,
    ) -> str:
        """The source has the content of ``twin`` and is not stored again; returns its id."""
        id_, now, f = identity(source, digest, self.recipe), time.time(), fingerprint
        with self._write() as db:
            moving = db.execute(
                "SELECT 1 FROM documents WHERE id = ? AND state = 'duplicate' AND destination IS NULL", (id_,)
            ).fetchone()
            if not moving:
                of = db.execute("SELECT source FROM documents WHERE id = ?", (twin,)).fetchone()
                trail.add(
                    db, os.fsencode(source), now, Outcome.DUPLICATE, of and printable(os.fsdecode(of["source"]))
                )
            db.execute(
                "INSERT OR REPLACE INTO documents (id, source, digest, size, state, since, updated, twin,"
                " destination, device, inode, mtime_ns, ctime_ns, parent, within)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    id_,
                    os.fsencode(source),
                    digest,
                    f.size,
                    State.DUPLICATE,
                    now,
                    now,
                    twin,
                    _bytes(destination),
                    _signed(f.device),
                    _signed(f.inode),
                    f.mtime_ns,
                    f.ctime_ns,
                    parent and os.fsencode(parent.source),
                    parent and parent.id,
                ),
            )
            self._leave_nothing(db, id_)  # of a run that was killed before another source came to have this
            self._supersede(db, id_)
        return id_

    def seen_again(self, id_: str, fingerprint: Fingerprint, destination: str | None) -> None:
        """The same source came with the same content: remember the newer file.

        A content that the source had in between is queued for removal.
        """
        f, now = fingerprint, time.time()
        with self._write() as db:
            known = db.execute("SELECT * FROM documents WHERE id = ?", (id_,)).fetchone()
            if known is not None and _entry(known).fingerprint != f:
                trail.add(db, known["source"], now, Outcome.SEEN_AGAIN)
            db.execute(
                "UPDATE documents SET destination = ?, updated = ?, device = ?, inode = ?, mtime_ns = ?,"
                " ctime_ns = ? WHERE id = ?",
                (
                    _bytes(destination),
                    now,
                    _signed(f.device),
                    _signed(f.inode),
                    f.mtime_ns,
                    f.ctime_ns,
                    id_,
                ),
            )
            self._supersede(db, id_)

    def abandon(self, id_: str) -> None:
        """The document will not be finished, or is to go: queue it and what is packed in it for removal."""
        with self._write() as db:
            trail.end(db, [id_], time.time(), Outcome.ABANDONED)
            self._condemn(db, [id_])

    def outermost(self, document: Document) -> Entry | None:
        """The document of the inbox in which one is packed, or itself; None when that is gone."""
        entry = self.find(document.id)
        while entry is not None and entry.document.parent is not None:
            held = [e for e in self.by_source(entry.document.parent) if e.state in _HELD]
            entry = held[0] if held else None
        return entry

    def reopen(self, document: Document) -> None:
        """Have what a document is packed in read again, up to the file of the inbox."""
        with self._write() as db:
            source = _bytes(document.parent)
            while source is not None:
                row = db.execute(
                    "UPDATE documents SET state = CASE WHEN chunks > 0 THEN 'storing' ELSE 'claimed' END,"
                    " whole = 0, attempts = 0 WHERE source = ? AND state IN ('complete', 'filed')"
                    " RETURNING parent",
                    (source,),
                ).fetchone()
                source = row and row["parent"]

    def drop(self, id_: str) -> None:
        """Drop the row of a document that holds no chunks, so that its file counts as new."""
        with self._write() as db:
            db.execute("DELETE FROM documents WHERE id = ?", (id_,))

    def put_back(self, id_: str) -> None:
        """The file of a failed document is in the inbox again: drop its row, so that it counts as new."""
        with self._write() as db:
            trail.put_back(db, id_, time.time())

    def died(self) -> None:
        """At a start: the process died in the attempts that nobody ended."""
        with self._write() as db:
            trail.died(db, time.time())

    def trail(self, source: str) -> list[trail.Step]:
        """What happened to a source, oldest first; see ``trail``."""
        with self._lock:
            try:
                return trail.of(self._db, os.fsencode(source))
            except sqlite3.DatabaseError as error:
                raise _trouble(self.path, error) from error

    def forgotten(self, id_: str) -> None:
        """The operator wants its chunks gone; the file, where it is kept, is not read again."""
        now = time.time()
        with self._write() as db:
            trail.end(db, [id_], now, Outcome.FORGOTTEN)
            db.execute("UPDATE documents SET state = 'forgotten', updated = ? WHERE id = ?", (now, id_))
            self._condemn(db, [id_])

    def removals(self, limit: int = PAGE) -> list[str]:
        """Documents whose chunks are to leave Chroma, so many of them at most. Costs nothing without any."""
        if not self._leaving:
            return []
        found = [row["document"] for row in self._rows("SELECT document FROM removals LIMIT ?", limit)]
        self._leaving = bool(found)
        return found

    def _condemn(self, db: sqlite3.Connection, ids: Sequence[str], *, at_any_rate: bool = True) -> None:
        """Queue documents and all that is packed in them for removal.

        What a duplicate elsewhere refers to stays, unless it is one of these ``at_any_rate``.
        """
        self._leaving = True
        family = {
            row["id"]
            for id_ in ids
            for row in db.execute(
                "WITH RECURSIVE family (id) AS (SELECT ? UNION"
                " SELECT d.id FROM documents d JOIN family f ON d.within = f.id) SELECT id FROM family",
                (id_,),
            )
        }
        for id_ in family:
            if at_any_rate and id_ in ids:
                db.execute("INSERT OR IGNORE INTO removals VALUES (?)", (id_,))
                continue
            twins = db.execute("SELECT id FROM documents WHERE twin = ?", (id_,)).fetchall()
            if all(twin["id"] in family for twin in twins):
                db.execute("INSERT OR IGNORE INTO removals VALUES (?)", (id_,))
                db.execute(
                    "DELETE FROM documents WHERE id = ? AND state IN ('duplicate', 'failed', 'forgotten')",
                    (id_,),
                )

    def _leave_nothing(self, db: sqlite3.Connection, id_: str) -> None:
        """Queue for removal what is stored of a document and of what is packed in it; its row stays."""
        packed = db.execute("SELECT id FROM documents WHERE within = ?", (id_,)).fetchall()
        self._condemn(db, [row["id"] for row in packed], at_any_rate=False)
        db.execute("INSERT OR IGNORE INTO removals SELECT document FROM placements WHERE document = ?", (id_,))

    def _supersede(self, db: sqlite3.Connection, id_: str) -> None:
        """Queue for removal what an earlier content of the same source left behind."""
        for (old,) in db.execute(
            "SELECT old.id FROM documents old JOIN documents new"
            " ON old.source = new.source AND old.id <> new.id WHERE new.id = ?"
            " AND old.state IN ('claimed', 'storing', 'complete', 'filed') AND NOT EXISTS"
            " (SELECT 1 FROM documents d WHERE d.twin = old.id AND d.source <> old.source)",
            (id_,),
        ).fetchall():
            self._condemn(db, [old])
        db.execute(
            "DELETE FROM documents WHERE state IN ('duplicate', 'failed', 'forgotten') AND id <> ?"
            " AND id NOT IN (SELECT document FROM removals)"
            " AND source = (SELECT source FROM documents WHERE id = ?)",
            (id_, id_),
        )

    def removed(self, ids: Iterable[str]) -> None:
        """The documents' chunks are gone from Chroma: drop them here too, and each row unless it says why."""
        with self._write() as db:
            for id_ in ids:
                _removed(db, id_)

    # -- what is known ------------------------------------------------------------------------------------

    def find(self, id_: str) -> Entry | None:
        """The document's row, if there is one."""
        rows = self._rows("SELECT * FROM documents WHERE id = ?", id_)
        return _entry(rows[0]) if rows else None

    def entry(self, id_: str) -> Entry:
        """The document's row, which must exist."""
        entry = self.find(id_)
        if entry is None:
            raise KeyError(id_)
        return entry

    def by_source(self, source: str) -> list[Entry]:
        """All that is known of a source, newest first."""
        return [
            _entry(row)
            for row in self._rows(
                "SELECT * FROM documents WHERE source = ? ORDER BY updated DESC", os.fsencode(source)
            )
        ]

    def unfinished(self, source: str, besides: str) -> list[str]:
        """Documents of a source, but one, that are begun and not all stored."""
        rows = self._rows(
            "SELECT id FROM documents WHERE source = ? AND id <> ? AND state IN ('claimed', 'storing')",
            os.fsencode(source),
            besides,
        )
        return [row["id"] for row in rows]

    def holder(self, digest: str) -> Entry | None:
        """The document that holds chunks of this content under the present recipe, if any."""
        for row in self._rows(
            "SELECT * FROM documents WHERE digest = ? AND state IN ('complete', 'filed')"
            " AND id NOT IN (SELECT document FROM removals) ORDER BY since",
            digest,
        ):
            entry = _entry(row)
            if entry.document.id == identity(entry.document.source, digest, self.recipe):
                return entry
        return None

    def same_text(self, text_digest: str, besides: str) -> Entry | None:
        """The oldest document with this text, in whatever format, of another source than one."""
        rows = self._rows(
            "SELECT * FROM documents WHERE text_digest = ? AND source <> ? AND state IN ('complete', 'filed')"
            " AND id NOT IN (SELECT document FROM removals) ORDER BY since LIMIT 1",
            text_digest,
            os.fsencode(besides),
        )
        return _entry(rows[0]) if rows else None

    def duplicates_of(self, id_: str) -> list[Entry]:
        """The sources filed as duplicates of this document."""
        return [_entry(row) for row in self._rows("SELECT * FROM documents WHERE twin = ?", id_)]

    def knows(self, source: str, fingerprint: Fingerprint) -> bool:
        """Whether this very file was dealt with before and stays in the inbox."""
        f = fingerprint
        return bool(
            self._rows(
                "SELECT 1 FROM documents WHERE source = ? AND size = ? AND mtime_ns = ? AND inode = ?"
                " AND state IN ('filed', 'failed', 'duplicate', 'forgotten') AND destination IS NULL LIMIT 1",
                os.fsencode(source),
                f.size,
                f.mtime_ns,
                _signed(f.inode),
            )
        )

    def entries(self, *states: State, unmoved: bool = False, after: str = "") -> Iterator[Entry]:
        """Documents in these states (all, when none is named), by id, a page of rows in memory at a time.

        With ``unmoved``, those whose files were not yet moved, or are to stay; only ids behind ``after``.
        """
        names = [str(s) for s in states or State]
        where = f"state IN ({','.join('?' * len(names))})" + " AND destination IS NULL" * unmoved
        while True:
            rows = self._rows(
                f"SELECT * FROM documents WHERE {where} AND id > ? ORDER BY id LIMIT ?", *names, after, PAGE
            )
            for row in rows:
                yield _entry(row)
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    def sources(self) -> Iterator[str]:
        """The source of each document that has chunks, a page of rows in memory at a time."""
        after = 0
        while True:
            # By rowid, and not by the index of states, which would be sorted for each page.
            rows = self._rows(
                "SELECT rowid, source FROM documents WHERE rowid > ? AND chunks > 0"
                " AND +state IN ('storing', 'complete', 'filed') ORDER BY rowid LIMIT ?",
                after,
                PAGE,
            )
            for row in rows:
                yield os.fsdecode(row["source"])
            if len(rows) < PAGE:
                return
            after = rows[-1]["rowid"]

    def recent(self, *states: State, limit: int = 100, offset: int = 0) -> list[Entry]:
        """The documents in these states that changed last, newest first."""
        names = [str(s) for s in states or State]
        marks = ",".join("?" * len(names))
        return [
            _entry(row)
            for row in self._rows(
                f"SELECT * FROM documents WHERE state IN ({marks}) ORDER BY updated DESC LIMIT ? OFFSET ?",
                *names,
                limit,
                offset,
            )
        ]

    def listed(
        self,
        chosen: Selection,
        sort: Sort = Sort.UPDATED,
        *,
        descending: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Entry]:
        """A page of some documents in an order.

        Without an index for each order: one walk over the rows, which keeps no more than the pages so far.
        """
        where, values = chosen.condition()
        rows = self._rows(
            "SELECT d.* FROM (SELECT rowid AS r, row_number() OVER () AS place FROM"
            f" (SELECT rowid FROM documents WHERE {where} ORDER BY {order(sort, descending=descending)}"
            " LIMIT ? OFFSET ?)) JOIN documents d ON d.rowid = r ORDER BY place",
            *values, limit, offset,
        )  # fmt: skip
        return list(map(_entry, rows))

    def number(self, chosen: Selection) -> int:
        """How many those are."""
        where, values = chosen.condition()
        return int(self._rows(f"SELECT count(*) AS n FROM documents WHERE {where}", *values)[0]["n"])

    def select(self, chosen: Selection, after: str = "") -> Iterator[Entry]:
        """All of them by id, from the one behind ``after`` on, a page of rows in memory at a time."""
        where, values = chosen.condition()
        while True:
            rows = self._rows(
                f"SELECT * FROM documents WHERE {where} AND id > ? ORDER BY id LIMIT ?",
                *values, after, PAGE,
            )  # fmt: skip
            yield from map(_entry, rows)
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    def at(self, destination: str, *, failed: bool) -> Entry | None:
        """The document whose file lies at a place below ``failed/`` or the archive; it looks at every row."""
        rows = self._rows(
            "SELECT * FROM documents WHERE destination = ? AND (state = 'failed') = ?"
            " ORDER BY updated DESC LIMIT 1",
            _bytes(destination),
            failed,
        )
        return _entry(rows[0]) if rows else None

    def packed(self, source: str) -> dict[str, int]:
        """How many of the files packed in one, right in it or deeper, are in each state."""
        first = os.fsencode(source + PACKED)
        rows = self._rows(
            "SELECT state, count(*) AS n FROM documents WHERE source > ?1 AND source < ?2 GROUP BY state",
            first,
            first + b"\xff" * 8,
        )
        return {row["state"]: row["n"] for row in rows}

    def named(self, id_: str) -> int:
        """How many different entities of a document are known."""
        sql = "SELECT count(*) AS n FROM mentions WHERE document = ? AND entity <> ?"
        return int(self._rows(sql, id_, mentions.UNKNOWN)[0]["n"])

    def why_left_alone(self, source: str) -> str | None:
        """Why this, or a folder that it lies in, is left alone."""
        parts = source.split("/")
        for n in range(len(parts), 0, -1):
            name = os.fsencode("/".join(parts[:n]))
            if rows := self._rows("SELECT reason FROM left_alone WHERE source = ?", name):
                return str(rows[0]["reason"])
        return None

    def counts(self) -> dict[str, int]:
        """How many documents are in each state."""
        rows = self._rows("SELECT state, count(*) AS n FROM documents GROUP BY state")
        return dict.fromkeys(State, 0) | {row["state"]: row["n"] for row in rows}

    def without_entities(self, ids: Sequence[str]) -> dict[str, int]:
        """By document, how many of its chunks have none since their provider failed, where there are such."""
        with self._lock:
            try:
                return mentions.unknown(self._db, ids)
            except sqlite3.DatabaseError as error:
                raise _trouble(self.path, error) from error

    # -- what lies in the inbox and stays there -----------------------------------------------------------

    def leave_alone(self, source: str, reason: str) -> bool:
        """Note something that will never be read; true when it is news."""
        with self._write() as db:
            cursor = db.execute(
                "INSERT INTO left_alone VALUES (?,?,?) ON CONFLICT DO UPDATE SET reason = excluded.reason"
                " WHERE reason <> excluded.reason",
                (os.fsencode(source), reason, time.time()),
            )
            return cursor.rowcount > 0

    def left_alone(self, after: str = "") -> list[tuple[str, str]]:
        """What is left alone, with the reason: at most a thousand, those whose names come after another."""
        rows = self._rows(
            "SELECT source, reason FROM left_alone WHERE source > ? ORDER BY source LIMIT 1000",
            os.fsencode(after),
        )
        return [(os.fsdecode(row["source"]), row["reason"]) for row in rows]

    def no_longer_left_alone(self, sources: Sequence[str]) -> None:
        """These are gone from the inbox, or may be read and moved by now."""
        if not sources:
            return
        with self._write() as db:
            db.executemany("DELETE FROM left_alone WHERE source = ?", [(os.fsencode(s),) for s in sources])

    def rules(self) -> list[str]:
        """The operator's globs of what is not taken from the inbox, oldest first."""
        return [os.fsdecode(row["glob"]) for row in self._rows("SELECT glob FROM rules ORDER BY since, glob")]

    def add_rules(self, globs: Sequence[str], most: int) -> None:
        """Remember more of them. Raises ``Rejected`` where there would be more than ``most``, and adds none."""
        with self._write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO rules VALUES (?,?)", [(os.fsencode(g), time.time()) for g in globs]
            )
            if db.execute("SELECT count(*) FROM rules").fetchone()[0] > most:
                raise Rejected(
                    f"there would be more than {most} rules",
                    "take one with a wider glob, or drop some: bouquetd ignore --list, --remove GLOB",
                )

    def drop_rule(self, glob: str) -> bool:
        """Forget one; whether it was known."""
        with self._write() as db:
            return db.execute("DELETE FROM rules WHERE glob = ?", (os.fsencode(glob),)).rowcount > 0

    # -- shards and the journal ---------------------------------------------------------------------------

    def shards(self) -> list[Shard]:
        """All shards, oldest first; the last one is active unless it is sealed."""
        return [
            Shard(r["number"], r["collection"], bool(r["sealed"]), bool(r["dirty"]), r["chunks"], r["deleted"])
            for r in self._rows("SELECT * FROM shards ORDER BY number")
        ]

    def active(self) -> Shard:
        """The shard being written; made when there is none."""
        shards = self.shards()
        if not shards or shards[-1].sealed:
            with self._write() as db:
                self._active(db)
            shards = self.shards()
        return shards[-1]

    def _active(self, db: sqlite3.Connection) -> int:
        row = db.execute("SELECT number FROM shards WHERE sealed = 0").fetchone()
        if row is not None:
            return int(row["number"])
        number = db.execute("SELECT coalesce(max(number), 0) + 1 FROM shards").fetchone()[0]
        db.execute("INSERT INTO shards (number, collection) VALUES (?,?)", (number, collection_name(number)))
        return int(number)

    def add_shard(self, number: int, collection: str, *, chunks: int, dirty: bool) -> None:
        """Enter a sealed shard found in Chroma by a ledger that knows nothing of it."""
        with self._write() as db:
            db.execute(
                "INSERT INTO shards (number, collection, sealed, dirty, chunks) VALUES (?,?,1,?,?)",
                (number, collection, dirty, chunks),
            )

    def adopt(
        self,
        document: Document,
        placements: Iterable[tuple[int, int, int]],
        fingerprint: Fingerprint,
        destination: str | None,
        named: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Enter a whole document found in Chroma by a ledger that knows nothing of it."""
        f = fingerprint
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO documents (id, source, digest, size, media_type, state, chunks, whole,"
                " since, updated, destination, device, inode, mtime_ns, ctime_ns, parent, text_digest)"
                " VALUES (?,?,?,?,?,'filed',?,1,?,?,?,?,?,?,?,?,?)",
                (
                    document.id,
                    os.fsencode(document.source),
                    document.digest,
                    f.size,
                    document.media_type,
                    document.stored,
                    document.since,
                    time.time(),
                    _bytes(destination),
                    _signed(f.device),
                    _signed(f.inode),
                    f.mtime_ns,
                    f.ctime_ns,
                    _bytes(document.parent),
                    document.text_digest,
                ),
            )
            db.executemany("INSERT INTO placements VALUES (?,?,?,?)", [(document.id, *p) for p in placements])
            self._mentions.add(document.id, named, begun=False)

    def mark_dirty(self, number: int) -> None:
        """Chroma is about to write this shard: do not trust it after a kill."""
        with self._write() as db:
            db.execute("UPDATE shards SET dirty = 1 WHERE number = ? AND dirty = 0", (number,))

    def mark_clean(self, suspect: Collection[int] = ()) -> None:
        """Chroma holds all that is known here, but for the ``suspect`` shards, and was closed in good order."""
        marks = ",".join("?" * len(suspect))
        with self._write() as db:
            db.execute(f"UPDATE shards SET dirty = 0 WHERE dirty = 1 AND number NOT IN ({marks})", [*suspect])

    def rename_shard(self, number: int, collection: str) -> None:
        """The shard was rebuilt into another collection, without what was deleted."""
        with self._write() as db:
            db.execute(
                "UPDATE shards SET collection = ?, dirty = 0, deleted = 0 WHERE number = ?",
                (collection, number),
            )

    def refilled(self, number: int) -> None:
        """The shard was filled anew, without what was deleted."""
        with self._write() as db:
            db.execute("UPDATE shards SET deleted = 0 WHERE number = ?", (number,))

    def seal(self, number: int) -> None:
        """The shard is full and proven equal to the journal: close it and empty the journal."""
        with self._write() as db:
            db.execute("UPDATE shards SET sealed = 1, dirty = 0 WHERE number = ?", (number,))
            db.execute("DELETE FROM journal")
        self._rows("PRAGMA shrink_memory")  # reading the whole journal filled the cache

    def drop_shard(self, number: int) -> None:
        """Forget a sealed shard that holds nothing any more."""
        with self._write() as db:
            db.execute("DELETE FROM shards WHERE number = ? AND sealed = 1", (number,))

    def rows(self) -> Iterator[list[Row]]:
        """The active shard as it must be, in order, a page at a time, as it lies here."""
        sql = "SELECT seq, id, text, metadata, vector FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
        seq = 0
        while page := self._rows(sql, seq, PAGE):
            yield [row[1:] for row in page]
            seq = page[-1]["seq"]

    def journalled_by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        """Those of some records that are in the active shard, by id."""
        found: dict[str, Record] = {}
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            marks = ",".join("?" * len(page))
            sql = f"SELECT id, text, metadata, vector FROM journal WHERE id IN ({marks})"
            found |= {row["id"]: unpacked(tuple(row)) for row in self._rows(sql, *page)}
        return found

    def journalled(self) -> Iterator[list[Record]]:
        """The same as records."""
        for page in self.rows():
            yield [unpacked(row) for row in page]

    def filled(self) -> bool:
        """Whether any document has chunks."""
        return bool(self._rows("SELECT 1 FROM placements LIMIT 1"))

    def clear_shards(self) -> None:
        """Forget all shards of a store without chunks: the next chunk may be of another kind."""
        with self._write() as db:
            db.execute("DELETE FROM shards WHERE NOT EXISTS (SELECT 1 FROM placements)")

    def placements(self, id_: str) -> list[tuple[int, int, int]]:
        """Where a document's chunks lie: shard, first and last chunk number."""
        rows = self._rows("SELECT * FROM placements WHERE document = ? ORDER BY first", id_)
        return [(r["shard"], r["first"], r["last"]) for r in rows]

    def expected(self, number: int, *, settled: bool = False, leaving: bool = False) -> Iterator[str]:
        """The ids of all chunks that a shard must hold.

        With ``settled``, those of documents still on their way in are left aside; without ``leaving``, those of
        documents on their way out.
        """
        rows = self._rows(
            "SELECT p.* FROM placements p JOIN documents d ON d.id = p.document WHERE p.shard = ?"
            " AND (? OR p.document NOT IN (SELECT document FROM removals))"
            " AND (NOT ? OR d.state IN ('complete', 'filed'))",
            number,
            leaving,
            settled,
        )
        for row in rows:
            for n in range(row["first"], row["last"] + 1):
                yield f"{row['document']}:{n}"

    def places(self, after: Place, documents: Sequence[str] | None = None) -> Iterator[Place]:
        """The chunks of stored documents, by shard, document and number, those behind ``after``.

        With ``documents``, only of these. A page of rows is in memory at a time.
        """
        named = "" if documents is None else f" AND d.id IN ({','.join('?' * len(documents))})"
        while True:
            rows = self._rows(
                "SELECT p.* FROM placements p JOIN documents d ON d.id = p.document"
                f" WHERE (p.shard, p.document) >= (?, ?) AND d.state IN ('complete', 'filed'){named}"
                " ORDER BY p.shard, p.document LIMIT ?",
                *after[:2], *(documents or ()), PAGE,
            )  # fmt: skip
            for row in rows:
                begun = (row["shard"], row["document"]) == after[:2]
                first = max(row["first"], after[2] + 1) if begun else row["first"]
                for number in range(first, row["last"] + 1):
                    yield row["shard"], row["document"], number
            if len(rows) < PAGE:
                return
            after = rows[-1]["shard"], rows[-1]["document"], rows[-1]["last"]

    # -- the ledger of the next generation ----------------------------------------------------------------

    def inherit(self, documents: Sequence[Document]) -> list[Entry]:
        """Enter documents of the ledger before, whose chunks are to be stored anew under this recipe.

        Those that are known already stay as they are.
        """
        now, ids = time.time(), [identity(d.source, d.digest, self.recipe) for d in documents]
        with self._write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO documents (id, source, digest, size, media_type, state, since, updated,"
                " parent) VALUES (?,?,?,?,?,?,?,?,?)",
                [
                    (
                        id_,
                        os.fsencode(d.source),
                        d.digest,
                        d.size,
                        d.media_type,
                        State.CLAIMED,
                        d.since,
                        now,
                        _bytes(d.parent),
                    )
                    for id_, d in zip(ids, documents, strict=True)
                ],
            )
        return [self.entry(id_) for id_ in ids]

    def succeed(self, older: Path) -> None:
        """Take over what the ledger before knows, but for chunks, once those of every document are stored anew.

        Each row gets the id of this recipe. A document that was on its way in is read from the start again.
        """
        held, gone = "('complete', 'filed')", "('failed', 'forgotten', 'duplicate')"
        anew = {
            "id": "successor(o.source, o.digest)",
            **{
                link: f"coalesce((SELECT successor(source, digest) FROM older.documents WHERE id = o.{link}),"
                f" o.{link})"
                for link in ("twin", "within")
            },
            "state": "iif(o.state = 'storing', 'claimed', o.state)",
            "chunks": "0",
            "whole": f"iif(o.state IN {held}, o.whole, 0)",
        }
        columns = [row["name"] for row in self._rows("PRAGMA table_info(documents)")]
        taken = ", ".join(anew.get(name, f"o.{name}") for name in columns)
        updated = ", ".join(f"{n} = excluded.{n}" for n in columns if n not in ("id", "chunks", "whole"))
        with self._lock:
            self._db.create_function("successor", 2, self._successor, deterministic=True)
            self._rows("ATTACH DATABASE ? AS older", str(older))
            try:
                with self._write() as db:
                    db.execute(
                        f"INSERT INTO documents ({', '.join(columns)}) SELECT {taken} FROM older.documents o"
                        f" WHERE o.state IN {gone} OR o.id NOT IN (SELECT document FROM older.removals)"
                        # Of two rows that are now one, the one that holds chunks says what it is.
                        f" ORDER BY o.state IN {held}, o.updated"
                        f" ON CONFLICT (id) DO UPDATE SET {updated}"
                    )
                    db.execute("INSERT OR IGNORE INTO left_alone SELECT * FROM older.left_alone")
                    db.execute("INSERT OR IGNORE INTO facts SELECT * FROM older.facts")
                    db.execute("INSERT OR IGNORE INTO rules SELECT * FROM older.rules")
                    trail.inherit(db)
            finally:
                self._rows("DETACH DATABASE older")

    def _successor(self, source: bytes, digest: str) -> str:
        return identity(os.fsdecode(source), digest, self.recipe)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else has the file open within, and all of it is in the one file: it may be replaced.

        It is closed afterwards. Raises ``Unavailable`` when others do not let go of it in time.
        """
        with self._lock:
            try:
                until = time.monotonic() + PATIENCE
                while True:
                    problem: object = "others read it"
                    try:
                        # Without side files: a new ledger must not meet those of the old.
                        self._db.execute("PRAGMA journal_mode=DELETE").fetchone()
                        self._db.execute("BEGIN EXCLUSIVE")
                        if self._db.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
                            break
                        self._db.execute("ROLLBACK")
                    except sqlite3.OperationalError as error:
                        problem = error
                    if time.monotonic() > until:
                        raise _unavailable(self.path, problem)
                    time.sleep(0.1)
                yield
            finally:
                self._db.close()

    # -- facts --------------------------------------------------------------------------------------------

    def fact(self, key: str) -> str | None:
        """A remembered fact, such as when the last full scan ended."""
        rows = self._rows("SELECT value FROM facts WHERE key = ?", key)
        return str(rows[0]["value"]) if rows else None

    def remember(self, key: str, value: str) -> None:
        """Remember a fact."""
        self.remember_all({key: value})

    def remember_all(self, facts: Mapping[str, str]) -> None:
        """Remember several, together or not at all."""
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?,?)", facts.items())


def collection_name(number: int, revision: int = 0) -> str:
    """The Chroma collection of a shard, ``bouquet-00001``; a rebuilt one has a revision behind it."""
    return f"bouquet-{number:05d}" + (f"-r{revision}" if revision else "")


def set_aside(path: Path) -> Path:
    """Move a damaged ledger and its side files out of the way; returns where it lies now."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside, number = path.with_name(f"{path.name}.corrupt-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    for suffix in ("-wal", "-shm", ""):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(aside.with_name(aside.name + suffix))
    return aside


def _removed(db: sqlite3.Connection, id_: str) -> None:
    """Drop what is known of a document's chunks, and its row unless it says why they are gone."""
    for row in db.execute("SELECT * FROM placements WHERE document = ?", (id_,)).fetchall():
        gone = row["last"] - row["first"] + 1
        db.execute(
            "UPDATE shards SET chunks = chunks - ?, deleted = deleted + ? WHERE number = ?",
            (gone, gone, row["shard"]),
        )
    db.execute("DELETE FROM placements WHERE document = ?", (id_,))
    db.execute("DELETE FROM journal WHERE document = ?", (id_,))
    db.execute("DELETE FROM removals WHERE document = ?", (id_,))
    mentions.drop(db, id_)
    db.execute("UPDATE documents SET chunks = 0, whole = 0 WHERE id = ?", (id_,))
    db.execute(
        "DELETE FROM documents WHERE id = ? AND state NOT IN ('failed', 'forgotten', 'duplicate')",
        (id_,),
    )


def _replacing(db: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
    """Those of some documents whose source has another content too, or files packed in one."""
    return [
        row["id"]
        for row in db.execute(
            "WITH done AS (SELECT id, source FROM documents WHERE id IN (SELECT value FROM json_each(?)))"
            " SELECT done.id FROM done JOIN documents old ON old.source = done.source AND old.id <> done.id"
            " UNION"
            " SELECT done.id FROM done JOIN documents old ON old.parent = done.source"
            " AND old.within IS NOT done.id",
            (json.dumps(ids),),
        )
    ]


def _bytes(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _signed(number: int) -> int:
    """A device or inode number, which network file systems make of all 64 bits, as SQLite can hold it."""
    return number - 2**64 if number >= 2**63 else number


def _entry(row: sqlite3.Row) -> Entry:
    document = Document(
        id=row["id"],
        source=os.fsdecode(row["source"]),
        digest=row["digest"],
        size=row["size"],
        media_type=row["media_type"],
        since=row["since"],
        attempts=row["attempts"],
        stored=row["chunks"],
        parent=None if row["parent"] is None else os.fsdecode(row["parent"]),
        text_digest=row["text_digest"],
    )
    return Entry(
        document=document,
        state=State(row["state"]),
        chunks=row["chunks"],
        whole=bool(row["whole"]),
        updated=row["updated"],
        twin=row["twin"],
        destination=None if row["destination"] is None else os.fsdecode(row["destination"]),
        reason=row["reason"],
        remedy=row["remedy"],
        note=row["note"],
        fingerprint=Fingerprint(
            (row["device"] or 0) % 2**64,
            (row["inode"] or 0) % 2**64,
            row["size"],
            row["mtime_ns"] or 0,
            row["ctime_ns"] or 0,
        ),
    )


def _trouble(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """What an error of SQLite's means: the world's fault, a damaged file, or else a mistake of ours."""
    if isinstance(error, sqlite3.OperationalError):
        return _unavailable(path, error)
    return Corrupt(error) if type(error) is sqlite3.DatabaseError else error


def _unavailable(path: Path, error: object) -> Unavailable:
    return Unavailable(
        f"the ledger {path} cannot be used: {error}",
        "look at the free space (df), the permissions and the health of the disk that holds it",
    )

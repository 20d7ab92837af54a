"""The files waiting for their turn.

The inbox itself is the truth; this is only a view of it, rebuilt by the start-up scan. It lives in a private
temporary database that SQLite spills to disk, so that a million waiting files cost no more memory than ten.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bouquetd.errors import Unavailable
from bouquetd.inbox.settle import is_quiet, quiet_at, quiet_since
from bouquetd.model import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BATCH = 500
"""Sightings per transaction: large enough to be quick, small enough to let a worker in between."""

AHEAD = 64
"""Files that are looked up at once of those that are due."""

CACHE_KB = 2048
"""SQLite's page cache; what does not fit lies in its temporary file."""

COUNTED = 10_000
"""Files that are due are counted so far: it is asked for each second."""

_LAST = 2**63 - 1

_SCHEMA = """
CREATE TABLE waiting (
    source BLOB PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    since REAL NOT NULL,    -- quiet from then on
    due REAL NOT NULL,      -- settled, and no longer postponed
    arrived REAL NOT NULL,
    tries INTEGER NOT NULL, -- that failed
    seen REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX turn ON waiting (tries, arrived, mtime, source, due);
CREATE INDEX clock ON waiting (due);

-- Kept along, since the status asks each second however many wait.
CREATE TABLE totals (files INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER came AFTER INSERT ON waiting
    BEGIN UPDATE totals SET files = files + 1, bytes = bytes + new.size; END;
CREATE TRIGGER went AFTER DELETE ON waiting
    BEGIN UPDATE totals SET files = files - 1, bytes = bytes - old.size; END;
CREATE TRIGGER grew AFTER UPDATE OF size ON waiting
    BEGIN UPDATE totals SET bytes = bytes + new.size - old.size; END;
"""

_RECORD = """
INSERT INTO waiting (source, fingerprint, size, mtime, since, due, arrived, tries, seen)
VALUES (:source, :fingerprint, :size, :mtime, :since, :due, :arrived, 0, :seen)
ON CONFLICT (source) DO UPDATE SET
    fingerprint = :fingerprint, size = :size, mtime = :mtime, since = :since,
    due = :due, tries = 0, seen = :seen
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it was last seen, with the number of its failed tries."""

    source: str
    fingerprint: Fingerprint
    tries: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a file stands: its ``place`` of ``files``, from 1; seconds it was ``quiet``, and until ``due``."""

    place: int
    files: int
    quiet: float
    due: float
    tries: int


class Queue:
    """What waits, ordered: fewest failed tries, oldest arrival, oldest modification, name.

    Thread-safe. Times are seconds of one monotonic clock, ``settle`` too, which may be replaced at any time and
    holds for what is seen from then on. Every method raises
    ``Unavailable`` when the temporary file cannot be written.
    """

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._lock = threading.Lock()
        # The first of those that are due, as long as their order cannot have changed, and what was dropped of
        # them: one look and one transaction for many files.
        self._next: deque[Sighting] = deque()
        self._until = 0.0
        self._gone: list[tuple[bytes]] = []
        with _disk():
            self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._db.close()

    def see(self, source: str, fingerprint: Fingerprint, now: float) -> None:
        """Records a file; a new or different fingerprint starts its quiet time, tries and delay afresh."""
        with self._changing() as db:
            self._see(db, source, fingerprint, now, now)

    def see_all(
        self, found: Iterable[tuple[str, Fingerprint]], arrived: float, clock: Callable[[], float]
    ) -> int:
        """Records what a scan finds, in batches, and returns how many files there were.

        ``arrived`` is when the scan began: all that it finds new arrived together, so the oldest file goes
        first. ``clock`` is read after each batch was looked at, which can be much later.
        """
        files, count = iter(found), 0
        while batch := list(islice(files, BATCH)):
            now = clock()
            with self._changing() as db:
                db.execute("BEGIN")
                for source, fingerprint in batch:
                    self._see(db, source, fingerprint, now, arrived)
                db.execute("COMMIT")
            count += len(batch)
        return count

    def due(self, now: float) -> Sighting | None:
        """The file whose turn it is, which stays in the queue; None when nothing is quiet and due."""
        with self._lock:
            if self._next and now < self._until:
                return self._next[0]
        with self._changing() as db:
            rows = db.execute(
                "SELECT w.source, w.tries, w.fingerprint FROM (SELECT source FROM waiting INDEXED BY turn"
                " WHERE due <= ? ORDER BY tries, arrived, mtime, source LIMIT ?) JOIN waiting w USING (source)"
                " ORDER BY w.tries, w.arrived, w.mtime, w.source",
                (now, AHEAD),
            ).fetchall()
            (soonest,) = db.execute("SELECT MIN(due) FROM waiting WHERE due > ?", (now,)).fetchone()
            self._next.extend(Sighting(os.fsdecode(name), _unpack(seen), tries) for name, tries, seen in rows)
            self._until = math.inf if soonest is None else soonest
            return self._next[0] if self._next else None

    def take(self, now: float, look: Callable[[str], Fingerprint | None]) -> Sighting | None:
        """Like ``due``, but looks again: what vanished is dropped, what changed since waits anew."""
        while (sighting := self.due(now)) is not None:
            current = look(sighting.source)
            if current == sighting.fingerprint:
                return sighting
            if current is None:
                self.drop(sighting.source)
            else:
                self.see(sighting.source, current, now)
                if is_quiet(now, now, self.settle):
                    return Sighting(sighting.source, current, 0)
        return None

    def drop(self, source: str) -> None:
        """Forgets a file that was taken care of or is gone."""
        with self._lock:
            if self._next and self._next[0].source == source:
                self._next.popleft()
                self._gone.append((os.fsencode(source),))
                return
        with self._changing() as db:
            db.execute("DELETE FROM waiting WHERE source = ?", (os.fsencode(source),))

    def postpone(self, source: str, until: float, *, failed: bool = False) -> None:
        """Lets a file wait at least until then. A ``failed`` try moves it behind all with fewer."""
        with self._changing() as db:
            db.execute(
                "UPDATE waiting SET due = MAX(due, ?), tries = tries + ? WHERE source = ?",
                (until, failed, os.fsencode(source)),
            )

    def resume(self, source: str, fingerprint: Fingerprint, tries: int, now: float) -> None:
        """Puts in what the ledger remembers of a file from before the start: how often it was tried.

        One that is still as it was when it was taken then has been quiet ever since: it is due at once.
        """
        name = os.fsencode(source)
        with self._changing() as db:
            db.execute("UPDATE waiting SET tries = ? WHERE source = ?", (tries, name))
            db.execute(
                "UPDATE waiting SET due = ? WHERE source = ? AND fingerprint = ?",
                (now, name, _pack(fingerprint)),
            )

    def forget_unseen(self, started: float) -> int:
        """Drops what a whole scan begun at ``started`` did not see, and returns how many files those were."""
        with self._changing() as db:
            return db.execute("DELETE FROM waiting WHERE seen < ?", (started,)).rowcount

    def next_at(self) -> float | None:
        """When the next file is due, which may be past already; None when nothing waits."""
        return self._one("SELECT MIN(due) FROM waiting")

    def count(self) -> int:
        """Files waiting, settled or not."""
        return int(self._one("SELECT files FROM totals") or 0)

    def bytes(self) -> int:
        """Their sizes together."""
        return int(self._one("SELECT bytes FROM totals") or 0)

    def oldest(self, now: float) -> float:
        """Seconds for which the file has waited that is next, settling included; 0 where none waits."""
        arrived = self._one("SELECT arrived FROM waiting INDEXED BY turn ORDER BY tries, arrived LIMIT 1")
        return 0.0 if arrived is None else max(0.0, now - arrived)

    def place(self, source: str, now: float) -> Waiting | None:
        """Where a file stands in the queue; None when it is not in it."""
        with self._cursor() as db:
            row = db.execute(
                "SELECT tries, arrived, mtime, source, since, due FROM waiting WHERE source = ?",
                (os.fsencode(source),),
            ).fetchone()
            if row is None:
                return None
            (before,) = db.execute(
                "SELECT count(*) FROM waiting WHERE (tries, arrived, mtime, source) < (?,?,?,?)", row[:4]
            ).fetchone()
            (files,) = db.execute("SELECT files FROM totals").fetchone()
        return Waiting(before + 1, files, max(0.0, now - row[4]), max(0.0, row[5] - now), row[0])

    def waiting(self, now: float) -> int:
        """Files that are settled and due, up to ``COUNTED``: work that could be done this moment."""
        due = f"SELECT 1 FROM waiting WHERE due <= ? LIMIT {COUNTED}"
        return int(self._one(f"SELECT COUNT(*) FROM ({due})", now) or 0)

    def _see(
        self, db: sqlite3.Cursor, source: str, fingerprint: Fingerprint, now: float, arrived: float
    ) -> None:
        key = os.fsencode(source)
        row = db.execute("SELECT fingerprint, since FROM waiting WHERE source = ?", (key,)).fetchone()
        previous = None if row is None else (_unpack(row[0]), row[1])
        if previous is not None and previous[0] == fingerprint:
            db.execute("UPDATE waiting SET seen = ? WHERE source = ?", (now, key))
            return
        since = quiet_since(previous, fingerprint, now)
        db.execute(
            _RECORD,
            {
                "source": key,
                "fingerprint": _pack(fingerprint),
                "size": fingerprint.size,
                "mtime": max(-_LAST, min(_LAST, fingerprint.mtime_ns)),
                "since": since,
                "due": quiet_at(since, self.settle),
                "arrived": arrived,
                "seen": now,
            },
        )

    def _one(self, query: str, *parameters: float) -> float | None:
        with self._cursor() as db:
            row: tuple[float | None] | None = db.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Cursor]:
        """For whatever may change who is next."""
        with self._cursor() as db:
            self._next.clear()
            yield db

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock, _disk():
            cursor = self._db.cursor()
            try:
                if self._gone:
                    cursor.execute("BEGIN")
                    cursor.executemany("DELETE FROM waiting WHERE source = ?", self._gone)
                    cursor.execute("COMMIT")
                    self._gone.clear()
                yield cursor
            finally:
                if self._db.in_transaction:
                    cursor.execute("ROLLBACK")
                cursor.close()


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(
            f"the list of waiting files cannot be kept: {error}",
            "Free some space where temporary files lie (/var/tmp, or $SQLITE_TMPDIR).",
        ) from error


def _pack(fingerprint: Fingerprint) -> str:
    # As text: inode numbers and times of some file systems do not fit into SQLite's integers.
    f = fingerprint
    return f"{f.device} {f.inode} {f.size} {f.mtime_ns} {f.ctime_ns}"


def _unpack(packed: str) -> Fingerprint:
    return Fingerprint(*map(int, packed.split()))

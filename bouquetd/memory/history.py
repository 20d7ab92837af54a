"""The history of memory: RSS with what ran when, and what befell the daemon, in one small SQLite file.

Rings: a sample's row is the number of its bucket modulo the size of the ring, an event's its own number
likewise. So the file cannot grow, whatever happens to it. WAL with ``synchronous=NORMAL``: a kill loses the
bucket in hand, a power cut perhaps some minutes, and no write waits for the disk. One thread writes, others may
``note``; anyone reads (``recorded``), with or without a daemon.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from bouquetd.log import Log
from bouquetd.memory.recorder import BUCKET, Sample, begin, merged
from bouquetd.model import printable

FILE = "history.db"
"""In the state directory."""

VERSION = 1
"""Of the tables; a file with others is set aside."""

SLOTS = 8640
"""Samples of each ring."""

WIDTHS = (BUCKET, 300)
"""Seconds of one sample in each ring: 24 hours of the fine one, 30 days of the coarse one."""

EVENTS = 2000
"""Events that are kept."""

UNWRITTEN = 100
"""Events that wait for the writer at most; more than that come in a second only when something is wrong."""

LONGEST = 500
"""Characters of a text that are kept; of a source the last ones, which name the file."""

PATIENCE = 0.2
"""Seconds to wait for a file that somebody else has locked; the next bucket is another chance."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)

_SCHEMA = f"""
    CREATE TABLE samples (
        level INTEGER, slot INTEGER, at REAL, ticks INTEGER, rss INTEGER, peak INTEGER, stage TEXT, source TEXT,
        mode TEXT, PRIMARY KEY (level, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        slot INTEGER PRIMARY KEY, number INTEGER, at REAL, kind TEXT, text TEXT, rss INTEGER, source TEXT
    ) STRICT;
    CREATE TABLE marks (
        one INTEGER PRIMARY KEY, throttle INTEGER, resume INTEGER, limited INTEGER, ceiling INTEGER
    ) STRICT;
    PRAGMA user_version = {VERSION};
"""


class Kind(StrEnum):
    """What can befall a daemon. After ``stopped`` and ``died`` there is no process until ``started``."""

    STARTED = "started"
    STOPPED = "stopped"
    DIED = "died"
    THROTTLED = "throttled"
    PAUSED = "paused"
    RESUMED = "resumed"
    RECLAIMED = "reclaimed"
    STUCK = "stuck"
    HELD = "held"
    RELOADED = "reloaded"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that befell the daemon: when (seconds since the epoch), what, and at which RSS in bytes.

    ``text`` says more, for a person; ``source`` is the file in hand, empty for none.
    """

    at: float
    kind: str
    text: str
    rss: int
    source: str = ""


class Marks(NamedTuple):
    """The governor's marks, and the ceiling above (least of RAM and cgroup limits), in bytes; 0: unknown."""

    throttle: int = 0
    resume: int = 0
    limit: int = 0
    ceiling: int = 0


class History:
    """Writes. ``note`` is for any thread, everything else for the one that made it.

    Nothing is raised: what cannot be written is told of once, and tried again with the next sample. A damaged
    file is set aside as ``history.db.damaged`` and a new one begun.
    """

    def __init__(self, path: Path, log: Log, clock: Callable[[], float]) -> None:
        self._path = path
        self._log = log
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._noted: deque[Event] = deque(maxlen=UNWRITTEN)
        self._said = False

    def note(self, kind: Kind, text: str, rss: int, source: str = "") -> None:
        """Take down an event; it is written with the next ``write``."""
        self._append(Event(self._clock(), kind, text, rss, source))

    def started(self, text: str, rss: int, cause: Callable[[float], str]) -> None:
        """Note that this process began; and of one before that did not end well, why.

        ``cause`` is asked for that, with the time when the old process was last seen alive.
        """
        found: list[tuple[str, float]] = []
        self._try(lambda connection: found.extend(_last(connection)))
        for kind, alive in found:
            if kind not in (Kind.STOPPED, Kind.DIED):
                self._append(Event(alive, Kind.DIED, cause(alive), 0))
        self.note(Kind.STARTED, text, rss)
        self.write()

    def marks(self, marks: Marks) -> None:
        """Keep the marks that are in force now."""
        self._try(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO marks VALUES (1, ?, ?, ?, ?)",
                marks,
            )
        )

    def write(self, sample: Sample | None = None) -> None:
        """Write a sample, and all that was noted."""
        with self._lock:
            noted = list(self._noted)
            self._noted.clear()
        if not noted and sample is None:
            return

        def put(connection: sqlite3.Connection) -> None:
            if sample:
                _put_sample(connection, replace(sample, source=_end(sample.source)))
            for event in noted:
                _put_event(connection, replace(event, text=event.text[:LONGEST], source=_end(event.source)))

        if not self._try(put):
            with self._lock:
                self._noted.extendleft(reversed(noted[: UNWRITTEN - len(self._noted)]))

    def close(self) -> None:
        """Write what was noted, and let go of the file."""
        self.write()
        self._let_go()

    def _append(self, event: Event) -> None:
        with self._lock:
            self._noted.append(event)

    def _try(self, action: Callable[[sqlite3.Connection], object]) -> bool:
        try:
            try:
                self._do(action)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._set_aside(error)
                self._do(action)
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            if not self._said:
                self._log.warning(
                    f"The history of memory cannot be written to {printable(str(self._path))}: {error}; it is"
                    " left out until that works. See to the disk and to who owns the file",
                    what="history",
                )
            self._said = True
            return False
        if self._said:
            self._log.info("The history of memory is written again", what="history")
            self._said = False
        return True

    def _do(self, action: Callable[[sqlite3.Connection], object]) -> None:
        if self._connection is not None and not self._path.exists():
            self._let_go()  # somebody removed it, and wants a new one
        if self._connection is None:
            self._connection = _opened(self._path)
        with transaction(self._connection) as connection:
            action(connection)

    def _set_aside(self, error: sqlite3.Error) -> None:
        self._let_go()
        aside = self._path.with_name(self._path.name + ".damaged")
        os.replace(self._path, aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self._path.with_name(self._path.name + ending))
        self._log.warning(
            f"The history of memory was damaged ({error}): it is set aside as {printable(str(aside))}, and a"
            " new one begins. Nothing else depends on it; remove the old one when you like",
            what="history",
        )

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _opened(path: Path) -> sqlite3.Connection:
    os.close(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    )  # names of files are their owner's matter
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -128")  # KB: a bucket touches a handful of pages
        connection.execute("PRAGMA wal_autocheckpoint = 100")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT")
        elif version != VERSION:
            raise Foreign(f"it is of version {version}, this is {VERSION}")
        elif (said := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise Foreign(said)
    except BaseException:
        connection.close()
        raise
    return connection


class Foreign(sqlite3.DatabaseError):
    """A file that is no history of ours, or no longer."""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return isinstance(error, Foreign) or code & 0xFF in _DAMAGED


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; for a reader, everything as of one moment."""
    connection.execute("BEGIN")
    try:
        yield connection
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _put_sample(connection: sqlite3.Connection, sample: Sample) -> None:
    """Into each ring; to a bucket that was begun, the coarse one or that of a restart, it is added."""
    for level, width in enumerate(WIDTHS):
        at = begin(sample.at, width)
        slot = int(at // width) % SLOTS
        row = connection.execute(
            "SELECT at, ticks, rss, peak, stage, source, mode FROM samples"
            " WHERE level = ? AND slot = ? AND at = ?",
            (level, slot, at),
        ).fetchone()
        whole = merged(Sample(*row), sample) if row else replace(sample, at=at)
        connection.execute(
            "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (level, slot, *astuple(whole))
        )


def _put_event(connection: sqlite3.Connection, event: Event) -> None:
    number = connection.execute("SELECT coalesce(max(number), -1) + 1 FROM events").fetchone()[0]
    connection.execute(
        "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", (number % EVENTS, number, *astuple(event))
    )


def _last(connection: sqlite3.Connection) -> Iterator[tuple[str, float]]:
    """The kind of the last event, and when its process was last seen alive; nothing where there is none."""
    event = connection.execute("SELECT kind, at FROM events ORDER BY number DESC LIMIT 1").fetchone()
    if event is not None:
        sampled = connection.execute("SELECT max(at) FROM samples WHERE level = 0").fetchone()[0] or 0.0
        yield event[0], max(event[1], sampled)


def _end(source: str) -> str:
    return source if len(source) <= LONGEST else "…" + source[1 - LONGEST :]

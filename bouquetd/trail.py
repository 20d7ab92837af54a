"""The audit trail in the ledger: of each source its attempts, how each ended, and what the operator did.

A first attempt has no row before it ends: the document's own row says that it is under way, and small files
need not pay twice. A later one has a row, open until then; what the daemon's death left open is closed at the
next start. Whatever repeats the row before it is counted there. The rows of a source go with the last row that
the ledger has of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MOST = 20
"""Rows of one source that are kept; the oldest go first."""

ORPHANED = 7 * 86400.0
"""Seconds for which is known what was put back into the inbox and never came: somebody took it out."""

SCHEMA = f"""
    CREATE TABLE trail (
        source  BLOB NOT NULL,
        number  INTEGER NOT NULL,
        began   REAL NOT NULL,                   -- seconds since the epoch
        ended   REAL,                            -- NULL: under way, or the process died
        attempt INTEGER,                         -- NULL: what happened was none
        outcome TEXT,
        detail  TEXT,
        times   INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (source, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX trail_orphans ON trail (ended) WHERE outcome = 'put back';
    CREATE TRIGGER trail_bound AFTER INSERT ON trail WHEN new.number > {MOST} BEGIN
        DELETE FROM trail WHERE source = new.source AND number <= new.number - {MOST};
    END;
    CREATE TRIGGER trail_gone AFTER DELETE ON documents BEGIN
        DELETE FROM trail WHERE source = old.source
            AND NOT EXISTS (SELECT 1 FROM documents WHERE source = old.source);
    END;
    """


_UNDER_WAY = ("claimed", "storing", "complete")
"""States of a document that is on its way in."""


class Outcome(StrEnum):
    """How an attempt ended, or what happened without one."""

    STORED = "stored"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    DIED = "died"
    STOPPED = "stopped"
    HELD_UP = "held up"
    ABANDONED = "abandoned"
    SEEN_AGAIN = "seen again"
    FORGOTTEN = "forgotten"
    PUT_BACK = "put back"


@dataclass(frozen=True, slots=True)
class Step:
    """One row: times in seconds since the epoch, ``ended`` and ``outcome`` None while it is open."""

    began: float
    ended: float | None
    attempt: int | None
    outcome: Outcome | None
    detail: str | None
    times: int


def begin(db: sqlite3.Connection, source: bytes, now: float, attempt: int) -> None:
    """Another attempt at a document begins."""
    db.execute(
        "INSERT INTO trail (source, number, began, attempt)"
        " SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 FROM trail WHERE source = ?1",
        (source, now, attempt),
    )


def end(
    db: sqlite3.Connection, ids: Iterable[str], now: float, outcome: Outcome, detail: str | None = None
) -> None:
    """The attempts at these documents end; of one without an attempt under way, it is what happened to it.

    To be told before the document's own row says so.
    """
    rows = db.execute(
        "SELECT d.source, d.since, d.state, d.attempts, t.number, t.began, t.ended, t.attempt"
        " FROM json_each(?) JOIN documents d ON d.id = value LEFT JOIN trail t ON t.source = d.source"
        " AND t.number = (SELECT max(number) FROM trail WHERE source = d.source)",
        (json.dumps(list(ids)),),
    ).fetchall()
    first: list[tuple[object, ...]] = []
    for row in rows:
        source, number = row["source"], row["number"] or 0
        if number and row["ended"] is None:
            _close(db, row, now, outcome, detail)
        elif is_first(row["state"], row["attempts"], row["since"], row["ended"]):
            first.append((source, number + 1, row["since"], now, row["attempts"], outcome, detail))
        else:
            add(db, source, now, outcome, detail)
    db.executemany(
        "INSERT OR REPLACE INTO trail (source, number, began, ended, attempt, outcome, detail)"
        " VALUES (?,?,?,?,?,?,?)",
        first,
    )


def is_first(state: str, attempts: int, since: float, ended: float | None) -> bool:
    """Whether a document's first attempt is under way; ``ended`` is the time of the last row of its source."""
    return state in _UNDER_WAY and attempts > 0 and (ended is None or ended < since)


def _close(db: sqlite3.Connection, row: sqlite3.Row, now: float, outcome: Outcome, detail: str | None) -> None:
    source, number = row["source"], row["number"]
    before = db.execute("SELECT * FROM trail WHERE source = ? AND number = ?", (source, number - 1)).fetchone()
    if before is not None and _same(before, row["attempt"], outcome, detail):
        db.execute("DELETE FROM trail WHERE source = ? AND number = ?", (source, number))
        _again(db, source, number - 1, now)
    else:
        db.execute(
            "UPDATE trail SET ended = ?, outcome = ?, detail = ? WHERE source = ? AND number = ?",
            (now, outcome, detail, source, number),
        )


def add(db: sqlite3.Connection, source: bytes, now: float, outcome: Outcome, detail: str | None = None) -> None:
    """Something happened that is no attempt."""
    last = _last(db, source)
    if last is not None and _same(last, None, outcome, detail):
        _again(db, source, last["number"], now)
        return
    db.execute(
        "INSERT INTO trail (source, number, began, ended, outcome, detail) VALUES (?,?,?,?,?,?)",
        (source, 1 if last is None else last["number"] + 1, now, now, outcome, detail),
    )


def put_back(db: sqlite3.Connection, id_: str, now: float) -> None:
    """Drop the row of a failed document whose file is in the inbox again, and keep its trail.

    Not of one that was taken from there in the meantime, and is read already.
    """
    failed = db.execute("SELECT source FROM documents WHERE id = ? AND state = 'failed'", (id_,)).fetchone()
    if failed is None:
        return
    source = failed["source"]
    add(db, source, now, Outcome.PUT_BACK)
    rows = db.execute("SELECT * FROM trail WHERE source = ?", (source,)).fetchall()
    db.execute("DELETE FROM documents WHERE id = ?", (id_,))
    db.executemany(f"INSERT OR IGNORE INTO trail VALUES ({','.join('?' * len(rows[0]))})", map(tuple, rows))


def died(db: sqlite3.Connection, now: float) -> None:
    """At a start: what is under way by the ledger was ended by the death of the process."""
    ids = [
        row["id"]
        for row in db.execute(
            "SELECT id, state, attempts, since, (SELECT ended IS NULL FROM trail WHERE source = d.source"
            " ORDER BY number DESC LIMIT 1) AS open, (SELECT max(ended) FROM trail WHERE source = d.source)"
            " AS ended FROM documents d WHERE state IN ('claimed', 'storing')"
        )
        if row["open"] or is_first(row["state"], row["attempts"], row["since"], row["ended"])
    ]
    end(db, ids, now, Outcome.DIED)
    db.execute(
        f"DELETE FROM trail WHERE source IN (SELECT source FROM trail WHERE outcome = '{Outcome.PUT_BACK}'"
        " AND ended < ?) AND source NOT IN (SELECT source FROM documents)",
        (now - ORPHANED,),
    )


def inherit(db: sqlite3.Connection) -> None:
    """Take over the trail of the attached ledger ``older``, of all that is known here."""
    db.execute(
        "INSERT OR REPLACE INTO trail SELECT * FROM older.trail"
        " WHERE source IN (SELECT source FROM main.documents)"
    )


def of(db: sqlite3.Connection, source: bytes) -> list[Step]:
    """The trail of a source, oldest first."""
    rows = db.execute("SELECT * FROM trail WHERE source = ? ORDER BY number", (source,))
    return [
        Step(
            row["began"],
            row["ended"],
            row["attempt"],
            None if row["outcome"] is None else Outcome(row["outcome"]),
            row["detail"],
            row["times"],
        )
        for row in rows
    ]


def _last(db: sqlite3.Connection, source: bytes) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM trail WHERE source = ? ORDER BY number DESC LIMIT 1", (source,)
    ).fetchone()
    return row


def _same(row: sqlite3.Row, attempt: int | None, outcome: Outcome, detail: str | None) -> bool:
    return (row["attempt"], row["outcome"], row["detail"]) == (attempt, outcome, detail)


def _again(db: sqlite3.Connection, source: bytes, number: int, now: float) -> None:
    db.execute(
        "UPDATE trail SET ended = ?, times = times + 1 WHERE source = ? AND number = ?", (now, source, number)
    )

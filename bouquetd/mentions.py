"""Which entities occur in which documents: a table of the ledger.

Written in the transaction that journals a batch, dropped with the document's chunks, and bounded: of one
document the first ``MOST`` different entities. Questions have a connection of their own, so that the worker
need not wait. They go over the whole table, which has no index by entity: that would cost each batch a page
on disk for every entity in it. Seen with 100,000 documents and 759,000 rows (87 MB of ledger), on a machine
busy with other things: 1.0 s of CPU and 1 MB of RSS for the most frequent, 0.3 s for a name.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from bouquetd.model import Metadata

KINDS = (
    "person", "organisation", "place", "date", "money", "email", "url", "phone",
    "iban", "doi", "isbn", "issn", "orcid", "cve", "rfc", "ip",
)  # fmt: skip
"""What an entity may be, in the order in which kinds are shown."""

MOST = 500
"""Different entities that are kept of one document."""

SCHEMA = """
    CREATE TABLE mentions (                      -- how many chunks of a document name an entity
        document TEXT NOT NULL,
        entity   TEXT NOT NULL,                  -- kind:value; '': chunks whose provider could not say
        chunks   INTEGER NOT NULL,
        PRIMARY KEY (document, entity)
    ) STRICT, WITHOUT ROWID;
"""

_LOOSE = re.compile(r"\[!?.[^]]*\]|[^ -~]|[*?%_[]")
"""What in a glob stands for other characters than itself: to LIKE, anything may stand there."""

UNKNOWN = ""
"""In the place of an entity: chunks that were stored without, since the provider failed."""

_ADD = "INSERT INTO mentions VALUES (?,?,?) ON CONFLICT DO UPDATE SET chunks = chunks + excluded.chunks"


class Frequent(NamedTuple):
    """An entity, and in how many documents and chunks it occurs."""

    entity: str
    documents: int
    chunks: int


class Mention(NamedTuple):
    """An entity, the source of a document in which it occurs, and in how many of its chunks."""

    entity: str
    source: bytes
    chunks: int


def counted(metadatas: Iterable[Metadata]) -> dict[str, int]:
    """In how many of some chunks each entity occurs, in order of appearance."""
    found: dict[str, int] = {}
    for values in metadatas:
        if "entities" in values:
            for entity in dict.fromkeys(cast(list[str], values["entities"])):
                found[entity] = found.get(entity, 0) + 1
        if "entities_missing" in values:
            found[UNKNOWN] = found.get(UNKNOWN, 0) + 1
    return found


class Mentions:
    """Writes the table of one database, within the transactions of whoever has it open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._last = "", 0  # the document of the last call, and how many rows it has at most

    def add(self, document: str, found: Mapping[str, int], *, begun: bool) -> None:
        """Count chunks of a document, of which, when it is ``begun``, others were counted before."""
        if not found:
            return
        last, most = self._last
        if document != last:
            most = MOST if begun else 0
        rows = [(document, entity, chunks) for entity, chunks in found.items()]
        if most + len(rows) > MOST:  # counted only now: it would cost as much as the writing
            [most] = self._db.execute(
                "SELECT count(*) FROM mentions WHERE document = ?", (document,)
            ).fetchone()
            if most + len(rows) > MOST:
                rows = self._within(document, rows, MOST - most)
        self._db.executemany(_ADD, rows)
        self._last = document, most + len(rows)

    def _within(
        self, document: str, rows: Sequence[tuple[str, str, int]], room: int
    ) -> list[tuple[str, str, int]]:
        """Those that are there already or must be, and of the others as many as there is room for."""
        stored = self._db.execute("SELECT entity FROM mentions WHERE document = ?", (document,))
        known = {UNKNOWN, *(entity for (entity,) in map(tuple, stored))}
        fresh = iter([row for row in rows if row[1] not in known])
        return [*(row for row in rows if row[1] in known), *islice(fresh, max(0, room))]


def drop(db: sqlite3.Connection, document: str) -> None:
    """The document's chunks are gone."""
    db.execute("DELETE FROM mentions WHERE document = ?", (document,))


def unknown(db: sqlite3.Connection, documents: Sequence[str]) -> dict[str, int]:
    """How many chunks were stored without entities since their provider failed, by document, where any were."""
    marks = ",".join("?" * len(documents))
    rows = db.execute(
        f"SELECT document, chunks FROM mentions WHERE entity = '' AND document IN ({marks})", [*documents]
    )
    return dict(map(tuple, rows))


def frequent(path: Path, kinds: Sequence[str], limit: int) -> list[Frequent]:
    """Of each kind (all, where none is named) the entities that occur in most documents, so many of a kind."""
    only = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
    sql = (
        "SELECT entity, documents, chunks FROM (SELECT *, row_number() OVER"
        " (PARTITION BY kind ORDER BY documents DESC, chunks DESC, entity) AS place FROM"
        " (SELECT entity, substr(entity, 1, instr(entity, ':') - 1) AS kind, count(*) AS documents,"
        " sum(chunks) AS chunks FROM mentions WHERE entity <> '' GROUP BY entity)"
        f" {only}) WHERE place <= ? ORDER BY documents DESC, chunks DESC, entity"
    )
    with closing(_reader(path)) as db:
        return [Frequent(*row) for row in db.execute(sql, [*kinds, limit])]


def occurrences(path: Path, name: str, kinds: Sequence[str], limit: int) -> list[Mention]:
    """Where entities occur that a name or glob is part of, most chunks first, so many at most.

    Capitals make no difference, nor whether ß or ss is written.
    """
    sql = (
        "SELECT m.entity, d.source, m.chunks FROM mentions m JOIN documents d ON d.id = m.document"
        " WHERE (m.entity LIKE ? OR length(CAST(m.entity AS BLOB)) > length(m.entity)) AND fits(m.entity)"
        " ORDER BY m.chunks DESC, m.entity, d.source LIMIT ?"
    )
    wanted = name.casefold()
    glob = wanted if any(c in wanted for c in "*?[") else f"*{wanted}*"
    # SQLite knows capitals of ASCII only. What has more, and what it lets pass, is looked at again.
    rough = _LOOSE.sub("%", wanted)

    def fits(entity: str) -> bool:
        kind, _, value = entity.casefold().partition(":")
        return bool(kind) and (not kinds or kind in kinds) and fnmatchcase(value, glob)

    with closing(_reader(path)) as db:
        db.create_function("fits", 1, fits, deterministic=True)
        return [Mention(*row) for row in db.execute(sql, (f"%{rough}%", limit))]


def _reader(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    db.execute("PRAGMA cache_size=-2000")
    return db

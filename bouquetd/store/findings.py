"""What Chroma's metadata say of documents whose ledger was lost.

Kept in a private temporary database that SQLite spills to disk: memory must not grow with the collection.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bouquetd import mentions
from bouquetd.model import PACKED, Document, Metadata

CACHE_KB = 2048
"""SQLite's page cache; what does not fit lies in its temporary file."""

_SCHEMA = """
CREATE TABLE chunks (
    document TEXT NOT NULL, shard INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (document, shard, number)
) WITHOUT ROWID;
CREATE TABLE documents (id TEXT PRIMARY KEY, metadata TEXT NOT NULL, last INTEGER) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A document as its chunks' metadata describe it; ``placements`` are shard, first and last chunk number."""

    document: Document
    placements: list[tuple[int, int, int]]
    whole: bool
    """Whether every chunk up to the last one is there, each once, in ranges that do not interleave."""


class Findings:
    """Takes chunks in any order, gives documents."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA + mentions.SCHEMA)
        self._mentions = mentions.Mentions(self._db)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def see(self, shard: int, page: Sequence[tuple[str, Metadata]]) -> None:
        """Take ids and metadata of chunks that lie in a shard."""
        split = [(*id_.rpartition(":")[::2], values) for id_, values in page]
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR IGNORE INTO chunks VALUES (?,?,?)", [(id_, shard, int(n)) for id_, n, _ in split]
        )
        self._db.executemany(
            "INSERT INTO documents VALUES (?,?,?)"
            " ON CONFLICT DO UPDATE SET last = coalesce(excluded.last, last),"
            " metadata = CASE WHEN excluded.last IS NULL THEN metadata ELSE excluded.metadata END",
            [
                (id_, json.dumps(dict(values)), int(n) if values.get("last") else None)
                for id_, n, values in split
            ],
        )
        for id_, of_one in groupby(split, key=lambda row: row[0]):
            self._mentions.add(id_, mentions.counted(values for *_, values in of_one), begun=True)
        self._db.execute("COMMIT")

    def mentions(self, id_: str) -> dict[str, int]:
        """In how many chunks of a document each entity occurs."""
        return dict(
            self._db.execute("SELECT entity, chunks FROM mentions WHERE document = ? ORDER BY entity", (id_,))
        )

    def documents(self) -> Iterator[Found]:
        """All documents, whole or not."""
        rows = self._db.execute(
            "SELECT id, metadata, d.last, shard, min(number), max(number), count(*)"
            " FROM chunks JOIN documents d ON d.id = document GROUP BY id, shard ORDER BY id, min(number)"
        )
        for (id_, metadata, last), ranges in groupby(rows, key=lambda row: row[:3]):
            parts = [row[3:] for row in ranges]
            begins = [0, *(part[2] + 1 for part in parts)]
            yield Found(
                described(id_, json.loads(metadata), last),
                [part[:3] for part in parts],
                all(count == high - low + 1 for _, low, high, count in parts)
                and [part[1] for part in parts] == begins[:-1]
                and begins[-1] - 1 == last,
            )


def described(id_: str, values: dict[str, Any], last: int | None) -> Document:
    """A document as the metadata of one of its chunks and the number of its last one describe it."""
    source = os.fsdecode(bytes.fromhex(values["source_hex"])) if "source_hex" in values else values["source"]
    return Document(
        id=id_,
        source=str(source),
        digest=str(values["digest"]),
        size=0,
        media_type=str(values["media_type"]),
        since=float(values["ingested_at"]),
        stored=(last or 0) + 1,
        parent=str(source).rpartition(PACKED)[0] if "parent" in values else None,
        text_digest=values.get("text_digest"),
    )

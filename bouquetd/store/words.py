"""The index of words: which chunks have which words, over all shards, ranked by BM25.

SQLite's FTS5 in a file of its own in the state directory. Its statistics, how many chunks have a word and how
long a chunk is, are those of the whole collection, whatever shard a chunk lies in. Words are compared without
capitals and accents, with ss for ß, and by their English stems (Porter, 1980); of scripts that put no blanks
between words each two neighbouring characters count as one. Beside its text a chunk has its title, its headings
and the name of its file.

It is derived: every chunk of it is in the journal or in what is kept of a full shard too. So its transactions
do not wait for the disk, a damaged file is begun anew, and what it lacks after a kill, or has too much, is
found by comparing ids with the ledger, a shard at a time (``Lexical.tidy``). Until then a search finds less by
words.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import orjson

from bouquetd.model import Metadata, Record

T = TypeVar("T")

MOST_WORDS = 64
"""Different words of a question that are looked for, its first ones: a page put as a question must not take
seconds."""

COMMON, SHARE = 10_000, 20
"""A word in at least so many chunks, and in one of so many, is passed over where a question has a rarer one. It
tells little, and each chunk that has it is to be weighed: of 200,000 chunks whole sentences took 0.9 s, 0.1 s
without such words; of the ten best with all words 9.8 are still among the 300 best."""

VERSION = 2
"""Of the file's tables and of how words are cut; a file of another one is begun anew."""

_SCHEMA = f"""
    CREATE TABLE chunks (seq INTEGER PRIMARY KEY, shard INTEGER NOT NULL, id TEXT NOT NULL UNIQUE) STRICT;
    CREATE INDEX chunks_shard ON chunks (shard);
    CREATE VIRTUAL TABLE words USING fts5 (text, about, tokenize = 'porter unicode61 remove_diacritics 2');
    PRAGMA user_version = {VERSION};
"""

# A whole batch is one statement, its rows one text in JSON: SQLite works without the interpreter's lock, which
# Chroma holds meanwhile.
_PLACED = """
    INSERT INTO chunks (shard, id) SELECT ?, value ->> 0 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING
"""
_INDEXED = """
    INSERT INTO words (rowid, text, about)
    SELECT seq, value ->> 1, value ->> 2 FROM json_each(?) JOIN chunks ON chunks.id = value ->> 0 AND seq > ?
"""

_WORD = re.compile(r"\w+")

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
"""Thai, Lao, Burmese, Khmer, Kana and Han."""


class Words:
    """The open index. One thread at a time uses it. No method raises for the state of its file."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; it is first touched when first needed."""
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._renewed = False

    def add(self, shard: int, records: Sequence[Record]) -> bool:
        """Take chunks in, those that are there already left as they are; false when that failed."""
        rows = orjson.dumps([[r.id, _cut(r.text), _cut(about(r.metadata))] for r in records]).decode()

        def work(db: sqlite3.Connection) -> bool:
            [last] = db.execute("SELECT coalesce(max(seq), 0) FROM chunks").fetchone()
            db.execute(_PLACED, (shard, rows))
            db.execute(_INDEXED, (rows, last))
            return True

        return self._transaction(work, failed=False)

    def remove(self, documents: Iterable[str]) -> bool:
        """Let go of documents' chunks; false when that failed."""
        # Ids are the document's, a colon, a number; the semicolon is the character after the colon.
        return self._delete("id > ? AND id < ?", [(f"{d}:", f"{d};") for d in documents])

    def discard(self, ids: Iterable[str]) -> bool:
        """Let go of chunks; false when that failed."""
        return self._delete("id = ?", [(id_,) for id_ in ids])

    def keep_only(self, shards: Sequence[int]) -> bool:
        """Let go of what belongs to another shard; false when that failed."""
        return self._delete(f"shard NOT IN ({','.join('?' * len(shards))})", [shards])

    def ids(self, shard: int) -> set[str]:
        """The chunks of a shard that it has."""
        sql = "SELECT id FROM chunks WHERE shard = ?"
        nothing: set[str] = set()
        return self._transaction(lambda db: {id_ for (id_,) in db.execute(sql, (shard,))}, failed=nothing)

    def size(self) -> int:
        """How many chunks it has."""
        return self._number("SELECT count(*) FROM chunks")

    def count(self, shard: int, ids: Sequence[str]) -> int:
        """How many of these chunks of a shard it has."""
        # CROSS: each id is looked up; SQLite would rather go through the whole shard for each.
        sql = "SELECT count(*) FROM json_each(?) CROSS JOIN chunks ON chunks.id = value WHERE shard = ?"
        return self._number(sql, orjson.dumps(ids).decode(), shard)

    def writable(self) -> bool:
        """Whether it can be written; tried by writing what is there."""
        return self._transaction(lambda db: bool(db.execute(f"PRAGMA user_version = {VERSION}")), failed=False)

    def renewed(self) -> bool:
        """Whether the file was begun anew since this was last asked."""
        renewed, self._renewed = self._renewed, False
        return renewed

    def search(self, text: str, n: int) -> list[tuple[int, str, float]]:
        """The ``n`` chunks that share most with a text, best first: shard, id and BM25 score.

        Words that very many chunks have are passed over (``COMMON``), unless the text has no others.
        """
        asked = list(dict.fromkeys(_WORD.findall(_cut(text))))[:MOST_WORDS]
        sql = (
            "SELECT shard, id, -rank FROM (SELECT rowid AS seq, rank FROM words WHERE words MATCH ?"
            " ORDER BY rank LIMIT ?) JOIN chunks USING (seq) ORDER BY rank, id"
        )

        def work(db: sqlite3.Connection) -> list[tuple[int, str, float]]:
            telling = _telling(db, asked) or asked
            return db.execute(sql, (" OR ".join(map(_quoted, telling)), n)).fetchall()

        nothing: list[tuple[int, str, float]] = []
        return self._transaction(work, nothing) if asked else []

    def close(self) -> None:
        """Close the file; it is opened again when next needed."""
        if self._db is not None:
            db, self._db = self._db, None
            db.close()

    def _number(self, sql: str, *arguments: object) -> int:
        return self._transaction(lambda db: int(db.execute(sql, arguments).fetchone()[0]), failed=0)

    def _delete(self, condition: str, each: Sequence[Sequence[object]]) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            for arguments in each:
                db.execute(
                    f"DELETE FROM words WHERE rowid IN (SELECT seq FROM chunks WHERE {condition})", arguments
                )
                db.execute(f"DELETE FROM chunks WHERE {condition}", arguments)
            return True

        return self._transaction(work, failed=False)

    def _transaction(self, work: Callable[[sqlite3.Connection], T], failed: T) -> T:
        """What the work gives; when it cannot be done, ``failed``, and nothing of it was done."""
        try:
            db = self._open()
            db.execute("BEGIN")
            try:
                done = work(db)
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        except (sqlite3.OperationalError, OSError):  # a full disk, a folder that may not be written
            return failed
        except sqlite3.DatabaseError:  # damaged
            self.close()
            self._clear()
            return failed
        return done

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connected()
            if self._db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self.close()
                self._clear()
                self._db = self._connected()
                self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        return self._db

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        os.chmod(self.path, 0o600)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -2000")
        db.execute("PRAGMA journal_size_limit = 4194304")
        return db

    def _clear(self) -> None:
        self._renewed = True
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def _telling(db: sqlite3.Connection, words: Sequence[str]) -> list[str]:
    """The words that not too many chunks have."""
    [newest] = db.execute("SELECT coalesce(max(seq), 0) FROM chunks").fetchone()
    most = max(COMMON, newest // SHARE)
    if newest < most:
        return list(words)
    sql = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
    return [word for word in words if db.execute(sql, (_quoted(word), most)).fetchone()[0] < most]


def _quoted(word: str) -> str:
    return f'"{word}"'


def about(metadata: Metadata) -> str:
    """What is said of a chunk outside its text: title, headings, and the file's name."""
    headings = metadata.get("headings", [])
    inner = headings if isinstance(headings, list) else []
    return " ".join([str(metadata.get("title", "")), *inner, str(metadata.get("name", "")).replace("_", " ")])


def _cut(text: str) -> str:
    """The text without capitals, ß as ss, and of scripts without blanks each two neighbours as a word."""
    return _UNSPACED.sub(lambda match: f" {' '.join(_pairs(match[0]))} ", text.casefold())


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]

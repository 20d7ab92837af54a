"""The records of sealed shards, kept beside Chroma: what a rebuild needs when the journal is gone.

Chroma's index may tear when a kill falls into a change of a sealed shard, a Chroma server may be emptied or
exchanged for another. With these every shard can be filled again, each vector to the last bit, and nothing is
embedded for it. One SQLite file a shard, about 4 KB a chunk of 384 dimensions; a document that is removed
leaves it too. A search finds the nearest of them without Chroma, by a second file that has the vectors alone
(``store.flat``), 1.5 KB more.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bouquetd.errors import Unavailable
from bouquetd.model import Record, Vector
from bouquetd.row import Row, unpacked, vector_of
from bouquetd.store import flat

_SCHEMA = "CREATE TABLE records (id TEXT UNIQUE, text TEXT, metadata TEXT, vector BLOB) STRICT"

_SPAN = "FROM records WHERE id > ? AND id < ?"

MOST = 500
"""Ids asked for in one statement; SQLite takes 32,766."""


class Kept:
    """A folder of files, each with the records of one shard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.records"

    def _flat(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.vectors"

    def keep(self, shard: int, pages: Iterable[Sequence[Row]]) -> None:
        """Write packed records durably; there under their name only when whole. Raises ``Unavailable``."""
        path = self._path(shard)
        partial = path.with_suffix(".partial")
        with self._writing(path):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            partial.unlink(missing_ok=True)
            with closing(sqlite3.connect(partial, isolation_level=None)) as db:
                # Whole or not at all: the rename decides, so SQLite need not be able to go back.
                db.execute("PRAGMA journal_mode = OFF")
                db.execute("PRAGMA synchronous = OFF")
                db.execute(_SCHEMA)
                db.execute("BEGIN")
                for page in pages:
                    db.executemany("INSERT INTO records VALUES (?,?,?,?)", page)
                db.execute("COMMIT")
            _sync(partial)
            self._flat(shard).unlink(missing_ok=True)
            partial.rename(path)
            self._flatten(shard)
            _sync(self._folder)

    def get(self, shard: int, ids: Sequence[str]) -> dict[str, Record]:
        """Those of the records that are kept, by id; none when the file is gone or damaged."""
        return {record.id: record for _, record in self._those(shard, "id", ids)}

    def vectors(self, shard: int, ids: Sequence[str]) -> dict[str, Vector]:
        """The vectors alone of those of the records that are kept; none when the file is gone or damaged."""
        try:
            return {id_: vector_of(packed) for id_, packed in self._rows(shard, "id, vector", "id", ids)}
        except (sqlite3.DatabaseError, ValueError):
            return {}

    def count(self, shard: int, *, thoroughly: bool = False) -> int:
        """How many records are kept; none when the file is gone or damaged.

        By the index of their ids, 0.3 MB of a full shard; ``thoroughly`` by the records themselves, 30 MB.
        """
        if not self._path(shard).exists():
            return 0
        try:
            with closing(self._open(shard)) as db:
                how = "NOT INDEXED" if thoroughly else ""
                return int(db.execute(f"SELECT count(*) FROM records {how}").fetchone()[0])
        except sqlite3.DatabaseError:
            return 0

    def nearest(self, shard: int, vector: Vector, n: int, held: int) -> flat.Near | None:
        """The ``n`` nearest to a vector; None unless all records that the shard ``held`` are there."""
        found = flat.nearest(self._flat(shard), vector, n, held)
        if found is None and self.count(shard) == held:
            try:
                self._flatten(shard)
            except (sqlite3.DatabaseError, OSError):
                return None
            found = flat.nearest(self._flat(shard), vector, n, held)
        return found

    def at(self, shard: int, places: Sequence[int]) -> dict[int, Record]:
        """The records at some places; those that were removed are left out."""
        return dict(self._those(shard, "rowid", places))

    def _those(self, shard: int, column: str, values: Sequence[object]) -> list[tuple[int, Record]]:
        rows = self._rows(shard, "rowid, id, text, metadata, vector", column, values)
        try:
            return [(place, unpacked(row)) for place, *row in rows]
        except (sqlite3.DatabaseError, ValueError):
            return []

    def _rows(self, shard: int, wanted: str, column: str, values: Sequence[object]) -> Iterator[Any]:
        """Some columns of the records that have one of these values in another."""
        if not self._path(shard).exists():
            return
        with closing(self._open(shard)) as db:
            for start in range(0, len(values), MOST):
                page = values[start : start + MOST]
                marks = ",".join("?" * len(page))
                yield from db.execute(f"SELECT {wanted} FROM records WHERE {column} IN ({marks})", page)

    def _flatten(self, shard: int) -> None:
        with closing(self._open(shard)) as db:
            flat.write(self._flat(shard), db.execute("SELECT rowid, vector FROM records ORDER BY rowid"))

    def remove(self, shard: int, documents: Iterable[str]) -> None:
        """Let go of documents' records, for good: their bytes are overwritten. Raises ``Unavailable``."""
        path = self._path(shard)
        if path.exists():
            # Ids are the document's, a colon, a number; the semicolon is the character after the colon.
            spans = [(f"{d}:", f"{d};") for d in documents]
            with self._writing(path), closing(self._open(shard)) as db:
                db.execute("PRAGMA secure_delete = ON")
                for span in spans:
                    own = db.execute(f"SELECT rowid, length(vector) {_SPAN}", span).fetchall()
                    if own:
                        flat.erase(self._flat(shard), [place for place, _ in own], own[0][1])
                with db:
                    db.executemany(f"DELETE {_SPAN}", spans)

    def drop(self, shard: int) -> None:
        """Remove the records of a shard that is no more."""
        self._path(shard).unlink(missing_ok=True)
        self._flat(shard).unlink(missing_ok=True)

    def sweep(self, sealed: Iterable[int]) -> None:
        """Remove what belongs to no sealed shard."""
        names = {path.name for shard in sealed for path in (self._path(shard), self._flat(shard))}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                # A rollback journal beside a file is what a kill left; SQLite needs it to put the file right.
                if path.name.removesuffix("-journal") not in names:
                    path.unlink()

    def _open(self, shard: int) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path(shard).as_uri()}?mode=rw", uri=True, isolation_level=None)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, a folder that may not be written
            raise _unavailable(path, error) from error
        except sqlite3.DatabaseError:  # damaged: what is left is of no use
            path.unlink(missing_ok=True)
            path.with_suffix(".vectors").unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(path, error.strerror) from error


def _unavailable(path: Path, problem: object) -> Unavailable:
    return Unavailable(
        f"the records of a full shard cannot be written to {path}: {problem}",
        "look at the free space (df) and the permissions there",
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The embedded Chroma: a directory that this process alone may open, with a Chroma of its own for each shard.

One Chroma for all would grow without end: its SQLite file never shrinks, every insertion gets slower, and its
text index is one for all collections, so that a question put to one shard walks the words of all (20 s at
300,000 chunks). Apart, a shard costs the same whatever lies beside it, and is removed with its folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bouquetd.embed import Embedder
from bouquetd.model import Record
from bouquetd.store import together
from bouquetd.store.chroma import OWN, Chroma
from bouquetd.store.package import chromadb

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

DATABASE = "chroma.sqlite3"

SQLITE_PAGE = 16 * 1024
"""Bytes of a page of Chroma's SQLite file. A chunk's text is also a key of one of its indexes, and four of them
fill SQLite's own 4 KB: with larger pages adding 16,000 chunks takes about a tenth less."""

LEAN = (
    # No index of trigrams (FTS5), half of all that a chunk costs: a filter is a LIKE over few texts.
    "DROP TABLE embedding_fulltext_search",
    "CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value UNINDEXED)",
    # Every value is a key here, each text too. A filter reads the few rows of a shard as quickly without.
    *(
        f"DROP INDEX IF EXISTS embedding_metadata_{index}"
        for index in (
            "string_value", "int_value", "float_value", "array_key_string", "array_key_int", "array_key_float"
        )
    ),
)  # fmt: skip
"""What a shard is spared in SQLite. Measured with 5,000 chunks of 256 dimensions: added in half of the time, 18
MB on disk instead of 33; a question takes as long as before, one with a filter of texts too (5 to 30 ms), one
with a filter of metadata up to 10 ms more."""

_MAKING, _GONE = ".making", ".gone"
_NOTE, _TRACE = "index.json", "trace.json"
Trace = dict[str, list[int]]
"""How the files of an index lie: bytes, time of the last change and inode of each."""

_INDEX = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Embedded(Chroma):
    """Collections in a directory, each in a folder of its name; one of them is open at a time."""

    remedy = "look at the free space and permissions there; a restart rebuilds the shard being written"

    def __init__(self, path: Path, collection: str = OWN, embedder: Embedder | None = None) -> None:
        super().__init__(str(path), collection, embedder)
        self.path = path
        self._opened: Path | None = None
        self._written: set[str] = set()
        self._traced: dict[str, Trace] = {}

    def _folder(self, name: str) -> Path:
        return self.path / self._outer(name)

    def _outers(self) -> set[str]:
        """Asked without opening any."""
        return {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()

    def _reach(self, name: str) -> ClientAPI:
        folder = self._folder(name)
        if self._opened != folder:
            self.close()
        if self._client is None:
            if not folder.is_dir():  # Chroma would make it
                raise FileNotFoundError(f"{folder} is not there")
            self._client, self._opened = _client(folder), folder
        return self._client

    def create(self, name: str) -> None:
        """Make an empty collection; it has its name only when it is whole."""
        self.close()
        folder = self._folder(name)
        making = folder.with_name(folder.name + _MAKING)
        with self._translated():
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            with closing(sqlite3.connect(making / DATABASE)) as db:
                db.execute(f"PRAGMA page_size = {SQLITE_PAGE}")
                db.execute("VACUUM")  # writes the first page, and with it the size of all
            client = _client(making)
            try:
                self._make(client, name)
            finally:
                client.close()  # type: ignore[attr-defined]
            with closing(sqlite3.connect(making / DATABASE)) as db:
                for statement in LEAN:
                    db.execute(statement)
                db.commit()
            making.rename(folder)

    def add(self, name: str, records: Sequence[Record]) -> None:
        """Add records whose ids are not there yet."""
        together.gather()
        self._written.add(name)
        super().add(name, records)

    def remove(self, name: str, ids: Sequence[str]) -> None:
        """Remove records; ids that are not there are passed over."""
        self._written.add(name)
        super().remove(name, ids)

    def delete(self, name: str) -> None:
        """Remove a collection, unopened, with all that it has on disk."""
        self.close()
        folder = self._folder(name)
        gone = folder.with_name(folder.name + _GONE)
        with self._translated():
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            shutil.rmtree(gone)
        self._written.discard(name)
        self._traced.pop(name, None)

    def detach(self, name: str) -> None:
        """Take a collection's index away unopened: reading a torn one can crash or balloon the process.

        Texts and metadata, which Chroma keeps in SQLite, stay readable; the vectors are gone.
        """
        self.close()
        folder = self._folder(name)
        with self._translated():
            for entry in folder.iterdir() if folder.is_dir() else ():
                if _INDEX.fullmatch(entry.name):
                    shutil.rmtree(entry)

    # A damaged disk, or a hand, may cut a file of an index that nobody writes to. Chroma notices some cuts when
    # it opens the index, or dies of them, and others never. So what belongs to an index is noted beside it.

    def persist(self) -> None:
        """Write down what belongs to the indexes that were written to, so that ``altered`` can tell."""
        with self._translated():
            for name in sorted(self._written):
                note = self._folder(name) / _NOTE
                partial = note.with_suffix(".partial")
                with open(partial, "w", encoding="ascii") as file:
                    json.dump(self._index(name), file)
                    file.flush()
                    os.fsync(file.fileno())
                partial.rename(note)
        self._written.clear()

    def altered(self, name: str) -> bool:
        """Whether files of a collection's index are gone or have another size than when it was last left."""
        try:
            noted = json.loads((self._folder(name) / _NOTE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False
        return bool(noted != self._index(name))

    def _index(self, name: str) -> dict[str, int]:
        """The files of a collection's index and their sizes in bytes."""
        return {file: found[0] for file, found in self._lie(name).items()}

    def _lie(self, name: str) -> Trace:
        folders = [entry for entry in self._folder(name).iterdir() if _INDEX.fullmatch(entry.name)]
        stats = {f"{folder.name}/{file.name}": file.stat() for folder in folders for file in folder.iterdir()}
        return {file: [s.st_size, s.st_mtime_ns, s.st_ino] for file, s in stats.items()}

    # Chroma writes an index anew with each thousandth record, before it answers, and no kill at another moment
    # harms the files. What the system was given to write survives the process, but not the system's own end:
    # so what was noted is believed by the same boot only, and need not be brought to the disk.

    def follow(self) -> None:
        """Note how the indexes lie that were written to; where that fails, what was noted is no longer so."""
        with suppress(OSError):
            for name in self._written:
                if (lie := self._lie(name)) != self._traced.get(name):
                    trace = self._folder(name) / _TRACE
                    partial = trace.with_suffix(".partial")
                    partial.write_text(json.dumps({"boot": _boot(), "files": lie}), encoding="ascii")
                    partial.rename(trace)
                    self._traced = {name: lie}  # others are written to no more, or seldom

    def untouched(self, name: str) -> bool:
        """Whether nothing wrote to a collection's index since that was noted, a kill half-way included."""
        try:
            noted = json.loads((self._folder(name) / _TRACE).read_text(encoding="ascii"))
            return bool(noted == {"boot": _boot(), "files": self._lie(name)})
        except (OSError, ValueError):
            return False

    def distrust(self, *names: str) -> None:
        """Forget how these indexes lay, or all that were written to; they are noted anew when persisted."""
        self._written.update(names)
        with self._translated():
            for name in names or self._written:
                self._traced.pop(name, None)
                (self._folder(name) / _TRACE).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a kill left of collections half made or half deleted."""
        for entry in self.path.iterdir() if self.path.is_dir() else ():
            if entry.name.endswith((_MAKING, _GONE)):
                shutil.rmtree(entry, ignore_errors=True)


def _boot() -> str:
    """Which boot of the system this is; raises ``OSError`` where it is not told."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _client(folder: Path) -> ClientAPI:
    chroma = chromadb()
    settings = chroma.config.Settings(anonymized_telemetry=False)
    client: ClientAPI = chroma.PersistentClient(str(folder), settings=settings)
    return client

"""The embedded Chroma: a directory that this process alone may open."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from bouquetd.store.chroma import OWN, Chroma

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

_FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.torn)?")


class Embedded(Chroma):
    """Collections in a directory."""

    remedy = "look at the free space and permissions there; a restart rebuilds the shard being written"

    def __init__(self, path: Path, collection: str = OWN) -> None:
        super().__init__(str(path), collection)
        self.path = path

    @property
    def made(self) -> bool:
        """Whether there is anything; asked without opening it."""
        return (self.path / "chroma.sqlite3").exists()

    def _connect(self) -> ClientAPI:
        # Imported here: commands that never touch the store must not pay 70 MB and 0.5 s for it.
        import chromadb
        from chromadb.config import Settings

        self.path.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(str(self.path), settings=Settings(anonymized_telemetry=False))

    def detach(self, name: str) -> None:
        """Take a collection's index away unopened: reading a torn one can crash or balloon the process.

        Texts and metadata, which Chroma keeps in SQLite, stay readable; the vectors are gone.
        """
        self.close()
        for folder in self._folders("AND c.name = ?", self._outer(name)):
            torn = self.path / f"{folder}.torn"
            if (self.path / folder).is_dir():
                shutil.rmtree(torn, ignore_errors=True)
                (self.path / folder).rename(torn)

    def sweep(self) -> None:
        """Remove the folders of indexes that no collection refers to any more."""
        if not (self.path / "chroma.sqlite3").exists():
            return
        used = set(self._folders(""))
        for entry in self.path.iterdir():
            if entry.is_dir() and _FOLDER.fullmatch(entry.name) and entry.name not in used:
                shutil.rmtree(entry, ignore_errors=True)

    def _folders(self, condition: str, *arguments: str) -> list[str]:
        """Index folders from Chroma's own tables, read without its client, which would open the index."""
        file = self.path / "chroma.sqlite3"
        if not file.exists():
            return []
        try:
            # Not read-only: a transaction that a kill left half-way must be rolled back before it is read.
            db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
            try:
                rows = db.execute(
                    "SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection"
                    f" WHERE s.scope = 'VECTOR' {condition}",
                    arguments,
                ).fetchall()
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error
        return [str(row[0]) for row in rows]

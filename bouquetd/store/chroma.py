"""The embedded Chroma store: the only importer of chromadb.

One process, one client, one thread at a time (the caller sees to that). The client is opened when first needed
and may be closed at any time to give its memory back; reopening takes 10 ms (section 6 of the design).
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bouquetd.errors import BouquetdError, Unavailable
from bouquetd.model import Hit, Metadata, Record, Vector

if TYPE_CHECKING:  # the annotations must not import what _api imports late
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

PAGE = 500
"""Records read or removed in one call; Chroma takes at most 5,461."""

EF_SEARCH = 1000
"""Candidates the index keeps while it searches. Among 4,000 real chunks the best one was found for 99.7 % of
300 questions (Chroma's default of 100: 96.0 %), in 1.2 ms."""

_FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.torn)?")


class Chroma:
    """Collections of records in an embedded Chroma directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._client: ClientAPI | None = None

    @property
    def open(self) -> bool:
        """Whether a client, and with it memory, is held."""
        return self._client is not None

    def _api(self) -> ClientAPI:
        if self._client is None:
            # Imported here: commands that never touch the store must not pay 70 MB and 0.5 s for it.
            import chromadb
            from chromadb.config import Settings

            with _translated(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                self._client = chromadb.PersistentClient(
                    str(self.path), settings=Settings(anonymized_telemetry=False)
                )
        return self._client

    def _collection(self, name: str) -> Collection:
        return self._api().get_collection(name, embedding_function=None)

    def close(self) -> None:
        """Close the client; indexes leave memory with it."""
        if self._client is not None:
            client, self._client = self._client, None
            with _translated(self.path):
                client.close()  # type: ignore[attr-defined]

    def names(self) -> set[str]:
        """The collections there are."""
        with _translated(self.path):
            return {c.name for c in self._api().list_collections()}

    def create(self, name: str) -> None:
        """Make an empty collection measured by cosine distance."""
        with _translated(self.path):
            self._api().create_collection(
                name,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}},
            )

    def delete(self, name: str) -> None:
        """Remove a collection, its index unopened, and the folder that Chroma leaves behind."""
        self.detach(name)
        with _translated(self.path):
            self._api().delete_collection(name)
        self.sweep()

    def add(self, name: str, records: Sequence[Record]) -> None:
        """Add records whose ids are not there yet."""
        with _translated(self.path):
            self._collection(name).add(
                ids=[r.id for r in records],
                embeddings=np.stack([r.vector for r in records]),
                documents=[r.text for r in records],
                metadatas=[filled(r.metadata) for r in records],
            )

    def add_missing(self, name: str, records: Sequence[Record]) -> None:
        """Add those that are not there: after an error nobody knows how much of a batch arrived.

        Asked first because adding ids again has been seen to break an index (chroma-core/chroma#7678).
        """
        with _translated(self.path):
            there = set(self._collection(name).get(ids=[r.id for r in records], include=[])["ids"])
        if missing := [r for r in records if r.id not in there]:
            self.add(name, missing)

    def remove(self, name: str, ids: Sequence[str]) -> None:
        """Remove records; ids that are not there are passed over."""
        with _translated(self.path):
            collection = self._collection(name)
            for start in range(0, len(ids), PAGE):
                there = collection.get(ids=list(ids[start : start + PAGE]), include=[])["ids"]
                if there:
                    collection.delete(ids=there)

    def ids(self, name: str) -> set[str]:
        """The ids of all records of a collection."""
        with _translated(self.path):
            return set(self._collection(name).get(include=[])["ids"])

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> dict[str, Record]:
        """Records by id. A record whose vector is missing is left out when ``vectors`` are asked for."""
        include = ["documents", "metadatas", *(["embeddings"] if vectors else [])]
        found: dict[str, Record] = {}
        with _translated(self.path):
            collection = self._collection(name)
            for start in range(0, len(ids), PAGE):
                page: Any = collection.get(ids=list(ids[start : start + PAGE]), include=include)  # type: ignore[arg-type]
                rows = page["embeddings"] if vectors else [np.zeros(0)] * len(page["ids"])
                for id_, text, metadata, vector in zip(
                    page["ids"], page["documents"], page["metadatas"], rows, strict=True
                ):
                    if vector is not None:
                        found[id_] = Record(id_, text, metadata or {}, np.asarray(vector, dtype=np.float32))
        return found

    def metadatas(self, name: str) -> Iterator[list[tuple[str, Metadata]]]:
        """Id and metadata of all records, a page at a time."""
        start = 0
        while True:
            with _translated(self.path):
                page: Any = self._collection(name).get(limit=PAGE, offset=start, include=["metadatas"])
            if not page["ids"]:
                return
            yield [(i, values or {}) for i, values in zip(page["ids"], page["metadatas"], strict=True)]
            start += PAGE

    def query(self, name: str, vector: Vector, n: int, pattern: str | None = None) -> list[Hit]:
        """The ``n`` records nearest to a vector, nearest first; only those whose text matches a pattern."""
        with _translated(self.path):
            answer: Any = self._collection(name).query(
                query_embeddings=vector,
                n_results=n,
                where_document={"$regex": pattern} if pattern else None,
                include=["documents", "metadatas", "distances"],
            )
        return [
            Hit(id_, text, metadata, float(distance))
            for id_, text, metadata, distance in zip(
                answer["ids"][0],
                answer["documents"][0],
                answer["metadatas"][0],
                answer["distances"][0],
                strict=True,
            )
        ]

    def detach(self, name: str) -> None:
        """Take a collection's index away unopened: reading a torn one can crash or balloon the process.

        Texts and metadata, which Chroma keeps in SQLite, stay readable; the vectors are gone.
        """
        self.close()
        for folder in self._folders("AND c.name = ?", name):
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
            raise _unavailable(self.path, error) from error
        return [str(row[0]) for row in rows]


def filled(metadata: Metadata) -> dict[str, Any]:
    """Metadata as Chroma takes and returns it: it refuses empty lists."""
    return {key: value for key, value in metadata.items() if value != []}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn whatever Chroma throws, panics of its Rust core too, into ``Unavailable``."""
    try:
        yield
    except (BouquetdError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # pyo3's PanicException derives from BaseException
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: BaseException) -> Unavailable:
    return Unavailable(
        f"Chroma at {path} failed: {type(error).__name__}: {error}",
        "look at the free space and permissions there; a restart checks and rebuilds the shard being written",
    )

"""Collections of records in Chroma: what is the same wherever it runs.

``embedded`` holds one in this process, ``server`` speaks to one that runs for itself. Only this package imports
chromadb. One thread at a time uses it (the caller sees to that). The client is opened when first needed and may
be closed at any time; reopening takes 10 ms (section 6 of the design).

A collection is called by the ledger's name, ``bouquet-00001``; in Chroma ``store.collection`` takes the place
of the first word. A store that was reindexed is of another generation, and its collections say which behind
that word, ``bouquet-g1-00001``. While one generation is filled the one before is in force, and after that,
until it is removed, they lie side by side: the newest one that is marked as whole counts.

Past 400 lines because all of it is one class: what the embedded store and the server's share.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bouquetd.embed import Embedder
from bouquetd.errors import BouquetdError, ConfigError, Rejected, Unavailable
from bouquetd.model import EVERYTHING, Filter, Hit, Metadata, Record, Vector

if TYPE_CHECKING:  # the annotations must not import what is imported late
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

PAGE = 500
"""Records read or removed in one call, where nothing asks for fewer; Chroma takes at most 5,461."""

EF_SEARCH = 1000
"""Candidates the index keeps while it searches. Among 4,000 real chunks the best one was found for 99.7 % of
300 questions (Chroma's default of 100: 96.0 %), in 1.2 ms."""

OWN = "bouquet"
"""The first word of a collection's name in the ledger."""

WHOLE = f"{OWN}-whole"
"""An empty collection that marks a generation after the first as one that holds all that the one before did."""

_TAIL = re.compile(r"-(\d{5,}(-r\d+)?|scratch)")
_ANY_TAIL = re.compile(r"(?:-g(\d+))?-(\d{5,}(-r\d+)?|scratch|whole)")


class Refused(Unavailable):
    """Chroma did nothing of what it was asked, and said so; ``status`` as in HTTP."""

    def __init__(self, reason: str, remedy: str, status: int) -> None:
        super().__init__(reason, remedy)
        self.status = status


class Chroma:
    """Collections of records. ``apart``: Chroma is a process of its own, which may die while we live."""

    apart = False
    remedy = "see that Chroma is well"
    """What to do when it fails, for a person."""

    def __init__(self, where: str, collection: str = OWN, embedder: Embedder | None = None) -> None:
        """``embedder`` is what the collections that are made here name, if any."""
        self.where = where
        self.filled_by = embedder
        self.record: Mapping[str, Any] = {}
        """What a new collection's metadata say of how it is filled."""
        self._first_word = collection
        self._generation = 0
        self._page = PAGE
        self._client: ClientAPI | None = None

    @property
    def made(self) -> bool:
        """Whether there is anything of ours."""
        return bool(self.names())

    # -- generations --------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """Whose collections are ours to see; the first is 0."""
        return self._generation

    @generation.setter
    def generation(self, generation: int) -> None:
        if generation != self._generation:
            self.close()
            self._generation = generation

    def generations(self) -> set[int]:
        """All of which something is there."""
        found = map(self._generation_of, self._outers())
        return {generation for generation in found if generation is not None}

    def in_force(self) -> int:
        """The generation that a reader without a ledger is to read."""
        word = self._first_word
        whole = (re.fullmatch(rf"{re.escape(word)}-g(\d+)-whole", outer) for outer in self._outers())
        return max((int(match[1]) for match in whole if match), default=0)

    def mark_whole(self) -> None:
        """From here on this generation is in force for readers, and for a ledger that is rebuilt."""
        if self._outer(WHOLE) not in self._outers():
            self.create(WHOLE)

    def drop(self, generation: int) -> None:
        """Remove all collections of another generation."""
        own, self.generation = self.generation, generation
        try:
            if self._outer(WHOLE) in self._outers():
                self.delete(WHOLE)
            for name in sorted(self.names()):
                self.delete(name)
        finally:
            self.generation = own

    def recorded(self) -> Mapping[str, Any]:
        """What the metadata of the newest collection say; of one without records nothing."""
        names = sorted(name for name in self.names() if not name.endswith("-scratch"))
        with self._translated():
            return dict(self._collection(names[-1]).metadata or {}) if names else {}

    def _generation_of(self, outer: str) -> int | None:
        tail = outer.removeprefix(self._first_word)
        match = _ANY_TAIL.fullmatch(tail) if tail != outer else None
        return int(match[1] or 0) if match else None

    # -- what differs -------------------------------------------------------------------------------------

    def _outers(self) -> set[str]:
        """Names in Chroma, at least of all collections that are ours, of any generation."""
        raise NotImplementedError

    def names(self) -> set[str]:
        """Our collections."""
        return {name for outer in self._outers() if (name := self._inner(outer))}

    def create(self, name: str) -> None:
        """Make an empty collection measured by cosine distance."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove a collection, its index unopened."""
        raise NotImplementedError

    def _reach(self, name: str) -> ClientAPI:
        """The client through which a collection is reached."""
        raise NotImplementedError

    def detach(self, name: str) -> None:
        """Take a collection's index away unopened, where that can be done."""

    def altered(self, name: str) -> bool:  # noqa: ARG002
        """Whether a collection's index is not as it was left, where that can be seen without opening it."""
        return False

    def follow(self) -> None:
        """A batch is in: note how the files of its index lie now, where that can be seen."""

    def untouched(self, name: str) -> bool:  # noqa: ARG002
        """Whether nothing wrote to a collection's index since that was noted, a kill half-way included."""
        return False

    def distrust(self, *names: str) -> None:
        """Forget how the indexes of these collections lay, or of all that were written to."""

    def sweep(self) -> None:
        """Remove what a kill left of collections half made or half deleted."""

    def begin(self) -> None:
        """Writing begins: from here to ``confirm`` it must be one and the same Chroma."""

    def confirm(self) -> None:
        """Raise ``Unavailable`` unless the Chroma that was written to since ``begin`` lives on."""

    def end(self) -> None:
        """Writing ended."""

    def persist(self) -> None:
        """What was written may leave Chroma's memory: bring it into the files that it is read from again."""

    # -- the same everywhere ------------------------------------------------------------------------------

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Write within; what was written is on disk, in a Chroma that did not die meanwhile, at the end."""
        self.begin()
        try:
            yield
            self.persist()
            self.confirm()
            self.close()
        finally:
            self.end()

    @property
    def open(self) -> bool:
        """Whether a client, and with it memory, is held."""
        return self._client is not None

    @property
    def _prefix(self) -> str:
        return self._first_word + (f"-g{self._generation}" if self._generation else "")

    def _outer(self, name: str) -> str:
        return self._prefix + name.removeprefix(OWN)

    def _collection(self, name: str) -> Collection:
        client = self._reach(name)
        import bouquetd.store.function  # noqa: F401 (Chroma looks for it by name with each `add`)

        return client.get_collection(self._outer(name), embedding_function=None)

    def close(self) -> None:
        """Close the client; indexes that this process holds leave memory with it."""
        if self._client is not None:
            client, self._client = self._client, None
            with self._translated():
                client.close()  # type: ignore[attr-defined]

    def _inner(self, outer: str) -> str | None:
        """The ledger's name for one of Chroma's, if it can be ours."""
        tail = outer.removeprefix(self._prefix)
        return OWN + tail if tail != outer and _TAIL.fullmatch(tail) else None

    def _make(self, client: ClientAPI, name: str, marks: dict[str, Any] | None = None) -> None:
        client.create_collection(
            self._outer(name),
            embedding_function=_function(self.filled_by),
            metadata={**self.record, **(marks or {})} or None,
            configuration={"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}},
        )

    def add(self, name: str, records: Sequence[Record]) -> None:
        """Add records whose ids are not there yet."""
        with self._translated():
            self._collection(name).add(
                ids=[r.id for r in records],
                embeddings=np.stack([r.vector for r in records]),
                documents=[r.text for r in records],
                metadatas=[_filled(r.metadata) for r in records],
            )

    def add_missing(self, name: str, records: Sequence[Record]) -> None:
        """Add those that are not there: after an error nobody knows how much of a batch arrived.

        Asked first because adding ids again has been seen to break an index (chroma-core/chroma#7678).
        """
        there = self.passing(name, [r.id for r in records], EVERYTHING)
        if missing := [r for r in records if r.id not in there]:
            self.add(name, missing)

    def remove(self, name: str, ids: Sequence[str]) -> None:
        """Remove records; ids that are not there are passed over."""
        with self._translated():
            collection = self._collection(name)
            for start in range(0, len(ids), self._page):
                there = collection.get(ids=list(ids[start : start + self._page]), include=[])["ids"]
                if there:
                    collection.delete(ids=there)

    def ids(self, name: str, where: Mapping[str, Any] | None = None) -> set[str]:
        """The ids of all records of a collection, or of those whose metadata fit."""
        only: Any = where and dict(where)
        with self._translated():
            return set(self._collection(name).get(where=only, include=[])["ids"])

    def count(self, name: str, only: Filter) -> int:
        """How many records of a collection fit a filter."""
        conditions = _conditions(only)
        with self._translated():
            return len(self._collection(name).get(**conditions, include=[])["ids"])

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> dict[str, Record]:
        """Records by id; one without a vector is left out when ``vectors`` are asked for."""
        include = ["documents", "metadatas", *(["embeddings"] if vectors else [])]
        found: dict[str, Record] = {}
        with self._translated():
            collection = self._collection(name)
            for start in range(0, len(ids), self._page):
                asked = list(ids[start : start + self._page])
                page: Any = collection.get(ids=asked, include=include)  # type: ignore[arg-type]
                rows = page["embeddings"] if vectors else [np.zeros(0)] * len(page["ids"])
                for id_, text, metadata, vector in zip(
                    page["ids"], page["documents"], page["metadatas"], rows, strict=True
                ):
                    if vector is not None:
                        found[id_] = Record(id_, text, metadata or {}, np.asarray(vector, dtype=np.float32))
        return found

    def passing(self, name: str, ids: Sequence[str], only: Filter) -> set[str]:
        """Those of some ids whose records pass a filter."""
        conditions = _conditions(only)
        found: set[str] = set()
        with self._translated():
            collection = self._collection(name)
            for start in range(0, len(ids), self._page):
                asked = list(ids[start : start + self._page])
                found.update(collection.get(ids=asked, include=[], **conditions)["ids"])
        return found

    def vectors(self, name: str, ids: Sequence[str]) -> dict[str, Vector]:
        """Vectors by id, of those records that have one."""
        found: dict[str, Vector] = {}
        with self._translated():
            collection = self._collection(name)
            for start in range(0, len(ids), self._page):
                page: Any = collection.get(ids=list(ids[start : start + self._page]), include=["embeddings"])
                for id_, vector in zip(page["ids"], page["embeddings"], strict=True):
                    if vector is not None:
                        found[id_] = np.asarray(vector, dtype=np.float32)
        return found

    def embedder(self, name: str) -> Embedder:
        """The embedder that a collection names. Raises ``ConfigError`` for one that we do not have."""
        from bouquetd.store.function import behind

        with self._translated():
            named: Any = self._collection(name).configuration_json.get("embedding_function")
        try:
            return behind(named)
        except ValueError as error:
            raise ConfigError([f"{self._outer(name)} at {self.where}: {error}"]) from None

    def metadatas(
        self, name: str, where: Mapping[str, Any] | None = None
    ) -> Iterator[list[tuple[str, Metadata]]]:
        """Id and metadata of all records, or of those whose metadata fit, a page at a time."""
        for page in self._pages(name, ["metadatas"], Filter(where)):
            yield [(i, values or {}) for i, values in zip(page["ids"], page["metadatas"], strict=True)]

    def _pages(self, name: str, include: list[Any], only: Filter) -> Iterator[Any]:
        conditions = _conditions(only)
        for start in itertools.count(0, self._page):
            with self._translated():
                page: Any = self._collection(name).get(
                    **conditions, limit=self._page, offset=start, include=include
                )
            if page["ids"]:
                yield page
            if len(page["ids"]) < self._page:
                return

    def query(
        self, name: str, vector: Vector, n: int, pattern: str | None = None, only: Filter = EVERYTHING
    ) -> list[Hit]:
        """The ``n`` records nearest to a vector, nearest first; those whose text matches a pattern, ``only``.

        Capitals count in the texts of a filter.
        """
        conditions = _conditions(only, pattern)
        with self._translated():
            answer: Any = self._collection(name).query(
                query_embeddings=vector,
                n_results=n,
                **conditions,
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

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn whatever Chroma throws, panics of its Rust core too, into ``Unavailable``."""
        try:
            yield
        except (BouquetdError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # pyo3's PanicException derives from BaseException
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> Unavailable:
        return Unavailable(f"Chroma at {self.where} failed: {type(error).__name__}: {error}", self.remedy)


def _function(embedder: Embedder | None) -> Any:
    """What collections say they were embedded with; imported late as Chroma is."""
    from bouquetd.store.function import function

    return function(embedder) if embedder else None


def _conditions(only: Filter, pattern: str | None = None) -> dict[str, Any]:
    """A filter as Chroma takes it. Raises ``Rejected`` for one that it would not understand."""
    words: list[Any] = [{"$contains": text} for text in only.texts]
    words += [{"$regex": pattern}] if pattern else []
    if only.where:
        _understood(only.where)
    return {
        "where": dict(only.where) if only.where else None,
        "where_document": {"$and": words} if len(words) > 1 else words[0] if words else None,
    }


def _understood(where: Mapping[str, Any]) -> None:
    from chromadb.api.types import validate_where

    try:
        validate_where(dict(where))
    except (ValueError, TypeError) as error:
        raise Rejected(
            f"Chroma does not understand the filter {where}: {error}",
            'write it as Chroma does, {"page": {"$lte": 3}}, or as text, "page <= 3"',
        ) from None


def _filled(metadata: Metadata) -> dict[str, Any]:
    """Metadata as Chroma takes it: it refuses empty lists."""
    return {key: value for key, value in metadata.items() if value != []}

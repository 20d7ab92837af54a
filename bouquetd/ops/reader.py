"""The collections of a Chroma server, read by somebody who is not the daemon: no ledger, nothing written.

The shards are what their names say. The daemon may replace one by another of its kind at any time, so they are
looked up anew for each page; the ids within stay the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bouquetd.config import Embed
from bouquetd.embed import Embedder
from bouquetd.embed.choice import chosen
from bouquetd.errors import Unavailable
from bouquetd.model import EVERYTHING, Document, Filter, Hit, Record, Vector
from bouquetd.ops.answer import answer
from bouquetd.ops.filters import Conditions
from bouquetd.ops.passages import Passage
from bouquetd.ops.search import near, query, runs
from bouquetd.recipe import Recipe
from bouquetd.store.chroma import PAGE
from bouquetd.store.findings import described
from bouquetd.store.nearest import nearest
from bouquetd.store.rebuild import collections
from bouquetd.store.server import Server


class Reader:
    """Any thread may use it; one at a time gets through."""

    def __init__(self, server: Server, embedder: Embedder | None) -> None:
        """Without an ``embedder`` texts are embedded with the one that the collections name."""
        self._server = server
        self._given = embedder
        self._named: tuple[int, Embedder] | None = None
        self._lock = threading.Lock()

    def answer(
        self, question: str | Vector, n: int, conditions: Conditions, *, context: int, merged: bool
    ) -> list[Passage]:
        """The best passages, best first; see ``ops.answer``."""
        return answer(self, question, n, conditions, context=context, merged=merged)

    def hits(self, question: str | Vector, n: int, only: Filter) -> list[Hit]:
        """The best chunks, best first; see ``ops.search.query``. A vector needs no embedder."""
        if isinstance(question, str):
            return query(self, self.embedder, question, n, only)
        return near(self, self._dimensions(question), question, n, only)

    @property
    def embedder(self) -> Embedder:
        """What texts are embedded with. Raises ``ConfigError`` for one that we do not have."""
        if self._given is not None:
            return self._given
        with self._lock:
            shards, generation = self._shards(), self._server.generation
            if self._named is None or self._named[0] != generation:
                if not shards:
                    return chosen(Embed())  # nothing is stored yet that could say
                self._named = generation, self._server.embedder(shards[max(shards)])
            return self._named[1]

    def _dimensions(self, question: Vector) -> int:
        """Those of the stored vectors, as their collections have it; where nothing says so, the question's."""
        if self._given is not None:
            return self._given.dimensions
        with self._lock:
            self._shards()
            recipe = Recipe.of(self._server.recorded())
        return recipe.dimensions if recipe else question.size

    def sources(self) -> Iterator[str]:
        """The source of each document, by its first chunk."""
        with self._lock:
            shards = self._shards()
        for number in sorted(shards):
            ids = self._ids(number, {"chunk": 0})
            for start in range(0, len(ids), PAGE):
                found = self._page(number, ids[start : start + PAGE], vectors=False)
                yield from (str(record.metadata["source"]) for record in found.values())

    def chunks_by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        """Chunks of any documents; each shard is asked for all."""
        with self._lock:
            shards = self._shards()
        found: dict[str, Record] = {}
        for number in shards:
            found |= self._page(number, list(ids), vectors=False)
        return found

    def place(self, _document: str) -> tuple[str | None, str | None]:
        """Only the ledger knows."""
        return None, None

    def fitting(self, only: Filter) -> int:
        """How many chunks fit a filter."""
        with self._lock:
            return sum(self._server.count(name, only) for name in self._shards().values())

    def documents_and_chunks(self) -> tuple[int, int]:
        """How much is stored."""
        return self.fitting(Filter({"last": True})), self.fitting(EVERYTHING)

    def search(self, vector: Vector, n: int, pattern: str | None, only: Filter) -> list[Hit]:
        """The chunks nearest to a vector, and the nearest of those that match a pattern; ``n`` of each."""
        with self._lock:
            shards = self._shards()
            with suppress(_Replaced):
                return self._nearest(shards, vector, n, pattern, only)
            return self._nearest(self._shards(), vector, n, pattern, only)

    def candidates(self, text: str, vector: Vector, n: int, only: Filter) -> tuple[None, list[Hit]]:
        """No scores, the index of words is the daemon's; what has the question's words is among the nearest."""
        return None, self.search(vector, n, runs(text), only)

    def vectors(self, ids: Sequence[str]) -> dict[str, Vector]:  # noqa: ARG002
        """None: each would have to come over the network."""
        return {}

    def _nearest(
        self, shards: Mapping[int, str], vector: Vector, n: int, pattern: str | None, only: Filter
    ) -> list[Hit]:
        try:
            return nearest(self._server, dict.fromkeys(shards.values(), n), vector, n, pattern, only)
        except Unavailable as error:
            if self._shards() == shards:
                raise
            raise _Replaced(error.reason, "ask again") from error

    def documents(self) -> Iterator[Document]:
        """Documents whose last chunk is there, by shard and id."""
        for record in self._records({"last": True}, vectors=False):
            id_, _, number = record.id.rpartition(":")
            yield described(id_, dict(record.metadata), int(number))

    def chunks(self, source: str | None, *, vectors: bool) -> Iterator[Record]:
        """Records by shard, document and number; of one source or all."""
        return self._records(None if source is None else {"source": source}, vectors=vectors)

    def _records(self, where: Mapping[str, Any] | None, *, vectors: bool) -> Iterator[Record]:
        """A page in memory at a time, and the ids of one shard: a count would shift when something goes."""
        with self._lock:
            shards = self._shards()
            generation = self._server.generation
        for number in sorted(shards):
            ids = self._ids(number, where)
            for start in range(0, len(ids), PAGE):
                page = ids[start : start + PAGE]
                found = self._page(number, page, vectors=vectors)
                if self._server.generation != generation:
                    raise Unavailable("the store was reindexed while it was read", "begin again")
                yield from (found[id_] for id_ in page if id_ in found)

    def _ids(self, number: int, where: Mapping[str, Any] | None) -> list[str]:
        with self._lock:
            name = self._shards().get(number)
            return sorted(self._server.ids(name, where), key=_place) if name else []

    def _page(self, number: int, ids: list[str], *, vectors: bool) -> dict[str, Record]:
        with self._lock:
            name = self._shards().get(number)
            return self._server.get(name, ids, vectors=vectors) if name else {}

    def _shards(self) -> dict[int, str]:
        self._server.generation = self._server.in_force()
        return collections(self._server.names())

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        with self._lock:
            self._server.close()


class _Replaced(Unavailable):
    """A shard made way for its repaired or compacted self between two looks."""


def _place(id_: str) -> tuple[str, int]:
    document, _, number = id_.rpartition(":")
    return document, int(number)

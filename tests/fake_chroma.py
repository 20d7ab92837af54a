"""A Chroma in memory for unit tests: it passes the contract of the real ones (tests/contract/test_store.py)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bouquetd.store.chroma import OWN, Chroma

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$in": lambda value, wanted: value in wanted,
    "$nin": lambda value, wanted: value not in wanted,
    "$contains": lambda value, wanted: isinstance(value, list) and wanted in value,
    "$not_contains": lambda value, wanted: not isinstance(value, list) or wanted not in value,
}
NEGATIVE = ("$ne", "$nin", "$not_contains")


class Collection:
    """As much of Chroma's ``Collection`` as the store uses."""

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        self.metadata = metadata
        self.rows: dict[str, tuple[np.ndarray[Any, Any], str, Mapping[str, Any]]] = {}

    def add(
        self,
        ids: Sequence[str],
        embeddings: np.ndarray[Any, Any],
        documents: Sequence[str],
        metadatas: Sequence[Mapping[str, Any]],
    ) -> None:
        for id_, *row in zip(ids, embeddings, documents, metadatas, strict=True):
            self.rows.setdefault(id_, tuple(row))  # type: ignore[arg-type]

    def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        offset: int = 0,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str],
    ) -> dict[str, Any]:
        found = list(self.rows) if ids is None else [id_ for id_ in ids if id_ in self.rows]
        found = [id_ for id_ in found if _matches(self.rows[id_][2], where)]
        found = [id_ for id_ in found if _says(self.rows[id_][1], where_document)]
        found = found[offset : None if limit is None else offset + limit]
        columns = {"embeddings": 0, "documents": 1, "metadatas": 2}
        return {"ids": found} | {
            name: [self.rows[id_][columns[name]] for id_ in found] if name in include else None
            for name in columns
        }

    def delete(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            del self.rows[id_]

    def query(
        self,
        query_embeddings: np.ndarray[Any, Any],
        n_results: int,
        include: Sequence[str],
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        answer: dict[str, list[list[Any]]] = {"distances": [], "ids": [], "documents": [], "metadatas": []}
        for asked in np.atleast_2d(query_embeddings):
            near = sorted(
                (
                    (1 - float(vector @ asked), id_, text, metadata)
                    for id_, (vector, text, metadata) in self.rows.items()
                    if _matches(metadata, where) and _says(text, where_document)
                ),
                key=lambda row: row[0],
            )[:n_results]
            for position, column in enumerate(answer.values()):
                column.append([row[position] for row in near])
        return answer


class Client:
    """Gives out collections by name."""

    def __init__(self, collections: dict[str, Collection]) -> None:
        self._collections = collections

    def get_collection(self, name: str, **_: object) -> Collection:
        return self._collections[name]

    def create_collection(self, name: str, metadata: Mapping[str, Any] | None = None, **_: object) -> None:
        if name in self._collections:
            raise ValueError(f"{name} is there already")
        self._collections[name] = Collection(metadata)

    def close(self) -> None:
        pass


class InMemory(Chroma):
    """Collections in a dictionary, which outlives the object that is given it."""

    def __init__(self, collections: dict[str, Collection], collection: str = OWN) -> None:
        super().__init__("memory", collection)
        self.collections = collections

    def _outers(self) -> set[str]:
        return set(self.collections)

    def create(self, name: str) -> None:
        with self._translated():
            self._make(self._reach(name), name)

    def delete(self, name: str) -> None:
        with self._translated():
            del self.collections[self._outer(name)]

    def _reach(self, name: str) -> Any:
        if self._client is None:
            self._client = Client(self.collections)  # type: ignore[assignment]
        return self._client


def _matches(metadata: Mapping[str, Any], where: Mapping[str, Any] | None) -> bool:
    if not where:
        return True
    [(key, condition)] = where.items()
    if key == "$and":
        return all(_matches(metadata, part) for part in condition)
    if key == "$or":
        return any(_matches(metadata, part) for part in condition)
    [(sign, wanted)] = condition.items() if isinstance(condition, Mapping) else [("$eq", condition)]
    if key not in metadata:
        return sign in NEGATIVE
    return COMPARISONS[sign](metadata[key], wanted)


def _says(text: str, where: Mapping[str, Any] | None) -> bool:
    if not where:
        return True
    [(sign, wanted)] = where.items()
    if sign == "$and":
        return all(_says(text, part) for part in wanted)
    return bool(re.search(wanted, text)) if sign == "$regex" else wanted in text

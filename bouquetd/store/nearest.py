"""A question put to several shards, one after the other, their answers merged as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import nsmallest

from bouquetd.model import Filter, Hit, Vector
from bouquetd.store.chroma import Chroma


def nearest(
    chroma: Chroma,
    asked: Mapping[str, int],
    vector: Vector,
    n: int,
    pattern: str | None,
    only: Filter,
    after_each: Callable[[], None] = lambda: None,
) -> list[Hit]:
    """The chunks nearest to a vector, and the nearest of those that match a pattern; ``n`` of each.

    ``asked`` has the collections with the number of chunks that each can give at most.
    """
    near: list[Hit] = []
    matching: list[Hit] = []
    for collection, most in asked.items():
        near += chroma.query(collection, vector, min(n, most), None, only)
        near = nsmallest(n, near, key=_distance)
        if pattern:
            matching += chroma.query(collection, vector, n, pattern, only)
            matching = nsmallest(n, matching, key=_distance)
        after_each()
    return list({hit.id: hit for hit in (*near, *matching)}.values())


def _distance(hit: Hit) -> float:
    return hit.distance

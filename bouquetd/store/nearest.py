"""A question put to several shards, one after the other, their answers merged as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest

from bouquetd.model import Filter, Hit, Record, Vector
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


def closest(
    n: int,
    found: Mapping[int, Sequence[tuple[float, int]]],
    at: Callable[[int, Sequence[int]], Mapping[int, Record]],
    others: Sequence[Hit],
) -> list[Hit]:
    """The ``n`` nearest of ``others`` and of what was ``found`` by shard: distance and place of each.

    ``at`` gives the records of a shard by place; only those of the nearest are asked for.
    """
    best = nsmallest(n, ((distance, shard, place) for shard, near in found.items() for distance, place in near))
    distances: dict[int, dict[int, float]] = {}
    for distance, shard, place in best:
        distances.setdefault(shard, {})[place] = distance
    hits = [
        Hit(record.id, record.text, record.metadata, own[place], vector=record.vector)
        for shard, own in distances.items()
        for place, record in at(shard, list(own)).items()
    ]
    return nsmallest(n, [*others, *hits], key=_distance)


def _distance(hit: Hit) -> float:
    return hit.distance

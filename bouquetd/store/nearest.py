"""A question put to several shards, one after the other, their answers merged as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest

import numpy as np

from bouquetd.model import Filter, Hit, Record, Vector
from bouquetd.store.chroma import Chroma
from bouquetd.store.flat import Near


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
    n: int, found: dict[int, Near], at: Callable[[int, Sequence[int]], Mapping[int, Record]]
) -> list[Hit]:
    """The ``n`` nearest of what was ``found`` by shard: distance and place of each.

    ``at`` gives the records of a shard by place; only those of the nearest are asked for. A shard of which it
    does not give all of them is taken out of what was found.
    """
    while True:
        hits: list[Hit] = []
        for shard, own in _best(n, found).items():
            records = at(shard, list(own))
            if len(records) < len(own):
                del found[shard]
                break
            hits += [
                Hit(record.id, record.text, record.metadata, own[place], vector=record.vector)
                for place, record in records.items()
            ]
        else:
            return sorted(hits, key=_distance)


def _best(n: int, found: Mapping[int, Near]) -> dict[int, dict[int, float]]:
    """The distances of the ``n`` nearest, by shard and place, of the shards that have any of them."""
    distances: dict[int, dict[int, float]] = {}
    if found:
        best = np.argsort(np.concatenate([distance for distance, _ in found.values()]), kind="stable")[:n]
        for shard, (distance, places) in found.items():
            own = best[(best >= 0) & (best < len(distance))]
            if len(own):
                distances[shard] = dict(zip(places[own].tolist(), distance[own].tolist(), strict=True))
            best -= len(distance)
    return distances


def _distance(hit: Hit) -> float:
    return hit.distance

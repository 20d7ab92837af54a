"""``bouquetd search``: the passages nearest in meaning, those that share the question's words first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from bouquetd.embed import Embedder
from bouquetd.model import Hit
from bouquetd.store.shards import Store

CANDIDATES = 100
"""Chunks taken from each shard before they are ranked."""

DAMPING = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""

_WORD = re.compile(r"\w+")


def search(store: Store, embedder: Embedder, text: str, n: int) -> list[Hit]:
    """The ``n`` best passages for a question, best first, what was stored a moment ago included."""
    vector: NDArray[np.float32] = embedder.embed([text])[0]
    return rank(text, store.search(vector, max(n, CANDIDATES)))[:n]


def rank(text: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits ordered by the sum of their reciprocal ranks, by distance and by shared words.

    A word counts by how few of the candidates have it, so that no statistics of the whole store are needed.
    """
    wanted = set(_words(text))
    have = [wanted.intersection(_words(hit.text)) for hit in hits]
    common = Counter(word for words in have for word in words)
    weight = [sum(log(1 + len(hits) / common[word]) for word in words) for words in have]
    by_distance = sorted(range(len(hits)), key=lambda i: hits[i].distance)
    by_words = sorted(range(len(hits)), key=lambda i: (-weight[i], hits[i].distance))
    score = [0.0] * len(hits)
    for order in (by_distance, by_words):
        for place, i in enumerate(order):
            score[i] += 1 / (DAMPING + place)
    return [hits[i] for i in sorted(range(len(hits)), key=lambda i: (-score[i], hits[i].distance))]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())

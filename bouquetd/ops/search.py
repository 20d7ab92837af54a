"""``bouquetd search``: the passages nearest in meaning, those that share the question's words before others.

Candidates are the nearest chunks of each shard, and those that hold a run of the question's words as they
stand, found by Chroma's own full text index (0.3 s for 57,000 chunks). They are ranked by the sum of three
parts: similarity, and the shares of the question's words and of its pairs of neighbouring words that they have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from itertools import pairwise
from math import log

import numpy as np
from numpy.typing import NDArray

from bouquetd.embed import Embedder
from bouquetd.model import Hit
from bouquetd.store.shards import Store

CANDIDATES = 300
"""Chunks taken from each shard for their meaning: among so many of 57,000 lay 94 % of what was looked for."""

RUN, RUNS = 3, 4
"""Words in a run, and runs that are looked for: the longest that do not overlap."""

WORDS, PAIRS = 0.5, 0.5
"""What a chunk with all words, and with all pairs, of the question gains; similarity gives 1 at most."""

_WORD = re.compile(r"\w+")


def search(store: Store, embedder: Embedder, text: str, n: int) -> list[Hit]:
    """The ``n`` best passages for a question, best first, what was stored a moment ago included."""
    vector: NDArray[np.float32] = embedder.embed([text])[0]
    return rank(text, store.search(vector, max(n, CANDIDATES), runs(text)))[:n]


def runs(text: str) -> str | None:
    """A regular expression for any of the question's longest runs of words; None for one shorter than a run."""
    words = _words(text)
    at: list[int] = []
    for i in sorted(range(len(words) - RUN + 1), key=lambda i: -sum(map(len, words[i : i + RUN]))):
        if len(at) < RUNS and all(abs(i - other) >= RUN for other in at):
            at.append(i)
    return "(?i)" + "|".join(r"\W+".join(words[i : i + RUN]) for i in at) if at else None


def rank(text: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits by similarity and by what they share with the question, best first.

    A word or pair counts the more the fewer of the candidates have it, so that no statistics of the whole store
    are needed.
    """
    words = _words(text)
    wanted, pairs = set(words), set(pairwise(words))
    found = [_words(hit.text) for hit in hits]
    by_words = _shares([wanted.intersection(own) for own in found])
    by_pairs = _shares([pairs.intersection(pairwise(own)) for own in found])
    scored = zip(hits, by_words, by_pairs, strict=True)
    ranked = sorted(scored, key=lambda hit: WORDS * hit[1] + PAIRS * hit[2] - hit[0].distance, reverse=True)
    return [hit for hit, _, _ in ranked]


def _shares(have: Sequence[Collection[Hashable]]) -> list[float]:
    """The weight of what each has, as a share of the most that any has."""
    common = Counter(item for items in have for item in items)
    weights = [sum(log(1 + len(have) / common[item]) for item in items) for items in have]
    most = max(weights, default=0.0) or 1.0
    return [weight / most for weight in weights]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())

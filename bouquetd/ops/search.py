"""``bouquetd search``: passages by meaning and by words.

Candidates are the nearest chunks of each shard, and those that hold a run of the question's words or one of its
numbers as they stand, found by Chroma's own full text index (0.1 s a shard). They are ranked by reciprocal rank
over two orders, by distance and by BM25, with statistics of the candidates alone; pairs of neighbouring words
that a passage shares with the question add a little, so that a sentence quoted from it comes first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log
from typing import Protocol

import numpy as np

from bouquetd.embed import Embedder
from bouquetd.errors import Rejected
from bouquetd.model import EVERYTHING, Filter, Hit, Vector

CANDIDATES = 300
"""Chunks taken from each shard for their meaning: among so many of 57,000 lay 94 % of what was looked for."""

RUN, RUNS, NUMBERS = 3, 4, 3
"""Words in a run, runs that are looked for (the longest that do not overlap), and numbers."""

SHORTEST = 3
"""Characters of a word that is looked for by itself: Chroma's index is one of trigrams."""

DAMPING = 20
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009); theirs was 60."""

SATURATION, LENGTH = 1.5, 0.75
"""BM25's k1 and b, as Robertson and Zaragoza (2009) advise."""

QUOTED = 0.1
"""What a passage with all pairs of the question gains; first place in one order is worth half of it."""

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w(?:\S*\w)?")


class Searched(Protocol):
    """Shards to be searched."""

    def search(self, vector: Vector, n: int, pattern: str | None, only: Filter) -> list[Hit]:
        """The chunks nearest to a vector, and the nearest of those that match a pattern; ``n`` of each."""


def query(
    store: Searched, embedder: Embedder, question: str | Vector, n: int, only: Filter = EVERYTHING
) -> list[Hit]:
    """The ``n`` best passages: for a text by meaning and by words, for a vector by distance alone.

    Raises ``Rejected`` for a question that cannot be asked.
    """
    if n < 1:
        raise Rejected(f"{n} passages were asked for", "ask for one or more")
    if isinstance(question, str):
        if not question.strip():
            raise Rejected("the question is empty", "say in a few words what you look for")
        return search(store, embedder, question, n, only)
    if question.shape != (embedder.dimensions,) or not np.isfinite(question).all():
        raise Rejected(
            f"the question is no vector of {embedder.dimensions} finite numbers",
            "embed it with the embedder that the store was filled with: Bouquet.embedder",
        )
    return store.search(question, n, None, only)


def search(store: Searched, embedder: Embedder, text: str, n: int, only: Filter = EVERYTHING) -> list[Hit]:
    """The ``n`` best passages for a question, best first, what was stored a moment ago included."""
    return rank(text, store.search(embedder.query(text), max(n, CANDIDATES), runs(text), only))[:n]


def runs(text: str) -> str | None:
    """A regular expression for any of the question's longest runs of words and numbers; None without either.

    A question too short to have a run is looked for word by word.
    """
    words = _WORD.findall(text)
    if len(words) < RUN:
        words = [re.escape(word) for word in words if len(word) >= SHORTEST]
        return "(?i)" + "|".join(words) if words else None
    at: list[int] = []
    for i in sorted(range(len(words) - RUN + 1), key=lambda i: -sum(map(len, words[i : i + RUN]))):
        if len(at) < RUNS and all(abs(i - other) >= RUN for other in at):
            at.append(i)
    numbers = {token for token in _TOKEN.findall(text) if len(token) > RUN and any(map(str.isdigit, token))}
    longest = sorted(numbers, key=lambda number: (-len(number), number))[:NUMBERS]
    parts = [r"\W+".join(words[i : i + RUN]) for i in at] + [re.escape(number) for number in longest]
    return "(?i)" + "|".join(parts) if parts else None


def rank(text: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits by distance and by what they share with the question, best first."""
    question = _words(text)
    found = [_words(hit.text) for hit in hits]
    rarity = _rarity(set(question), found)
    bm25 = _bm25(rarity, found)
    quoted = [_quoted(question, own, rarity) for own in found]
    score = [QUOTED * share**2 for share in quoted]
    meaning = sorted(range(len(hits)), key=lambda i: (hits[i].distance, hits[i].id))
    words = sorted(range(len(hits)), key=lambda i: (-bm25[i], hits[i].distance, hits[i].id))
    found_at: dict[int, list[int]] = {i: [] for i in meaning}
    for order in (meaning, words):
        for place, i in enumerate(order):
            score[i] += 1 / (DAMPING + place)
            found_at[i].append(place + 1)
    best = sorted(range(len(hits)), key=lambda i: (-score[i], hits[i].distance, hits[i].id))
    return [
        replace(hits[i], by_meaning=found_at[i][0], by_words=found_at[i][1] if bm25[i] else None) for i in best
    ]


def _rarity(question: set[str], found: Sequence[list[str]]) -> dict[str, float]:
    """How much a word of the question tells: the more, the fewer of the candidates have it."""
    have = Counter(word for own in found for word in question.intersection(own))
    n = len(found)
    return {word: log(1 + (n - have[word] + 0.5) / (have[word] + 0.5)) for word in question}


def _bm25(rarity: dict[str, float], found: Sequence[list[str]]) -> list[float]:
    average = sum(map(len, found)) / len(found) if found else 1.0
    scores = []
    for own in found:
        slack = SATURATION * (1 - LENGTH + LENGTH * len(own) / (average or 1.0))
        times = Counter(word for word in own if word in rarity)
        scores.append(sum(rarity[w] * t * (SATURATION + 1) / (t + slack) for w, t in times.items()))
    return scores


def _quoted(question: Sequence[str], own: Sequence[str], rarity: dict[str, float]) -> float:
    """The share of the question's pairs of neighbouring words, by what they tell, that a passage has."""
    pairs = set(pairwise(question))
    whole = sum(rarity[a] + rarity[b] for a, b in pairs)
    return sum(rarity[a] + rarity[b] for a, b in pairs.intersection(pairwise(own))) / whole if whole else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())

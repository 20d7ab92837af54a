"""``bouquetd search``: passages by meaning and by words.

Candidates are the nearest chunks of all shards, and those that share most with the question's words by the
index of words (``store.words``), whose BM25 has the statistics of the whole collection. Each of the two scores
is stretched over the candidates from 0 to 1, and their weighted sum ranks them (CombSUM: Fox and Shaw, 1994).
The passage that comes first so is taken for an answer, and all are ranked once more by a question half-way
towards it (Rocchio's feedback, 1971, with nobody asked). Pairs of neighbouring words that a passage shares with
the question add to it, so that a sentence quoted from it comes first.

Who reads a Chroma server without the daemon has no index of words. There candidates are also those that hold a
run of the question's words or one of its numbers as they stand, found by Chroma's own full text index (0.1 s a
shard), BM25 has the statistics of the candidates alone, and the question is not moved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bouquetd.embed import Embedder
from bouquetd.errors import Rejected
from bouquetd.model import EVERYTHING, Filter, Hit, Record, Vector

CANDIDATES = 300
"""Chunks taken for their meaning, over all shards: among so many of 57,000 lay 94 % of what was looked for."""

RUN, RUNS, NUMBERS = 3, 4, 3
"""Words in a run, runs that are looked for (the longest that do not overlap), and numbers."""

SHORTEST = 3
"""Characters of a word that is looked for by itself: Chroma's index is one of trigrams."""

SATURATION, LENGTH = 1.5, 0.75
"""BM25's k1 and b, as Robertson and Zaragoza (2009) advise."""

SAID, LESS, MEANT = 1.5, 0.1, 0.6
"""What words weigh beside a meaning of 1: SAID, with each word of the question LESS, down to MEANT for a
sentence. A few words are to be found as they are: two that few abstracts of Cranfield have find theirs first in
65 of 100 tries with a weight of 1.25, in 59 with 1, in 46 with 0.6 (``minilm``). A sentence asks for what it
means: of weights from 0.4 to 1.2 this is the best for Cranfield's odd questions, on the average of ``static``
and ``minilm``; the even ones, not looked at for it, gain 0.004 and 0.006 of nDCG@10 over a weight of 1 for
all."""

QUOTED = 1.0
"""What a passage with all pairs of the question gains; to be first of both orders is worth 1.6 to 2.4."""

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w(?:\S*\w)?")


class Searched(Protocol):
    """Shards to be searched."""

    def search(self, vector: Vector, n: int, pattern: str | None, only: Filter) -> list[Hit]:
        """The chunks nearest to a vector, and the nearest of those that match a pattern; ``n`` of each."""

    def candidates(
        self, text: str, vector: Vector, n: int, only: Filter
    ) -> tuple[list[tuple[Record, float]] | None, list[Hit]]:
        """The ``n`` that share most with the words of a text, with their scores, and the ``n`` nearest.

        None for the one without an index of words; the other has what shares a run of words, too, then.
        """

    def vectors(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of chunks, by id; those that are not at hand are left out."""


def query(
    store: Searched, embedder: Embedder, question: str | Vector, n: int, only: Filter = EVERYTHING
) -> list[Hit]:
    """The ``n`` best passages: for a text by meaning and by words, for a vector by distance alone.

    Raises ``Rejected`` for a question that cannot be asked.
    """
    if not isinstance(question, str):
        return near(store, embedder.dimensions, question, n, only)
    _some(n)
    if not question.strip():
        raise Rejected("the question is empty", "say in a few words what you look for")
    return search(store, embedder, question, n, only)


def near(store: Searched, dimensions: int, question: Vector, n: int, only: Filter = EVERYTHING) -> list[Hit]:
    """The ``n`` best passages for a vector, which must have as many ``dimensions`` as those that are stored."""
    _some(n)
    if question.shape != (dimensions,) or not np.isfinite(question).all():
        raise Rejected(
            f"the question is no vector of {dimensions} finite numbers",
            "embed it with the embedder that the store was filled with: Bouquet.embedder",
        )
    return store.search(question, n, None, only)


def _some(n: int) -> None:
    if n < 1:
        raise Rejected(f"{n} passages were asked for", "ask for one or more")


def search(store: Searched, embedder: Embedder, text: str, n: int, only: Filter = EVERYTHING) -> list[Hit]:
    """The ``n`` best passages for a question, best first, what was stored a moment ago included."""
    vector = embedder.query(text)
    most = max(n, CANDIDATES)
    sharing, near = store.candidates(text, vector, most, only)
    scores = None if sharing is None else {record.id: score for record, score in sharing}
    hits = {record.id: _hit(record, vector) for record, _ in sharing or ()}
    found = list((hits | {hit.id: hit for hit in near}).values())
    own = _vectors(store, found)
    if own is None:
        return rank(text, found, scores, n=n)
    return rank(text, found, scores, lambda best: _distances(own, _moved(vector, own[best])), n)


def _hit(record: Record, vector: Vector) -> Hit:
    distance = 1 - float(record.vector @ vector)
    return Hit(record.id, record.text, record.metadata, distance, vector=record.vector)


def _vectors(store: Searched, hits: Sequence[Hit]) -> NDArray[np.float32] | None:
    """The vectors of hits, a row each; None where not all are at hand, or there are no hits."""
    others = store.vectors([hit.id for hit in hits if hit.vector is None])
    vectors = [others.get(hit.id) if hit.vector is None else hit.vector for hit in hits]
    there = [vector for vector in vectors if vector is not None]
    return np.stack(there) if hits and len(there) == len(hits) else None


def _moved(vector: Vector, adopted: Vector) -> Vector:
    """The middle between a question's vector and that of what is taken for an answer, of unit length."""
    both: Vector = vector + adopted
    return both / (np.linalg.norm(both) or np.float32(1))


def _distances(vectors: NDArray[np.float32], vector: Vector) -> list[float]:
    return [1 - float(cosine) for cosine in vectors @ vector]


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


def rank(
    text: str,
    hits: Sequence[Hit],
    scores: Mapping[str, float] | None = None,
    again: Callable[[int], Sequence[float]] | None = None,
    n: int | None = None,
) -> list[Hit]:
    """The ``n`` best hits, or all, by distance and by what they share with the question, best first.

    ``scores`` are those of an index of words, by id, of the hits that have one; without them it is BM25 over
    the hits. ``again`` gives other distances to rank them by once more, from which of them came first.
    """
    question = _words(text)
    wanted, pairs = set(question), set(pairwise(question))
    found = [_common(wanted, pairs, _words(hit.text)) for hit in hits]
    rarity = _rarity(wanted, found)
    bm25 = _bm25(rarity, found) if scores is None else [scores.get(hit.id, 0.0) for hit in hits]
    distance = [hit.distance for hit in hits]
    whole = _told(pairs, rarity) or 1.0
    quoted = [_told(own.pairs, rarity) / whole for own in found]
    weight = max(MEANT, SAID - LESS * len(question))
    shared = [weight * a + QUOTED * b**2 for a, b in zip(_stretched(bm25), quoted, strict=True)]
    best = _ranked(hits, distance, shared)
    if again and best:
        distance = list(again(best[0]))
        best = _ranked(hits, distance, shared)
    meaning = _places(best, lambda i: (hits[i].distance, hits[i].id))
    words = _places((i for i in best if bm25[i]), lambda i: (-bm25[i], distance[i], hits[i].id))
    return [replace(hits[i], by_meaning=meaning[i], by_words=words.get(i), vector=None) for i in best[:n]]


def _ranked(hits: Sequence[Hit], distance: Sequence[float], shared: Sequence[float]) -> list[int]:
    """By the sum of both scores, best first; each by its place among the hits."""
    near = _stretched([-d for d in distance])
    return sorted(range(len(hits)), key=lambda i: (-near[i] - shared[i], distance[i], hits[i].id))


def _places(of: Iterable[int], key: Callable[[int], tuple[float | str, ...]]) -> dict[int, int]:
    """The place of each in the order of a key, from 1."""
    return {i: place for place, i in enumerate(sorted(of, key=key), start=1)}


def _stretched(scores: Sequence[float]) -> list[float]:
    """Scores from 0 for the worst to 1 for the best; all 0 where they are the same."""
    least, most = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - least) / (most - least) if most > least else 0.0 for score in scores]


@dataclass(frozen=True, slots=True)
class _Common:
    """What a passage has of the question: its words and how often, its pairs of neighbours; and its length."""

    times: Mapping[str, int]
    pairs: set[tuple[str, str]]
    length: int


def _common(wanted: set[str], pairs: set[tuple[str, str]], words: Sequence[str]) -> _Common:
    times = {word: words.count(word) for word in wanted.intersection(words)}
    return _Common(times, pairs.intersection(pairwise(words)) if times else set(), len(words))


def _rarity(wanted: set[str], found: Sequence[_Common]) -> dict[str, float]:
    """How much a word of the question tells: the more, the fewer of the candidates have it."""
    have = Counter(word for own in found for word in own.times)
    n = len(found)
    return {word: log(1 + (n - have[word] + 0.5) / (have[word] + 0.5)) for word in wanted}


def _bm25(rarity: Mapping[str, float], found: Sequence[_Common]) -> list[float]:
    average = sum(own.length for own in found) / len(found) if found else 1.0
    scores = []
    for own in found:
        slack = SATURATION * (1 - LENGTH + LENGTH * own.length / (average or 1.0))
        scores.append(sum(rarity[w] * t * (SATURATION + 1) / (t + slack) for w, t in own.times.items()))
    return scores


def _told(pairs: set[tuple[str, str]], rarity: Mapping[str, float]) -> float:
    """How much pairs of neighbouring words tell."""
    return sum(rarity[a] + rarity[b] for a, b in pairs)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())

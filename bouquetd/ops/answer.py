"""A question with its conditions, answered in passages; and where none is found, what was searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bouquetd.errors import Rejected
from bouquetd.model import Filter, Hit, Record, Vector
from bouquetd.ops import filters, highlight
from bouquetd.ops.filters import Conditions
from bouquetd.ops.passages import LONGEST, Passage, Span, merge, neighbours, passage, placed, single, widened

MOST = 1000
"""Passages of one answer, and chunks where each is widened: with what is known of them some 3 MB."""

AT_ONCE = 300
"""Hits that are asked for first where more passages may be wanted; as many candidates are weighed anyway."""

AT_MOST = 1400
"""Hits that are asked for at most: with as many candidates by words, and the vectors of all, some 20 MB."""


class Stock(Protocol):
    """What an answer needs of whoever has the store."""

    def hits(self, question: str | Vector, n: int, only: Filter) -> list[Hit]:
        """The best chunks, best first."""

    def sources(self) -> Iterator[str]:
        """The sources of all chunks, as they are printed."""

    def chunks_by_id(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """Chunks without their vectors; those that are not there are left out."""

    def place(self, document: str) -> tuple[str | None, str | None]:
        """Where a document's file lies now, and what it is called in that when it is packed in it."""

    def fitting(self, only: Filter) -> int:
        """How many chunks fit a filter."""

    def documents_and_chunks(self) -> tuple[int, int]:
        """How much is stored."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched in vain: how much is stored, and how many chunks fit each condition by itself."""

    documents: int
    chunks: int
    fitting: tuple[tuple[str, int], ...]


def answer(
    stock: Stock,
    question: str | Vector,
    n: int,
    conditions: Conditions = filters.ANYTHING,
    *,
    context: int = 0,
    merged: bool = True,
) -> list[Passage]:
    """The ``n`` best passages, best first, fewer where there are no more among ``AT_MOST`` chunks.

    Unless they are to be ``merged``, each is one chunk. Each is widened by ``context`` chunks before and behind
    it. Raises ``Rejected`` for what cannot be asked.
    """
    if context < 0 or n * (1 + 2 * context) > MOST:
        raise Rejected(
            f"{n} passages with {context} chunks before and behind each cannot be given",
            f"ask for at most {MOST:,} chunks in all, and none below 0",
        )
    only = filters.joined(part for _, part in filters.parts(conditions, stock.sources))
    spans = _merged(stock, question, n, only) if merged else single(stock.hits(question, n, only))
    if context:
        ids = dict.fromkeys(id_ for span in spans for id_ in neighbours(span, context))
        around = stock.chunks_by_id(list(ids))
        spans = [widened(span, around, context) for span in spans]
    wanted = highlight.terms(question) if isinstance(question, str) else frozenset[str]()
    places = {document: stock.place(document) for document in {span.document for span in spans}}
    return [placed(passage(span, wanted), *places[span.document]) for span in spans]


def _merged(stock: Stock, question: str | Vector, n: int, only: Filter) -> list[Span]:
    """More hits are asked for until they make ``n`` passages, which so many of the longest do in any case."""
    most = min(LONGEST * n, AT_MOST)
    size = min(most, max(AT_ONCE, n))
    while True:
        hits = stock.hits(question, size, only)
        spans = merge(hits, n)
        if len(spans) == n or len(hits) < size or size >= most:
            return spans
        size = min(2 * size, most)


def searched(stock: Stock, conditions: Conditions) -> Searched:
    """What a search that found nothing went through."""
    fitting = tuple((label, stock.fitting(part)) for label, part in filters.parts(conditions, stock.sources))
    return Searched(*stock.documents_and_chunks(), fitting)

"""Passages: what a search shows. Chunks of one document that lie side by side become one.

A passage stands where its best chunk stood in the ranking. Its text is put together by the chunks' offsets,
what two of them share stands in it once, so ``end - start`` is its length in characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from bouquetd.model import Hit, Metadata, Record
from bouquetd.ops import highlight

LONGEST = 4
"""Chunks that are merged into one passage at most: some 3,000 characters."""

WIDEST_GAP = 100
"""Characters of white space between two chunks of one passage; chunks do not keep what it was."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One answer to a question.

    ``path`` is where the file lies now, None where there is none (any more) or nobody here knows; of what is
    packed in it ``member`` is the name within. ``page`` and ``row`` count from 1 and are None where the format
    has none; ``headings`` is the path of headings above; all of them, with ``chunk`` (from 0), ``id`` and
    ``metadata``, are those of its best chunk. ``chunks`` are the first and the last that are in it, ``ids``
    the ids of all. ``start`` and ``end`` are character offsets into the extracted text. ``distance`` is cosine
    distance: 0 is the same direction, 2 the opposite. ``by_meaning`` and ``by_words`` are its places in the two
    orders that it was ranked by, from 1, None in one that it does not stand in; ``matched`` are the words and
    phrases of the question that it has.
    """

    text: str
    source: str
    page: int | None
    row: int | None
    chunk: int
    start: int
    end: int
    media_type: str
    document: str
    id: str
    distance: float
    metadata: Metadata
    chunks: tuple[int, int]
    ids: tuple[str, ...]
    headings: tuple[str, ...] = ()
    title: str | None = None
    language: str | None = None
    entities: tuple[str, ...] = ()
    by_meaning: int | None = None
    by_words: int | None = None
    matched: tuple[str, ...] = ()
    path: str | None = None
    member: str | None = None

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Of what JSON made of one."""
        return cls(**{**values, **{name: tuple(values[name]) for name in _TUPLES}})


_TUPLES = ("chunks", "ids", "headings", "entities", "matched")


@dataclass(frozen=True, slots=True)
class Span:
    """Text with the chunks it is made of, those of one document without a gap."""

    hits: tuple[Hit, ...]
    """Those that were found, best first."""
    pieces: tuple[Record | Hit, ...] = field(default=())
    """All of them, in the order of the document."""

    @property
    def first(self) -> int:
        """The number of its first chunk."""
        return _number(self.pieces[0])

    @property
    def last(self) -> int:
        """The number of its last chunk."""
        return _number(self.pieces[-1])

    @property
    def document(self) -> str:
        """The id of its document."""
        return self.pieces[0].id.rpartition(":")[0]


def single(hits: Sequence[Hit]) -> list[Span]:
    """Each hit by itself."""
    return [Span((hit,), (hit,)) for hit in hits]


def merge(hits: Sequence[Hit], n: int) -> list[Span]:
    """At most ``n`` passages of hits that come best first; those behind the ``n``-th are looked at no more."""
    spans: dict[int, Span] = {}  # by the place of the best chunk
    has: dict[str, int] = {}  # which of them a chunk is in
    for place, hit in enumerate(hits):
        own = single([hit])[0]
        beside = [has.get(f"{own.document}:{own.first + step}") for step in (-1, 1)]
        near = sorted(i for i in beside if i is not None and _takes(spans[i], own))
        if not near and len(spans) == n:
            break
        at = near[0] if near else place
        spans[at] = _one(spans[at], own) if near else own
        if len(near) > 1 and len(spans[at].pieces) + len(spans[near[1]].pieces) <= LONGEST:
            spans[at] = _one(spans[at], spans.pop(near[1]))
        has |= {piece.id: at for piece in spans[at].pieces}
    return list(spans.values())


def widened(span: Span, around: Mapping[str, Record], context: int) -> Span:
    """The same with up to ``context`` chunks before and behind it, as far as they are there."""
    for step in (*range(-1, -context - 1, -1), *range(1, context + 1)):
        number = (span.first if step < 0 else span.last) + (-1 if step < 0 else 1)
        more = around.get(f"{span.document}:{number}")
        if more is not None and _adjoin(span, other := Span((), (more,))):
            span = Span(span.hits, _one(span, other).pieces)
    return span


def neighbours(span: Span, context: int) -> list[str]:
    """The ids of the chunks that it would be widened by."""
    before = range(max(0, span.first - context), span.first)
    behind = range(span.last + 1, span.last + 1 + context)
    return [f"{span.document}:{number}" for number in (*before, *behind)]


def passage(span: Span, wanted: frozenset[str]) -> Passage:
    """What is shown of it; ``wanted`` are the question's terms."""
    best = span.hits[0]
    known = cast(Mapping[str, Any], best.metadata)
    text = _text(span.pieces)
    entities = dict.fromkeys(name for piece in span.pieces for name in _list(piece.metadata.get("entities")))
    return Passage(
        text=text, source=known["source"], page=known.get("page"), row=known.get("row"), chunk=known["chunk"],
        start=_at(span.pieces[0], "start"), end=_at(span.pieces[-1], "end"), media_type=known["media_type"],
        document=span.document, id=best.id, distance=min(hit.distance for hit in span.hits),
        metadata=best.metadata, chunks=(span.first, span.last), ids=tuple(piece.id for piece in span.pieces),
        headings=tuple(known.get("headings", ())), title=known.get("title"), language=known.get("language"),
        entities=tuple(entities), by_meaning=_first(hit.by_meaning for hit in span.hits),
        by_words=_first(hit.by_words for hit in span.hits), matched=highlight.told(wanted, text),
    )  # fmt: skip


def placed(passage: Passage, path: str | None, member: str | None) -> Passage:
    """The same with where its file lies now."""
    return replace(passage, path=path, member=member)


def _takes(span: Span, other: Span) -> bool:
    return len(span.pieces) < LONGEST and _adjoin(span, other)


def _adjoin(one: Span, other: Span) -> bool:
    """Whether they are neighbours in a document, and of one message where it is a mailbox."""
    if one.document != other.document:
        return False
    before, behind = sorted((one, other), key=lambda span: span.first)
    left, right = before.pieces[-1], behind.pieces[0]
    return (
        before.last + 1 == behind.first
        and _at(right, "start") - _at(left, "end") <= WIDEST_GAP
        and left.metadata.get("title") == right.metadata.get("title")
    )


def _one(better: Span, other: Span) -> Span:
    return Span(better.hits + other.hits, tuple(sorted((*better.pieces, *other.pieces), key=_number)))


def _text(pieces: Sequence[Record | Hit]) -> str:
    text, end = pieces[0].text, _at(pieces[0], "end")
    for piece in pieces[1:]:
        start = _at(piece, "start")
        gap = start - end
        text += (" " if gap == 1 else "\n" * gap) + piece.text[max(0, -gap) :]
        end = max(end, _at(piece, "end"))
    return text


def _number(piece: Record | Hit) -> int:
    return int(piece.id.rpartition(":")[2])


def _at(piece: Record | Hit, key: str) -> int:
    return int(cast(int, piece.metadata[key]))


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _first(places: Any) -> int | None:
    return min((place for place in places if place is not None), default=None)

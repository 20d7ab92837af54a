"""A document's text put together again from its chunks, to be cut anew.

Their offsets take the overlap out. White space that fell between two chunks comes back as line ends or a blank,
so that offsets stay what they were. A chunk's place is known where it begins; that of what follows is taken
from the next one, back to the heading that it stands under, if that is in sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bouquetd.model import NOTHING, Chunk, Facts, Piece, Place, Record

GAP = 64 * 1024
"""Characters of white space in one piece, as pieces of extracted text are."""


def stored(record: Record) -> Chunk:
    """The chunk that a record was made of. Its entities are to be found where they could not be before."""
    known: Any = record.metadata
    place = Place(known.get("page"), known.get("row"), tuple(known.get("headings", ())), facts=_facts(known))
    return Chunk(
        known["chunk"], record.text, known["start"], known["end"], bool(known.get("last")), place,
        tuple(known.get("links", ())), known.get("text_digest", ""),
        entities=None if "entities_missing" in known else tuple(known.get("entities", ())),
    )  # fmt: skip


def _facts(known: Any) -> Facts:
    found = {name: known[name] for name in Facts.__slots__ if name in known}
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Facts(**{**found, **lists}) if found else NOTHING


def pieces(chunks: Iterable[Chunk]) -> Iterator[Piece]:
    """The text that these chunks of one document, in order, were cut from; two are in memory at a time."""
    place: Place | None = None
    chunk: Chunk | None = None
    for after in chunks:
        if chunk is None or place is None:
            chunk, place = after, after.place
            yield from _gap(chunk.start)
            continue
        own = chunk.text[: max(0, after.start - chunk.start)]
        turn = _turn(own, place, after.place)
        yield from _linked(own[:turn], place, chunk.links)
        if rest := own[turn:]:
            place = after.place
            yield _piece(rest, place)
        yield from _gap(after.start - chunk.start - len(own), place)
        chunk, place = after, after.place
    if chunk is not None and place is not None:
        yield from _linked(chunk.text, place, chunk.links)


def _turn(text: str, before: Place, after: Place) -> int:
    """Where in the text before a chunk the place of that chunk begins."""
    if after.headings != before.headings and after.headings:
        heading = text.rfind(after.headings[-1])
        if heading >= 0:
            return text.rfind("\n", 0, heading) + 1
    return len(text)


def _linked(text: str, place: Place, links: tuple[str, ...]) -> Iterator[Piece]:
    """The text with what is linked to in it; where in it is not known, so each link has one character."""
    for link, character in zip(links, text, strict=False):
        yield _piece(character, place._replace(link=link))
    if rest := text[len(links) :]:
        yield _piece(rest, place)


def _gap(size: int, place: Place | None = None) -> Iterator[Piece]:
    while size > 0:
        part = min(size, GAP)
        yield _piece(" " if size == 1 else "\n" * part, place or Place())
        size -= part


def _piece(text: str, place: Place) -> Piece:
    return Piece(text, *place)

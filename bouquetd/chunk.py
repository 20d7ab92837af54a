"""Cutting a stream of text into chunks.

Where a chunk begins and ends depends on the text alone, never on how it was cut into pieces.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bouquetd import breaks
from bouquetd.likeness import Likeness
from bouquetd.model import Chunk, Piece, Place

MOST_LINKS = 20
"""Links that are kept with a chunk; a list of hundreds helps nobody and would outweigh the text."""

_AHEAD = 3  # characters behind the longest possible chunk that a cut may depend on
_BETWEEN_ROWS = "\n\n"

# All greedy, so that the match ends at the last one. A lower-case letter after a stop means an abbreviation.
# The sentences and clauses of East Asia need no space behind them, but no accent or variation may stand there.
_MARK = r"\u0300-\u036f\ufe00-\ufe0f"
_CLOSE = r"\u300d\u300f\uff09"
_SENTENCE = re.compile(
    r""".*(?:[.!?\u2026\u0589\u061f\u06d4\u0964\u0965\u1362]["')\]\u201d\u2019\u00bb]*(?=\s[^a-z])"""
    rf"""|[\u3002\uff01\uff1f\u0f0d\u104b\u17d4][{_CLOSE}]*(?=[^{_MARK}].))""",
    re.S,
)
_CLAUSE = re.compile(rf".*[\u3001\uff0c\uff1a\uff1b][{_CLOSE}]*(?=[^{_MARK}])", re.S)
_WORD = re.compile(r".*(?=\s)", re.S)
_WORD_START = re.compile(rf"(?<=\s)\S|(?<=[\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f])[^\s{_CLOSE}{_MARK}]")
_TEXT = re.compile(r"\S")


def chunk(pieces: Iterable[Piece], size: int = 800, overlap: int = 100) -> Iterator[Chunk]:
    """Chunks of at most ``size`` characters that overlap by at most ``overlap``, from the start of a word on.

    A chunk ends where a new section begins in its second half, else at the last paragraph, sentence, line,
    clause (of Chinese and Japanese), word there, else between two characters as they are seen. White space
    around it is no part of it. Of a table, and of whatever else has rows, whole ones are repeated or none, but
    for a row that is cut itself. ``start`` and ``end`` are offsets in the whole text; ``place`` is that of the
    piece its first character lies in. Memory is bounded by one piece and one chunk. Text without anything but
    white space gives no chunk. Raises ValueError unless ``0 <= overlap < size``.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap {overlap} must be at least 0 and less than size {size}")
    before: Chunk | None = None
    window = _Window(pieces)
    for number, (text, start, place, links) in enumerate(_spans(window, size, overlap)):
        if before is not None:
            yield before
        before = Chunk(number, text, start, start + len(text), last=False, place=place, links=links)
    if before is not None:
        yield replace(before, last=True, text_digest=window.likeness.digest())


class _Window:
    """The part of the text that is being cut: ``text[0]`` is character ``offset`` of the whole."""

    __slots__ = ("_pieces", "_places", "ended", "likeness", "offset", "text")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._places: deque[tuple[int, Place]] = deque()  # with the offset in the whole at which each begins
        self.text = ""
        self.offset = 0
        self.ended = False
        self.likeness = Likeness()

    def refill(self, drop: int, wanted: int) -> None:
        """Forget ``drop`` characters and read on until there are ``wanted``, or the text has ended."""
        parts = [self.text[drop:]]
        length = len(parts[0])
        self.offset += drop
        self._leave_places(self.offset)
        while length < wanted and not self.ended:
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
            elif piece.text:
                place = piece.place
                if not self._places or self._places[-1][1] != place:
                    self._places.append((self.offset + length, place))
                parts.append(piece.text)
                length += len(piece.text)
        self.likeness.add("".join(parts[1:]))
        self.text = "".join(parts)

    def section(self, low: int, high: int) -> int | None:
        """The last place from ``low`` to ``high`` in the text at which other headings stand above it."""
        found: int | None = None
        above = self._places[0][1].headings
        for offset, place in self._places:
            if offset > self.offset + high:
                break
            if place.headings != above:
                above = place.headings
                if offset >= self.offset + low:
                    found = offset - self.offset
        return found

    def row(self, low: int, end: int) -> int | None:
        """Where the first row from ``low`` on begins, or ``end`` where one does right behind; else None."""
        row = self._places[0][1].row
        for offset, place in self._places:
            at = offset - self.offset
            if at > end + len(_BETWEEN_ROWS):
                break
            if place.row != row:
                row = place.row
                if at >= low:
                    return min(at, end)
        return None

    def place(self, start: int, end: int) -> tuple[Place, tuple[str, ...]]:
        """Where ``text[start]`` stands, and the links up to ``end``; nothing before is asked for again."""
        self._leave_places(self.offset + start)
        links: dict[str, None] = {}
        for offset, place in self._places:
            if offset >= self.offset + end or len(links) >= MOST_LINKS:
                break
            if place.link:
                links[place.link] = None
        return self._places[0][1], tuple(links)

    def _leave_places(self, offset: int) -> None:
        places = self._places
        while len(places) > 1 and places[1][0] <= offset:
            places.popleft()


def _spans(window: _Window, size: int, overlap: int) -> Iterator[tuple[str, int, Place, tuple[str, ...]]]:
    """Text, offset, place and links of each chunk."""
    reach = size // 2
    start = 0  # where the next chunk begins, overlap included
    fresh = 0  # the first character that is in no chunk yet
    while True:
        while not (found := _TEXT.search(window.text, fresh)):
            if window.ended:
                return
            # White space without end is dropped, with the overlap before it.
            drop = start if len(window.text) - start <= size else len(window.text)
            start, fresh = 0, len(window.text) - drop
            window.refill(drop, fresh + 1)
        fresh = found.start()
        if fresh - start > reach or window.text[start].isspace():
            start = fresh
        if len(window.text) < start + size + _AHEAD and not window.ended:
            drop = start
            start, fresh = 0, fresh - drop
            window.refill(drop, size + _AHEAD)
        low, high = max(start + reach, fresh + 1), start + size
        section = window.section(low, high)
        end = _cut(window.text, start, low, high) if section is None else section
        yield window.text[start:end].rstrip(), window.offset + start, *window.place(start, end)
        repeated = max(end - overlap, start + 1)
        start = end if section is not None else _repeated(window, repeated, end)
        fresh = end


def _repeated(window: _Window, low: int, end: int) -> int:
    """Where the next chunk begins that may repeat what stands from ``low`` to ``end``."""
    if (row := window.row(low, end)) is not None:
        return row
    word = _WORD_START.search(window.text, low, end)
    return word.start() if word else end


def _cut(text: str, start: int, low: int, high: int) -> int:
    """The best place to end a chunk that begins at ``start``, from ``low`` to ``high``."""
    if len(text) <= high:
        return len(text)
    if (end := _paragraph(text, low, high)) >= 0:
        return end
    if match := _SENTENCE.match(text, low, high + 2):
        return match.end()
    if (end := text.rfind("\n", low, high + 1)) >= 0:
        return end
    if not text.isascii() and (match := _CLAUSE.match(text, low, high + 1)):
        return match.end()
    if match := _WORD.match(text, low, high + 1):
        return match.end()
    return breaks.last(text, start, low, high)


def _paragraph(text: str, low: int, high: int) -> int:
    """The last blank line before a line that is not indented, for a list or a function ends there; else any."""
    end = last = text.rfind("\n\n", low, high + 2)
    while end >= 0 and text[end + 2 : end + 3].isspace():
        end = text.rfind("\n\n", low, end + 1)
    return last if end < 0 else end

"""Text whose markup stands at the beginnings of lines: its lines, and the sections that headings make of them.

The text itself stays as it stands, markup and all: it was made to be read that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from bouquetd.extract.flow import FULL
from bouquetd.extract.outline import Outline
from bouquetd.model import NOTHING, Facts, Piece

LONGEST = 4096
"""Characters of a line in which markup is looked for; a longer one is data."""

HEAD = 64 * 1024
"""Characters at the beginning of a text in which it may say something of itself."""


def peek(blocks: Iterator[str], size: int = HEAD) -> tuple[str, Iterator[str]]:
    """The first ``size`` characters of a text, and the whole of it again."""
    head = ""
    while len(head) < size and (block := next(blocks, None)) is not None:
        head += block
    return head[:size], chain([head], blocks)


def lines(blocks: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line with its end, and whether it is one to look at: longer ones come in parts of any size."""
    rest, long = "", False
    for block in blocks:
        *whole, rest = (rest + block).split("\n")
        for line in whole:
            yield line + "\n", not long and len(line) <= LONGEST
            long = False
        if long or len(rest) > LONGEST:
            yield rest, False
            rest, long = "", True
    if rest:
        yield rest, True


class Sections:
    """Collects text and hands it out in pieces, which end where a heading or a link begins."""

    __slots__ = ("_done", "_facts", "_link", "_outline", "_parts", "_size")

    def __init__(self, facts: Facts = NOTHING) -> None:
        self._facts = facts
        self._outline = Outline()
        self._link: str | None = None
        self._parts: list[str] = []
        self._size = 0
        self._done: list[Piece] = []

    def write(self, text: str) -> None:
        """Append text as it is."""
        self._parts.append(text)
        self._size += len(text)

    def enter(self, level: int, title: str) -> None:
        """A section begins; the line of its heading, to be written next, is a part of it."""
        self._cut()
        self._outline.enter(level, title)

    def follow(self, link: str | None) -> None:
        """What comes next links to somewhere, or to nowhere any more."""
        if link != self._link:
            self._cut()
            self._link = link

    def pieces(self, *, last: bool = False) -> Iterator[Piece]:
        """What is done since the last call, with ``last`` all that there is."""
        if last or self._size >= FULL:
            self._cut()
        done, self._done = self._done, []
        return iter(done)

    def _cut(self) -> None:
        if self._parts:
            text = "".join(self._parts)
            self._done.append(Piece(text, None, None, self._outline.path, self._link, self._facts))
            self._parts.clear()
            self._size = 0

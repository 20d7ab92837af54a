"""The text of a structured document: words, and the strongest break between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from bouquetd.extract.outline import LONGEST_TITLE, Outline
from bouquetd.model import NOTHING, Facts, Piece

FULL = 16 * 1024
"""Characters after which a flow should be taken: 64 KB in the widest encoding."""


class Break(IntEnum):
    """What separates two runs of text. Where several meet, the greatest wins."""

    NONE = 0
    SPACE = 1
    LINE = 2
    PARAGRAPH = 3
    CELL = 4
    ROW = 5
    TABLE = 6


_AS_TEXT = ("", " ", "\n", "\n\n", "\t", "\n", "\n\n")


class Flow:
    """Collects text; breaks at the beginning and the end, and all but the greatest of several, vanish.

    It also keeps where the text stands: set ``page``, tell ``heading`` and ``follow`` of headings and links,
    and ``pieces`` are what the text was up to there.
    """

    __slots__ = (
        "_level", "_link", "_outline", "_page", "_parts", "_pending", "_started", "_title",
        "done", "facts", "size",
    )  # fmt: skip

    def __init__(self, facts: Facts = NOTHING) -> None:
        self.facts = facts
        self.size = 0
        self._parts: list[str] = []
        self._pending = 0
        self._started = False
        self.done: list[Piece] = []  # pieces that wait to be handed on
        self._outline = Outline()
        self._level = 0  # of the heading we are in, 0 for none
        self._title = ""
        self._link: str | None = None
        self._page: int | None = None

    # -- text ---------------------------------------------------------------------------------------------

    def separate(self, by: int) -> None:
        """Note that whatever comes next is separated by at least this break."""
        if by > self._pending:
            self._pending = by

    def line_break(self) -> None:
        """Note an explicit line break; two of them make a paragraph."""
        self.separate(Break.PARAGRAPH if self._pending == Break.LINE else Break.LINE)

    def write(self, text: str) -> None:
        """Append text as it is."""
        if self._level and len(self._title) < LONGEST_TITLE:
            self._title += _AS_TEXT[self._pending] + text
        if self._started and self._pending:
            self._parts.append(_AS_TEXT[self._pending])
        self._pending = 0
        self._started = True
        self._parts.append(text)
        self.size += len(text)

    def write_collapsed(self, text: str) -> None:
        """Append text whose runs of white space mean one space each."""
        words = text.split()
        if not words:
            self.separate(Break.SPACE)
            return
        if text[0].isspace():
            self.separate(Break.SPACE)
        self.write(" ".join(words))
        if text[-1].isspace():
            self._pending = Break.SPACE

    def take(self) -> str:
        """What was collected so far, which is forgotten."""
        text = "".join(self._parts)
        self._parts.clear()
        self.size = 0
        return text

    # -- places -------------------------------------------------------------------------------------------

    @property
    def page(self) -> int | None:
        """The page, slide or sheet, from 1, on which the text to come stands."""
        return self._page

    @page.setter
    def page(self, number: int | None) -> None:
        self.separate(Break.PARAGRAPH)
        self._cut()
        self._page = number

    def heading(self, level: int) -> None:
        """What comes next, up to ``heading_over``, is a heading; 1 is the outermost level."""
        self.separate(Break.PARAGRAPH)
        self._cut()
        self._level, self._title = level, ""

    def heading_over(self) -> None:
        """The heading ends, and its section begins, of which it is a part itself."""
        if self._level:
            self._outline.enter(self._level, self._title)
            self._level = 0
        self.separate(Break.PARAGRAPH)

    def under(self, title: str) -> None:
        """What comes next stands under a title that is told elsewhere, and under no other."""
        self.leave()
        self._outline.enter(1, title)

    def leave(self) -> None:
        """No heading stands above what comes next: another part begins, another slide."""
        self.heading_over()
        self._cut()
        self._outline = Outline()

    def follow(self, link: str | None) -> None:
        """What comes next links to somewhere, or to nowhere any more."""
        if link != self._link:
            self._cut()
            self._link = link

    def pieces(self, *, last: bool = False) -> Iterator[Piece]:
        """What is done since the last call, with ``last`` all that there is."""
        if last or self.size >= FULL:
            self._cut()
        done, self.done = self.done, []
        return iter(done)

    def _cut(self) -> None:
        """End a piece. The break behind it, even if stronger ones follow, belongs to the next one."""
        if self._parts:
            self.done.append(Piece(self.take(), self._page, None, self._outline.path, self._link, self.facts))

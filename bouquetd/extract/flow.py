"""The text of a structured document: words, and the strongest break between two of them."""

from __future__ import annotations

from enum import IntEnum

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
    """Collects text; breaks at the beginning and the end, and all but the greatest of several, vanish."""

    __slots__ = ("_parts", "_pending", "_started", "size")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._pending = 0
        self._started = False
        self.size = 0

    def separate(self, by: int) -> None:
        """Note that whatever comes next is separated by at least this break."""
        if by > self._pending:
            self._pending = by

    def line_break(self) -> None:
        """Note an explicit line break; two of them make a paragraph."""
        self.separate(Break.PARAGRAPH if self._pending == Break.LINE else Break.LINE)

    def write(self, text: str) -> None:
        """Append text as it is."""
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

"""A moving window over a text that is too large to hold."""

from __future__ import annotations

from collections.abc import Iterable


class Scanner:
    """Text that arrives in blocks: ``text[pos:]`` is what nobody has taken yet.

    A lexer advances ``pos`` and calls ``more`` when it cannot decide on what it sees. What lies before ``pos``
    is dropped then, so memory is one block and whatever the lexer leaves untaken.
    """

    __slots__ = ("_blocks", "_lines", "_offset", "pos", "text")

    def __init__(self, blocks: Iterable[str]) -> None:
        self._blocks = iter(blocks)
        self._lines = 0
        self._offset = 0
        self.text = ""
        self.pos = 0

    @property
    def position(self) -> int:
        """Characters that lie before ``pos``, from the start of the text."""
        return self._offset + self.pos

    def more(self) -> bool:
        """Append the next block; false when there is none. Positions found before are void afterwards."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._lines += self.text.count("\n", 0, self.pos)
        self._offset += self.pos
        self.text = self.text[self.pos :] + block
        self.pos = 0
        return True

    def rest(self) -> bool:
        """Whether any text is left."""
        while self.pos == len(self.text):
            if not self.more():
                return False
        return True

    def take(self) -> str:
        """All that is in the window, which is empty afterwards."""
        text = self.text[self.pos :]
        self.pos = len(self.text)
        return text

    def skip_past(self, mark: str) -> bool:
        """Leave ``pos`` behind the next ``mark``; false, at the end of the text, when there is none."""
        while (at := self.text.find(mark, self.pos)) < 0:
            self.pos = max(self.pos, len(self.text) - len(mark) + 1)
            if not self.more():
                self.pos = len(self.text)
                return False
        self.pos = at + len(mark)
        return True

    def where(self) -> str:
        """Where ``pos`` is, for people: lines and characters count from 1."""
        line = self._lines + self.text.count("\n", 0, self.pos) + 1
        return f"line {line}, character {self.position + 1} of the file"

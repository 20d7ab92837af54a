"""DOCX: the paragraphs, tables and notes of a Word document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.package import Handler, opened
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

MAIN = re.compile(r"word/document\d*\.xml")
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_WORD = frozenset((
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "http://purl.oclc.org/ooxml/officeDocument/math",
))  # fmt: skip
_SKIPPED = frozenset(("pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "moveFrom"))
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"  # says the same once more
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_REPAIR = "Open it in a word processor, save it anew as .docx, and drop it again."


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The paragraphs and tables, then footnotes and endnotes. What was deleted with tracking is left out."""
    with opened(file, "DOCX", _REPAIR, reading) as package:
        main = next(filter(MAIN.fullmatch, package.names))
        for name in (main, *(note for note in _NOTES if note in package.names)):
            reader = _Reader()
            for _ in package.parse(name, reader):
                if reader.flow.size >= FULL:
                    yield Piece(reader.flow.take())
            yield Piece(reader.flow.take() + "\n\n")


class _Reader(Handler):
    """Turns the events of the parser into text."""

    def __init__(self) -> None:
        self.flow = Flow()
        self._depth = 0
        self._skip_below = 0  # the depth of the element whose content is passed over, 0 for none
        self._in_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        self._depth += 1
        if self._skip_below:
            return
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._skip_below = self._depth
        elif namespace in _WORD:
            if local == "t":
                self._in_text = True
            elif local in _SKIPPED:
                self._skip_below = self._depth
            elif by := _BREAKS.get(local):
                self.flow.separate(by)
            elif character := _CHARACTERS.get(local):
                self.flow.write(character)

    def end(self, name: str) -> None:
        if self._skip_below == self._depth:
            self._skip_below = 0
        elif not self._skip_below:
            namespace, _, local = name.rpartition(" ")
            if namespace in _WORD:
                if local == "t":
                    self._in_text = False
                elif by := _BREAKS.get(local):
                    self.flow.separate(by)
        self._depth -= 1

    def text(self, text: str) -> None:
        if self._in_text and not self._skip_below:
            self.flow.write(text)

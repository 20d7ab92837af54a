"""PPTX: the slides of a PowerPoint presentation in their order, each with its notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.package import Handler, opened
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

MAIN = "ppt/presentation.xml"
_DRAWING = frozenset((
    "http://schemas.openxmlformats.org/drawingml/2006/main",
    "http://purl.oclc.org/ooxml/drawingml/main",
))  # fmt: skip
_RELATIONS = frozenset((
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
))  # fmt: skip
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"  # says the same once more
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_FIELDS_OF_NOTES = ("slidenum", "datetime")  # each page of notes repeats them
_REPAIR = "Open it in a presentation program, save it anew as .pptx, and drop it again."


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text of shapes, tables, diagrams and notes; ``Piece.page`` is the number of the slide, from 1."""
    with opened(file, "PPTX", _REPAIR, reading) as package:
        order = _Order()
        for _ in package.parse(MAIN, order):
            pass
        slides = package.relations(MAIN)
        for number, id_ in enumerate(order.ids, start=1):
            if (slide := slides.get(id_, "")) not in package.names:
                continue  # PowerPoint repairs such a presentation by leaving the slide out
            related = [part for part in package.relations(slide).values() if part in package.names]
            drawn = [part for part in related if part.startswith("ppt/diagrams/data")]
            notes = [part for part in related if part.startswith("ppt/notesSlides/")]
            for part in (slide, *drawn, *notes[:1]):
                reader = _Reader()
                for _ in package.parse(part, reader):
                    if reader.flow.size >= FULL:
                        yield Piece(reader.flow.take(), page=number)
                yield Piece(reader.flow.take() + "\n\n", page=number)


class _Order(Handler):
    """The ids of the slides, as they are shown."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.endswith(" sldId"):
            key = next((key for key in attributes if key.rpartition(" ")[0] in _RELATIONS), None)
            if key:
                self.ids.append(attributes[key])


class _Reader(Handler):
    """Turns the events of the parser into text."""

    def __init__(self) -> None:
        self.flow = Flow()
        self._in_text = self._in_field = False
        self._fallbacks = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._fallbacks += 1
        elif self._fallbacks or namespace not in _DRAWING:
            return
        elif local == "t":
            self._in_text = not self._in_field
        elif local == "fld":
            self._in_field = attributes.get("type", "").startswith(_FIELDS_OF_NOTES)
        elif local == "br":
            self.flow.line_break()
        elif by := _BREAKS.get(local):
            self.flow.separate(by)

    def end(self, name: str) -> None:
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._fallbacks -= 1
        elif self._fallbacks or namespace not in _DRAWING:
            return
        elif local == "t":
            self._in_text = False
        elif local == "fld":
            self._in_field = False
        elif by := _BREAKS.get(local):
            self.flow.separate(by)

    def text(self, text: str) -> None:
        if self._in_text and not self._fallbacks:
            self.flow.write(text)

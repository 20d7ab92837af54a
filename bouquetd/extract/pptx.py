"""PPTX: the slides of a PowerPoint presentation in their order, each under its title and with its notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.links import link
from bouquetd.extract.package import Handler, Relation, opened, related
from bouquetd.extract.properties import core
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import Piece

MAIN = "ppt/presentation.xml"
_DRAWING = frozenset((
    "http://schemas.openxmlformats.org/drawingml/2006/main",
    "http://purl.oclc.org/ooxml/drawingml/main",
))  # fmt: skip
_SLIDE = frozenset((
    "http://schemas.openxmlformats.org/presentationml/2006/main",
    "http://purl.oclc.org/ooxml/presentationml/main",
))  # fmt: skip
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"  # says the same once more
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_FIELDS_OF_NOTES = ("slidenum", "datetime")  # each page of notes repeats them
_REPAIR = "Open it in a presentation program, save it anew as .pptx, and drop it again."


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text of shapes, tables, diagrams and notes; ``Piece.page`` is the number of the slide, from 1."""
    with opened(file, "PPTX", _REPAIR, reading) as package:
        flow = Flow((yield from core(package)))
        order = _Order(reading.bounds.pages)
        yield from package.parse(MAIN, order)
        slides = yield from package.relations(MAIN)
        for number, id_ in enumerate(order.ids, start=1):
            if id_ not in slides or not package.has(slides[id_].target):
                continue  # PowerPoint repairs such a presentation by leaving the slide out
            flow.leave()
            flow.page = number
            slide = slides[id_].target
            links = yield from package.relations(slide)
            drawn = [to.target for to in links.values() if to.kind == "diagramData"]
            notes = [to.target for to in links.values() if to.kind == "notesSlide"]
            for part in (slide, *filter(package.has, (*drawn, *notes[:1]))):
                for beat in package.parse(part, _Reader(flow, links if part == slide else {})):
                    yield beat
                    yield from flow.pieces()
                flow.separate(Break.PARAGRAPH)
        yield from flow.pieces(last=True)


class _Order(Handler):
    """The ids of the slides, as they are shown."""

    def __init__(self, most: int) -> None:
        self.ids: list[str] = []
        self._most = most

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.endswith(" sldId"):
            self.ids.append(related(attributes)[:100])
            if len(self.ids) > self._most:
                raise beyond(f"it has more than the {self._most:,} slides that bounds.pages allows", "pages")


class _Reader(Handler):
    """Turns the events of the parser into text."""

    def __init__(self, flow: Flow, links: Mapping[str, Relation]) -> None:
        self._flow = flow
        self._links = links
        self._in_text = self._in_field = self._in_title = False
        self._fallbacks = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._fallbacks += 1
        elif self._fallbacks:
            return
        elif namespace in _SLIDE:
            if local == "ph":
                self._in_title = attributes.get("type") in ("title", "ctrTitle")
            elif local == "txBody" and self._in_title:
                self._flow.heading(1)
        elif namespace not in _DRAWING:
            return
        elif local == "t":
            self._in_text = not self._in_field
        elif local == "fld":
            self._in_field = attributes.get("type", "").startswith(_FIELDS_OF_NOTES)
        elif local == "br":
            self._flow.line_break()
        elif by := _BREAKS.get(local):
            self._flow.separate(by)
        elif local == "hlinkClick" and (relation := self._links.get(related(attributes))):
            self._flow.follow(link(relation.target) if relation.outside else None)

    def end(self, name: str) -> None:
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._fallbacks -= 1
        elif self._fallbacks:
            return
        elif namespace in _SLIDE:
            if local == "txBody" and self._in_title:
                self._in_title = False
                self._flow.heading_over()
        elif namespace not in _DRAWING:
            return
        elif local == "t":
            self._in_text = False
            self._flow.follow(None)
        elif local == "fld":
            self._in_field = False
        elif by := _BREAKS.get(local):
            self._flow.separate(by)

    def text(self, text: str) -> None:
        if self._in_text and not self._fallbacks:
            self._flow.write(text)

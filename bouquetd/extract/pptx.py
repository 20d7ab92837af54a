"""PPTX: the slides of a PowerPoint presentation in their order, each under its title and with its notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from bouquetd.extract.drawing import Drawing, drawn
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.package import Handler, Package, Relation, opened, related
from bouquetd.extract.properties import core
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import Piece

MAIN = "ppt/presentation.xml"
_SLIDE = frozenset((
    "http://schemas.openxmlformats.org/presentationml/2006/main",
    "http://purl.oclc.org/ooxml/presentationml/main",
))  # fmt: skip
_REPAIR = "Open it in a presentation program, save it anew as .pptx, and drop it again."


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text of shapes, tables, diagrams, charts and notes; ``Piece.page`` is the slide, from 1."""
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
            yield from _told(package, slide, flow, links)
            yield from drawn(package, links, flow)
            notes = [to.target for to in links.values() if to.kind == "notesSlide"]
            for part in filter(package.has, notes[:1]):
                yield from _told(package, part, flow, {})
        yield from flow.pieces(last=True)


def _told(package: Package, part: str, flow: Flow, links: Mapping[str, Relation]) -> Iterator[Piece]:
    """A slide or its notes."""
    for beat in package.parse(part, _Slide(flow, links)):
        yield beat
        yield from flow.pieces()
    flow.separate(Break.PARAGRAPH)


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


class _Slide(Drawing):
    """A slide or a page of notes, whose title is a heading."""

    _in_title = False

    def start_other(self, namespace: str, local: str, attributes: dict[str, str]) -> None:
        if namespace not in _SLIDE:
            return
        if local == "ph":
            self._in_title = attributes.get("type") in ("title", "ctrTitle")
        elif local == "txBody" and self._in_title:
            self.flow.heading(1)

    def end_other(self, namespace: str, local: str) -> None:
        if self._in_title and local == "txBody" and namespace in _SLIDE:
            self._in_title = False
            self.flow.heading_over()

"""DrawingML: the text of shapes, tables, diagrams and charts, on slides, in documents and on sheets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.links import link
from bouquetd.extract.package import Handler, Package, Relation, related
from bouquetd.extract.scratch import LONGEST_CELL
from bouquetd.model import Piece

FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"
"""An element that says the same once more, for programs that do not know better."""

_KINDS = ("diagramData", "chart")  # of relations: what is drawn in parts of its own
_DRAWING = frozenset((
    "http://schemas.openxmlformats.org/drawingml/2006/main",
    "http://purl.oclc.org/ooxml/drawingml/main",
))  # fmt: skip
_CHART = frozenset((
    "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "http://purl.oclc.org/ooxml/drawingml/chart",
))  # fmt: skip
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_FIELDS = ("slidenum", "datetime")  # each slide and each page of notes repeats them
_NUMBERS = ("numCache", "numLit")  # what a chart draws; its names, titles and labels are text
_MOST_NAMES = 1_000  # of a chart that are remembered
_LONGEST_NAME = 200  # characters of one of them


def drawn(package: Package, links: Mapping[str, Relation], flow: Flow) -> Iterator[Piece]:
    """What the charts and diagrams say to which the relations of a part lead."""
    for part in dict.fromkeys(relation.target for relation in links.values() if relation.kind in _KINDS):
        if package.has(part):
            for beat in package.parse(part, Drawing(flow, {})):
                yield beat
                yield from flow.pieces()
            flow.separate(Break.PARAGRAPH)


class Drawing(Handler):
    """Turns the events of the parser into text. ``links`` are the relations of the part.

    Each series of a chart says the names of all categories anew: they are told once.
    """

    def __init__(self, flow: Flow, links: Mapping[str, Relation]) -> None:
        self.flow = flow
        self._links = links
        self._in_text = self._in_field = self._in_numbers = self._in_name = False
        self._name = ""
        self._told: set[str] = set()
        self._fallbacks = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        namespace, _, local = name.rpartition(" ")
        if name == FALLBACK:
            self._fallbacks += 1
        elif self._fallbacks:
            return
        elif namespace in _DRAWING:
            self._start(local, attributes)
        elif namespace in _CHART:
            if local in _NUMBERS:
                self._in_numbers = True
            elif local == "v":
                self._in_name, self._name = not self._in_numbers, ""
        else:
            self.start_other(namespace, local, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        namespace, _, local = name.rpartition(" ")
        if name == FALLBACK:
            self._fallbacks -= 1
        elif self._fallbacks:
            return
        elif namespace in _DRAWING:
            if local == "t":
                self._in_text = False
                self.flow.follow(None)
            elif local == "fld":
                self._in_field = False
            elif by := _BREAKS.get(local):
                self.flow.separate(by)
        elif namespace in _CHART:
            if local in _NUMBERS:
                self._in_numbers = False
            elif local == "v":
                self._in_name = False
                self._tell(self._name)
        else:
            self.end_other(namespace, local)

    def start_other(self, namespace: str, local: str, attributes: dict[str, str]) -> None:
        """An element of another language begins."""

    def end_other(self, namespace: str, local: str) -> None:
        """An element of another language ends."""

    def text(self, text: str) -> None:
        """Text between two tags."""
        if self._fallbacks:
            return
        if self._in_text:
            self.flow.write(text)
        elif self._in_name and len(self._name) < LONGEST_CELL:
            self._name += text

    def _start(self, local: str, attributes: dict[str, str]) -> None:
        if local == "t":
            self._in_text = not self._in_field
        elif local == "fld":
            self._in_field = attributes.get("type", "").startswith(_FIELDS)
        elif local == "br":
            self.flow.line_break()
        elif by := _BREAKS.get(local):
            self.flow.separate(by)
        elif local == "hlinkClick" and (relation := self._links.get(related(attributes))):
            self.flow.follow(link(relation.target) if relation.outside else None)

    def _tell(self, name: str) -> None:
        """A title, a series or a category of a chart."""
        if name and name not in self._told:
            self.flow.separate(Break.LINE)
            self.flow.write(name)
            self.flow.separate(Break.LINE)
            if len(name) <= _LONGEST_NAME and len(self._told) < _MOST_NAMES:
                self._told.add(name)

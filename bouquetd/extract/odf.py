"""ODT, ODS, ODP and their kin: the documents of LibreOffice, as packages or as one flat XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from bouquetd.extract import repeats
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.links import link
from bouquetd.extract.package import Handler, encrypted, opened, parse_file
from bouquetd.extract.properties import Properties
from bouquetd.extract.reading import Reading, beyond
from bouquetd.extract.repeats import Found, Repeated
from bouquetd.extract.sheet import Tally, sheet
from bouquetd.model import HEARTBEAT, NOTHING, Facts, Piece

MAIN = "content.xml"
SEALED = "encrypted-package"
"""What a package has instead of all else when LibreOffice encrypted it as a whole."""

FLAT = re.compile(
    r"""\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE[^\[>]*(?:\[[^\]]*\]\s*)?>\s*)?"""
    r"""<office:document\s[^>]*?\boffice:mimetype\s*=\s*"""
    r"""["']application/vnd\.oasis\.opendocument\.(\w+)""",
    re.S,
)
"""The beginning of a flat file, and which kind it is."""

_KIND = "OpenDocument file"
_REPAIR = "Open it in LibreOffice, save it anew, and drop it again."
_OBJECT = re.compile(r"Object \d+/content\.xml")  # a sheet or a chart within a document or on a slide
_MANIFEST = "META-INF/manifest.xml"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_DRAW = "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_STYLE = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
_SVG = "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
_CLASS = "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0 class"
_HREF = "http://www.w3.org/1999/xlink href"
_META = f"{_OFFICE} meta"
_SKIPPED = frozenset((
    f"{_TEXT} tracked-changes",  # what was deleted
    f"{_TEXT} note-citation",
    f"{_TEXT} page-number",
    f"{_TEXT} ruby-text",  # how it is pronounced
    f"{_OFFICE} annotation",  # what somebody remarked upon it
    f"{_OFFICE} automatic-styles",
    f"{_OFFICE} binary-data",
    f"{_OFFICE} font-face-decls",
    f"{_OFFICE} master-styles",  # what stands on each page
    f"{_OFFICE} scripts",
    f"{_OFFICE} styles",
    f"{_SVG} desc",
    f"{_SVG} title",
    f"{_TABLE} tracked-changes",
))  # fmt: skip
_SKIPPED_IN_SHEETS = _SKIPPED | {f"{_DRAW} object"}  # a chart has its numbers from there
_BREAKS = {
    f"{_TEXT} p": Break.PARAGRAPH,
    f"{_TEXT} h": Break.PARAGRAPH,
    f"{_TEXT} list-item": Break.LINE,
    f"{_TABLE} table-cell": Break.CELL,
    f"{_TABLE} table-row": Break.ROW,
    f"{_TABLE} table": Break.TABLE,
}
_VALUES = tuple(f"{_OFFICE} {name}" for name in ("string-value", "date-value", "time-value", "value"))
_MOST_COLUMNS = 16_384
_LONGEST_CELL = 65_536  # characters
_LONGEST_ROW = 262_144  # characters of a row that is held until its end, since it may be said again
_MOST_SPACES = 100
_MOST_STYLES = 10_000

_TITLE = 1  # the level of a document's title; a heading of level N is one of level N + 1 below it


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text; ``Piece.page`` is the slide of a presentation, its notes included, from 1."""
    return _text(file, reading, _packed)


def extract_flat(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The same of a flat file."""
    return _text(file, reading, _flat)


def extract_sheets(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Sheet by sheet, a row as ``name: value`` lines where the first row has names."""
    return _tables(file, reading, _packed)


def extract_flat_sheets(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The same of a flat file."""
    return _tables(file, reading, _flat)


_Parse = Callable[[BinaryIO, "_Body", Reading], Iterator[Piece]]
"""Hands the facts to a handler, then the events of the content."""


def _text(file: BinaryIO, reading: Reading, parse: _Parse) -> Iterator[Piece]:
    reader = _Reader(reading.bounds.pages)
    for beat in parse(file, reader, reading):
        yield beat
        yield from reader.flow.pieces()
    yield from reader.flow.pieces(last=True)


def _tables(file: BinaryIO, reading: Reading, parse: _Parse) -> Iterator[Piece]:
    reader = _Sheets(Tally(reading.bounds))
    events = repeats.taken(parse(file, reader, reading), reader.found)
    for event in events:
        if event is None:
            yield HEARTBEAT
        elif isinstance(event, str):
            yield from sheet(repeats.cells(events), reader.number, event, reader.facts)


def _packed(file: BinaryIO, body: _Body, reading: Reading) -> Iterator[Piece]:
    with opened(file, _KIND, _REPAIR, reading) as package:
        if package.has(_MANIFEST):
            yield from package.parse_if_sound(_MANIFEST, manifest := _Manifest())
            if manifest.encrypted:
                raise encrypted(_KIND)
        properties = Properties()
        if package.has("meta.xml"):
            yield from package.parse_if_sound("meta.xml", properties)
        body.facts = properties.facts()
        yield from package.parse(MAIN, body)
        for name in package.names:
            if _OBJECT.fullmatch(name) and isinstance(body, _Reader):
                body.begin_object()
                yield from package.parse(name, body)


def _flat(file: BinaryIO, body: _Body, reading: Reading) -> Iterator[Piece]:
    return parse_file(file, _Flat(body), _KIND, _REPAIR, reading)


class _Manifest(Handler):
    """The list of parts, which tells how each is encrypted."""

    encrypted = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        if name.endswith(" encryption-data"):
            self.encrypted = True


class _Body(Handler):
    """Takes the events of the content."""

    facts: Facts = NOTHING


class _Flat(Handler):
    """Tells the metadata within a flat file from all else."""

    def __init__(self, body: _Body) -> None:
        self._body = body
        self._properties = Properties()
        self._in_meta = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _META:
            self._in_meta = True
        elif self._in_meta:
            self._properties.start(name, attributes)
        else:
            self._body.start(name, attributes)

    def end(self, name: str) -> None:
        if name == _META:
            self._in_meta = False
            if self._body.facts is NOTHING:  # what is embedded has its own, further down
                self._body.facts = self._properties.facts()
        elif self._in_meta:
            self._properties.end(name)
        else:
            self._body.end(name)

    def text(self, text: str) -> None:
        if self._in_meta:
            self._properties.text(text)
        else:
            self._body.text(text)


class _Reader(_Body):
    """Turns the events of the parser into text."""

    def __init__(self, most_pages: int) -> None:
        self.flow = Flow()
        self._most_pages = most_pages
        self._titles = {"Title"}  # the styles of a paragraph that is the document's title
        self._paragraphs = 0
        self._heading = 0  # how many paragraphs, or frames on a slide, were open when a heading began
        self._in_frame = False
        self._skipped = 0

    @property
    def facts(self) -> Facts:
        """What the document says of itself."""
        return self.flow.facts

    @facts.setter
    def facts(self, facts: Facts) -> None:
        self.flow.facts = facts

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _SKIPPED:
            self._skipped += 1
        if self._skipped:
            if name == f"{_STYLE} style" and attributes.get(f"{_STYLE} parent-style-name") == "Title":
                self._add_title(attributes.get(f"{_STYLE} name", ""))
            return
        if by := _BREAKS.get(name):
            self.flow.separate(by)
            if by == Break.PARAGRAPH:
                self._paragraphs += 1
                self._begin_paragraph(name, attributes)
        elif name == f"{_TEXT} s":
            self.flow.write(" " * min(repeats.times(attributes.get(f"{_TEXT} c")), _MOST_SPACES))
        elif name == f"{_TEXT} tab":
            self.flow.write("\t")
        elif name == f"{_TEXT} line-break":
            self.flow.line_break()
        elif name in (f"{_TEXT} a", f"{_DRAW} a"):
            self.flow.follow(link(attributes.get(_HREF)))
        elif name == f"{_DRAW} frame" and attributes.get(_CLASS) == "title":
            self._in_frame = True
            self.flow.heading(_TITLE)
        elif name == f"{_DRAW} page":
            self._begin_page()

    def end(self, name: str) -> None:
        if name in _SKIPPED:
            self._skipped -= 1
        elif self._skipped:
            return
        elif by := _BREAKS.get(name):
            self.flow.separate(by)
            if by == Break.PARAGRAPH:
                if self._heading == self._paragraphs:
                    self._heading = 0
                    self.flow.heading_over()
                self._paragraphs -= 1
        elif name in (f"{_TEXT} a", f"{_DRAW} a"):
            self.flow.follow(None)
        elif name == f"{_DRAW} frame" and self._in_frame:
            self._in_frame = False
            self.flow.heading_over()

    def text(self, text: str) -> None:
        if self._paragraphs and not self._skipped:
            self.flow.write_collapsed(text)

    def begin_object(self) -> None:
        """What comes next is no part of the text, but shown somewhere in it."""
        self.flow.leave()
        self.flow.page = None

    def _begin_paragraph(self, name: str, attributes: dict[str, str]) -> None:
        if self._heading or self._in_frame:
            return
        if name == f"{_TEXT} h":
            self._heading = self._paragraphs
            self.flow.heading(_TITLE + repeats.times(attributes.get(f"{_TEXT} outline-level")))
        elif attributes.get(f"{_TEXT} style-name") in self._titles:
            self._heading = self._paragraphs
            self.flow.heading(_TITLE)

    def _begin_page(self) -> None:
        number = (self.flow.page or 0) + 1
        if number > self._most_pages:
            raise beyond(f"it has more than the {self._most_pages:,} slides that bounds.pages allows", "pages")
        self.flow.leave()
        self.flow.page = number

    def _add_title(self, style: str) -> None:
        if len(self._titles) < _MOST_STYLES:
            self._titles.add(style[:100])


class _Sheets(_Body):
    """Turns the events of a spreadsheet into rows, and the name of each sheet before them.

    They lie in ``found`` until they are taken.
    """

    def __init__(self, tally: Tally) -> None:
        self.found: list[Found] = []
        self.number = 0
        self._tally = tally
        self._row: list[Repeated] = []
        self._row_size = 0
        self._rows = 1
        self._column = self._repeated = 0
        self._cell: Flow | None = None
        self._value = ""  # of the cell, for one without a text
        self._paragraphs = self._skipped = self._tables = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _SKIPPED_IN_SHEETS:
            self._skipped += 1
        if self._skipped:
            return
        namespace, _, local = name.rpartition(" ")
        if namespace == _TABLE:
            if local == "table":
                self._tables += 1
                if self._tables == 1:
                    self.number += 1
                    self.found.append(attributes.get(f"{_TABLE} name") or f"{self.number}")
            elif local == "table-row":
                self._column = 0
                self._rows = repeats.times(attributes.get(f"{_TABLE} number-rows-repeated"))
            elif local in ("table-cell", "covered-table-cell"):
                self._cell = Flow()
                self._repeated = repeats.times(attributes.get(f"{_TABLE} number-columns-repeated"))
                self._value = next((attributes[key] for key in _VALUES if key in attributes), "")
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            self._paragraphs += 1
            if self._cell:
                self._cell.separate(Break.LINE)
        elif name in (f"{_TEXT} s", f"{_TEXT} tab", f"{_TEXT} line-break") and self._cell:
            self._cell.separate(Break.SPACE)

    def end(self, name: str) -> None:
        if name in _SKIPPED_IN_SHEETS:
            self._skipped -= 1
            return
        if self._skipped:
            return
        namespace, _, local = name.rpartition(" ")
        if namespace == _TABLE:
            if local == "table":
                self._tables -= 1
                if not self._tables:
                    self.found.append("")
            elif local == "table-row":
                self._end_row(self._rows)
            elif local in ("table-cell", "covered-table-cell") and self._cell:
                self._end_cell((self._cell.take() or self._value)[:_LONGEST_CELL])
                self._cell = None
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            self._paragraphs -= 1

    def text(self, text: str) -> None:
        if self._paragraphs and self._cell and not self._skipped and self._cell.size < _LONGEST_CELL:
            self._cell.write_collapsed(text)

    def _end_cell(self, text: str) -> None:
        columns = min(self._repeated, _MOST_COLUMNS - self._column)
        if text and columns > 0:
            self._row.append((self._column, text, columns))
            self._row_size += len(text)
            if self._row_size > _LONGEST_ROW:  # no person's row: it is said once
                self._end_row(0)
                self._rows = 1
        self._column += max(columns, 0)

    def _end_row(self, times: int) -> None:
        self._tally.add(max(times, 1) * sum(columns for _, _, columns in self._row))
        self.found.append((self._row, times))
        self._row, self._row_size = [], 0

"""ODT, ODS, ODP: the documents, spreadsheets and presentations of LibreOffice and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.package import Handler, opened
from bouquetd.extract.reading import Reading
from bouquetd.extract.sheet import END_OF_ROW, sheet
from bouquetd.model import Piece

MAIN = "content.xml"
_REPAIR = "Open it in LibreOffice, save it anew, and drop it again."
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_DRAW = "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_SKIPPED = frozenset((
    f"{_TEXT} tracked-changes",  # what was deleted
    f"{_TEXT} note-citation",
    f"{_TEXT} page-number",
    f"{_OFFICE} annotation",  # what somebody remarked upon it
    f"{_OFFICE} automatic-styles",
    f"{_OFFICE} font-face-decls",
    f"{_OFFICE} scripts",
    f"{_TABLE} tracked-changes",
))  # fmt: skip
_BREAKS = {
    f"{_TEXT} p": Break.PARAGRAPH,
    f"{_TEXT} h": Break.PARAGRAPH,
    f"{_TEXT} list-item": Break.LINE,
    f"{_TABLE} table-cell": Break.CELL,
    f"{_TABLE} table-row": Break.ROW,
    f"{_TABLE} table": Break.TABLE,
}
_MOST_COLUMNS = 16_384
_LONGEST_CELL = 65_536  # characters
_MOST_SPACES = 100


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text; ``Piece.page`` is the slide of a presentation, its notes included, or the sheet, from 1."""
    with opened(file, "OpenDocument file", _REPAIR, reading) as package:
        reader = _Reader()
        for _ in package.parse(MAIN, reader):
            if reader.flow.size >= FULL:
                yield Piece(reader.flow.take(), page=reader.page)
            yield from reader.done
            reader.done.clear()
        yield Piece(reader.flow.take() + "\n\n", page=reader.page)


def extract_sheets(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Sheet by sheet, a row as ``name: value`` lines where the first row has names."""
    with opened(file, "OpenDocument spreadsheet", _REPAIR, reading) as package:
        reader = _Sheets()
        events = _taken(package.parse(MAIN, reader), reader)
        for name in events:
            if isinstance(name, str):
                yield Piece(f"{name}\n\n", page=reader.number)
                yield from sheet(_cells_of(events), page=reader.number)


def _taken(parse: Iterator[None], reader: _Sheets) -> Iterator[tuple[int, str] | str]:
    for _ in parse:
        yield from reader.found
        reader.found.clear()


def _cells_of(events: Iterator[tuple[int, str] | str]) -> Iterator[tuple[int, str]]:
    """The cells up to the end of the sheet, which is marked by an empty name."""
    for event in events:
        if isinstance(event, str):
            return
        yield event


class _Reader(Handler):
    """Turns the events of the parser into text."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.page: int | None = None
        self.done: list[Piece] = []
        self._paragraphs = 0
        self._skipped = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _SKIPPED:
            self._skipped += 1
        if self._skipped:
            return
        if by := _BREAKS.get(name):
            self.flow.separate(by)
            if by == Break.PARAGRAPH:
                self._paragraphs += 1
        elif name == f"{_TEXT} s":
            self.flow.write(" " * min(_number(attributes.get(f"{_TEXT} c")), _MOST_SPACES))
        elif name == f"{_TEXT} tab":
            self.flow.write("\t")
        elif name == f"{_TEXT} line-break":
            self.flow.line_break()
        elif name == f"{_DRAW} page":
            self.page = (self.page or 0) + 1

    def end(self, name: str) -> None:
        if name in _SKIPPED:
            self._skipped -= 1
        elif self._skipped:
            return
        elif by := _BREAKS.get(name):
            self.flow.separate(by)
            if by == Break.PARAGRAPH:
                self._paragraphs -= 1
        elif name == f"{_DRAW} page":
            self.done.append(Piece(self.flow.take() + "\n\n", page=self.page))

    def text(self, text: str) -> None:
        if self._paragraphs and not self._skipped:
            self.flow.write_collapsed(text)


class _Sheets(Handler):
    """Turns the events of a spreadsheet into cells, and the name of each sheet before them.

    They lie in ``found`` until they are taken; an empty name ends a sheet.
    """

    def __init__(self) -> None:
        self.found: list[tuple[int, str] | str] = []
        self.number = 0
        self._column = self._repeated = 0
        self._cell: Flow | None = None
        self._value = ""
        self._paragraphs = self._skipped = self._tables = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _SKIPPED:
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
            elif local in ("table-cell", "covered-table-cell"):
                self._cell = Flow()
                self._repeated = _number(attributes.get(f"{_TABLE} number-columns-repeated"))
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            self._paragraphs += 1
            if self._cell:
                self._cell.separate(Break.LINE)
        elif name in (f"{_TEXT} s", f"{_TEXT} tab", f"{_TEXT} line-break") and self._cell:
            self._cell.separate(Break.SPACE)

    def end(self, name: str) -> None:
        if name in _SKIPPED:
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
                self.found.append((END_OF_ROW, ""))
            elif local in ("table-cell", "covered-table-cell") and self._cell:
                if text := self._cell.take()[:_LONGEST_CELL]:
                    self.found.append((self._column, text))
                self._cell = None
                self._column = min(self._column + self._repeated, _MOST_COLUMNS)
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            self._paragraphs -= 1

    def text(self, text: str) -> None:
        if self._paragraphs and self._cell and not self._skipped and self._cell.size < _LONGEST_CELL:
            self._cell.write_collapsed(text)


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 7 else 1

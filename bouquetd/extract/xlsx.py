"""XLSX: the sheets of an Excel workbook, row by row, and what is drawn on each.

The texts of a workbook lie apart from its sheets, each once, and may be as large as all else together: they are
put into a temporary file and looked up there. Formulas are not computed; what the program that wrote the file
last saw is what they say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import BinaryIO

from bouquetd.extract.drawing import Drawing, drawn
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.package import Handler, Package, opened, related
from bouquetd.extract.properties import core
from bouquetd.extract.reading import Reading
from bouquetd.extract.scratch import LONGEST_CELL, Texts
from bouquetd.extract.sheet import END_OF_ROW, Tally, sheet
from bouquetd.model import Piece

MAIN = "xl/workbook.xml"
_REPAIR = "Open it in a spreadsheet program, save it anew as .xlsx, and drop it again."
_MOST_SHEETS = 20_000
_MOST_ROWS = 1_048_576  # of Excel, in a sheet
_MOST_COLUMNS = 16_384  # the same
_LONGEST_NAME = 200  # of a sheet
_MOST_STYLES = 100_000
_DATES = frozenset(map(str, (*range(14, 23), *range(27, 37), 45, 47, *range(50, 59))))
_BUILT_IN = {"9": "0%", "10": "0.00%", "46": "[h]:mm:ss"}
# A format code without what is quoted, escaped or in brackets; then a letter of a date or time is one.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\[[^\]]*\]')
_ELAPSED = re.compile(r"\[[hms]+\]", re.I)
_DECIMALS = re.compile(r"\.([0#?]+)")
_REFERENCE = re.compile(r"([A-Z]{1,3})\d+")


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Sheet by sheet, hidden ones too, a row as ``name: value`` lines where the first row has names.

    ``Piece.page`` is the number of the sheet, ``Piece.row`` that of the row, from 1.
    """
    with opened(file, "XLSX", _REPAIR, reading) as package, closing(Texts()) as texts:
        facts = yield from core(package)
        book, styles = _Book(), _Styles()
        for beat in package.parse(MAIN, book):
            yield beat
            if len(book.sheets) > _MOST_SHEETS:
                raise package.rejected(f"is damaged: it has more than {_MOST_SHEETS} sheets")
        parts = yield from package.relations(MAIN)
        for kind, handler in (("sharedStrings", _Shared(texts)), ("styles", styles)):
            for relation in parts.values():
                if relation.kind == kind and package.has(relation.target):
                    yield from package.parse(relation.target, handler)
        tally = Tally(reading.bounds)
        for number, (name, id_) in enumerate(book.sheets, start=1):
            if id_ in parts and package.has(parts[id_].target):
                reader = _Sheet(texts.count, styles, book.since, tally)
                cells = _cells(package.parse(parts[id_].target, reader), reader, texts)
                yield from sheet(cells, number, name, facts)
                flow = Flow(facts)
                flow.page = number
                flow.under(name)
                yield from _drawn(package, parts[id_].target, flow)


def _drawn(package: Package, part: str, flow: Flow) -> Iterator[Piece]:
    """What the shapes and charts on a sheet say."""
    relations = yield from package.relations(part)
    for drawing in [relation.target for relation in relations.values() if relation.kind == "drawing"]:
        if package.has(drawing):
            links = yield from package.relations(drawing)
            for beat in package.parse(drawing, Drawing(flow, links)):
                yield beat
                yield from flow.pieces()
            flow.separate(Break.PARAGRAPH)
            yield from drawn(package, links, flow)
    flow.write("")  # what parts it from the next sheet
    yield from flow.pieces(last=True)


def _cells(parse: Iterator[Piece], reader: _Sheet, texts: Texts) -> Iterator[tuple[int, str] | None]:
    """What was found, with shared texts looked up one by one: ten thousand cells may say the same long one."""
    for _ in parse:
        for column, value in reader.found:
            yield column, texts.get(value) if isinstance(value, int) else value
        reader.found.clear()
        yield None


class _Book(Handler):
    """The names of the sheets, their ids, and from when on the workbook counts days."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.since = datetime(1899, 12, 30)  # noqa: DTZ001

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "sheet":
            self.sheets.append((attributes.get("name", "")[:_LONGEST_NAME], related(attributes)[:100]))
        elif local == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.since = datetime(1904, 1, 1)  # noqa: DTZ001


class _Shared(Handler):
    """Puts the shared texts away. How a text is pronounced (``rPh``) is no part of it."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._parts: list[str] = []
        self._size = 0
        self._in_text = self._in_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        local = name.rpartition(" ")[2]
        if local == "si":
            self._parts, self._size = [], 0
        elif local == "rPh":
            self._in_phonetic = True
        elif local == "t":
            self._in_text = not self._in_phonetic

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "si":
            self._texts.add("".join(self._parts))
        elif local == "rPh":
            self._in_phonetic = False
        elif local == "t":
            self._in_text = False

    def text(self, text: str) -> None:
        if self._in_text and self._size < LONGEST_CELL:
            self._parts.append(text)
            self._size += len(text)


class _As(Enum):
    """What a style of cells shows a number as."""

    NUMBER = 0
    DATE = 1
    DURATION = 2
    PERCENT = 3


_Format = tuple[_As, int]
"""With the number of decimals, of a percentage only."""

_PLAIN: _Format = (_As.NUMBER, 0)


class _Styles(Handler):
    """Which styles of cells show a number as something else."""

    def __init__(self) -> None:
        self._formats: list[_Format] = []
        self._custom: dict[str, _Format] = {}
        self._in_cells = False

    def of(self, style: str) -> _Format:
        """What the style of this number, in digits, makes of a number."""
        at = int(style) if style.isdecimal() and len(style) < 10 else _MOST_STYLES
        return self._formats[at] if at < len(self._formats) else _PLAIN

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "numFmt" and len(self._custom) < _MOST_STYLES:
            self._custom[attributes.get("numFmtId", "")[:20]] = _format(attributes.get("formatCode", ""))
        elif local == "cellXfs":
            self._in_cells = True
        elif local == "xf" and self._in_cells and len(self._formats) < _MOST_STYLES:
            id_ = attributes.get("numFmtId", "0")[:20]
            built_in = (_As.DATE, 0) if id_ in _DATES else _format(_BUILT_IN.get(id_, ""))
            self._formats.append(self._custom.get(id_, built_in))

    def end(self, name: str) -> None:
        if name.endswith(" cellXfs"):
            self._in_cells = False


def _format(code: str) -> _Format:
    """What a format code makes of a positive number."""
    if _ELAPSED.search(code):
        return _As.DURATION, 0
    code = _LITERAL.sub("", code[:1000]).lower().partition(";")[0]
    if any(letter in code for letter in "ymdhs"):
        return _As.DATE, 0
    if "%" in code:
        decimals = _DECIMALS.search(code)
        return _As.PERCENT, len(decimals[1]) if decimals else 0
    return _PLAIN


class _Sheet(Handler):
    """Turns the events of a sheet into cells, which lie in ``found`` until they are taken.

    Of a text that is shared its number is there.
    """

    def __init__(self, shared: int, styles: _Styles, since: datetime, tally: Tally) -> None:
        self.found: list[tuple[int, str | int]] = []
        self._shared = shared
        self._styles = styles
        self._since = since
        self._tally = tally
        self._row = 0
        self._column = -1
        self._type = self._style = ""
        self._value: list[str] = []
        self._size = 0
        self._in_value = self._in_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "c":
            reference = _REFERENCE.match(attributes.get("r", ""))
            self._column = min(_column(reference[1]) if reference else self._column + 1, _MOST_COLUMNS)
            self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._value, self._size = [], 0
        elif local in ("v", "t"):
            self._in_value = not self._in_phonetic
        elif local == "row":
            self._begin_row(attributes.get("r", ""))
        elif local == "rPh":
            self._in_phonetic = True

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "c":
            value = self._shown("".join(self._value)[:LONGEST_CELL])
            if value != "":
                self._tally.add()
                self.found.append((self._column, value))
        elif local in ("v", "t"):
            self._in_value = False
        elif local == "row":
            self.found.append((END_OF_ROW, ""))
        elif local == "rPh":
            self._in_phonetic = False

    def text(self, text: str) -> None:
        if self._in_value and self._size < LONGEST_CELL:
            self._value.append(text)
            self._size += len(text)

    def _begin_row(self, reference: str) -> None:
        """Rows that have nothing may be left out of the file."""
        self._column = -1
        self._row += 1
        number = int(reference) if reference.isdecimal() and len(reference) < 10 else 0
        if self._row < number <= _MOST_ROWS:
            self.found.append((self._row - number, ""))
            self._row = number

    def _shown(self, value: str) -> str | int:
        """What a cell shows, about as a person sees it."""
        if self._type == "s":
            return int(value) if value.strip().isdecimal() and int(value) < self._shared else ""
        if self._type == "b":
            return ("TRUE" if value.strip() == "1" else "FALSE") if value else ""
        if self._type == "e":
            return ""
        if self._type != "n":
            return value
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        shown_as, decimals = self._styles.of(self._style) if self._style else _PLAIN
        if shown_as is _As.NUMBER:
            shown = f"{number:.15g}"
            return value if "e" in shown else shown
        if shown_as is _As.DATE:
            return self._date(number)
        if shown_as is _As.DURATION:
            seconds = round(abs(number) * 86_400)
            return f"{'-' * (number < 0)}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{100 * number:.{decimals}f}%"

    def _date(self, days: float) -> str:
        try:
            moment = self._since + timedelta(seconds=round(days * 86_400))
        except OverflowError:
            return f"{days:.15g}"
        if 0 <= days < 1:
            return f"{moment:%H:%M:%S}"
        return f"{moment:%Y-%m-%d}" if days == int(days) else f"{moment:%Y-%m-%d %H:%M:%S}"


@lru_cache(_MOST_COLUMNS)
def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1

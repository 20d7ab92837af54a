"""XLSX: the sheets of an Excel workbook, row by row.

The texts of a workbook lie apart from its sheets, each once, and may be as large as all else together: they are
put into a temporary file and looked up there. Formulas are not computed; what the program that wrote the file
last saw is what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import BinaryIO

from bouquetd.extract.package import Handler, Package, opened
from bouquetd.extract.reading import Reading
from bouquetd.extract.scratch import Texts
from bouquetd.extract.sheet import BUILT_IN_DATES, END_OF_ROW, is_date, sheet, shown_date
from bouquetd.model import Piece

MAIN = "xl/workbook.xml"
_REPAIR = "Open it in a spreadsheet program, save it anew as .xlsx, and drop it again."
_MOST_COLUMNS = 16_384  # of Excel
_LONGEST_CELL = 65_536  # characters; Excel allows half of it
_MOST_STYLES = 100_000
_REFERENCE = re.compile(r"([A-Z]{1,3})\d+")


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Sheet by sheet, a row as ``name: value`` lines where the first row has names.

    ``Piece.page`` is the number of the sheet, ``Piece.row`` that of the row, from 1.
    """
    with opened(file, "XLSX", _REPAIR, reading) as package, closing(Texts()) as texts:
        book = _Book()
        for _ in package.parse(MAIN, book):
            pass
        parts = package.relations(MAIN)
        for part in parts.values():
            if part.endswith("sharedStrings.xml") and part in package.names:
                for _ in package.parse(part, _Shared(texts)):
                    pass
        styles = _Styles()
        for part in parts.values():
            if part.endswith("styles.xml") and part in package.names:
                for _ in package.parse(part, styles):
                    pass
        for number, (name, id_) in enumerate(book.sheets, start=1):
            if (part := parts.get(id_, "")) in package.names:
                yield Piece(f"{name}\n\n", page=number)
                yield from sheet(_cells(package, part, _Sheet(texts, styles, book.since)), number)


def _cells(package: Package, part: str, reader: _Sheet) -> Iterator[tuple[int, str]]:
    for _ in package.parse(part, reader):
        yield from reader.found
        reader.found.clear()


class _Book(Handler):
    """The names of the sheets, their ids, and from when on the workbook counts days."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.since = datetime(1899, 12, 30)  # noqa: DTZ001

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "sheet":
            id_ = next((value for key, value in attributes.items() if key.endswith("relationships id")), "")
            self.sheets.append((attributes.get("name", ""), id_))
        elif local == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.since = datetime(1904, 1, 1)  # noqa: DTZ001


class _Shared(Handler):
    """Puts the shared texts away. How a text is pronounced (``rPh``) is no part of it."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._parts: list[str] = []
        self._in_text = self._in_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        local = name.rpartition(" ")[2]
        if local == "si":
            self._parts = []
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
        if self._in_text:
            self._parts.append(text)


class _Styles(Handler):
    """Which styles of cells show a number as a date."""

    def __init__(self) -> None:
        self.dates: list[bool] = []
        self._custom: dict[str, bool] = {}
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "numFmt" and len(self._custom) < _MOST_STYLES:
            self._custom[attributes.get("numFmtId", "")] = is_date(attributes.get("formatCode", ""))
        elif local == "cellXfs":
            self._in_cells = True
        elif local == "xf" and self._in_cells and len(self.dates) < _MOST_STYLES:
            id_ = attributes.get("numFmtId", "0")
            self.dates.append(self._custom.get(id_, id_.isdecimal() and int(id_) in BUILT_IN_DATES))

    def end(self, name: str) -> None:
        if name.endswith(" cellXfs"):
            self._in_cells = False


class _Sheet(Handler):
    """Turns the events of a sheet into cells, which lie in ``found`` until they are taken."""

    def __init__(self, texts: Texts, styles: _Styles, since: datetime) -> None:
        self.found: list[tuple[int, str]] = []
        self._texts = texts
        self._styles = styles
        self._since = since
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
        elif local == "row":
            self._column = -1
        elif local == "rPh":
            self._in_phonetic = True
        elif local in ("v", "t"):
            self._in_value = not self._in_phonetic

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "c":
            if value := self._shown("".join(self._value)[:_LONGEST_CELL]):
                self.found.append((self._column, value))
        elif local == "row":
            self.found.append((END_OF_ROW, ""))
        elif local == "rPh":
            self._in_phonetic = False
        elif local in ("v", "t"):
            self._in_value = False

    def text(self, text: str) -> None:
        if self._in_value and self._size < _LONGEST_CELL:
            self._value.append(text)
            self._size += len(text)

    def _shown(self, value: str) -> str:
        """What a cell shows, about as a person sees it."""
        if self._type == "s":
            return self._texts.get(int(value)) if value.strip().isdecimal() else ""
        if self._type == "b":
            return "TRUE" if value.strip() == "1" else "FALSE"
        if self._type == "e":
            return ""
        if self._type != "n":
            return value
        try:
            number = float(value)
        except ValueError:
            return value
        dates = self._styles.dates
        if self._style.isdecimal() and int(self._style) < len(dates) and dates[int(self._style)]:
            return shown_date(number, self._since)
        return f"{number:.15g}" if "e" not in f"{number:.15g}" else value


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1

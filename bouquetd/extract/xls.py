"""XLS: the sheets of an Excel workbook from before 2007, row by row.

A reader of our own over ``ole``, record by record: xlrd, the one library for it, takes the file and a sheet
into memory whole. As in an XLSX the texts lie apart from the sheets, and formulas are not computed: what the
program that wrote the file last saw is what they say. Charts, macros, comments and drawings are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import BinaryIO, NamedTuple

from bouquetd.errors import Rejected
from bouquetd.extract import ole
from bouquetd.extract.encoding import read
from bouquetd.extract.reading import Reading, beyond
from bouquetd.extract.scratch import Texts
from bouquetd.extract.sheet import BUILT_IN_DATES, END_OF_ROW, is_date, sheet, shown_date
from bouquetd.model import Piece

_REPAIR = "Open it in a spreadsheet program, save it as .xlsx, and drop that."
_EXCEL_97, _EXCEL_5 = 0x600, 0x500
_MOST_STYLES = 100_000
_MOST_SHEETS = 10_000

# The kinds of records that matter.
_BOF, _EOF, _CONTINUE, _PASSWORD, _CODE_PAGE, _SINCE_1904 = 0x809, 0x0A, 0x3C, 0x2F, 0x42, 0x22
_SHEET, _TEXTS, _FORMAT, _STYLE = 0x85, 0xFC, 0x41E, 0xE0
_NUMBER, _SMALL, _SMALLS, _SHARED, _LABEL, _RICH_LABEL = 0x203, 0x27E, 0xBD, 0xFD, 0x204, 0xD6
_RESULT, _BOOLEAN = 0x207, 0x205
_FORMULAS = (0x06, 0x206, 0x406)  # some programs write those of older versions
_WANTED = frozenset((
    _BOF, _CODE_PAGE, _SINCE_1904, _SHEET, _FORMAT, _STYLE, _NUMBER, _SMALL, _SMALLS, _SHARED, _LABEL,
    _RICH_LABEL, _RESULT, _BOOLEAN, *_FORMULAS,
))  # fmt: skip


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Sheet by sheet, a row as ``name: value`` lines where the first row has names.

    ``Piece.page`` is the number of the sheet, ``Piece.row`` that of the row, from 1.
    """
    with ole.opened(file, "Excel workbook", _REPAIR) as compound, closing(Texts()) as texts:
        facts = ole.facts(compound)
        streams = compound.children(compound.root)
        book = _Book(compound.stream(streams.get("workbook") or streams["book"]), texts, reading.bounds.cells)
        for number, (name, offset) in enumerate(book.sheets, start=1):
            yield Piece(f"{name}\n\n", page=number, facts=facts)
            for piece in sheet(book.cells(offset), number):
                yield Piece(piece.text, number, piece.row, facts=facts)


class _Record(NamedTuple):
    """One record; ``data`` is empty where nobody wants it."""

    kind: int
    data: bytes
    size: int


class _Book:
    """What a workbook says before its sheets, and the cells of these."""

    def __init__(self, stream: BinaryIO, texts: Texts, most_cells: int) -> None:
        self.sheets: list[tuple[str, int]] = []
        self._stream = stream
        self._texts = texts
        self._most_cells = most_cells
        self._cells = 0
        self._left = 2 * stream.seek(0, 2)  # bytes to read: sheets that overlap could be read for ever
        self._codec = "cp1252"
        self._since = datetime(1899, 12, 30)  # noqa: DTZ001
        self._custom: dict[int, bool] = {}
        self._dates: list[bool] = []
        self._wide = False
        stream.seek(0)
        self._begin()

    def _begin(self) -> None:
        first = self._record()
        version = int.from_bytes(first.data[:2], "little") if first and first.kind == _BOF else 0
        if version not in (_EXCEL_97, _EXCEL_5):
            raise ole.Damaged("it does not begin as a workbook of Excel 5 or later does")
        self._wide = version == _EXCEL_97
        while (record := self._record()) and record.kind != _EOF:
            kind, data, _ = record
            if kind == _PASSWORD:
                raise Rejected(
                    "the Excel workbook is protected by a password",
                    "Open it in a spreadsheet program, save it without a password, and drop it again.",
                )
            if kind == _CODE_PAGE:
                self._codec = ole.text_codec(int.from_bytes(data[:2], "little"))
            elif kind == _SINCE_1904 and data[:1] == b"\1":
                self._since = datetime(1904, 1, 1)  # noqa: DTZ001
            elif kind == _FORMAT and len(self._custom) < _MOST_STYLES:
                code = self._text(data, 2, 2 if self._wide else 1)
                self._custom[int.from_bytes(data[:2], "little")] = is_date(code)
            elif kind == _STYLE and len(self._dates) < _MOST_STYLES:
                number = int.from_bytes(data[2:4], "little")
                self._dates.append(self._custom.get(number, number in BUILT_IN_DATES))
            elif kind == _SHEET and data[5:6] == b"\0":  # no chart, no macros
                if len(self.sheets) >= _MOST_SHEETS:
                    raise ole.Damaged(f"it has more than {_MOST_SHEETS} sheets")
                self.sheets.append((self._text(data, 6, 1), int.from_bytes(data[:4], "little")))
            elif kind == _TEXTS:
                self._share(record.size)

    def _record(self) -> _Record | None:
        head = read(self._stream, 4)
        if len(head) < 4:
            return None
        kind, size = struct.unpack("<HH", head)
        self._left -= 4 + size
        if self._left < 0:
            raise ole.Damaged("its sheets lie within one another")
        if kind == _TEXTS:
            return _Record(kind, b"", size)
        if kind not in _WANTED:
            self._stream.seek(size, 1)
            return _Record(kind, b"", size)
        data = read(self._stream, size)
        if len(data) < size:
            raise ole.Damaged("its last record is cut off")
        return _Record(kind, data, size)

    def _text(self, data: bytes, at: int, width: int) -> str:
        """A text in a record, behind its length."""
        length = int.from_bytes(data[at : at + width], "little")
        at += width
        if not self._wide:
            return data[at : at + length].decode(self._codec, "replace")
        if data[at : at + 1] and data[at] & 1:
            return data[at + 1 : at + 1 + 2 * length].decode("utf-16-le", "replace")
        return data[at + 1 : at + 1 + length].decode("latin-1")

    def _share(self, size: int) -> None:
        source = _Continued(self._stream, size)
        _, count = struct.unpack("<LL", source.take(8))
        for _ in range(count):
            if not source.more():
                break
            self._texts.add(source.text())
        self._stream.seek(source.left, 1)

    def cells(self, offset: int) -> Iterator[tuple[int, str]]:
        """The cells of the sheet that begins there, with the end of each row."""
        self._stream.seek(offset)
        depth = 0
        row, last, awaited = -1, -1, -1
        while record := self._record():
            kind, data, _ = record
            if kind == _BOF:
                depth += 1
            elif kind == _EOF:
                depth -= 1
                if depth <= 0:
                    break
            elif depth == 1 and kind == _RESULT and awaited >= 0:  # of the formula before
                yield awaited, self._text(data, 0, 2)
                awaited = -1
            elif depth == 1 and kind in _WANTED and len(data) >= 7:
                at = int.from_bytes(data[:2], "little")
                if at != row:
                    for _ in range(1 if at < last else at - max(last, 0)):
                        yield END_OF_ROW, ""
                    row, last = at, max(at, last)
                awaited = -1
                for column, value in self._values(kind, data):
                    self._cells += 1
                    if self._cells > self._most_cells:
                        raise beyond(
                            f"it has more than the {self._most_cells} cells that bounds.cells allows", "cells"
                        )
                    if value is None:
                        awaited = column
                    elif value:
                        yield column, value
        yield END_OF_ROW, ""

    def _values(self, kind: int, data: bytes) -> Iterator[tuple[int, str | None]]:
        """The cells of a record: column and what is shown, None if the next record has it."""
        column, style = struct.unpack_from("<HH", data, 2)
        if kind == _SHARED:
            yield column, self._texts.get(int.from_bytes(data[6:10], "little"))
        elif kind in (_LABEL, _RICH_LABEL):
            yield column, self._text(data, 6, 2)
        elif kind == _NUMBER:
            yield column, self._shown(struct.unpack_from("<d", data, 6)[0], style)
        elif kind == _SMALL:
            yield column, self._shown(_small(data, 6), style)
        elif kind == _SMALLS:
            for place in range(4, len(data) - 7, 6):
                (style,) = struct.unpack_from("<H", data, place)
                yield column, self._shown(_small(data, place + 2), style)
                column += 1
        elif kind == _BOOLEAN:
            yield column, ("FALSE", "TRUE")[data[6]] if data[7:8] == b"\0" and data[6] < 2 else ""
        elif kind in _FORMULAS:
            if data[12:14] != b"\xff\xff":
                yield column, self._shown(struct.unpack_from("<d", data, 6)[0], style)
            elif data[6] == 0:
                yield column, None
            elif data[6] == 1:
                yield column, "TRUE" if data[8] else "FALSE"

    def _shown(self, number: float, style: int) -> str:
        if style < len(self._dates) and self._dates[style]:
            return shown_date(number, self._since)
        return f"{number:.15g}"


def _small(data: bytes, at: int) -> float:
    """A number in four bytes: a whole one, or the upper half of any, perhaps a hundred times too large."""
    (bits,) = struct.unpack_from("<l", data, at)
    number: float = (
        bits >> 2 if bits & 2 else struct.unpack("<d", b"\0\0\0\0" + struct.pack("<l", bits & ~3))[0]
    )
    return number / 100 if bits & 1 else number


class _Continued:
    """The shared texts, which go over the ends of records; behind each a text says anew how wide it is."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.left = size  # bytes of the record

    def more(self) -> bool:
        """Whether anything is left, in this record or one that continues it."""
        while not self.left:
            head = read(self._stream, 4)
            if len(head) < 4:
                return False
            kind, size = struct.unpack("<HH", head)
            if kind != _CONTINUE:
                self._stream.seek(-4, 1)
                return False
            self.left = size
        return True

    def take(self, size: int) -> bytes:
        """So many bytes, over the ends of records."""
        found = b""
        while len(found) < size:
            if not self.more():
                raise ole.Damaged("the end of its texts is missing")
            part = read(self._stream, min(size - len(found), self.left))
            if not part:
                raise ole.Damaged("the end of its texts is missing")
            self.left -= len(part)
            found += part
        return found

    def _skip(self, size: int) -> None:
        while size:
            if not self.more():
                raise ole.Damaged("the end of its texts is missing")
            part = min(size, self.left)
            self._stream.seek(part, 1)
            self.left -= part
            size -= part

    def text(self) -> str:
        """The next text, without its fonts and how it is pronounced."""
        length, flags = struct.unpack("<HB", self.take(3))
        fonts = int.from_bytes(self.take(2), "little") if flags & 8 else 0
        more = int.from_bytes(self.take(4), "little") if flags & 4 else 0
        width = 1 + (flags & 1)
        parts: list[str] = []
        while length:
            if not self.left:
                width = 1 + (self.take(1)[0] & 1)
            count = min(length, self.left // width)
            if not count:
                raise ole.Damaged("one of its texts is cut within a character")
            data = self.take(count * width)
            parts.append(data.decode("utf-16-le", "surrogatepass") if width == 2 else data.decode("latin-1"))
            length -= count
        self._skip(4 * fonts + more)
        return "".join(parts)

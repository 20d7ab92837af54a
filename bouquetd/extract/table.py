"""CSV and TSV, each row rendered as ``header: value`` lines.

A lexer of our own, since the standard one holds a row whole, at four bytes a character and a list entry a cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from bouquetd.extract import text
from bouquetd.extract.encoding import SAMPLE, decoded
from bouquetd.extract.reading import Reading
from bouquetd.extract.scanner import Scanner
from bouquetd.extract.sheet import END_OF_ROW, Cells, names, render
from bouquetd.model import Piece

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_LONGEST_SAMPLE = 4 * SAMPLE  # characters: two rows of the 16,384 columns that Excel knows
_REGULAR = 0.8  # share of the sample's rows that are equally wide, for a delimiter to be believed

_QUOTED = re.compile(r'[^"]*+(?:""[^"]*+)*+')


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Each data row, with ``Piece.row`` counting from 1, its cells behind the names of their columns.

    Empty cells are left out. Without a header, the cells of a row stand in one line. What has no columns at all
    is read as text.
    """
    sample = _sample(file)
    marker = re.match("sep=(.)\n", sample)  # what Excel writes to tell itself the delimiter
    delimiter = marker[1] if marker else _delimiter(sample)
    if delimiter is None:
        yield from text.extract(file, reading)
        return
    source = Scanner(decoded(file, reading.read_size))
    if marker:
        source.skip_past("\n")
        sample = sample[marker.end() :]
    columns = names(list(islice(_rows(sample, delimiter), 2)))
    cells = _cells(source, delimiter)
    rows = 0
    if columns:
        for column, _ in cells:
            if column == END_OF_ROW:
                break
    for piece in render(cells, columns):
        rows += 1
        yield piece
    if not rows:
        yield Piece("\n".join(filter(None, columns)))


def _sample(file: BinaryIO) -> str:
    """Whole lines from the start of the file, two or more unless they are endless; nothing if there is none."""
    blocks = decoded(file, SAMPLE)
    sample = ""
    for block in blocks:
        sample += block
        if sample.count("\n") > 1 or len(sample) >= _LONGEST_SAMPLE:
            break
    return sample[: sample.rfind("\n") + 1] if next(blocks, None) else sample


def _delimiter(sample: str) -> str | None:
    """The delimiter that gives the most regular rows, of equals the one with the most columns."""
    best: tuple[float, int, str] | None = None
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in islice(_rows(sample, delimiter), _SAMPLE_ROWS)]
        width = max(widths, key=widths.count, default=0)
        if width < 2 or widths[0] not in (width, width - 1):
            continue
        regular = widths.count(width) / len(widths)
        if regular >= _REGULAR and (best is None or (regular, width) > best[:2]):
            best = (regular, width, delimiter)
    return best[2] if best else None


def _rows(sample: str, delimiter: str) -> Iterator[list[str]]:
    """The rows of a text that fits into memory."""
    row: list[str] = []
    for column, part in _cells(Scanner([sample]), delimiter):
        if column == END_OF_ROW:
            yield row
            row = []
        elif column == len(row):
            row.append(part)
        else:
            row[column] += part


def _cells(source: Scanner, delimiter: str) -> Cells:
    """The cells, as ``sheet`` wants them."""
    lexer = _Cells(delimiter)
    while source.rest():
        start = source.pos
        end = source.text.find("\n", start)
        if end < 0 or source.text.find('"', start, end) >= 0:
            yield from lexer.row(source)
        elif end == start:
            source.pos += 1  # a blank line is no row
            continue
        else:
            source.pos = end + 1
            yield from enumerate(source.text[start:end].split(delimiter))
        yield END_OF_ROW, ""


class _Cells:
    """Reads rows that have quotes, or no end within the window."""

    def __init__(self, delimiter: str) -> None:
        escaped = re.escape(delimiter)
        self._whole = re.compile(f'(?:"([^"]*+)"|([^"{escaped}\n]*+))([{escaped}\n])')
        self._plain = re.compile(f"[^{escaped}\n]*+")

    def row(self, source: Scanner) -> Iterator[tuple[int, str]]:
        """Column and text of each cell, up to the end of the row."""
        column = 0
        while True:
            if whole := self._whole.match(source.text, source.pos):
                source.pos = whole.end()
                yield column, whole[1] or whole[2] or ""
            else:
                for part in self._parts(source):
                    yield column, part
                if not source.rest():
                    return
                source.pos += 1
            if source.text[source.pos - 1] == "\n":
                return
            column += 1

    def _parts(self, source: Scanner) -> Iterator[str]:
        """The parts of a cell, up to the delimiter or the end of the row."""
        if source.rest() and source.text[source.pos] == '"':
            source.pos += 1
            yield from _quoted(source)
        while source.rest():
            match = self._plain.match(source.text, source.pos)
            if match is None or match.end() == source.pos:
                return
            source.pos = match.end()
            yield match[0]


def _quoted(source: Scanner) -> Iterator[str]:
    """The parts of a cell up to its closing quote; a quote that is never closed reaches to the end."""
    while match := _QUOTED.match(source.text, source.pos):
        end = match.end()
        yield match[0].replace('""', '"')
        source.pos = end
        if len(source.text) - end > 1:
            source.pos += 1
            return
        # At the edge a quote may be the first half of an escaped one.
        if not source.more():
            source.pos = len(source.text)
            return

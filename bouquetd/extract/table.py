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
from bouquetd.extract.flow import FULL
from bouquetd.extract.scanner import Scanner
from bouquetd.model import Piece

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_REGULAR = 0.8  # share of the sample's rows as wide as its first, for a delimiter to be believed
_LONGEST_NAME = 200  # characters of a column's name
_END_OF_ROW = -1

_QUOTED = re.compile(r'[^"]*+(?:""[^"]*+)*+')
_NUMBER = re.compile(r"\s*[-+]?[\d.,:/ -]*\d[\d.,:/ -]*%?\s*")  # numbers, dates, times


def extract(file: BinaryIO, *, read_size: int) -> Iterator[Piece]:
    """Each data row, with ``Piece.row`` counting from 1, its cells behind the names of their columns.

    Empty cells are left out. Without a header, the cells of a row stand in one line. What has no columns at all
    is read as text.
    """
    sample = _sample(file)
    marker = re.match("sep=(.)\n", sample)  # what Excel writes to tell itself the delimiter
    delimiter = marker[1] if marker else _delimiter(sample)
    if delimiter is None:
        yield from text.extract(file, read_size=read_size)
        return
    source = Scanner(decoded(file, read_size))
    if marker:
        source.skip_past("\n")
        sample = sample[marker.end() :]
    names = _names(next(_rows(sample, delimiter), []))
    cells = _cells(source, delimiter)
    rows = 0
    if names:
        for column, _ in cells:
            if column == _END_OF_ROW:
                break
    for piece in _render(cells, names):
        rows += 1
        yield piece
    if not rows:
        yield Piece("\n".join(filter(None, names)))


def _sample(file: BinaryIO) -> str:
    """Whole lines from the start of the file; nothing if there is no whole one."""
    blocks = decoded(file, SAMPLE)
    sample = next(blocks, "")
    return sample[: sample.rfind("\n") + 1] if next(blocks, None) else sample


def _delimiter(sample: str) -> str | None:
    """The delimiter that gives the most regular rows, of equals the one with the most columns."""
    best: tuple[float, int, str] | None = None
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in islice(_rows(sample, delimiter), _SAMPLE_ROWS)]
        if not widths or widths[0] < 2:
            continue
        regular = widths.count(widths[0]) / len(widths)
        if regular >= _REGULAR and (best is None or (regular, widths[0]) > best[:2]):
            best = (regular, widths[0], delimiter)
    return best[2] if best else None


def _names(row: list[str]) -> list[str]:
    """The row as names of columns; none if it looks like data."""
    names = [" ".join(cell.split()) for cell in row]
    if not any(names) or any(_NUMBER.fullmatch(name) or len(name) > _LONGEST_NAME for name in names):
        return []
    return names


def _rows(sample: str, delimiter: str) -> Iterator[list[str]]:
    """The rows of a text that fits into memory."""
    row: list[str] = []
    for column, part in _cells(Scanner([sample]), delimiter):
        if column == _END_OF_ROW:
            yield row
            row = []
        elif column == len(row):
            row.append(part)
        else:
            row[column] += part


def _cells(source: Scanner, delimiter: str) -> Iterator[tuple[int, str]]:
    """Column and text of each cell, a long one in several parts; ``_END_OF_ROW`` behind each row."""
    while source.rest():
        start = source.pos
        end = source.text.find("\n", start)
        if end < 0 or source.text.find('"', start, end) >= 0:
            yield from _hard_row(source, delimiter)
        elif end == start:
            source.pos += 1  # a blank line is no row
            continue
        else:
            source.pos = end + 1
            yield from enumerate(source.text[start:end].split(delimiter))
        yield _END_OF_ROW, ""


def _hard_row(source: Scanner, delimiter: str) -> Iterator[tuple[int, str]]:
    """A row that has quotes, or no end within the window."""
    plain = re.compile(f"[^{re.escape(delimiter)}\n]*+")
    column = 0
    while True:
        if source.rest() and source.text[source.pos] == '"':
            source.pos += 1
            for part in _quoted(source):
                yield column, part
        while True:
            match = plain.match(source.text, source.pos)
            source.pos = match.end() if match else source.pos
            yield column, match[0] if match else ""
            if source.pos < len(source.text):
                break
            if not source.more():
                return
        source.pos += 1
        if source.text[source.pos - 1] == "\n":
            return
        column += 1


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


def _render(cells: Iterator[tuple[int, str]], names: list[str]) -> Iterator[Piece]:
    row = 1
    current = _END_OF_ROW
    parts: list[str] = []
    size = 0
    for column, part in cells:
        if column == _END_OF_ROW:
            if current != _END_OF_ROW:
                parts.append("\n\n")
                yield Piece("".join(parts), row=row)
            row += 1
            current = _END_OF_ROW
            parts, size = [], 0
            continue
        if column != current:
            part = part.lstrip()
            if not part:
                continue
            if current != _END_OF_ROW:
                parts.append("\n" if names else ", ")
            if column < len(names) and names[column]:
                parts += (names[column], ": ")
            current = column
        parts.append(part)
        size += len(part)
        if size >= FULL:
            yield Piece("".join(parts), row=row)
            parts, size = [], 0

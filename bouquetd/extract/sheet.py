"""What every table shares: rows that arrive cell by cell, rendered under the names of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

from bouquetd.config import Bounds
from bouquetd.extract.flow import FULL
from bouquetd.extract.outline import LONGEST_TITLE
from bouquetd.extract.reading import beyond
from bouquetd.model import HEARTBEAT, NOTHING, Facts, Piece

Cells = Iterator[tuple[int, str]]
"""Column, from 0, and text of each cell, a long one in several parts; ``END_OF_ROW`` behind each row.

A lower number than that stands for several rows: the first of them ends, the others are empty.
"""

END_OF_ROW = -1

BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""The numbers that formats of dates and times have in every workbook."""

_LONGEST_NAME = 200  # characters of a column's name
_NUMBER = re.compile(r"\s*[-+]?[\d.,:/ -]*\d[\d.,:/ -]*%?\s*")  # numbers, dates, times
# A format code without what is quoted, escaped or in brackets; then a letter of a date or time is one.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\[[^\]]*\]')


def is_date(code: str) -> bool:
    """Whether a format of numbers shows them as dates or times."""
    code = _LITERAL.sub("", code).lower()
    return any(letter in code for letter in "ymdhs")


def shown_date(days: float, since: datetime) -> str:
    """A number as a date, a time or both."""
    try:
        moment = since + timedelta(seconds=round(days * 86_400))
    except (OverflowError, ValueError):
        return f"{days:.15g}"
    if 0 <= days < 1:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d}" if days == int(days) else f"{moment:%Y-%m-%d %H:%M:%S}"


def names(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first of these two rows as names of columns; none if it looks like data."""
    found = [" ".join(cell.split()) for row in rows[:1] for cell in row]
    if not any(found) or any(_NUMBER.fullmatch(name) or len(name) > _LONGEST_NAME for name in found):
        return []
    if len(rows) > 1 and len(rows[1]) == len(found) + 1:  # as R writes it: the column of row names has none
        found.insert(0, "")
    return found


class Tally:
    """Counts the cells of a workbook that have something in them."""

    def __init__(self, bounds: Bounds) -> None:
        self._most = bounds.cells
        self._count = 0

    def add(self, cells: int = 1) -> None:
        """Raises Rejected beyond ``bounds.cells``."""
        self._count += cells
        if self._count > self._most:
            raise beyond(f"it has more than the {self._most:,} cells that bounds.cells allows", "cells")


def sheet(
    cells: Iterable[tuple[int, str] | None], page: int | None = None, name: str = "", facts: Facts = NOTHING
) -> Iterator[Piece]:
    """A sheet of a workbook: its first row names the columns if it can, else it is a row like the others.

    Its name stands before it and is the heading above it. None among the cells becomes a heartbeat.
    """
    title = " ".join(name.split())[:LONGEST_TITLE]
    headings = (title,) if title else ()
    if title:
        yield Piece(f"{title}\n\n", page=page, headings=headings, facts=facts)
    source = iter(cells)
    first: list[tuple[int, str]] = []
    row: list[str] = []
    size = empty = 0
    for cell in source:
        if cell is None:
            yield HEARTBEAT
            continue
        column, part = cell
        if column <= END_OF_ROW and not any(row):
            empty -= column
            first, row = [], []
            continue
        first.append(cell)
        size += len(part) + 1
        if column <= END_OF_ROW or size > FULL or column > FULL:
            break
        row += [""] * (column + 1 - len(row))
        row[column] += part
    ends = first[-1][0] if first else 0
    columns = names([row]) if ends <= END_OF_ROW and sum(map(bool, row)) > 1 else []
    some = False
    rest = source if columns else chain(first, source)
    for piece in render(rest, columns, page, empty - ends if columns else empty, headings, facts):
        some = some or bool(piece.text)
        yield piece
    if columns and not some:
        yield Piece("\n".join(filter(None, columns)), page=page, headings=headings, facts=facts)


def render(
    cells: Iterable[tuple[int, str] | None],
    columns: Sequence[str],
    page: int | None = None,
    row: int = 0,
    headings: tuple[str, ...] = (),
    facts: Facts = NOTHING,
) -> Iterator[Piece]:
    """Each row as ``name: value`` lines, without names as one line; empty cells are left out.

    ``Piece.row`` counts from ``row`` + 1. None among the cells becomes a heartbeat.
    """
    row += 1
    current = END_OF_ROW
    parts: list[str] = []
    size = 0
    unused = dict.fromkeys(range(len(columns)))
    for cell in cells:
        if cell is None:
            yield HEARTBEAT
            continue
        column, part = cell
        if column <= END_OF_ROW:
            if current != END_OF_ROW:
                parts.append("\n\n")
                yield Piece("".join(parts), page, row, headings, None, facts)
            row -= column
            current = END_OF_ROW
            parts, size = [], 0
            continue
        if column != current:
            part = part.lstrip()
            if not part:
                continue
            if current != END_OF_ROW:
                parts.append("\n" if columns else ", ")
            if column < len(columns) and columns[column]:
                parts += (columns[column], ": ")
            unused.pop(column, None)
            current = column
        parts.append(part)
        size += len(part)
        if size >= FULL:
            yield Piece("".join(parts), page, row, headings, None, facts)
            parts, size = [], 0
    names_alone = [name for name in (columns[column] for column in unused) if name]
    if names_alone and len(unused) < len(columns):
        yield Piece(f"{', '.join(names_alone)}\n\n", page, None, headings, None, facts)

"""The rows of an OpenDocument sheet, in which a row and a cell each say once how often they are repeated."""

from __future__ import annotations

from collections.abc import Iterator

from bouquetd.extract.sheet import END_OF_ROW
from bouquetd.model import Piece

Repeated = tuple[int, str, int]
"""Column and text of a cell, and in how many columns it stands."""

Found = tuple[list[Repeated], int] | str
"""A row and how often it is said, 0 for a part of one that goes on; or a sheet's name, empty at its end."""


def taken(parse: Iterator[Piece], found: list[Found]) -> Iterator[tuple[int, str] | str | None]:
    """Cells and names of sheets, as they come to lie in ``found``, which is emptied; None after each step."""
    for _ in parse:
        for event in found:
            if isinstance(event, str):
                yield event
            else:
                yield from _said(*event)
        found.clear()
        yield None


def _said(row: list[Repeated], times: int) -> Iterator[tuple[int, str]]:
    """The cells of a row, as often as it is repeated."""
    if not row:
        yield END_OF_ROW * times, ""
        return
    for _ in range(max(times, 1)):
        for first, text, columns in row:
            for column in range(first, first + columns):
                yield column, text
        if times:
            yield END_OF_ROW, ""


def cells(events: Iterator[tuple[int, str] | str | None]) -> Iterator[tuple[int, str] | None]:
    """The cells up to the end of the sheet, which is marked by an empty name."""
    for event in events:
        if isinstance(event, str):
            return
        yield event


def times(value: str | None) -> int:
    """How often an attribute says that something is repeated; once where it says nothing of the kind."""
    return int(value) if value and value.isdecimal() and len(value) < 10 else 1

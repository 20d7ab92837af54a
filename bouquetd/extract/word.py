"""What a Word document from before 2007 says of its paragraphs and characters, by the place of the text."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, NamedTuple, TypeVar

from bouquetd.extract import ole
from bouquetd.extract.encoding import read

_NEVER = 1 << 62
_WIDTHS = (1, 1, 2, 4, 2, 2, 0, 3)  # of a property's value, by the top of its number; 0: its first byte says


class Paragraph(NamedTuple):
    """What matters of a paragraph."""

    style: int = 0
    level: int = 10  # in the outline, if the paragraph itself says so
    in_table: bool = False
    row_end: bool = False
    cell_end: bool = False  # of a table in a cell, whose marks are those of paragraphs


class Characters(NamedTuple):
    """What matters of characters next to each other."""

    hidden: bool = False
    special: bool = True  # whether marks of fields are some


_Kind = TypeVar("_Kind")


class Pages(Generic[_Kind]):
    """The properties of paragraphs, or of characters, by the place of the text in the stream.

    They lie in pages of 512 bytes, in which a table finds the one for a place. ``width`` is that of what a page
    has for each run, ``understood`` makes of it what it means, ``unsaid`` is what holds where nothing is said.
    """

    def __init__(
        self,
        text: BinaryIO,
        table: BinaryIO,
        where: tuple[int, int],
        width: int,
        understood: Callable[[bytes, int], _Kind],
        unsaid: _Kind,
    ) -> None:
        self._text, self._table = ole.again(text), ole.again(table)
        self._start = where[0]
        self._count = max(0, where[1] - 4) // 8
        self._width = width
        self._understood = understood
        self._unsaid = unsaid
        self._from = self._until = 0
        self._ends: list[int] = []
        self._found: list[_Kind] = []

    def at(self, place: int) -> tuple[_Kind, int]:
        """The properties of what stands there, and where that ends."""
        if not self._from <= place < self._until:
            self._turn_to(place)
        number = bisect_right(self._ends, place)
        if number < len(self._ends):
            return self._found[number], self._ends[number]
        return self._unsaid, self._until

    def _turn_to(self, place: int) -> None:
        low, high = 0, self._count
        while low < high:  # the first that ends behind it
            middle = (low + high) // 2
            if self._number(middle + 1) > place:
                high = middle
            else:
                low = middle + 1
        self._ends, self._found = [], []
        if low == self._count:
            self._from, self._until = place, _NEVER
            return
        start, end = self._number(low), self._number(low + 1)
        if place < start:
            self._from, self._until = place, start
            return
        self._from, self._until = start, end
        page = self._number(self._count + 1 + low) & 0x3F_FFFF
        self._text.seek(512 * page)
        data = self._text.read(512)
        if len(data) < 512:
            return
        count = data[511]
        rest = 4 * (count + 1)
        if rest + count * self._width > 511:
            return
        ends = struct.unpack_from(f"<{count}L", data, 4)
        for number, end in enumerate(ends):
            if end > (self._ends[-1] if self._ends else start):
                self._ends.append(min(end, self._until))
                at = 2 * data[rest + number * self._width]
                self._found.append(self._understood(data, at) if at else self._unsaid)

    def _number(self, index: int) -> int:
        self._table.seek(self._start + 4 * index)
        return number_at(self._table)


def number_at(stream: BinaryIO) -> int:
    """The number of four bytes that stands next; what is missing of it counts as zero."""
    return int.from_bytes(read(stream, 4).ljust(4, b"\0"), "little")


def paragraph_at(data: bytes, at: int) -> Paragraph:
    """What stands in a page there, of a paragraph."""
    size = 2 * data[at] - 1
    if not data[at]:
        at += 1
        size = 2 * data[at]
    said = data[at + 1 : at + 1 + size]
    style = int.from_bytes(said[:2], "little")
    changes = dict(_changes(said[2:]))
    return Paragraph(
        style,
        changes.get(0x2640, 9) + 1,
        bool(changes.get(0x2416)),
        bool(changes.get(0x2417) or changes.get(0x244C)),
        bool(changes.get(0x244B)),
    )


def characters_at(data: bytes, at: int) -> Characters:
    """What stands in a page there, of characters."""
    changes = dict(_changes(data[at + 1 : at + 1 + data[at]]))
    return Characters(bool(changes.get(0x083C, 0) & 1 or changes.get(0x0800)), bool(changes.get(0x0855)))


def _changes(said: bytes) -> Iterator[tuple[int, int]]:
    """The properties that are set, each with the first byte of its value."""
    at = 0
    while at + 3 <= len(said):
        (number,) = struct.unpack_from("<H", said, at)
        yield number, said[at + 2]
        size = _WIDTHS[number >> 13]
        if number == 0xD608:  # the one whose length has two bytes
            size = 1 + int.from_bytes(said[at + 2 : at + 4], "little")
        at += 2 + (size or 1 + said[at + 2])

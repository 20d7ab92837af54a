"""OLE compound files, in which the office formats before 2007 lie, and what those say of themselves.

A reader of our own: olefile, the one maintained library for it, takes each stream into memory whole, twice
while it puts it together. Here a stream is a file that is read where it lies; what is held are the numbers of
its sectors, a hundredth of it. Every number in such a file may be wrong: chains that loop, leave the file or
are shorter than they say end in Rejected.
"""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, NamedTuple, cast

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import codec, read
from bouquetd.model import Facts

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_NO_SECTOR = 0xFFFFFFFA  # numbers from here on mean something else
_NOBODY = 0xFFFFFFFF
_MOST_CHILDREN = 20_000
_MOST_LOOKS = 20  # at each entry, on average; more means that storages lie within one another
_BUFFER = 32 * 1024
_STORAGE, _STREAM = 1, 2
_ENTRY = struct.Struct("<64sHBxLLL16s20xLQ")

# Code pages whose numbers are in no codec's name.
_PAGES = {
    936: "gb18030", 950: "big5hkscs", 1361: "johab", 10000: "mac-roman", 10007: "mac-cyrillic", 20866: "koi8-r",
    20932: "euc_jp", 21866: "koi8-u", 32768: "mac-roman", 50220: "iso2022_jp", 50221: "iso2022_jp",
    50222: "iso2022_jp", 51932: "euc_jp", 51936: "gb18030", 51949: "cp949", 52936: "gb18030", 54936: "gb18030",
    65001: "utf-8",
}  # fmt: skip

_PROPERTIES = 256 * 1024  # bytes of them that are looked at
_LONGEST_FACT = 500
_SAID = {2: "title", 4: "author", 5: "keywords", 12: "created_at", 13: "modified_at"}
_SINCE = datetime(1601, 1, 1, tzinfo=UTC)


class Damaged(Exception):
    """The file is not what it has to be; ``opened`` makes a Rejected of it."""


class Entry(NamedTuple):
    """A stream, or a storage, which is a folder of them."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    class_id: bytes
    start: int
    size: int


class Compound:
    """An open compound file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = read(file, 512)
        if len(head) < 512 or not head.startswith(MAGIC):
            raise Damaged("its first 512 bytes are not there")
        version, shift, small_shift = struct.unpack_from("<H2xHH", head, 26)
        if shift not in (9, 12) or small_shift != 6:
            raise Damaged("its sectors have a size that does not exist")
        directory, self._cutoff, small, difat = struct.unpack_from("<L4xLL4xL", head, 48)
        self._long = version > 3  # whether the upper half of a size means anything
        self._sector = 1 << shift
        self._count = max(0, -(-length // self._sector) - 1)
        self._next = self._table(array("I", head[76:]), difat)
        self._entries = self._opened(directory)
        self._looks = 1_000 + _MOST_LOOKS * self._entries.seek(0, io.SEEK_END) // _ENTRY.size
        self._small = small
        self._small_next: array[int] | None = None
        self._small_sectors: BinaryIO | None = None
        self.root = self._entry(0)

    def children(self, of: Entry) -> dict[str, Entry]:
        """What is in a storage, by name in small letters."""
        found: dict[str, Entry] = {}
        waiting, seen = [of.child], set[int]()
        while waiting:
            number = waiting.pop()
            if number == _NOBODY or number in seen:
                continue
            if len(seen) >= _MOST_CHILDREN:
                raise Damaged(f"it has more than {_MOST_CHILDREN} streams side by side")
            seen.add(number)
            entry = self._entry(number)
            if entry.kind in (_STORAGE, _STREAM):
                found[entry.name.lower()] = entry
            waiting += (entry.left, entry.right)
        return found

    def stream(self, entry: Entry) -> BinaryIO:
        """A stream as a file of its own, which lives as long as the compound file."""
        if entry.kind != _STREAM:
            raise Damaged(f"{entry.name!r} is no stream")
        if entry.size >= self._cutoff:
            return self._opened(entry.start, entry.size)
        if self._small_next is None or self._small_sectors is None:
            table = read(self._opened(self._small), self._count * self._sector)
            self._small_next = array("I", table[: len(table) // 4 * 4])
            self._small_sectors = self._opened(self.root.start, self.root.size)
        chain = _chain(self._small_next, entry.start, -(-entry.size // 64), len(self._small_next))
        return _buffered(_Stream(self._small_sectors, chain, 64, 0, entry.size))

    def _entry(self, number: int) -> Entry:
        self._looks -= 1
        if self._looks < 0:
            raise Damaged("its storages lie within one another")
        self._entries.seek(number * _ENTRY.size)
        data = self._entries.read(_ENTRY.size)
        if len(data) < _ENTRY.size:
            raise Damaged("its directory names streams that it does not have")
        name, length, kind, left, right, child, class_id, start, size = _ENTRY.unpack(data)
        name = name[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        return Entry(name, kind, left, right, child, class_id, start, size if self._long else size & 0xFFFFFFFF)

    def _table(self, places: array[int], more: int) -> array[int]:
        """Which sector follows on each; ``places`` are those sectors that say so, ``more`` lists others."""
        found = array("I")
        turns = 0
        while True:
            for place in places:
                if len(found) >= self._count:
                    return found
                if place < _NO_SECTOR:
                    found.frombytes(self._read(place))
            if more >= _NO_SECTOR or len(found) >= self._count:
                return found
            turns += 1
            if turns > self._count:
                raise Damaged("the chain of its sectors has no end")
            places = array("I", self._read(more))
            more = places.pop()

    def _read(self, sector: int) -> bytes:
        if sector >= self._count:
            raise Damaged("it refers to sectors behind its end")
        self._file.seek((sector + 1) * self._sector)
        return read(self._file, self._sector).ljust(self._sector, b"\0")

    def _opened(self, start: int, size: int | None = None) -> BinaryIO:
        if size is not None and size > self._count * self._sector:
            raise Damaged("a stream in it is larger than the file")
        most = self._count if size is None else -(-size // self._sector)
        chain = _chain(self._next, start, most, self._count)
        if size is None:
            size = len(chain) * self._sector
        return _buffered(_Stream(self._file, chain, self._sector, self._sector, size))


def _chain(following: array[int], sector: int, most: int, count: int) -> array[int]:
    """The sectors of a stream in order."""
    found = array("I")
    seen = bytearray(min(count, len(following)))
    while sector < _NO_SECTOR and len(found) < most:
        if sector >= len(seen) or seen[sector]:
            raise Damaged("the chain of a stream's sectors loops or leaves the file")
        seen[sector] = 1
        found.append(sector)
        sector = following[sector]
    return found


def again(stream: BinaryIO) -> BinaryIO:
    """The same stream with a place of its own, for who reads it at several places by turns."""
    return _buffered(cast("_Stream", cast("io.BufferedReader", stream).raw).again())


def _buffered(stream: _Stream) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(stream, _BUFFER))


class _Stream(io.RawIOBase):
    """A stream as a file; ``first`` is where sector 0 lies in the file that has its sectors."""

    def __init__(self, file: BinaryIO, chain: array[int], sector: int, first: int, size: int) -> None:
        if size > len(chain) * sector:
            raise Damaged("the end of a stream in it is missing")
        self._file = file
        self._chain = chain
        self._sector = sector
        self._first = first
        self._size = size
        self._at = 0

    def again(self) -> _Stream:
        return _Stream(self._file, self._chain, self._sector, self._first, self._size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            raise Damaged("it refers to what lies before its beginning")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        want = min(len(buffer), self._size - self._at)
        if want <= 0:
            return 0
        index, within = divmod(self._at, self._sector)
        chain, sectors = self._chain, 1
        start = chain[index]
        have = self._sector - within
        while have < want and chain[index + sectors] == start + sectors:  # those side by side at once
            sectors += 1
            have += self._sector
        want = min(want, have)
        self._file.seek(self._first + start * self._sector + within)
        buffer[:want] = read(self._file, want).ljust(want, b"\0")
        self._at += want
        return want


@contextmanager
def opened(file: BinaryIO, kind: str, repair: str) -> Iterator[Compound]:
    """A file as a compound file. Whatever is wrong with it, within too, becomes Rejected; OSError passes."""
    try:
        yield Compound(file)
    except (Damaged, struct.error, ValueError, LookupError, OverflowError) as error:
        raise Rejected(f"the {kind} is damaged or incomplete ({error})", repair) from None


def moment(filetime: int) -> float | None:
    """A time of Windows in seconds since the epoch; None for what is no date of a document."""
    try:
        at = _SINCE + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return None
    return at.timestamp() if 1970 < at.year < 2200 else None


def one_line(text: str) -> str | None:
    """A text that is a fact: its words, not too many; None if there are none."""
    return " ".join(text.replace("\0", " ").split())[:_LONGEST_FACT] or None


def text_codec(page: int) -> str:
    """The codec of a code page's number, as Windows numbers them."""
    return _PAGES.get(page) or codec(f"cp{page}") or codec(f"iso8859-{page - 28590}") or "cp1252"


def facts(compound: Compound) -> Facts:
    """What the document says of itself; what cannot be read of it is left out."""
    entry = compound.children(compound.root).get("\5summaryinformation")
    if entry is None:
        return Facts()
    try:
        data = compound.stream(entry).read(_PROPERTIES)
        (start,) = struct.unpack_from("<L", data, 44)
        said = dict(_properties(data[start:]))
    except (Damaged, struct.error):
        return Facts()
    keywords = said.pop("keywords", "")
    words = (word.strip() for word in keywords.replace(";", ",").split(","))
    return Facts(**said, keywords=tuple(dict.fromkeys(filter(None, words))))


def _properties(data: bytes) -> Iterator[tuple[str, Any]]:
    (count,) = struct.unpack_from("<L", data, 4)
    places = dict(struct.iter_unpack("<LL", data[8 : 8 + 8 * min(count, 1000, (len(data) - 8) // 8)]))
    page = 1252
    if 1 in places and data[places[1] : places[1] + 2] == b"\2\0":
        page = int.from_bytes(data[places[1] + 4 : places[1] + 6], "little")
    for number, name in _SAID.items():
        at = places.get(number)
        if at is None or at + 8 > len(data):
            continue
        kind, size = struct.unpack_from("<LL", data, at)
        value: str | float | None = None
        if kind == 64 and name.endswith("_at"):
            value = moment(int.from_bytes(data[at + 4 : at + 12], "little"))
        elif kind == 30 and not name.endswith("_at"):
            text = data[at + 8 : at + 8 + size]
            value = one_line(text.decode("utf-16-le" if page == 1200 else text_codec(page), "replace"))
        elif kind == 31 and not name.endswith("_at"):
            value = one_line(data[at + 8 : at + 8 + 2 * size].decode("utf-16-le", "replace"))
        if value is not None:
            yield name, value

"""ZIP, TAR and what is packed by gzip, bzip2 or xz: one member after the other, as streams.

The standard library reads them all. Around it stand the bounds it lacks: the list of files in a ZIP and the
headers of a TAR have a size that can be held in memory, and xz may not take a dictionary of gigabytes.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, Protocol, cast

from bouquetd.errors import Rejected
from bouquetd.extract.package import directory
from bouquetd.extract.packed import Member, check_count, damage
from bouquetd.extract.reading import Reading
from bouquetd.model import MB

_HEADERS = 4 * MB  # bytes of a TAR between two files; the longest names take some KB
_DICTIONARY = 100 * MB  # bytes of memory that xz may take; `xz -9` takes 65
_BLOCK = 512  # bytes of a header of a TAR
_ZIP_ENCRYPTED = 1
_LOCKED = "Remove the password, or unpack it and drop what is in it."


def zipped(file: BinaryIO, reading: Reading) -> Iterator[Member]:
    """The files in a ZIP, in the order of its list."""
    with damage("the ZIP is damaged or incomplete"), directory(file) as archive:
        files = [info for info in archive.infolist() if not info.filename.endswith("/")]  # some have no name
        check_count(len(files), reading.bounds)
        for info in files:
            if info.flag_bits & _ZIP_ENCRYPTED:
                yield Member(info.filename, _locked)
            else:
                yield Member(info.filename, cast("Callable[[], BinaryIO]", partial(archive.open, info)))


def taped(file: BinaryIO, reading: Reading) -> Iterator[Member]:
    """The regular files in a TAR, packed or not; links, devices and the like are passed over."""
    source = _Watched(unpacked(file, reading.read_size))
    with damage("the TAR is damaged or incomplete"):
        with tarfile.open(fileobj=source, mode="r|", errors="surrogateescape") as tape:
            while (info := tape.next()) is not None:
                source.allow(info.size + _HEADERS)
                tape.members = []  # type: ignore[attr-defined]  # it keeps all there ever were
                if info.isreg():
                    yield Member(info.name, cast("Callable[[], BinaryIO]", partial(tape.extractfile, info)))


def single(file: BinaryIO, reading: Reading) -> Iterator[Member]:
    """The one file that is packed by gzip, bzip2 or xz."""
    yield Member("", lambda: unpacked(file, reading.read_size))


def is_tape(head: bytes) -> bool:
    """Whether a file that begins so is a TAR."""
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def begins(file: BinaryIO) -> bytes:
    """The first bytes of what is packed by gzip, bzip2 or xz, as many as a TAR needs to be recognised."""
    with damage("the file is damaged: it cannot be unpacked"):
        return unpacked(file, 16 * 1024).read(_BLOCK)


def unpacked(file: BinaryIO, read_size: int) -> BinaryIO:
    """The content of a file that may be packed by gzip, bzip2 or xz."""
    file.seek(0)
    head = file.read(6)
    file.seek(0)
    for magic in _DECOMPRESSORS:
        if head.startswith(magic):
            return io.BufferedReader(_Unpacked(file, magic, read_size), read_size)
    return file


class _Decompressor(Protocol):
    """What those of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gunzip:
    """zlib's, with the manners of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_DECOMPRESSORS: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": _Gunzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": partial(lzma.LZMADecompressor, memlimit=_DICTIONARY),
}


class _Unpacked(io.RawIOBase):
    """Unpacks while it is read. Several packed streams in a row are one; what else follows is no matter."""

    def __init__(self, file: BinaryIO, magic: bytes, read_size: int) -> None:
        self._file = file
        self._magic = magic
        self._make = _DECOMPRESSORS[magic]
        self._read_size = read_size
        self._decompressor = self._make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or self._file.read(self._read_size)
                if not rest.startswith(self._magic):
                    return 0
                self._decompressor = self._make()
            else:
                rest = self._file.read(self._read_size) if self._decompressor.needs_input else b""
                if not rest and self._decompressor.needs_input:
                    raise EOFError("its end is missing")
            data = self._decompressor.decompress(rest, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)


class _Watched(io.RawIOBase):
    """The content of a TAR, of which no more is handed out than was allowed."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = _HEADERS

    def readable(self) -> bool:
        return True

    def allow(self, count: int) -> None:
        self._left = count

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Rejected(
                "the TAR is damaged: one of its headers has no end", "Pack it anew, and drop it again."
            )
        return data


def _locked() -> BinaryIO:
    raise Rejected("it is encrypted within the file it is packed in", _LOCKED)

"""Room on disk for what an extractor has to find again later and must not hold."""

from __future__ import annotations

import os
import struct
from tempfile import SpooledTemporaryFile

IN_MEMORY = 256 * 1024
"""Bytes up to which nothing is written to disk: most files have less."""

_DISK = "/var/tmp"  # noqa: S108  # not /tmp, which is memory on many machines; the files have no names there

FOLDER = _DISK if os.access(_DISK, os.W_OK) else None
"""Where it lies; None for wherever temporary files are."""

Scratch = SpooledTemporaryFile[bytes]


def scratch() -> Scratch:
    """A file without a name that goes when it is closed; in memory while it is small."""
    return SpooledTemporaryFile(IN_MEMORY, dir=FOLDER)


LONGEST_CELL = 65_536
"""Characters of a cell that are kept; Excel allows half of it."""

_PLACE = struct.Struct("<QL")


class Texts:
    """The texts that the cells of a workbook share, and beside them the place of each."""

    def __init__(self) -> None:
        self._texts, self._places = scratch(), scratch()
        self._end = self.count = 0

    def add(self, text: str) -> None:
        """Put a text behind all others."""
        data = text[:LONGEST_CELL].encode("utf-8", "surrogatepass")
        self._texts.write(data)
        self._places.write(_PLACE.pack(self._end, len(data)))
        self._end += len(data)
        self.count += 1

    def get(self, number: int) -> str:
        """A text by its number, from 0; empty if there is none of that number."""
        if not 0 <= number < self.count:
            return ""
        self._places.seek(number * _PLACE.size)
        start, length = _PLACE.unpack(self._places.read(_PLACE.size))
        self._texts.seek(start)
        return self._texts.read(length).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Forget them all."""
        self._texts.close()
        self._places.close()

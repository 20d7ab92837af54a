"""Plain text, source code, settings, logs: everything that is read as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.extract.encoding import decoded
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The file's own characters, in whatever encoding they are."""
    for block in decoded(file, reading.read_size):
        yield Piece(block)

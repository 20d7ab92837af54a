"""What is packed in a file, an archive or a mail: each member a file of its own, unpacked one at a time.

A member is written to a file without a name, where the disk is and not memory, and read from there like any
other. What its packer called it is only a label: no path of an archive ever reaches the file system.
"""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from bouquetd.config import Bounds
from bouquetd.errors import Rejected, Unavailable
from bouquetd.extract.reading import Reading
from bouquetd.extract.scratch import FOLDER
from bouquetd.model import MB, PACKED

PLAIN = 64 * MB
"""Bytes up to which what a file unpacks to is no bomb, however well it was packed."""

_LONGEST_NAME = 300  # characters; of a longer one the end is kept
_REPAIR = "Get the file again, and drop it again."
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, struct.error, UnicodeError,
    ValueError, OverflowError, RuntimeError, NotImplementedError,
)  # fmt: skip


class TooMuch(Rejected):
    """What is packed in a file comes to more than its bounds allow: the whole file is refused."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file packed in another.

    ``name`` is what its packer called it, "" where nobody did. ``open`` gives its content, once and before the
    next member is asked for; it raises Rejected for one that cannot be unpacked.
    """

    name: str
    open: Callable[[], BinaryIO]


class Unpacker(Protocol):
    """One family of formats with files in them; raises Rejected for one that is damaged, OSError passes."""

    def __call__(self, file: BinaryIO, reading: Reading) -> Iterator[Member]:
        """What is packed in the file."""


class Budget:
    """What all that is packed in one file of the inbox may come to, however deep it lies.

    ``size`` is that of the file, in bytes.
    """

    def __init__(self, size: int, bounds: Bounds) -> None:
        self._bounds = bounds
        self._room = max(PLAIN, bounds.ratio * size)
        self._spent = 0
        self._members = 0

    def member(self) -> None:
        """There is one more. Raises ``TooMuch`` when that is one too many."""
        self._members += 1
        check_count(self._members, self._bounds)

    def spend(self, count: int) -> None:
        """So many bytes more were unpacked. Raises ``TooMuch`` when that is like a bomb."""
        self._spent += count
        if self._spent > self._room:
            raise TooMuch(
                f"it unpacks to more than {self._room // MB} MB, over {self._bounds.ratio} times its size"
                " (bounds.ratio), like a bomb",
                "Unpack it and drop what is in it, or raise bounds.ratio, reload, and run `bouquetd retry`.",
            )


def check_count(count: int, bounds: Bounds) -> None:
    """Raise ``TooMuch`` when so many files are more than may be packed in one."""
    if count > bounds.members:
        raise TooMuch(
            f"more than the {bounds.members} files that bounds.members allows are packed in it",
            "Unpack it and drop what is in it, or raise bounds.members, reload, and run `bouquetd retry`.",
        )


def unpacked(member: Member, budget: Budget, limit: int, read_size: int, beat: Callable[[], None]) -> BinaryIO:
    """A member as a file on disk that goes when it is closed; ``beat`` is called after each read.

    Raises Rejected when it is damaged or has more than ``limit`` bytes, ``TooMuch`` when all together is,
    ``Unavailable`` when the disk has no room for it.
    """
    file = cast("BinaryIO", tempfile.TemporaryFile(dir=FOLDER, buffering=read_size))  # noqa: SIM115
    try:
        size = 0
        with damage("it is damaged within the file it is packed in"), member.open() as stream:
            while block := stream.read(read_size):
                size += len(block)
                budget.spend(len(block))
                if size > limit:
                    raise Rejected(
                        f"too large: it unpacks to more than the {limit / MB:g} MB of inbox.max_file_size",
                        "Unpack it and split it, or raise inbox.max_file_size, reload, and drop it again.",
                    )
                _write(file, block)
                beat()
        _write(file, b"")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _write(file: BinaryIO, block: bytes) -> None:
    try:
        file.write(block) if block else file.flush()
    except OSError as error:
        raise Unavailable(
            f"there is no room to unpack files in {FOLDER or tempfile.gettempdir()}: {error.strerror}",
            "free some space there (df)",
        ) from error


@contextmanager
def damage(what: str, repair: str = _REPAIR) -> Iterator[None]:
    """Whatever the standard library says of a damaged archive becomes Rejected."""
    try:
        yield
    except _DAMAGED as error:
        raise Rejected(f"{what} ({type(error).__name__}: {str(error)[:200]})", repair) from None
    except OSError as error:
        if error.errno is None:  # bz2 and gzip call any damage an OSError
            raise Rejected(f"{what} ({str(error)[:200]})", repair) from None
        raise


def labels() -> Callable[[str], str]:
    """A function from what packers wrote to names without oddities, each of which comes once."""
    taken: set[str] = set()

    def label(written: str) -> str:
        parts = written.replace("\\", "/").replace(PACKED, "!").split("/")
        name = "/".join(part for part in parts if part not in ("", ".", ".."))[-_LONGEST_NAME:].lstrip("/")
        try:
            os.fsencode(name)
        except UnicodeEncodeError:
            name = name.encode("utf-8", "replace").decode()
        stem, number = name or "unnamed", 1
        name = stem
        while name in taken:
            number += 1
            name = f"{stem} ({number})"
        taken.add(name)
        return name

    return label

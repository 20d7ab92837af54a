"""Opening folders beneath a root one component at a time, so that no link can ever lead outside."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from bouquetd.errors import Rejected, Unavailable
from bouquetd.model import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

PRIVATE = ".bouquetd-"
"""What our own temporary names begin with; a scan never reports them."""


def components(relative: str) -> tuple[str, ...]:
    """The parts of a path that stays beneath its root.

    Raises ``Rejected`` for an absolute path, ``..`` and the like, which only a person can have typed.
    """
    parts = tuple(relative.split("/"))
    if "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise Rejected(
            f"{printable(relative)!r} is not a path inside the folder",
            "Give the path relative to the folder, as `bouquetd files` prints it.",
        )
    return parts


@contextmanager
def root_folder(root: Path) -> Iterator[int]:
    """A descriptor of the root itself, which an operator may have made a link. Raises ``Unavailable``."""
    try:
        fd = os.open(root, FOLDER)
    except OSError as error:
        raise Unavailable(
            f"the folder {printable(str(root))} cannot be opened: {error.strerror}",
            "Create it, mount its file system, or give the daemon's user permission to read and enter it.",
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def folder(root_fd: int, parts: tuple[str, ...]) -> Iterator[int]:
    """A descriptor of the folder ``parts`` beneath ``root_fd``, never through a link.

    Raises ``OSError`` as it comes: a link in the way is ``NotADirectoryError``.
    """
    fd = _descend(root_fd, parts, _enter)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def made_folder(
    root_fd: int, parts: tuple[str, ...], *, aside: bool = True
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Like ``folder``, but creates what is missing, durably, and yields the names it took as well.

    A name too long for the file system is cut. With ``aside`` a folder whose name something else has becomes
    ``name (2)``; without, that is ``NotADirectoryError``.
    """
    taken: list[str] = []

    def make(fd: int, name: str) -> int:
        below, name = _make(fd, name, aside=aside)
        taken.append(name)
        return below

    fd = _descend(root_fd, parts, make)
    try:
        yield fd, tuple(taken)
    finally:
        os.close(fd)


def names(wanted: str, limit: int) -> Iterator[str]:
    """``wanted``, then `` (2)``, `` (3)`` ... before its suffix, each within ``limit`` bytes, without end."""
    yield shortened(wanted, limit)
    for number in count(2):
        yield shortened(wanted, limit, f" ({number})")


def sync_folder(fd: int) -> None:
    """Makes a folder's entries durable; some network file systems have no such call and do so themselves."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise


def shortened(name: str, limit: int, tail: str = "") -> str:
    """``name`` with ``tail`` before its suffix, in at most ``limit`` bytes; the stem gives way."""
    stem, suffix = os.path.splitext(name)
    if len(os.fsencode(suffix)) > limit // 4:
        stem, suffix = name, ""
    room = limit - len(os.fsencode(tail + suffix))
    cut = os.fsencode(stem)[:room]
    if len(cut) < len(os.fsencode(stem)):
        cut = cut.decode("utf-8", "ignore").encode() or cut
    return os.fsdecode(cut) + tail + suffix


def longest_name(fd: int) -> int:
    """The longest file name, in bytes, that the file system of this descriptor takes."""
    return os.fpathconf(fd, "PC_NAME_MAX")


def _descend(root_fd: int, parts: tuple[str, ...], step: Callable[[int, str], int]) -> int:
    fd = os.dup(root_fd)
    for part in parts:
        try:
            below = step(fd, part)
        finally:
            os.close(fd)
        fd = below
    return fd


def _enter(fd: int, name: str) -> int:
    return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=fd)


def _make(fd: int, wanted: str, *, aside: bool) -> tuple[int, str]:
    for name in names(wanted, longest_name(fd)):
        try:
            os.mkdir(name, dir_fd=fd)
            sync_folder(fd)
        except FileExistsError:
            pass
        try:
            return _enter(fd, name), name
        except NotADirectoryError:
            if not aside:
                raise
    raise AssertionError("names never end")

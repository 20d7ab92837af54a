"""Walking the inbox: what lies there, and what is left alone."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bouquetd.errors import Unavailable
from bouquetd.inbox.beneath import PRIVATE, components, folder, root_folder
from bouquetd.inbox.opening import kind
from bouquetd.model import Fingerprint, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

IGNORED = (".*", "*.part", "*.tmp", "*.crdownload", "*.filepart", "~$*", "*.swp")
"""Partial and temporary names: hidden files, downloads under way, editors' own."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file in the inbox."""

    source: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the inbox that is left alone. ``reason`` completes "<source> is left alone: ...".

    ``denied`` when it is for want of permission only, ``ignored`` when it is for its name.
    """

    source: str
    reason: str
    denied: bool = False
    ignored: bool = False


class Ignore:
    """The globs (as the shell's, upper and lower case apart) that hide a name from us."""

    def __init__(self, globs: Sequence[str] = IGNORED) -> None:
        self._globs = globs
        self._match = re.compile("|".join([re.escape(PRIVATE), *map(fnmatch.translate, globs)])).match

    def __call__(self, name: str) -> bool:
        """Whether a single path component is to be ignored."""
        return self._match(name) is not None

    def rule(self, name: str) -> str:
        """Which rule ignores a name that is ignored."""
        found = next((glob for glob in self._globs if fnmatch.fnmatchcase(name, glob)), None)
        return f"inbox.ignore has {found}" if found else "it is a file of bouquetd's own, on its way somewhere"


def scan(inbox: Path, ignore: Ignore, under: str = "", *, ignored: bool = False) -> Iterator[Found | Skipped]:
    """Yields what lies at or beneath ``under`` ("" for all), in no order, following no link.

    Holds one folder open at a time and remembers only the names of folders still to be read, never a folder's
    content, so a folder may be of any size. What vanishes meanwhile is passed over. Ignored names are mentioned
    where ``ignored`` asks for them, what lies beneath them never. Raises ``Unavailable`` when the inbox or its
    file system is at fault.
    """
    with root_folder(inbox) as root:
        try:
            yield from _walk(root, ignore, under, ignored=ignored)
        except OSError as error:
            raise Unavailable(
                f"the inbox {printable(str(inbox))} cannot be scanned: {error.strerror}",
                "Check the disk or the network mount under it (`dmesg`); the scan is tried again by itself.",
            ) from error


def remove_empty_parents(inbox: Path, source: str) -> None:
    """Removes the folders that a consumed file left empty, from the inside out, never the inbox itself.

    Only these: an empty folder that somebody made to fill it in a moment is nobody's parent.
    """
    *parents, _ = components(source)
    if not parents:
        return
    with suppress(OSError, Unavailable), root_folder(inbox) as root:
        while parents:
            *above, name = parents
            with folder(root, tuple(above)) as fd:
                os.rmdir(name, dir_fd=fd)
            parents = above


def _walk(root: int, ignore: Ignore, under: str, *, ignored: bool) -> Iterator[Found | Skipped]:
    pending: list[str] = []
    if not under:
        pending.append("")
    else:
        parts = components(under)
        if any(map(ignore, parts)):
            return
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            with folder(root, parts[:-1]) as parent:
                status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            yield from _sort(under, status, pending)
    while pending:
        path = pending.pop()
        try:
            with folder(root, components(path) if path else ()) as fd, os.scandir(fd) as entries:
                for entry in entries:
                    source = f"{path}/{entry.name}" if path else entry.name
                    if ignore(entry.name):
                        if ignored:
                            yield Skipped(source, ignore.rule(entry.name), ignored=True)
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    except PermissionError:
                        yield Skipped(
                            source, "its folder may not be entered (chmod a+x the folder)", denied=True
                        )
                        continue
                    yield from _sort(source, status, pending)
        except (FileNotFoundError, NotADirectoryError):
            if not path:
                raise
        except PermissionError:
            if not path:
                raise
            yield Skipped(path, "the folder may not be read (chmod a+rx it)", denied=True)
        except OSError as error:
            # A folder that became a link while it waited for its turn.
            if error.errno != errno.ELOOP or not path:
                raise


def _sort(source: str, status: os.stat_result, pending: list[str]) -> Iterator[Found | Skipped]:
    what = kind(status.st_mode)
    if what is None:
        yield Found(source, Fingerprint.of(status))
    elif what == "a folder":
        pending.append(source)
    else:
        yield Skipped(source, f"it is {what}, and only regular files are taken")

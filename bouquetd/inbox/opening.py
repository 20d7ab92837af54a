"""Opening, looking at and hashing one file of the inbox, safe against whatever is swapped in meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from bouquetd.errors import BouquetdError, Changed, Rejected, Unavailable
from bouquetd.inbox.beneath import components, folder, root_folder
from bouquetd.model import Fingerprint, printable

if TYPE_CHECKING:
    from pathlib import Path

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFDIR: "a folder",
}


class LeftAlone(BouquetdError):
    """What lies there is not a regular file; ``reason`` says what it is. It is neither read nor moved."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def kind(mode: int) -> str | None:
    """What ``st_mode`` says a thing is, in words; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return _KINDS.get(stat.S_IFMT(mode), "not a regular file")


def open_source(inbox: Path, source: str, buffer_size: int = 64 * 1024) -> BinaryIO:
    """Opens a regular file for reading, through no link, without ever blocking; ``buffer_size`` in bytes.

    Raises ``LeftAlone`` for anything that is not a regular file, ``Changed`` when it is gone, ``Rejected``
    when it may not be read, ``Unavailable`` when the inbox or its file system is at fault.
    """
    *folders, name = components(source)
    shown = printable(source)
    with root_folder(inbox) as root:
        try:
            with folder(root, tuple(folders)) as parent:
                # Looked at before it is opened: opening alone can rewind a tape.
                _only_regular(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode, shown)
                fd = os.open(name, READ, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Changed(
                f"{shown} vanished before it could be read; if it comes back it is taken then"
            ) from error
        except PermissionError as error:
            raise Rejected(
                "cannot be read: permission denied",
                "Let the daemon's user read it (chmod a+r, and a+x on its folders), then `bouquetd retry`.",
            ) from error
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise LeftAlone(f"{shown} was replaced by something that is not a regular file") from error
            raise _unreadable(f"the file {shown}", error) from error
    try:
        _only_regular(os.fstat(fd).st_mode, shown)
        return os.fdopen(fd, "rb", buffering=buffer_size)
    except BaseException:
        os.close(fd)
        raise


def fingerprint(inbox: Path, source: str) -> Fingerprint | None:
    """The fingerprint of a regular file, or None when none can be reached at that path.

    Raises ``Unavailable`` when the inbox itself or its file system is at fault.
    """
    found = _look(inbox, source)
    if isinstance(found, os.stat_result) and stat.S_ISREG(found.st_mode):
        return Fingerprint.of(found)
    return None


def is_gone(inbox: Path, source: str) -> bool:
    """Whether nothing lies at that path any more, which is more than not being allowed to look.

    Raises ``Unavailable`` when the inbox itself or its file system is at fault.
    """
    return _look(inbox, source) is None


def digest(file: BinaryIO, read_size: int) -> str:
    """The SHA-256 of the file's whole content in hex, read in pieces of ``read_size`` bytes; ends at offset 0.

    Raises ``Changed`` when a network file system says the file was replaced, ``Unavailable`` when it cannot
    be read.
    """
    sha, buffer = hashlib.sha256(), memoryview(bytearray(read_size))
    try:
        file.seek(0)
        while count := file.readinto(buffer):  # type: ignore[attr-defined]
            sha.update(buffer[:count])
        file.seek(0)
    except OSError as error:
        if error.errno == errno.ESTALE:
            raise Changed("the file was replaced while it was being read; it is looked at again") from error
        raise _unreadable("the file", error) from error
    return sha.hexdigest()


def _look(inbox: Path, source: str) -> os.stat_result | PermissionError | None:
    *folders, name = components(source)
    with root_folder(inbox) as root:
        try:
            with folder(root, tuple(folders)) as parent:
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            return error
        except OSError as error:
            raise _unreadable(f"the file {printable(source)}", error) from error


def _only_regular(mode: int, shown: str) -> None:
    if reason := kind(mode):
        raise LeftAlone(f"{shown} is {reason}")


def _unreadable(shown: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"{shown} cannot be read: {error.strerror}",
        "Check the disk or the network mount under the inbox (`dmesg`); the file is tried again by itself.",
    )

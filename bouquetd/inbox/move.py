"""Moving one file between two open folders: never overwriting, never losing, safe to be killed anywhere."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from contextlib import suppress

from bouquetd.errors import Changed
from bouquetd.inbox.beneath import PRIVATE, longest_name, names, sync_folder
from bouquetd.inbox.opening import READ
from bouquetd.model import Fingerprint, printable

COPY_SIZE = 256 * 1024
"""Bytes per read and write of a copy across file systems."""

SLACK_NS = 2_000_000_000
"""Two seconds: the coarsest modification time a file system keeps (FAT)."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOREPLACE = 1
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK})


def move(
    here: int,
    name: str,
    expected: Fingerprint,
    there: int,
    wanted: str,
    digest: str | None,
    *,
    durably: bool = True,
) -> str:
    """Moves the expected file from folder ``here`` to ``there`` as ``wanted`` or its first free `` (2)``.

    Returns the name it got; unless ``durably``, whoever called syncs ``there``. Raises ``Changed`` when it is
    not the expected file, ``OSError`` as it comes.
    """
    try:
        final = _rename_free(here, name, there, wanted)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = copy(here, name, expected, there, digest)
        final = _rename_free(there, temporary, there, wanted)
        sync_folder(there)
        discard(here, name, expected)
        return final
    if not same_file(os.stat(final, dir_fd=there, follow_symlinks=False), expected):
        # Somebody put another file there at the last moment: it is theirs and goes back.
        _rename_free(there, final, here, name)
        raise changed(name)
    # Not also the folder it left: should its old name come back after a power cut, ``arrived`` finds the twin.
    if durably:
        sync_folder(there)
    return final


def rename_new(here: int, name: str, there: int, new: str) -> None:
    """A rename that never overwrites: ``FileExistsError`` instead; ``EXDEV`` where only a copy will do."""
    if _LIBC.renameat2(here, os.fsencode(name), there, os.fsencode(new), _NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        raise OSError(code, os.strerror(code), new)
    # NFS and some FUSE file systems know no such flag; a link does not overwrite either.
    try:
        os.link(name, new, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if here != there:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), new) from error
        # No flag and no links: a file of our own within one folder, where nobody else makes such names.
        if look(there, new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from error
        os.rename(name, new, src_dir_fd=here, dst_dir_fd=there)
        return
    try:
        os.unlink(name, dir_fd=here)
    except OSError:
        os.unlink(new, dir_fd=there)
        raise


def copy(here: int, name: str, expected: Fingerprint, there: int, digest: str | None) -> str:
    """Copies the expected file durably, with its mode and times, to a hidden name, which it returns.

    Raises ``Changed`` unless what it read is what was expected. A copy that a kill left behind is replaced.
    """
    temporary = private(name, "copying")
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=there)
    sha = hashlib.sha256()
    source = os.open(name, READ, dir_fd=here)
    try:
        target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=there)
        try:
            while piece := os.read(source, COPY_SIZE):
                sha.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(target, view) :]
            status = os.fstat(source)
            if not same_file(status, expected) or digest not in (None, sha.hexdigest()):
                raise changed(name)
            with suppress(PermissionError):
                os.fchmod(target, stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(target)
        except BaseException:
            os.unlink(temporary, dir_fd=there)
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)
    return temporary


def arrived(
    here: int | None, name: str, expected: Fingerprint, there: int, wanted: str, digest: str | None
) -> str | None:
    """The name under which an earlier call put this very file, or a copy of it, into ``there``.

    ``here`` is the folder where the expected file still lies, or None when it does not. Without a ``digest``
    the two are compared; with nothing left to compare, equal size and time will do, as nothing is removed then.
    """
    for candidate in names(wanted, longest_name(there)):
        status = look(there, candidate)
        if status is None:
            return None
        if same_file(status, expected):
            return candidate
        alike = (
            stat.S_ISREG(status.st_mode)
            and status.st_size == expected.size
            and abs(status.st_mtime_ns - expected.mtime_ns) <= SLACK_NS
        )
        if alike:
            if digest is None and here is None:
                return candidate
            if digest is None and here is not None:
                digest = _digest_at(here, name)
            if digest is not None and _digest_at(there, candidate) == digest:
                return candidate
    return None


def discard(here: int, name: str, expected: Fingerprint) -> None:
    """Unlinks exactly the expected file; ``Changed`` when another has its place, which stays.

    It steps aside first, so that a file put in its place at the last moment is never the one unlinked.
    """
    aside = private(name, "leaving")
    _clear(here, aside, name, expected)
    status = look(here, name)
    if status is None:
        return
    if not same_file(status, expected):
        raise changed(name)
    os.rename(name, aside, src_dir_fd=here, dst_dir_fd=here)
    if not _clear(here, aside, name, expected):
        raise changed(name)
    sync_folder(here)


def look(fd: int, name: str) -> os.stat_result | None:
    """What lies under a name, links not followed; None when nothing does."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def same_file(status: os.stat_result, expected: Fingerprint) -> bool:
    """Whether this is the file itself, unmodified. Its ctime says nothing: a rename changes that."""
    found = Fingerprint.of(status)
    return stat.S_ISREG(status.st_mode) and (
        (found.device, found.inode, found.size, found.mtime_ns)
        == (expected.device, expected.inode, expected.size, expected.mtime_ns)
    )


def private(name: str, what: str) -> str:
    """A hidden name of our own, the same on every call, so that what a kill left behind is met again."""
    return f"{PRIVATE}{what}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"


def changed(name: str) -> Changed:
    """The error for a file that is not what it was."""
    return Changed(f"{printable(name)} was replaced or removed before it could be moved; it is looked at again")


def _rename_free(here: int, name: str, there: int, wanted: str) -> str:
    for candidate in names(wanted, longest_name(there)):
        with suppress(FileExistsError):
            rename_new(here, name, there, candidate)
            return candidate
    raise AssertionError("names never end")


def _clear(here: int, aside: str, name: str, expected: Fingerprint) -> bool:
    """Ends a stepping aside: the expected file is unlinked, any other goes back, which returns False."""
    status = look(here, aside)
    if status is None or same_file(status, expected):
        with suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=here)
        return True
    _rename_free(here, aside, here, name)
    return False


def _digest_at(fd: int, name: str) -> str | None:
    sha = hashlib.sha256()
    try:
        file = os.open(name, READ, dir_fd=fd)
    except OSError:
        return None
    try:
        while piece := os.read(file, COPY_SIZE):
            sha.update(piece)
    finally:
        os.close(file)
    return sha.hexdigest()

"""Where a file goes afterwards. Every move can be killed at any point and is then simply called again.

Within a file system a move is one rename that never overwrites. Across file systems the file is copied to a
hidden name, made durable, renamed into place, and only then is the source removed. A second call finds what
the first one put there and finishes the rest.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bouquetd.errors import Changed, Unavailable, sentence
from bouquetd.inbox.beneath import (
    components,
    folder,
    longest_name,
    made_folder,
    names,
    root_folder,
    shortened,
    sync_folder,
)
from bouquetd.inbox.move import arrived, changed, copy, discard, look, move, private, rename_new, same_file
from bouquetd.inbox.opening import READ
from bouquetd.inbox.scan import remove_empty_parents
from bouquetd.model import Fingerprint, pasted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NOTE = "bouquetd could not ingest "
"""How every ``.error`` begins, so that a file of somebody's own with such a name is never taken for one."""


def file_away(
    inbox: Path,
    source: str,
    expected: Fingerprint,
    target: Path,
    digest: str | None = None,
    *,
    durably: bool = True,
) -> str:
    """Moves a file into ``target``, keeping its folders, and returns where it is, relative to ``target``.

    A name already taken gets `` (2)`` before its suffix, a name too long is cut. ``expected`` is what the file
    was when it was opened, ``digest`` its SHA-256 if known. Called again after a kill it makes no second copy,
    and it returns the place of a file that was moved already, whatever lies in the inbox by now. Unless asked
    for ``durably``, a rename may be undone by a power cut until ``sync_folders`` was called.

    Raises ``Changed`` when the file is no longer the expected one, ``Unavailable`` when it cannot be moved.
    """
    *folders, name = components(source)
    with _explained(source, f"be moved into {printable(str(target))}", inbox, target):
        os.makedirs(target, exist_ok=True)
        with root_folder(target) as root, made_folder(root, tuple(folders)) as (there, taken):
            final = _arrive(inbox, tuple(folders), name, expected, there, digest, durably=durably)
            return "/".join([*taken, final])


def sync_folders(target: Path, folders: Iterable[str]) -> None:
    """Makes durable what was moved into folders below ``target``. Raises ``Unavailable`` when that fails."""
    for relative in folders:
        with _explained(relative or ".", f"be made durable in {printable(str(target))}", target, target):
            with root_folder(target) as root, folder(root, tuple(filter(None, relative.split("/")))) as fd:
                sync_folder(fd)


def fail_away(
    inbox: Path,
    source: str,
    expected: Fingerprint,
    failed: Path,
    *,
    reason: str,
    remedy: str,
    when: str,
    digest: str | None = None,
) -> str:
    """Moves a file into ``failed`` as ``file_away`` does, with a ``<name>.error`` beside it that says why.

    ``when`` is the time as a person reads it. Raises what ``file_away`` raises.
    """
    relative = file_away(inbox, source, expected, failed, digest)
    text = (
        f"{NOTE}{printable(source)}\n\n"
        f"Why:    {sentence(reason)}\n"
        f"To do:  {sentence(remedy)}\n"
        f"Then:   bouquetd retry {pasted(source)}\n"
        f"When:   {when}\n"
    )
    *folders, name = components(relative)
    with _explained(relative, "be given its .error file", failed, failed):
        with root_folder(failed) as root, folder(root, tuple(folders)) as fd:
            _write(fd, _note_name(fd, name), text.encode("utf-8", "backslashreplace"))
    return relative


def put_back(failed: Path, relative: str, inbox: Path, source: str | None = None) -> None:
    """Moves a failed file back into the inbox, as ``source`` (default: its name in ``failed``), for a new try.

    Its ``.error`` and the folders it leaves empty are removed. Raises ``Unavailable`` when there is no such
    file, or the inbox has another one of that name.
    """
    source = relative if source is None else source
    *folders, name = components(relative)
    *parents, back = components(source)
    with _explained(relative, f"be put back into {printable(str(inbox))}", failed, inbox):
        with (
            root_folder(failed) as root,
            root_folder(inbox) as home,
            _failed_folder(root, folders, name) as here,
        ):
            try:
                with made_folder(home, tuple(parents), aside=False) as (there, _):
                    _return(here, name, there, back)
            except (FileExistsError, NotADirectoryError) as error:
                raise Unavailable(
                    f"the file {printable(source)} cannot go back: something else in the inbox has that name",
                    "Wait until that is ingested or move it away, then `bouquetd retry` again.",
                ) from error
            note = _note_name(here, name)
            if look(here, note) is not None:
                os.unlink(note, dir_fd=here)
            sync_folder(here)
    remove_empty_parents(failed, relative)


def delete_source(inbox: Path, source: str, expected: Fingerprint) -> None:
    """Deletes a consumed file; gone already is as good.

    Raises ``Changed`` when another file has taken its place (it stays), ``Unavailable`` when it may not be
    deleted.
    """
    *folders, name = components(source)
    with _explained(source, "be deleted", inbox, inbox), root_folder(inbox) as root:
        with suppress(FileNotFoundError, NotADirectoryError), folder(root, tuple(folders)) as here:
            discard(here, name, expected)


def _arrive(
    inbox: Path,
    folders: tuple[str, ...],
    name: str,
    expected: Fingerprint,
    there: int,
    digest: str | None,
    *,
    durably: bool,
) -> str:
    with root_folder(inbox) as root:
        try:
            with folder(root, folders) as here:
                status = look(here, name)
                present = status is not None and same_file(status, expected)
                final = arrived(here if present else None, name, expected, there, name, digest)
                if final is not None:
                    with suppress(Changed):
                        discard(here, name, expected)
                    return final
                if present:
                    return move(here, name, expected, there, name, digest, durably=durably)
        except (FileNotFoundError, NotADirectoryError):
            # The folders went with the file: an earlier call did its work, or somebody took it.
            final = arrived(None, name, expected, there, name, digest)
            if final is not None:
                return final
    raise changed(name)


@contextmanager
def _failed_folder(root: int, folders: list[str], name: str) -> Iterator[int]:
    try:
        here = folder(root, tuple(folders))
        with here as fd:
            status = look(fd, name)
            if status is None or not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            yield fd
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Unavailable(
            f"the file {printable('/'.join([*folders, name]))} is not among the failed files",
            "See `bouquetd files --state failed` for what is.",
        ) from error


def _return(here: int, name: str, there: int, back: str) -> None:
    try:
        rename_new(here, name, there, back)
        sync_folder(there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        expected = Fingerprint.of(os.stat(name, dir_fd=here, follow_symlinks=False))
        temporary = copy(here, name, expected, there, None)
        try:
            rename_new(there, temporary, there, back)
        except FileExistsError:
            os.unlink(temporary, dir_fd=there)
            raise
        sync_folder(there)
        discard(here, name, expected)


def _note_name(fd: int, name: str) -> str:
    """Where a file's ``.error`` lies or may lie: a name that is free or already a note of ours."""
    limit = longest_name(fd)
    return next(n for n in names(shortened(name + ".error", limit), limit) if _is_free_or_note(fd, n))


def _is_free_or_note(fd: int, name: str) -> bool:
    try:
        file = os.open(name, READ, dir_fd=fd)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        return os.read(file, len(NOTE)) == NOTE.encode()
    finally:
        os.close(file)


def _write(fd: int, name: str, content: bytes) -> None:
    temporary = private(name, "writing")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o644, dir_fd=fd), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
    sync_folder(fd)


@contextmanager
def _explained(source: str, what: str, origin: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where, again = printable(str(target)), "it is tried again by itself."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = f"Free some space on the disk that holds {where}; {again}"
        elif error.errno == errno.EROFS:
            remedy = f"Mount the file system of {where} writable; {again}"
        elif error.errno in (errno.EACCES, errno.EPERM):
            folders = " and ".join(dict.fromkeys([printable(str(origin)), where]))
            remedy = f"Let the daemon's user read and write {folders}, folders within too; {again}"
        else:
            remedy = f"Check the disk that holds {where} (`dmesg`); {again}"
        raise Unavailable(f"the file {printable(source)} cannot {what}: {error.strerror}", remedy) from error

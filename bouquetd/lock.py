"""One daemon for each directory: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import stat
import sys
import time
from pathlib import Path
from typing import Self

from bouquetd.errors import Unavailable
from bouquetd.model import printable

_NOTE = 4096
"""Bytes of a lock file that are read; what we write into it is shorter."""


class Held(Unavailable):
    """Another process has the lock. ``pid`` is its process id, None while it has not yet signed."""

    def __init__(self, path: Path, holder: dict[str, object]) -> None:
        pid = holder.get("pid")
        self.pid = pid if isinstance(pid, int) else None
        who = (
            f"pid {self.pid} ({holder.get('command')}, since {holder.get('since')})"
            if self.pid
            else "another process"
        )
        super().__init__(
            f"{printable(str(path))} is held by {who}",
            f"wait for it, or stop it first ({f'kill {self.pid}' if self.pid else 'systemctl stop bouquetd'}); "
            "two at once would break the index",
        )


class Lock:
    """A lock that is held. Use it in a ``with``, or ``release`` it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def hold(path: Path) -> Lock:
    """Take the lock file ``path``, created with mode 0600 where it is missing, and sign it.

    Returns at once. Raises ``Held`` with the holder's name when it is taken, ``Unavailable`` when the file
    cannot be opened or is no regular file. Children that are exec'ed do not inherit the lock.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unusable(path, "it is no regular file")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(descriptor)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise Held(path, holder) from None
    except OSError as error:
        os.close(descriptor)
        raise _unusable(path, error) from error
    except Unavailable:
        os.close(descriptor)
        raise
    return Lock(path, descriptor)


def _sign(descriptor: int) -> None:
    command = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    note = json.dumps({"pid": os.getpid(), "command": printable(command)[:300], "since": since})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, note.encode("ascii"), 0)


def _holder(descriptor: int) -> dict[str, object]:
    try:
        note = json.loads(os.pread(descriptor, _NOTE, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _unusable(path: Path, problem: OSError | str) -> Unavailable:
    if isinstance(problem, OSError):
        link = problem.errno == errno.ELOOP
        problem = "it is a symbolic link" if link else problem.strerror or str(problem)
    return Unavailable(
        f"cannot lock {printable(str(path))}: {problem}",
        f"see that {printable(str(path.parent))} exists, is writable for this user, and has a plain file there",
    )

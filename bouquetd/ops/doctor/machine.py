"""The readers of a real machine that ``surroundings`` hands to the checks."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from bouquetd.config import shipped as folder_shipped
from bouquetd.errors import ConfigError
from bouquetd.inbox.watcher import filesystem_of
from bouquetd.memory.probe import Probe
from bouquetd.ops import fit, systemd
from bouquetd.ops.doctor.surroundings import (
    MOST_READ,
    PATIENCE,
    PROPERTIES,
    Account,
    Memory,
    NoRights,
    Packages,
    Room,
    Service,
    Tree,
)

MOST_WALKED = 200_000
"""Files and folders of the inbox that are looked at."""

WALK = 10.0
"""Seconds that this may take."""

AHEAD = 120.0
"""Seconds that a file may be ahead of our clock: two machines never agree to the second."""


def service(config: Path, home: Path) -> Service | None:
    """The unit that runs a configuration, with what systemd shows of it."""
    known = fit.unit_of(config, home)
    if known is None:
        return None
    name, user = known
    return Service(name, user, systemd.show(name, PROPERTIES, user=user))


def account(unit: Service | None, state: Path | None) -> Account:
    """Whom the daemon runs as: the unit's ``User=``; without a unit whose the state is; else whoever asks."""
    name = unit.facts.get("User", "") if unit is not None and not unit.user else ""
    uid = os.getuid()
    if unit is not None and not unit.user and unit.loaded:
        uid = 0
    elif unit is None and state is not None:
        with suppress(OSError):
            uid = os.stat(state).st_uid
    try:
        found = pwd.getpwnam(name) if name else pwd.getpwuid(uid)
    except KeyError:
        return Account(name or str(uid), uid, uid)
    groups = tuple(group.gr_gid for group in grp.getgrall() if found.pw_name in group.gr_mem)
    return Account(found.pw_name, found.pw_uid, found.pw_gid, groups)


def read(path: str) -> str | None:
    """The first 256 KB of a file. Raises ``NoRights`` for one that is not ours to read."""
    try:
        with open(path, "rb") as file:
            return file.read(MOST_READ).decode("utf-8", "replace")
    except PermissionError as error:
        raise NoRights(f"{path} is not yours to read") from error
    except OSError:
        return None


def room(path: Path) -> Room:
    """Of the file system that a place is on, or would be made on. Raises ``NoRights``, ``OSError``."""
    real = Path(os.path.realpath(path))
    try:
        there = next(place for place in (real, *real.parents) if os.path.exists(place))
        device, free = os.stat(there).st_dev, os.statvfs(there)
    except PermissionError as error:
        raise NoRights(f"{path} is not yours to see") from error
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    unit, kind = free.f_frsize, filesystem_of(str(there), mounts)
    return Room(device, kind, free.f_blocks * unit, free.f_bavail * unit, free.f_files, free.f_favail)


def may(path: Path, rights: str, who: Account) -> bool | None:
    """Whether an account may do all of "rwx" with a place; None where only root can find out.

    Root asks in a process that is of that account, so that groups, ACLs and mounts count as they will.
    """
    if who.uid == os.getuid():
        if not _seen(path):
            return None
        return os.access(path, sum({"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[right] for right in rights))
    if os.getuid() != 0:
        return None
    test = ["test", *[word for right in rights for word in (f"-{right}", str(path), "-a")], "1"]
    done = subprocess.run(  # noqa: S603
        test, user=who.uid, group=who.gid, extra_groups=who.groups, timeout=PATIENCE, check=False
    )  # fmt: skip
    return done.returncode == 0


def walk(inbox: Path, now: float, ignore: Callable[[str], bool]) -> Tree:
    """Count the folders of the inbox, watched all of them, and look at the times of files not ignored.

    It has an end in number and time.
    """
    folders, files, end = 0, 0, time.monotonic() + WALK
    ahead: list[str] = []
    stack = [str(inbox)]
    while stack:
        if folders + files > MOST_WALKED or time.monotonic() > end:
            return Tree(folders, files, tuple(ahead), whole=False)
        try:
            with os.scandir(stack.pop()) as entries:
                folders += 1
                for entry in entries:
                    about = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(about.st_mode):
                        stack.append(entry.path)
                    elif stat.S_ISREG(about.st_mode) and not ignore(entry.name):
                        files += 1
                        if about.st_mtime > now + AHEAD and len(ahead) < 10:
                            ahead.append(os.path.relpath(entry.path, inbox))
        except OSError:  # gone meanwhile, or not ours: other checks say so
            continue
    return Tree(folders, files, tuple(ahead), whole=True)


def memory() -> Memory:
    """RAM, swap, and the ceiling above this process."""
    import psutil

    seen = psutil.virtual_memory()
    with Probe() as probe:
        ceiling = probe.ceiling()
    return Memory(seen.total, seen.available, ceiling, psutil.swap_memory().total)


def packages() -> Packages:
    """What is installed beside us."""
    try:
        wanted = tuple(requires("bouquetd") or ())
    except PackageNotFoundError:
        wanted = ()
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
        full_text = True
    except sqlite3.OperationalError:
        full_text = False
    finally:
        db.close()
    python = ".".join(map(str, sys.version_info[:3]))
    return Packages(python, wanted, _version, sqlite3.sqlite_version, full_text)


def shipped(name: str) -> str | None:
    """The text of a unit as it comes with bouquetd; None where units did not come along."""
    try:
        return (folder_shipped("units", "systemd", name) / name).read_text(encoding="utf-8")
    except (ConfigError, OSError):
        return None


def connect(host: str, port: int) -> None:
    """Raises ``OSError`` unless somebody listens there and answers within ``PATIENCE``."""
    socket.create_connection((host, port), PATIENCE).close()


def resolve(host: str) -> list[str]:
    """The addresses of a host, each once; none where it is not known."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


def _seen(path: Path) -> bool:
    """Whether a place can be looked at, there or not."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

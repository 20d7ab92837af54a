"""What the kernel says about this process's memory: RSS, peak, pressure, and the ceiling above it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import psutil

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Vitals:
    """The three figures to watch, in bytes: resident now, resident at most so far, and mapped."""

    rss: int
    peak: int
    vsz: int


class Probe:
    """Reads ``/proc`` and the cgroup file systems under ``root``.

    It keeps one descriptor open and speaks of the process that made it: make a new one after a fork.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._statm = os.open(self._path("/proc/self/statm"), os.O_RDONLY | os.O_CLOEXEC)
        cgroups = list(self._cgroups())
        self._limits = [
            os.path.join(folder, "memory.max" if unified else "memory.limit_in_bytes")
            for unified, folders in cgroups
            for folder in folders
        ]
        self._pressure = [
            *(os.path.join(folders[-1], "memory.pressure") for unified, folders in cgroups if unified),
            self._path("/proc/pressure/memory"),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; ``rss`` works no more."""
        os.close(self._statm)

    def rss(self) -> int:
        """Resident memory in bytes; one system call, cheap enough for every batch."""
        return int(os.pread(self._statm, 256, 0).split()[1]) * _PAGE

    def vitals(self) -> Vitals:
        """RSS, peak RSS and VSZ in bytes."""
        status = dict(
            re.findall(r"^(Vm\w+):\s*(\d+) kB$", _read(self._path("/proc/self/status")), re.MULTILINE)
        )
        rss, peak, vsz = (int(status.get(name, 0)) * 1024 for name in ("VmRSS", "VmHWM", "VmSize"))
        return Vitals(rss, max(rss, peak), vsz)

    def pressure(self) -> float:
        """The share (0 to 1) of the last 10 s in which some task waited for memory.

        Of the own cgroup where the kernel counts it there, else of the whole machine, else 0.
        """
        return next((found for found in map(_pressure, self._pressure) if found is not None), 0.0)

    def machine_pressure(self) -> float:
        """The same of the whole machine."""
        return _pressure(self._path("/proc/pressure/memory")) or 0.0

    def available(self) -> int:
        """Bytes of RAM that the machine could still give away without swapping (``MemAvailable``)."""
        found = re.search(r"^MemAvailable:\s*(\d+) kB$", _read(self._path("/proc/meminfo")), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0

    def ceiling(self) -> int:
        """The most this process can ever have, in bytes: the least of RAM and every cgroup limit above it."""
        limits = (_read(path).strip() for path in self._limits)
        return min([psutil.virtual_memory().total, *(int(limit) for limit in limits if limit.isdecimal())])

    def _path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def _cgroups(self) -> Iterator[tuple[bool, list[str]]]:
        """Each memory cgroup of ours: is it version 2, and its folders from the mount point down."""
        own = {}
        for line in _read(self._path("/proc/self/cgroup")).splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" or "memory" in controllers.split(","):
                own[number == "0"] = path
        for line in _read(self._path("/proc/self/mountinfo")).splitlines():
            left, _, right = line.partition(" - ")
            shown, mount = (_unescape(field) for field in left.split()[3:5])
            kind, _, options = right.split(" ", 2)
            unified = kind == "cgroup2"
            if unified in own and (unified or (kind == "cgroup" and "memory" in options.split(","))):
                yield unified, _walk(self._path(mount), shown, own[unified])


def _pressure(path: str) -> float | None:
    found = re.search(r"^some avg10=(\d+\.?\d*)", _read(path), re.MULTILINE)
    return float(found[1]) / 100 if found else None


def _walk(mount: str, shown: str, path: str) -> list[str]:
    """The folders from a mount point, which shows the cgroup ``shown``, down to the cgroup ``path``."""
    below = os.path.relpath(path, shown)
    folders = [mount]
    # A container may see the path of its host: then its own cgroup is what the mount shows.
    if below != "." and not below.startswith(".."):
        for part in below.split("/"):
            folders.append(os.path.join(folders[-1], part))
    return folders


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def _read(path: str) -> str:
    """A small kernel file, or nothing where the kernel does not offer it."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""

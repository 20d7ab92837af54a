"""What the memory of a process is made of, by mapping, from ``/proc/PID/smaps`` (proc(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ANONYMOUS = "anonymous: heaps of threads, large blocks, what libraries map"
"""What has no name: mostly the C library's further heaps, and blocks it gets from the system one by one."""

_HEAD = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)")
_RSS = re.compile(r"Rss:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Mapped:
    """All mappings of one file, of the heap, or of one kind: how many, and the bytes of RSS they take."""

    name: str
    count: int
    rss: int


def grouped(lines: Iterable[str]) -> list[Mapped]:
    """The mappings by name, the largest first; those that take nothing are left out."""
    counts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    name = ANONYMOUS
    for line in lines:
        if head := _HEAD.match(line):
            name = head[1].strip() or ANONYMOUS
            counts[name] = counts.get(name, 0) + 1
        elif found := _RSS.match(line):
            sizes[name] = sizes.get(name, 0) + int(found[1]) * 1024
    mapped = [Mapped(name, counts.get(name, 1), rss) for name, rss in sizes.items() if rss]
    return sorted(mapped, key=lambda one: one.rss, reverse=True)

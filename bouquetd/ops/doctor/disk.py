"""Is there room: bytes and inodes, on every file system that bouquetd writes to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bouquetd.model import MB, printable
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings
from bouquetd.ops.figures import size

FULL, SHORT = 200 * MB, 1024 * MB
"""Free bytes below which nothing can be stored for long, and below which it is time to look."""

FULL_SHARE, SHORT_SHARE = 0.01, 0.05
"""The same as shares of the file system; what is smaller counts, so that a large disk is not called full."""

FULL_INODES, SHORT_INODES = 1_000, 10_000
"""Free inodes: each file in the archive takes one."""


def free(around: Surroundings) -> Iterator[Finding]:
    """Free bytes and inodes, a line for each file system."""
    by_device: dict[int, list[str]] = {}
    seen = {}
    for name, path, _ in around.places:
        room = around.room(path)
        by_device.setdefault(room.device, []).append(name)
        seen[room.device] = (room, path)
    for device, names in by_device.items():
        room, path = seen[device]
        where, look = ", ".join(names), f"df -h {shlex.quote(printable(str(path)))}"
        told = f"{size(room.free)} of {size(room.size)} free for {where}"
        if room.free < min(FULL, room.size * FULL_SHARE) or room.free < FULL / 4:
            yield failed(f"There is next to no room: {told}. At its end the daemon holds.", look)
        elif room.free < min(SHORT, room.size * SHORT_SHARE):
            yield warned(f"The disk is nearly full: {told}.", look)
        elif room.inodes and room.free_inodes < SHORT_INODES:
            say = failed if room.free_inodes < FULL_INODES else warned
            yield say(
                f"Only {room.free_inodes} more files can be made for {where} (inodes).",
                look.replace("-h", "-i"),
            )
        else:
            yield passed(f"{told}.")

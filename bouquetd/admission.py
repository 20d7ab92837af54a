"""Admission: what must be read whole is refused where memory has no room for it, before it is read.

A format that streams needs nothing here. One whose parser holds the whole file says how much that takes, and a
file that would not fit under ``memory.throttle`` beside what bouquetd takes itself can never be ingested: to
begin with it would only pause the daemon, or have it killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bouquetd.errors import Rejected
from bouquetd.memory.governor import Limits, short
from bouquetd.model import MB


@dataclass(slots=True)
class Admission:
    """Judges files by their kind and size.

    ``need`` gives the bytes of RSS that reading a file of a media type and a size takes at most, 0 for what
    streams; ``limits`` those in force now. ``taken`` is the RSS in bytes that is there before the first file.
    """

    need: Callable[[str, int], int]
    limits: Callable[[], Limits]
    taken: int = 0

    def __call__(self, media_type: str, size: int) -> None:
        """Raise ``Rejected`` when there is no room for such a file, with the numbers."""
        need, limits = self.need(media_type, size), self.limits()
        room = int(limits.throttle_at) - self.taken
        if need > max(room, 0):
            wanted = -(-int((self.taken + need) / limits.throttle) // (10 * MB)) * 10 * MB
            raise Rejected(
                f"too large to be read whole, as files of the type {media_type} are: its {size / MB:.1f} MB"
                f" take some {need / MB:.0f} MB of memory, and of memory.limit ({short(limits.limit)})"
                f" {max(room, 0) / MB:.0f} MB are left for that",
                f"split it or save it as another type, or set memory.limit to {short(wanted)}, reload, and run"
                " `bouquetd retry`",
            )

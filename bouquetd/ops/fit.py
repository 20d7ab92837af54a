"""Do the limits of the YAML fit under what the kernel and systemd allow, and the drop-in that would mend it.

``memory.limit`` is of the daemon's RSS. Text recognition comes on top, one page at a time, of ``ocr.memory`` at
most: it counts where there is a tesseract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bouquetd.model import MB
from bouquetd.ops import systemd

FIRST = 1.1
"""MemoryHigh is to be this many times memory.limit, or the kernel slows the daemon down before it pauses."""

LAST, ROOM = 1.2, 64 * MB
"""MemoryMax is to be ``LAST`` times memory.limit and ``ROOM`` more: page cache and sockets count there too."""

LEAST_LIMIT, LEAST_PAGE = 50 * MB, 150 * MB
"""What memory.limit and ocr.memory may be lowered to."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit and what it may take, in bytes; none where nothing is set."""

    name: str
    high: int | None
    maximum: int | None
    user: bool = False


def advise(limit: int, ceiling: int, unit: Unit | None, page: int = 0) -> list[str]:
    """What does not fit, one line each; ``ceiling`` is the least of RAM and every limit above the process.

    ``page`` is what reading a page by text recognition may take beside ``limit``, 0 where there is none. Bytes.
    """
    high, enough = least(limit, page)
    if unit is not None and unit.maximum is not None and unit.maximum < enough:
        place, then = f"MemoryMax={unit.maximum // MB}M of {unit.name}", "kill the daemon before it pauses"
        room, spare = (unit.maximum - ROOM - page) / LAST, unit.maximum - enough + page
    elif unit is not None and unit.high is not None and unit.high < high:
        place, then = f"MemoryHigh={unit.high // MB}M of {unit.name}", "slow the daemon down before it pauses"
        room, spare = (unit.high - page) / FIRST, unit.high - high + page
    elif ceiling < enough:
        place = f"what this machine or its container has ({ceiling // MB} MB)"
        then = "kill the daemon before it pauses"
        room, spare = (ceiling - ROOM - page) / LAST, ceiling - enough + page
        unit = None
    else:
        return []
    what, lower = f"memory.limit: {limit // MB}MB does", [f"lower memory.limit to {_down(room, LEAST_LIMIT)}MB"]
    if page:
        what = f"memory.limit: {limit // MB}MB and ocr.memory: {page // MB}MB do"
        if room < LEAST_LIMIT:
            lower = []
        if spare >= LEAST_PAGE:
            lower.append(f"lower ocr.memory to {_down(spare, LEAST_PAGE)}MB")
        if spare >= 0:  # the daemon alone does fit
            then = then.replace("the daemon before it pauses", "text recognition while a page is read")
            lower.append("set ocr.mode to never")
        lower = lower or ["lower memory.limit and set ocr.mode to never"]
    if unit is not None:
        edit = f"systemctl {'--user ' if unit.user else ''}edit {unit.name}"
        lower.append(
            f"raise the unit's with `{edit}`: [Service] MemoryHigh={up(high)}M MemoryMax={up(enough)}M"
            " (and MemoryMax of bouquetd.slice with them)"
        )
    return [f"{what} not fit under {place}: the kernel would {then}; {', or '.join(lower)}"]


def unit_of(config: Path, home: Path) -> tuple[str, bool] | None:
    """The unit that runs a configuration by where that lies, and whether it is a user's; none for others."""
    if config.parent == Path("/etc/bouquetd") and config.suffix == ".yaml":
        return ("bouquetd.service" if config.stem == "bouquetd" else f"bouquetd@{config.stem}.service"), False
    if config == home / ".config" / "bouquetd" / "bouquetd.yaml":
        return "bouquetd.service", True
    return None


def ask(name: str, *, user: bool) -> Unit | None:
    """What systemd says of a unit; none where there is no systemd or no such unit."""
    return of(name, systemd.show(name, ("LoadState", "MemoryHigh", "MemoryMax"), user=user), user=user)


def of(name: str, said: Mapping[str, str], *, user: bool) -> Unit | None:
    """A unit by the properties that systemd shows of it; none where it is not loaded."""
    if said.get("LoadState") != "loaded":
        return None
    return Unit(name, _size(said.get("MemoryHigh")), _size(said.get("MemoryMax")), user)


def least(limit: int, page: int = 0) -> tuple[int, int]:
    """The MemoryHigh and MemoryMax that a unit needs at least, in bytes; ``page`` as in ``advise``."""
    return int(limit * FIRST) + page, int(limit * LAST) + ROOM + page


def _size(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _down(size: float, least: int) -> int:
    """In MB, rounded down to tens."""
    return int(max(size, least)) // MB // 10 * 10


def up(size: int) -> int:
    """In MB, rounded up to tens."""
    return -(-size // MB // 10) * 10

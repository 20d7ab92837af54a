"""When a file is quiet. Pure: fingerprints and a monotonic clock's readings are handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bouquetd.model import Fingerprint


def quiet_since(previous: tuple[Fingerprint, float] | None, current: Fingerprint, now: float) -> float:
    """The moment (seconds, monotonic) from which on nothing is known to have touched the file.

    ``previous`` is the last fingerprint with its own ``quiet_since``; any difference starts the wait anew.
    """
    if previous is not None and previous[0] == current:
        return previous[1]
    return now


def quiet_at(since: float, settle: float) -> float:
    """The moment at which a file untouched from ``since`` on will have been in peace for ``settle`` seconds."""
    return since + settle


def is_quiet(since: float, now: float, settle: float) -> bool:
    """Whether that moment has come."""
    return quiet_at(since, settle) <= now

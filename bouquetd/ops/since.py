"""How far back a person wants to look: a date, a time, or a while ago."""

from __future__ import annotations

import re
from datetime import datetime

from bouquetd.errors import Rejected

_AGO = re.compile(r"(\d{1,6})\s*(min|m|h|d|w)")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def since(text: str | None, now: float) -> float | None:
    """Seconds since the epoch of a date, a time (of here, unless it says where) or a while ago, as ``7d``.

    None of None. Raises ``Rejected`` for what is none of them.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text.strip().lower()):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Rejected(
            f"{text!r} is no date and no length of time",
            "write 2026-01-31, '2026-01-31 14:00', or 30m, 12h, 7d, 2w",
        ) from None

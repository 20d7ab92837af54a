"""Figures as people read them."""

from __future__ import annotations

import time

from bouquetd.model import MB


def percent(share: float) -> str:
    """``45 %``."""
    return f"{share * 100:.0f} %"


def size(number: float) -> str:
    """Bytes in the unit that reads best: ``340 B``, ``12 KB``, ``1.2 MB``, ``3.4 GB``."""
    if number < 1024:
        return f"{number:.0f} B"
    if number < MB:
        return f"{number / 1024:.0f} KB"
    return f"{number / MB:,.1f} MB" if number < 1024 * MB else f"{number / MB / 1024:,.1f} GB"


def lasting(seconds: float) -> str:
    """Seconds in the units that read best: ``0.4 s``, ``45 s``, ``3 min``, ``2 h 5 min``, ``3 days``."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s".replace(".0 s", " s")
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes // 60 // 24} days"


def moment(at: float) -> str:
    """A time in seconds since the epoch, as clocks here show it: ``2026-01-31 14:05``."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def times(number: int) -> str:
    """``never``, ``once``, ``3 times``."""
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")


def count(number: int, word: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {word}" + "s" * (number != 1)

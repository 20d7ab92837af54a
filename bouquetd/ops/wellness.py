"""Whether the daemon is well, as monitors ask: ``/healthz``, ``bouquetd status --probe``, and a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bouquetd.ops.status import hung

BY_ITSELF = ("working", "idle", "throttled")
"""States that nobody need look at."""


def trouble(status: Mapping[str, Any] | None, now: float) -> str | None:
    """Why somebody should look at it; None while all is well. ``now`` in seconds since the epoch.

    A pause for memory is no trouble: within ``memory.pause_limit`` it ends, or the daemon starts afresh. Any
    other is somebody's wish that should not be forgotten.
    """
    if status is None:
        return "stopped: no daemon runs"
    if (why := hung(status, now)) is not None:
        return f"hung: {why}"
    state, why = status["state"], status.get("why", "")
    if state in BY_ITSELF or (state == "paused" and why.startswith("memory")):
        return None
    return f"{state}: {why}".removesuffix(": ")

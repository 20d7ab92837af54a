"""Whether the daemon is well, as monitors ask: ``/healthz``, ``bouquetd status --probe``, and a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bouquetd.ops.status import STALE

BY_ITSELF = ("working", "idle", "throttled")
"""States that nobody need look at."""


def trouble(status: Mapping[str, Any] | None, now: float) -> str | None:
    """Why somebody should look at it; None while all is well. ``now`` in seconds since the epoch.

    A pause for memory is no trouble: within ``memory.pause_limit`` it ends, or the daemon starts afresh. Any
    other is somebody's wish that should not be forgotten.
    """
    if status is None:
        return "stopped: no daemon runs"
    if now - status["at"] > STALE:
        return f"hung: the daemon has said nothing for {now - status['at']:.0f} s"
    if status.get("hung"):
        return f"hung: {status['hung']}"
    state, why = status["state"], status.get("why", "")
    if state in BY_ITSELF or (state == "paused" and why.startswith("memory")):
        return None
    return f"{state}: {why}".removesuffix(": ")

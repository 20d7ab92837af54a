"""What load balancers ask: a word while all is well, else what kind of trouble there is, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bouquetd.ops.wellness import trouble
from bouquetd.web.server import Request, Response, Routes, said

Status = Callable[[], Mapping[str, Any] | None]
"""The last status; None before the first."""

TOLD: Mapping[str, str] = {
    "stopped": "it is just starting",
    "hung": "it makes no progress",
    "holding": "it waits for something that is missing, and goes on by itself",
    "paused": "it takes no files until it is told to go on",
}
"""By kind of trouble; the reason may have names, paths and words of people, and whoever asks may be anybody."""


def health(status: Status, clock: Callable[[], float] = time.time) -> Routes:
    """200 with the state while the daemon is well, else 503 with the kind of trouble."""

    def judged(_: Request) -> Response:
        seen = status()
        if why := trouble(seen, clock()):
            kind = why.partition(":")[0]
            told = TOLD.get(kind, "it wants a look")
            return said(503, f"{kind}: {told}; `bouquetd status` on its machine says why")
        return said(200, str(seen and seen["state"]))

    return {("GET", "/healthz"): judged, ("GET", "/readyz"): judged}

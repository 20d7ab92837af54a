"""What load balancers ask: a word while all is well, else the reason why it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bouquetd.ops.wellness import trouble
from bouquetd.web.server import Request, Response, Routes, said

Status = Callable[[], Mapping[str, Any] | None]
"""The last status; None before the first."""


def health(status: Status, clock: Callable[[], float] = time.time) -> Routes:
    """200 with the state while the daemon is well, else 503 with the reason."""

    def judged(_: Request) -> Response:
        seen = status()
        if why := trouble(seen, clock()):
            return said(503, why)
        return said(200, str(seen and seen["state"]))

    return {("GET", "/healthz"): judged, ("GET", "/readyz"): judged}

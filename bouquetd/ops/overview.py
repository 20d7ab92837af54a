"""What the ledger says at a glance, for ``bouquetd status`` and ``top``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bouquetd.config import Paths
from bouquetd.ledger import Ledger
from bouquetd.model import State, printable

LATEST = 5
"""Failures that are shown, where no other number is asked for as ``failures``."""

NOTHING: Mapping[str, Any] = {"states": {}, "failures": [], "shards": 0, "chunks": 0}
"""Where there is no ledger yet."""


def overview(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Documents by state, the latest failures, shards and chunks; by indexes only, however many there are."""
    shards = ledger.shards()
    return {
        "states": dict(ledger.counts()),
        "failures": [
            {
                "source": printable(entry.document.source),
                "at": entry.updated,
                "reason": entry.reason,
                "remedy": entry.remedy,
            }
            for entry in ledger.recent(State.FAILED, limit=int(arguments.get("failures", LATEST)))
        ],
        "shards": len(shards),
        "chunks": sum(shard.chunks for shard in shards),
    }

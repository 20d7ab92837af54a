"""What the ledger alone can say of the store: its shards, which are in doubt, what they were filled with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bouquetd.config import Paths
from bouquetd.ledger import Ledger
from bouquetd.model import State

DAY = 86_400.0
"""Seconds for which a failed file counts as a recent one."""

MOST = 1000
"""Recent failures are counted up to here."""


def consistency(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Shards, chunks, failures of the last day, and the facts that ``arguments`` name.

    ``dirty`` counts the shards whose index Chroma may not have written whole: of a running daemon the one in
    hand, after a stop in good order none.
    """
    shards, since = ledger.shards(), time.time() - DAY
    recent = ledger.recent(State.FAILED, limit=MOST)
    return {
        "shards": len(shards),
        "dirty": sum(shard.dirty for shard in shards),
        "chunks": sum(shard.chunks for shard in shards),
        "failed": sum(entry.updated >= since for entry in recent),
        "filled": ledger.filled(),
        "facts": {str(key): ledger.fact(str(key)) for key in arguments["facts"]},
    }

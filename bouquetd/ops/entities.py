"""Which entities there are, and where one occurs, out of the ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bouquetd import mentions
from bouquetd.config import Paths
from bouquetd.ledger import Ledger
from bouquetd.mentions import KINDS
from bouquetd.model import printable

MOST = 10_000
"""Rows of one answer."""


def entities(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """With a name (``lovelace``, ``email:*@x.org``), where it occurs; else the most frequent of each kind.

    Kinds come in the order of ``KINDS``.
    """
    name, kinds = str(arguments["name"] or ""), [str(kind) for kind in arguments["kinds"]]
    kind, colon, value = name.partition(":")
    if colon and kind.lower() in KINDS:
        name, kinds = value, [kind.lower()] if kind.lower() in (kinds or KINDS) else [""]
    limit = min(int(arguments["limit"]), MOST)
    if name:
        return [
            {**_told(m.entity), "source": printable(os.fsdecode(m.source)), "chunks": m.chunks}
            for m in mentions.occurrences(ledger.path, name, kinds, limit)
        ]
    found = [
        {**_told(f.entity), "documents": f.documents, "chunks": f.chunks}
        for f in mentions.frequent(ledger.path, kinds, limit)
    ]
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(found, key=lambda row: order.get(row["kind"], len(order)))


def _told(entity: str) -> dict[str, str]:
    kind, _, value = entity.partition(":")
    return {"kind": kind, "value": printable(value)}

"""What is stored, a page at a time, as the daemon says it over its socket.

A page goes on where the one before it ended, by names and not by a count, so that what comes and goes meanwhile
shifts nothing: a document that stays is listed once and whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice, takewhile
from typing import Any

from bouquetd.ledger import Entry, Ledger, Place
from bouquetd.model import Record, State, printable
from bouquetd.store.shards import Store

DOCUMENTS, CHUNKS = 200, 100
"""The most of one page."""

CHARACTERS = 200_000
"""Characters of text in one page, unless a single chunk has more: as JSON each may take 12 bytes, and what the
control socket answers has an end."""

STORED = (State.COMPLETE, State.FILED)
"""The states of documents that are there as a whole."""


def documents(ledger: Ledger, after: str = "") -> list[dict[str, Any]]:
    """Documents by id, those behind ``after``; none when that was the last."""
    return [
        {**asdict(entry.document), "source": printable(entry.document.source), "stored": entry.chunks}
        for entry in islice(filter(_has_chunks, ledger.entries(*STORED, after=after)), DOCUMENTS)
    ]


def _has_chunks(entry: Entry) -> bool:
    """An archive has none: what is packed in it has."""
    return entry.chunks > 0


def chunks(
    ledger: Ledger, store: Store, after: Sequence[Any] | None, source: str | None, *, vectors: bool
) -> dict[str, Any]:
    """Records by shard, document and number, those behind the place ``after``, all of one shard.

    ``next`` is the place where the page ends, None when nothing is left. A page may be empty and not the last.
    """
    begin = (int(after[0]), str(after[1]), int(after[2])) if after else (0, "", -1)
    ids = None if source is None else _ids(ledger, source)
    places = _one_shard(ledger.places(begin, ids))
    if not places:
        return {"records": [], "next": None}
    found = store.records(places[0][0], [_id(place) for place in places], vectors=vectors)
    records: list[dict[str, Any]] = []
    end, size = begin, 0
    for place in places:
        if record := found.get(_id(place)):
            size += len(record.text)
            if records and size > CHARACTERS:
                break
            records.append(_plain(record))
        end = place
    return {"records": records, "next": end}


def _one_shard(places: Iterator[Place]) -> list[Place]:
    first = next(places, None)
    if first is None:
        return []
    return [first, *takewhile(lambda place: place[0] == first[0], islice(places, CHUNKS - 1))]


def _id(place: Place) -> str:
    return f"{place[1]}:{place[2]}"


def _ids(ledger: Ledger, source: str) -> list[str]:
    """The documents of a source, which may be given as it is printed; where something was escaped we look."""
    entries = ledger.entries(*STORED) if "\\" in source else iter(ledger.by_source(source))
    return [
        entry.document.id
        for entry in entries
        if entry.state in STORED and source in (entry.document.source, printable(entry.document.source))
    ]


def _plain(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "text": record.text,
        "metadata": dict(record.metadata),
        "vector": record.vector.tolist(),
    }

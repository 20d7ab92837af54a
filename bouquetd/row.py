"""A record as SQLite holds it, in the journal and in what is kept of sealed shards."""

from __future__ import annotations

import orjson

from bouquetd.model import Record

Row = tuple[str, str, str, bytes]
"""Id, text, metadata as JSON, vector as little-endian float32."""


def packed(record: Record) -> Row:
    """The record, packed."""
    metadata = orjson.dumps(dict(record.metadata)).decode()
    return record.id, record.text, metadata, record.vector.astype("<f4", copy=False).tobytes()


def unpacked(row: Row) -> Record:
    """What was packed, each vector to the last bit. Raises ``ValueError`` when it is damaged."""
    import numpy as np  # only who reads vectors needs it

    id_, text, metadata, vector = row
    return Record(id_, text, orjson.loads(metadata), np.frombuffer(vector, dtype="<f4"))

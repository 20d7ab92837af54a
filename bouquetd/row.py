"""A record as SQLite holds it, in the journal and in what is kept of sealed shards."""

from __future__ import annotations

import orjson

from bouquetd.model import Record, Vector

Row = tuple[str, str, str, bytes]
"""Id, text, metadata as JSON, vector as little-endian float32."""


def packed(record: Record) -> Row:
    """The record, packed."""
    metadata = orjson.dumps(dict(record.metadata)).decode()
    return record.id, record.text, metadata, record.vector.astype("<f4", copy=False).tobytes()


def unpacked(row: Row) -> Record:
    """What was packed, each vector to the last bit. Raises ``ValueError`` when it is damaged."""
    id_, text, metadata, vector = row
    return Record(id_, text, orjson.loads(metadata), vector_of(vector))


def vector_of(packed: bytes) -> Vector:
    """A vector that was packed, to the last bit. Raises ``ValueError`` when it is damaged."""
    import numpy as np  # only who reads vectors needs it

    return np.frombuffer(packed, dtype="<f4")

"""One document's whole way: extract, chunk, entities, embed, store.

Read ``Pipeline.ingest`` from top to bottom; that is what bouquetd does. Each stage pulls from the one before
it, so memory in flight is one batch, and a slow stage slows all before it. The parts arrive as arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from bouquetd.errors import Rejected
from bouquetd.model import Chunk, Document, Metadata, Piece, Record, Vector, printable


class Gate(Protocol):
    """What the pipeline asks about memory between two batches."""

    @property
    def batch_size(self) -> int:
        """Chunks the next batch may have."""

    def wait(self) -> None:
        """Return when the next batch may go; raises ``Stopped`` when the daemon is to stop."""


class Journal(Protocol):
    """Makes a batch and the document's progress durable."""

    def __call__(self, document: Document, records: Sequence[Record], *, whole: bool) -> None:
        """``whole`` says that the document's last chunk is among the records."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages, put together by whoever runs it."""

    extract: Callable[[BinaryIO, Document], Iterable[Piece]]
    chunk: Callable[[Iterable[Piece]], Iterable[Chunk]]
    entities: Callable[[Sequence[str]], Iterable[list[str]]]
    embed: Callable[[Sequence[str]], NDArray[np.float32]]
    journal: Journal
    store: Callable[[Sequence[Record]], None]
    gate: Gate
    watch: Callable[[Document, Sequence[Chunk]], None]

    def ingest(self, document: Document, file: BinaryIO) -> int:
        """Bring a document from its file into the store; returns the number of its chunks.

        Chunks that an earlier run stored are passed over. Raises ``Rejected`` for the file's fault,
        ``Unavailable`` for the world's, ``Stopped`` between two batches.
        """
        total = document.stored
        pieces = self.extract(file, document)
        chunks = islice(self.chunk(pieces), document.stored, None)
        for batch in batched(chunks, lambda: self.gate.batch_size):
            self.gate.wait()
            self.watch(document, batch)
            texts = [chunk.text for chunk in batch]
            found = self.entities(texts)  # in threads of their own, beside the embedder's native code
            vectors = self.embed(texts)
            parts = zip(batch, found, vectors, strict=True)
            records = [record(document, chunk, entities, vector) for chunk, entities, vector in parts]
            self.journal(document, records, whole=batch[-1].last)  # durable before Chroma sees it
            self.store(records)
            total += len(batch)
        if not total:
            raise Rejected("no text was found in it", "check that it opens and shows text where it came from")
        return total


def batched(chunks: Iterable[Chunk], size: Callable[[], int]) -> Iterator[list[Chunk]]:
    """Lists of chunks; ``size`` is asked before each, since memory may have become short."""
    source = iter(chunks)
    while batch := list(islice(source, size())):
        yield batch


def record(document: Document, chunk: Chunk, entities: list[str], vector: Vector) -> Record:
    """A chunk as it is journalled and stored."""
    return Record(f"{document.id}:{chunk.number}", chunk.text, metadata(document, chunk, entities), vector)


def metadata(document: Document, chunk: Chunk, entities: list[str]) -> Metadata:
    """What is stored beside a chunk's text; ``source_hex`` only where the path is no printable UTF-8.

    Each key costs Chroma some 20 us a chunk, so nothing is here that the chunk's id says.
    """
    values: dict[str, str | int | float | bool | list[str]] = {
        "source": printable(document.source),
        "name": printable(document.name),
        "digest": document.digest,
        "media_type": document.media_type,
        "chunk": chunk.number,
        "start": chunk.start,
        "end": chunk.end,
        "ingested_at": document.since,
    }
    if values["source"] != document.source:
        values["source_hex"] = os.fsencode(document.source).hex()
    if chunk.page is not None:
        values["page"] = chunk.page
    if chunk.row is not None:
        values["row"] = chunk.row
    if entities:
        values["entities"] = entities
    if chunk.last:
        values["last"] = True
    return values

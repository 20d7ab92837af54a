"""A document's whole way: extract, chunk, entities, embed, store.

Read ``Pipeline.ingest`` and ``flush`` from top to bottom; that is what bouquetd does. Each stage pulls from the
one before it, so memory in flight is bounded, and a slow stage slows all before it. The parts arrive as
arguments.

Chroma in this process holds the interpreter's lock while it takes records, some 150 ms for 250 of them. All
that can run meanwhile is native code that was begun before: so the texts that come next are already read by
then, and are being cut into tokens on another core. A Chroma that is a process of its own takes them while the
whole pipeline goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from bouquetd.errors import Rejected
from bouquetd.model import NOTHING, Chunk, Document, Facts, Metadata, Piece, Record, Vector, printable


class Gate(Protocol):
    """What the pipeline asks about memory between two batches."""

    @property
    def batch_size(self) -> int:
        """Chunks the next batch may have."""

    def wait(self) -> None:
        """Return when the next batch may go; raises ``Stopped`` when the daemon is to stop."""


Part = tuple[Document, Sequence[Record], bool]
"""Of one document the records in a batch, in order, and whether its last chunk is among them."""

AHEAD = 25
"""Batches that are read at most before the first of them is embedded: fewer chunks where memory is short."""

AHEAD_TEXT = 400_000
"""Characters of text that are read ahead at most, and one chunk more."""


class Begun(Protocol):
    """Texts that are being made ready for the embedder, by native code beside our own."""

    def __getitem__(self, part: slice, /) -> Any:
        """Some of them, ready; waits if need be."""


@dataclass(slots=True)
class Pipeline:
    """The stages, put together by whoever runs it."""

    extract: Callable[[BinaryIO, Document], Iterable[Piece]]
    chunk: Callable[[Iterable[Piece]], Iterable[Chunk]]
    names: Callable[[Iterable[Chunk], int], Iterable[Chunk]]
    """Adds to each chunk, from that number on, what is named in it as far as the text itself tells."""
    entities: Callable[[Sequence[str]], Iterable[list[str] | None]]
    begin: Callable[[Sequence[str]], Begun]
    embed: Callable[[Sequence[str], Any], NDArray[np.float32]]
    journal: Callable[[Sequence[Part]], None]
    land: Callable[[], None]
    store: Callable[[Sequence[Record]], None]
    gate: Gate
    store_batch: int
    """Chunks that Chroma takes in one call, and that are read ahead while it does."""
    watch: Callable[[Sequence[tuple[Document, Chunk]]], None]
    ahead: list[tuple[Document, Chunk]] = field(default_factory=list)
    """What is read and not yet embedded, of one document or of several small ones."""
    size: int = 0
    """Characters of text added to that since it was last empty."""

    def ingest(self, document: Document, file: BinaryIO) -> tuple[int, str]:
        """Read a document, flushing whenever enough is read; returns the number of its chunks and its digest.

        That is of its text, and "" where an earlier run stored all chunks; those are passed over. The last ones
        wait for the next document's, or for ``flush``. Raises ``Rejected`` for the file's fault,
        ``Unavailable`` for the world's, ``Stopped`` between two batches; ``leave_out`` is to follow then.
        """
        total, text_digest = self.take(document, self.chunk(self.extract(file, document)))
        if not total:
            raise Rejected("no text was found in it", "check that it opens and shows text where it came from")
        return total, text_digest

    def take(self, document: Document, chunks: Iterable[Chunk]) -> tuple[int, str]:
        """The same for chunks that are at hand, of which there may be none."""
        total, text_digest = document.stored, ""
        for chunk in islice(self.names(chunks, document.stored), document.stored, None):
            self.ahead.append((document, chunk))
            self.size += len(chunk.text)
            total += 1
            text_digest = chunk.text_digest
            most = min(self.store_batch, AHEAD * self.gate.batch_size)
            if len(self.ahead) >= most or self.size >= AHEAD_TEXT:
                self.flush()
        return total, text_digest

    def flush(self) -> None:
        """Bring what is read into the store, batch by batch. What is not journalled stays for the next call."""
        if not self.ahead:
            return
        begun, done = self.begin([chunk.text for _, chunk in self.ahead]), 0
        self.land()  # Chroma takes what was journalled before, while those texts are being made ready
        while self.ahead:
            self.gate.wait()
            batch = self.ahead[: self.gate.batch_size]
            self.watch(batch)
            texts = [chunk.text for _, chunk in batch]
            # In threads of their own, beside the embedder's native code.
            found = self.entities([chunk.text for _, chunk in batch if chunk.entities is None])
            vectors = self.embed(texts, begun[done : done + len(batch)])
            rows = zip(batch, _entities(batch, found), vectors, strict=True)
            records = [
                record(document, chunk, entities, vector) for (document, chunk), entities, vector in rows
            ]
            self.journal(parts(batch, records))  # before Chroma sees it, which a kill may break
            del self.ahead[: len(batch)]
            done += len(batch)
            self.store(records)
        self.size = 0

    def leave_out(self, unwanted: Callable[[Document], bool]) -> None:
        """Forget what is read of some documents and not yet journalled."""
        self.ahead[:] = [item for item in self.ahead if not unwanted(item[0])]


def _entities(
    batch: Sequence[tuple[Document, Chunk]], found: Iterable[list[str] | None]
) -> Iterator[list[str] | None]:
    """Those that a chunk came with, else the next that were found."""
    fresh = iter(found)
    for _, chunk in batch:
        yield next(fresh) if chunk.entities is None else list(chunk.entities)


def parts(batch: Sequence[tuple[Document, Chunk]], records: Sequence[Record]) -> list[Part]:
    """The records by document, in the order of the batch."""
    found: list[Part] = []
    both = zip(batch, records, strict=True)
    for _, rows in groupby(both, key=lambda row: row[0][0].id):
        own = list(rows)
        (document, last), _record = own[-1]
        found.append((document, [record for _, record in own], last.last))
    return found


def record(document: Document, chunk: Chunk, entities: list[str] | None, vector: Vector) -> Record:
    """A chunk as it is journalled and stored."""
    return Record(f"{document.id}:{chunk.number}", chunk.text, metadata(document, chunk, entities), vector)


def metadata(document: Document, chunk: Chunk, entities: list[str] | None) -> Metadata:
    """What is stored beside a chunk's text; ``source_hex`` only where the path is no printable UTF-8.

    ``entities`` is None where the provider could not say, which is stored too, as ``entities_missing``. Each
    key costs Chroma some 20 us a chunk, so nothing is here that the chunk's id says.
    """
    place = chunk.place
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
    if document.parent is not None:
        values["parent"] = printable(document.parent)
    if place.page is not None:
        values["page"] = place.page
    if place.row is not None:
        values["row"] = place.row
    facts = () if place.facts is NOTHING else ((name, getattr(place.facts, name)) for name in Facts.__slots__)
    for name, value in (*facts, ("headings", place.headings), ("links", chunk.links)):
        if value:
            values[name] = list(value) if isinstance(value, tuple) else value
    if entities is None:
        values["entities_missing"] = True
    names = chunk.names if chunk.entities is None else ()
    if entities or names:
        values["entities"] = list(dict.fromkeys((*(entities or ()), *names)))
    if chunk.last:
        values["last"] = True
        if chunk.text_digest:
            values["text_digest"] = chunk.text_digest
    return values

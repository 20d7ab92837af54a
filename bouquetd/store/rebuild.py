"""Putting right what a kill broke: the active shard from the journal, a sealed one from its own rows.

A count proves nothing (an index with cut links still counts and answers), and opening a torn index can crash or
balloon the process. So a shard that was being written when the process died is not examined but replaced:
deleted unopened and filled again. Nothing is embedded, unless the vectors that were kept are gone too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bouquetd.ledger import Ledger, Shard, collection_name
from bouquetd.model import Fingerprint, Record
from bouquetd.store.chroma import PAGE, Chroma, filled
from bouquetd.store.findings import Findings
from bouquetd.store.vectors import Vectors

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

Beat = Callable[[], None]
"""Called for each page: says that there is progress, and may raise ``Stopped``."""

Locate = Callable[[str, str], tuple[Fingerprint, str | None] | None]
"""Where the file of a source and digest lies now: its fingerprint and, unless in the inbox, its destination."""

GONE = Fingerprint(0, 0, 0, 0, 0)
"""Of a file that is not to be found any more."""

TOLERANCE = 1e-5
"""Largest difference in one component between a vector given and returned: cosine space normalises again."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A shard that was put right. ``missing`` are documents of which chunks could not be recovered."""

    shard: int
    chunks: int
    origin: str
    missing: tuple[str, ...] = ()


def recover(chroma: Chroma, ledger: Ledger, vectors: Vectors, embed: Embed, beat: Beat) -> list[Rebuilt]:
    """Rebuild every dirty shard and clear away what half-done rebuilds left."""
    chroma.sweep()
    shards = ledger.shards()
    if not shards:
        return []
    known = {s.collection for s in shards}
    dirty = [s for s in shards if s.dirty]
    for entry in dirty:
        chroma.detach(entry.collection)
    for stray in chroma.names() - known:
        if stray.startswith("bouquet-"):
            chroma.delete(stray)
    vectors.sweep(s.number for s in shards if s.sealed)
    rebuilt = [shard(chroma, ledger, vectors, entry, embed, beat) for entry in dirty]
    ledger.mark_clean()
    return rebuilt


def shard(chroma: Chroma, ledger: Ledger, vectors: Vectors, entry: Shard, embed: Embed, beat: Beat) -> Rebuilt:
    """Rebuild one shard, from the journal while it is active, else from its own rows."""
    if entry.sealed:
        return from_rows(chroma, ledger, vectors, entry, embed, beat)
    return from_journal(chroma, ledger, entry, beat)


def from_journal(chroma: Chroma, ledger: Ledger, entry: Shard, beat: Beat) -> Rebuilt:
    """Fill the active shard afresh from the journal: ids, texts, metadata, vectors, in the same order."""
    if entry.collection in chroma.names():
        chroma.delete(entry.collection)
    chroma.create(entry.collection)
    count = 0
    for page in ledger.journalled():
        beat()
        chroma.add(entry.collection, page)
        count += len(page)
    chroma.close()
    return Rebuilt(entry.number, count, "journal")


def from_rows(
    chroma: Chroma, ledger: Ledger, vectors: Vectors, entry: Shard, embed: Embed, beat: Beat
) -> Rebuilt:
    """Fill a new collection from a sealed shard's texts and its kept vectors, and let it take its place.

    The old collection stays until the ledger names the new one, so that this can be killed and begun again.
    """
    head, _, revision = entry.collection.partition("-r")
    fresh = collection_name(entry.number, int(revision or 0) + 1)
    if fresh in chroma.names():
        chroma.delete(fresh)
    chroma.detach(entry.collection)
    chroma.create(fresh)
    wanted = list(ledger.expected(entry.number))
    kept = vectors.of(entry.number)
    missing: set[str] = set()
    for start in range(0, len(wanted), PAGE):
        beat()
        page = wanted[start : start + PAGE]
        found = chroma.get(entry.collection, page, vectors=False) if entry.collection in chroma.names() else {}
        missing.update(i.rpartition(":")[0] for i in page if i not in found)
        rows = [found[i] for i in page if i in found]
        if rows:
            if unkept := [r for r in rows if r.id not in kept]:
                kept |= zip((r.id for r in unkept), embed([r.text for r in unkept]), strict=True)
            chroma.add(fresh, [Record(r.id, r.text, r.metadata, kept.pop(r.id)) for r in rows])
    chroma.close()
    ledger.rename_shard(entry.number, fresh)
    if entry.collection in chroma.names():
        chroma.delete(entry.collection)
    return Rebuilt(entry.number, len(wanted), f"texts of {head}", tuple(sorted(missing)))


def equals_journal(chroma: Chroma, ledger: Ledger, entry: Shard) -> bool:
    """Whether a shard holds exactly the journal: the same ids, texts, metadata and vectors, and no more."""
    count = 0
    for page in ledger.journalled():
        if not _same(page, chroma.get(entry.collection, [r.id for r in page])):
            return False
        count += len(page)
    return len(chroma.ids(entry.collection)) == count


def ledger_from(chroma: Chroma, ledger: Ledger, locate: Locate, beat: Beat) -> tuple[int, int]:
    """Enter into an empty ledger what Chroma's metadata say; returns documents kept and documents dropped.

    A document is kept when all its chunks are there up to the one marked last. The newest shard, which was
    being written when the ledger was lost, and any that cannot be read are marked dirty, unopened, so that
    ``recover`` builds them anew from their texts; so is one that holds chunks of documents not kept.
    """
    shards = _collections(chroma.names())
    suspect = {max(shards)} if shards else set()
    chunks, kept, dropped = Counter[int](), 0, 0
    with closing(Findings()) as findings:
        for number, collection in sorted(shards.items()):
            if number in suspect:
                chroma.detach(collection)
            for page in chroma.metadatas(collection):
                beat()
                findings.see(number, page)
        for found in findings.documents():
            kept, dropped = kept + found.whole, dropped + (not found.whole)
            for number, first, last in found.placements:
                if found.whole:
                    chunks[number] += last - first + 1
                else:
                    suspect.add(number)
        for number, collection in sorted(shards.items()):
            ledger.add_shard(number, collection, chunks=chunks[number], dirty=number in suspect)
        for found in findings.documents():
            if found.whole:
                beat()
                document = found.document
                fingerprint, destination = locate(document.source, document.digest) or (GONE, "")
                ledger.adopt(document, found.placements, fingerprint, destination)
    return kept, dropped


def _collections(names: set[str]) -> dict[int, str]:
    """The collection of each shard; of two, the older, which is whole until the ledger names the newer."""
    shards: dict[int, str] = {}
    for name in sorted(names, reverse=True):
        if match := re.fullmatch(r"bouquet-(\d+)(-r\d+)?", name):
            shards[int(match[1])] = name
    return shards


def _same(page: Sequence[Record], found: Mapping[str, Record]) -> bool:
    theirs = [found[record.id] for record in page if record.id in found]
    return (
        len(theirs) == len(page)
        and all(
            one.text == other.text
            and filled(one.metadata) == other.metadata
            and one.vector.shape == other.vector.shape
            for one, other in zip(page, theirs, strict=True)
        )
        # All at once: one by one this would take longer than reading them does.
        and bool(
            np.abs(np.stack([r.vector for r in page]) - np.stack([r.vector for r in theirs])).max() <= TOLERANCE
        )
    )

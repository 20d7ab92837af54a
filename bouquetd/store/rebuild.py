"""Putting right what a kill broke: the active shard from the journal, a sealed one from its kept records.

A count proves nothing (an index with cut links still counts and answers), and opening a torn index can crash or
balloon the process. So a shard that was being written when its process died is not examined but replaced:
deleted unopened and filled again. So is one whose collection is gone: a Chroma that was emptied, or another one
than before, fills by itself. Nothing is embedded, unless the kept records are gone too.

Only the active shard, where no file of its index was touched since Chroma last wrote them in full, is opened
and compared with the journal, vector by vector, and given what it lacks: with 4,400 chunks 0.6 s instead of 2.4
(``python -m tests.bench resume``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bouquetd.errors import Unavailable
from bouquetd.ledger import Ledger, Shard, collection_name
from bouquetd.model import Fingerprint, Record, Vector
from bouquetd.row import Row, packed
from bouquetd.store.chroma import PAGE, Chroma
from bouquetd.store.findings import Findings
from bouquetd.store.kept import Kept

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

Beat = Callable[[], None]
"""Called for each page: says that there is progress, and may raise ``Stopped``."""

Locate = Callable[[str, str], tuple[Fingerprint, str | None] | None]
"""Where the file of a source and digest lies now: its fingerprint and, unless in the inbox, its destination."""

GONE = Fingerprint(0, 0, 0, 0, 0)
"""Of a file that is not to be found any more."""

TOLERANCE = 1e-5
"""Largest difference in one component between a vector given and returned: cosine space normalises again."""


DAMAGED = "whose index was damaged"
"""Why a shard is rebuilt that nobody was writing to."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A shard that was put right. ``missing`` are documents of which chunks could not be recovered."""

    shard: int
    chunks: int
    origin: str
    missing: tuple[str, ...] = ()
    cause: str = "after an unclean stop"
    compacted: int = 0
    """Deleted chunks that it was rid of, where that was the reason."""
    lacking: int | None = None
    """Chunks that it was given, where all others were found sound."""


def recover(chroma: Chroma, ledger: Ledger, kept: Kept, embed: Embed, beat: Beat) -> list[Rebuilt]:
    """Rebuild every shard that is dirty, damaged or gone, and clear away what half-done rebuilds left."""
    chroma.sweep()
    shards = ledger.shards()
    if not shards:
        return []
    damaged = {s.number for s in shards if not s.dirty and chroma.altered(s.collection)}
    trusted = {s.number for s in shards if s.dirty and not s.sealed and chroma.untouched(s.collection)}
    for entry in shards:
        if entry.number in damaged or (entry.dirty and entry.number not in trusted):
            chroma.detach(entry.collection)
    there = sweep(chroma, ledger)
    kept.sweep(s.number for s in shards if s.sealed)
    wanting = [s for s in shards if s.dirty or s.number in damaged or (s.chunks and s.collection not in there)]
    for entry in wanting:
        ledger.mark_dirty(entry.number)
    rebuilt = [
        (caught_up(chroma, ledger, entry, beat) if entry.number in trusted else None)
        or shard(chroma, ledger, kept, entry, embed, beat)
        for entry in wanting
    ]
    ledger.mark_clean()
    return [replace(done, cause=DAMAGED) if done.shard in damaged else done for done in rebuilt]


def sweep(chroma: Chroma, ledger: Ledger) -> set[str]:
    """Delete the collections that no shard names; returns the names of the others."""
    there, known = chroma.names(), {shard.collection for shard in ledger.shards()}
    for stray in there - known:
        chroma.delete(stray)
    return there & known


def shard(
    chroma: Chroma, ledger: Ledger, kept: Kept, entry: Shard, embed: Embed, beat: Beat, *, sound: bool = False
) -> Rebuilt:
    """Rebuild one shard, from the journal while it is active, else from its kept records.

    One that is ``sound`` may be asked until the new one takes its place.
    """
    ledger.sync()
    if entry.sealed:
        return from_kept(chroma, ledger, kept, entry, embed, beat, sound=sound)
    return from_journal(chroma, ledger, entry, beat)


def caught_up(chroma: Chroma, ledger: Ledger, entry: Shard, beat: Beat) -> Rebuilt | None:
    """Give the active shard what it lacks of the journal; None unless all it has is the journal's beginning.

    It is trusted once: should the process die of opening it, the next start fills it anew.
    """
    chroma.distrust(entry.collection)
    ledger.sync()
    try:
        if (sound := _beginning(chroma, ledger, entry.collection, beat)) is None:
            return None
        count = 0
        with chroma.steady():
            for page in ledger.journalled():
                beat()
                if lacking := page[max(0, sound - count) :]:
                    chroma.add(entry.collection, lacking)
                count += len(page)
    except Unavailable:
        return None  # an index that cannot be opened; whatever else it is, filling it anew will say
    return Rebuilt(entry.number, count, "index", lacking=count - sound)


def _beginning(chroma: Chroma, ledger: Ledger, collection: str, beat: Beat) -> int | None:
    """How many of the journal's first records a collection holds; None when it holds anything else."""
    sound, ended = 0, False
    for page in ledger.rows():
        beat()
        found = chroma.vectors(collection, [id_ for id_, *_ in page])
        own = page[: len(found)]
        if found and (ended or not _same(own, found)):
            return None
        ended = len(found) < len(page)
        sound += len(found)
    return sound if len(chroma.ids(collection)) == sound else None


def from_journal(chroma: Chroma, ledger: Ledger, entry: Shard, beat: Beat) -> Rebuilt:
    """Fill the active shard afresh from the journal: ids, texts, metadata, vectors, in the same order."""
    count = 0
    with chroma.steady():
        if entry.collection in chroma.names():
            chroma.delete(entry.collection)
        chroma.create(entry.collection)
        for page in ledger.journalled():
            beat()
            chroma.add(entry.collection, page)
            count += len(page)
    ledger.refilled(entry.number)
    return Rebuilt(entry.number, count, "journal")


def from_kept(
    chroma: Chroma, ledger: Ledger, kept: Kept, entry: Shard, embed: Embed, beat: Beat, *, sound: bool = False
) -> Rebuilt:
    """Fill a new collection with a sealed shard's records and let it take the place of the old one.

    What was not kept (the state directory was lost) is read from the old collection and embedded again. That
    one stays until the ledger names the new one, so that this can be killed and begun again.
    """
    _, _, revision = entry.collection.partition("-r")
    fresh = collection_name(entry.number, int(revision or 0) + 1)
    wanted = list(ledger.expected(entry.number))
    missing: set[str] = set()
    embedded = 0
    with chroma.steady():
        if fresh in chroma.names():
            chroma.delete(fresh)
        if not sound:
            chroma.detach(entry.collection)
        chroma.create(fresh)
        for start in range(0, len(wanted), PAGE):
            beat()
            page = wanted[start : start + PAGE]
            found = kept.get(entry.number, page)
            if lost := [i for i in page if i not in found]:
                texts = _texts(chroma, entry.collection, lost)
                found |= _embedded(texts, embed)
                missing.update(i.rpartition(":")[0] for i in lost if i not in texts)
                embedded += len(texts)
            if there := [found[i] for i in page if i in found]:
                chroma.add(fresh, there)
        if embedded:
            kept.keep(entry.number, rows(chroma, fresh, wanted, beat))
    ledger.rename_shard(entry.number, fresh)
    if entry.collection in chroma.names():
        chroma.delete(entry.collection)
    origin = "texts" if embedded else "records"
    return Rebuilt(entry.number, len(wanted), f"{origin} of the full shard", tuple(sorted(missing)))


def _texts(chroma: Chroma, collection: str, ids: Sequence[str]) -> dict[str, Record]:
    return chroma.get(collection, ids, vectors=False) if collection in chroma.names() else {}


def _embedded(texts: Mapping[str, Record], embed: Embed) -> dict[str, Record]:
    vectors = embed([r.text for r in texts.values()]) if texts else ()
    return {
        r.id: Record(r.id, r.text, r.metadata, vector)
        for r, vector in zip(texts.values(), vectors, strict=True)
    }


def rows(chroma: Chroma, collection: str, ids: Sequence[str], beat: Beat) -> Iterator[list[Row]]:
    """Records of a collection, packed as they are kept, a page at a time."""
    for start in range(0, len(ids), PAGE):
        beat()
        yield [packed(r) for r in chroma.get(collection, ids[start : start + PAGE]).values()]


def equals_journal(chroma: Chroma, ledger: Ledger, entry: Shard) -> bool:
    """Whether a shard holds the journal, no more and no less, each id with its vector.

    It is the index that Chroma may spoil. Texts and metadata lie in SQLite and came in one transaction with the
    ids; reading them too would take four times as long.
    """
    count = 0
    for page in ledger.rows():
        if not _same(page, chroma.vectors(entry.collection, [id_ for id_, *_ in page])):
            return False
        count += len(page)
    return len(chroma.ids(entry.collection)) == count


def ledger_from(chroma: Chroma, ledger: Ledger, locate: Locate, beat: Beat) -> tuple[int, int]:
    """Enter into an empty ledger what Chroma's metadata say; returns documents kept and documents dropped.

    A document is kept when all its chunks are there up to the one marked last. The newest shard, which was
    being written when the ledger was lost, and any that cannot be read are marked dirty, unopened, so that
    ``recover`` builds them anew from their texts; so is one that holds chunks of documents not kept.
    """
    shards = collections(chroma.names())
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
                ledger.adopt(
                    document, found.placements, fingerprint, destination, findings.mentions(document.id)
                )
    return kept, dropped


def collections(names: Iterable[str]) -> dict[int, str]:
    """The collection of each shard; of two, the older, which is whole until the ledger names the newer."""
    found = [match for name in names if (match := re.fullmatch(r"bouquet-(\d+)(?:-r(\d+))?", name))]
    oldest_last = sorted(found, key=lambda match: int(match[2] or 0), reverse=True)
    return {int(match[1]): match[0] for match in oldest_last}


def _same(page: Sequence[Row], found: Mapping[str, Vector]) -> bool:
    # All at once: one by one this would take longer than reading them does.
    wanted = np.frombuffer(b"".join(vector for *_, vector in page), dtype="<f4").reshape(len(page), -1)
    theirs = [found[id_] for id_, *_ in page if id_ in found and found[id_].shape == wanted[0].shape]
    return len(theirs) == len(page) and bool(np.abs(wanted - np.stack(theirs)).max() <= TOLERANCE)

"""The rolling store: Chroma collections of bounded size, so that memory does not grow with what was ingested.

Records arrive already journalled. They are gathered and handed to Chroma in batches of ``batch_size``, because
a call costs 16 to 20 ms whatever its size (section 6 of the design). One batch may be under way to a Chroma
that is a process of its own, while the next is read and embedded; whatever else is asked of it waits until that
has arrived. With Chroma in this process a thread would gain nothing: it holds the GIL while it adds (measured:
other Python threads stall for the whole call; chroma-core/chroma#3873 frees it for reads only). A shard is
marked dirty in the ledger before it is first written and clean when its client was closed in good order; what
is dirty at start is rebuilt. A Chroma that is a process of its own may die while we live: what it was writing
is then rebuilt before anything else is done.

Past 400 lines because one lock spans what is gathered, written, sealed, searched and mended: one class.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bouquetd.errors import Unavailable
from bouquetd.ledger import Ledger, Shard
from bouquetd.model import EVERYTHING, Filter, Hit, Record, Vector
from bouquetd.store import rebuild
from bouquetd.store.chroma import PAGE, Chroma, Refused
from bouquetd.store.kept import Kept
from bouquetd.store.lexical import Difference, Lexical
from bouquetd.store.nearest import closest, nearest
from bouquetd.store.words import Words

WORTH_IT = 1000
"""Deleted chunks in a single collection without bounds (``shard_chunks`` 0) that are worth filling it anew."""

SCRATCH = "bouquet-scratch"
"""The collection that a start warms up with; a kill's leftover is swept with all that no shard names."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a shard: chunks looked at, ids missing or damaged, ids that belong to no document."""

    chunks: int
    faulty: tuple[str, ...]
    stray: tuple[str, ...]


class Store:
    """The shards, written by one thread and searched by any."""

    def __init__(
        self,
        chroma: Chroma,
        ledger: Ledger,
        kept: Kept,
        words: Words,
        *,
        shard_chunks: int,
        batch_size: int,
        embed: rebuild.Embed,
        beat: rebuild.Beat,
        tell: Callable[[rebuild.Rebuilt], None],
        trim: Callable[[], None],
        squeeze: Callable[[], object] = lambda: None,
    ) -> None:
        """``shard_chunks`` 0: one collection for all. ``embed`` serves a rebuild whose records are gone.

        ``beat`` is called for each page of a rebuild, ``tell`` after it; ``trim``, which gives freed memory
        back to the system, whenever the client was closed; ``squeeze``, which gives back what costs little,
        after each batch that Chroma took: it leaves 14 MB of what it freed with 5,000 chunks.
        """
        self._chroma = chroma
        self._ledger = ledger
        self._kept = kept
        self._lexical = Lexical(ledger, kept, words)
        self._shard_chunks = shard_chunks
        self._batch_size = batch_size
        self._embed = embed
        self._beat = beat
        self._tell = tell
        self._trim = trim
        self._squeeze = squeeze
        self._lock = threading.RLock()
        self._gathering: list[Record] = []
        self._sent: list[Record] = []
        self._arrival: Callable[[], object] = lambda: None
        self._sender = ThreadPoolExecutor(1, "store") if chroma.apart else None
        self._doubtful = self._warm = False
        self._writing: set[int] = set()
        # Where Chroma failed, or a rebuild did: dirty until it is proven or rebuilt, by the next start at last.
        self._suspect: set[int] = set()
        # Full shards of which all records are kept, as far as was seen, and those of which some are not.
        self._kept_whole: set[int] = set()
        self._kept_amiss: set[int] = set()
        self.taken = 0
        """Records taken since the start."""
        self.landed = 0
        """Of these, in Chroma."""

    # -- writing ------------------------------------------------------------------------------------------

    def add(self, records: Sequence[Record]) -> None:
        """Take records that are in the journal. On ``Unavailable`` nothing is lost; ``flush`` tries again.

        For the thread that journals: only here is all that was journalled also taken, so that the journal and
        a full shard can be compared.
        """
        with self._lock:
            self._gathering.extend(records)
            self.taken += len(records)
            self._lexical.add(self._ledger.active().number, records)
            if len(self._gathering) >= 2 * self._batch_size:  # nobody called ``land`` in between
                self.flush()
            shard = self._ledger.active()
            if self._shard_chunks and shard.chunks + shard.deleted >= self._shard_chunks:
                self._retire(shard)
            elif not self._shard_chunks and shard.hollow and shard.deleted >= WORTH_IT:
                self._compact(shard)

    def flush(self) -> None:
        """Return when all that was taken is in Chroma. What was not is kept for the next call.

        For the thread that journals, as ``add`` is.
        """
        with self._lock:
            if self._torn:
                self._mend()
            self._land()

    @property
    def _torn(self) -> bool:
        """Whether a Chroma apart from us may have died over what it was writing."""
        return self._chroma.apart and self._doubtful and bool(self._suspect)

    def _land(self) -> None:
        self._arrive()
        self._send()
        self._arrive()

    def _send(self) -> None:
        """Hand what was gathered to Chroma, after what was sent before arrived."""
        if not self._gathering:
            return
        self._ledger.sync()
        self._lexical.begin()
        with self._guarded():
            shard = self._open_for_writing(self._ledger.active())
            add = self._chroma.add_missing if self._doubtful else self._chroma.add
            call = partial(add, shard.collection, self._gathering)
            self._arrival = self._sender.submit(call).result if self._sender else call
            self._sent, self._gathering = self._gathering, []

    def _arrive(self) -> None:
        """Return when what was sent is in Chroma; what is not is gathered again."""
        if not self._sent:
            return
        try:
            with self._guarded():
                self._arrival()
                self._chroma.confirm()
        except BaseException:
            self._sent, self._gathering = [], self._sent + self._gathering
            raise
        if not self._writing & self._suspect:
            self._chroma.follow()
        self.landed += len(self._sent)
        self._sent = []
        self._doubtful = False
        self._squeeze()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever fails within leaves all that is being written under suspicion, unless nothing was done."""
        try:
            yield
        except Refused:
            self._doubtful = True  # of several requests, the first may have been granted
            self._close()  # the next client takes the token anew
            raise
        except BaseException:
            self._suspect.update(self._writing)
            self._doubtful = True
            with suppress(Unavailable):
                self._chroma.distrust()
            self._chroma.end()
            self._close()  # a client that met a full disk does not recover; a fresh one does
            raise

    def _mend(self) -> None:
        """Fill anew what is under suspicion; the journal has all that was taken."""
        active = self._ledger.active().number
        for shard in self._ledger.shards():
            if shard.number in self._suspect:
                self._tell(self._rebuild(shard))
        if active in self._suspect:
            self.landed, self._gathering = self.taken, []
        rebuild.sweep(self._chroma, self._ledger)
        # What is still gathered for it is in the journal alone.
        self._ledger.mark_clean({active} - self._suspect)
        self._suspect.clear()
        self._writing.clear()
        self._doubtful = False

    def _rebuild(self, shard: Shard, *, sound: bool = False) -> rebuild.Rebuilt:
        return rebuild.shard(
            self._chroma, self._ledger, self._kept, shard, self._embed, self._beat, sound=sound
        )

    def land(self) -> None:
        """Hand what was taken to Chroma if that is a batch; for the thread that journals, as ``flush`` is.

        It is under way afterwards where Chroma is apart, and what comes of it the next call says.
        """
        with self._lock:
            if len(self._gathering) < self._batch_size:
                return
            if self._torn:
                self._mend()
            self._arrive()
            self._send()
            if not self._chroma.apart:
                self._arrive()

    def retry(self) -> None:
        """Land what Chroma refused, before more is taken: raises ``Unavailable`` as long as it still does."""
        if self._doubtful:
            self.flush()

    def _open_for_writing(self, shard: Shard) -> Shard:
        if not self._writing:
            self._chroma.begin()
        if shard.number not in self._writing:
            self._ledger.mark_dirty(shard.number)
            if not shard.sealed and shard.collection not in self._chroma.names():
                self._chroma.create(shard.collection)
            self._writing.add(shard.number)
        return shard

    def _retire(self, shard: Shard) -> None:
        """What takes the room of a full shard; one that is hollow, as it was written over, goes on instead."""
        if shard.hollow:
            self._compact(shard)
        else:
            self._seal(shard)

    def _compact(self, shard: Shard) -> None:
        """Fill a shard anew without what was deleted: Chroma's index keeps that for ever."""
        self._tell(replace(self._replace(shard, sound=True), compacted=shard.deleted))

    def _seal(self, shard: Shard) -> None:
        """Prove a full shard equal to the journal, as it lies on disk, keep its records, begin the next one."""
        self._suspect.add(shard.number)
        self.rest()
        if not rebuild.equals_journal(self._chroma, self._ledger, shard):
            rebuild.from_journal(self._chroma, self._ledger, shard, self._beat)
        self._close()
        self._kept.keep(shard.number, self._ledger.rows())
        self._ledger.seal(shard.number)
        self._suspect.discard(shard.number)
        self._trim()

    def remove(self, documents: Collection[str]) -> None:
        """Take all chunks of some documents out of one shard after the other, then out of the ledger."""
        with self._lock:
            self.flush()
            held: dict[int, dict[str, range]] = {}
            for document in documents:
                for number, first, last in self._ledger.placements(document):
                    held.setdefault(number, {})[document] = range(first, last + 1)
            # What is damaged is filled anew first: to write on would call the damage its last good state.
            self._restore(
                lambda shard: (
                    shard.number in held.keys() - self._suspect and self._chroma.altered(shard.collection)
                )
            )
            shards = {s.number: s for s in self._ledger.shards()}
            with self._guarded():
                for number, chunks in sorted(held.items()):
                    shard = self._open_for_writing(shards[number])
                    self._chroma.remove(
                        shard.collection, [f"{d}:{n}" for d, all_ in chunks.items() for n in all_]
                    )
                    self._kept.remove(number, chunks)
                if self._writing:
                    self._chroma.confirm()
            self._lexical.remove(documents, held)
            self._ledger.removed(documents)
            if any(number in shards and shards[number].sealed for number in self._writing):
                self.rest()
                self._drop_empty()
                for shard in self._ledger.shards():
                    if shard.sealed and shard.hollow:
                        self._compact(shard)

    def _drop_empty(self) -> None:
        for shard in self._ledger.shards():
            if shard.sealed and shard.chunks == 0:
                if shard.collection in self._chroma.names():
                    self._chroma.delete(shard.collection)
                self._ledger.drop_shard(shard.number)
                self._kept.drop(shard.number)

    # -- reading ------------------------------------------------------------------------------------------

    def search(
        self, vector: Vector, n: int, pattern: str | None = None, only: Filter = EVERYTHING
    ) -> list[Hit]:
        """The chunks nearest to a vector, and the nearest of those that match a pattern; ``n`` of each.

        What was just stored is included. Of a sealed shard without conditions every vector is looked at, as it
        is kept. Else, and where not all are kept, Chroma is asked, one sealed shard's index in memory at a
        time: 40 ms and 20 MB each.
        """
        with self._lock:
            self._settle()
            return self._near(vector, n, pattern, only)

    def candidates(
        self, text: str, vector: Vector, n: int, only: Filter = EVERYTHING
    ) -> tuple[list[tuple[Record, float]], list[Hit]]:
        """The chunks that share most with the words of a text, and how much, and the nearest to its vector.

        Both are looked for at the same time, in two threads.
        """
        with self._lock:
            self._settle()
            with self._lexical.looking(text, n, only) as found:
                near = self._near(vector, n, None, only)
            passing = partial(self._passing, only)
            return self._lexical.best(found.result(), n, only, passing, self._unkept), near

    def _near(self, vector: Vector, n: int, pattern: str | None, only: Filter) -> list[Hit]:
        if not self._chroma.apart:
            self._restore(lambda shard: self._chroma.altered(shard.collection))
        try:
            return self._nearest(vector, n, pattern, only)
        except Unavailable:
            if self._chroma.apart or not self._restore(lambda shard: not self._answers(shard, vector)):
                raise
        return self._nearest(vector, n, pattern, only)

    def _nearest(self, vector: Vector, n: int, pattern: str | None, only: Filter) -> list[Hit]:
        # The first batch of a new shard may be journalled already and not yet here.
        made = self._chroma.names()
        shards = [s for s in self._ledger.shards() if s.chunks and s.collection in made]
        plain = pattern is None and only == EVERYTHING
        full = [s for s in shards if plain and s.sealed]
        looked = {s.number: self._kept.nearest(s.number, vector, n, s.chunks) for s in full}
        found = {number: near for number, near in looked.items() if near is not None}
        kept = closest(n, found, self._kept.at)
        self._kept_amiss |= looked.keys() - found.keys()
        asked = {s.collection: s.chunks for s in shards if s.number not in found}
        leave = self._leave if len(asked) > 1 else lambda: None
        hits = nearest(self._chroma, asked, vector, n, pattern, only, leave) if asked else []
        return sorted([*kept, *hits], key=lambda hit: hit.distance)[:n] if found else hits

    def _answers(self, shard: Shard, vector: Vector) -> bool:
        try:
            self._chroma.query(shard.collection, vector, 1)
        except Unavailable:
            return False
        finally:
            self._close()
        return True

    def _restore(self, damaged: Callable[[Shard], bool]) -> bool:
        """Fill full shards anew that are damaged, by any thread; whether there were any."""
        found = [shard for shard in self._ledger.shards() if shard.sealed and damaged(shard)]
        for shard in found:
            self._suspect.add(shard.number)
            self._ledger.mark_dirty(shard.number)
            self._tell(replace(self._rebuild(shard), cause=rebuild.DAMAGED))
            self._close()
            self._suspect.discard(shard.number)
        return bool(found)

    def vectors(self, ids: Sequence[str]) -> dict[str, Vector]:
        """The vectors of chunks, by id, as they were journalled; those that are not there are left out."""
        with self._lock:
            return self._lexical.vectors(ids)

    def tidy(self) -> bool:
        """Look whether all records of one full shard are kept, and keep them anew where they are not.

        Also bring the index of words nearer to the ledger by a page. Returns whether there is more to do.
        """
        with self._lock:
            more = self._keep_one()
            return self._lexical.tidy(lambda number, ids: self.records(number, ids, vectors=False)) or more

    def _keep_one(self) -> bool:
        sure = self._kept_whole - self._kept_amiss
        shards = [shard for shard in self._ledger.shards() if shard.sealed and shard.number not in sure]
        for shard in shards[:1]:
            amiss = shard.number in self._kept_amiss or self._kept.count(shard.number) != shard.chunks
            if amiss and shard.collection in self._chroma.names():
                self._settle()
                ids = list(self._ledger.expected(shard.number, leaving=True))
                rows = rebuild.rows(self._chroma, shard.collection, ids, self._beat)
                self._kept.keep(shard.number, rows)
                self._close()
            self._kept_whole.add(shard.number)
            self._kept_amiss.discard(shard.number)
        return len(shards) > 1

    def compare_kept(self) -> int:
        """How many records of full shards are not kept, or too many; ``tidy`` mends it from here on."""
        with self._lock:
            full = [shard for shard in self._ledger.shards() if shard.sealed]
            amiss = {s.number: abs(s.chunks - self._kept.count(s.number, thoroughly=True)) for s in full}
            self._kept_amiss.update(number for number, count in amiss.items() if count)
            return sum(amiss.values())

    def compare_words(self) -> Difference:
        """How far the index of words is from the ledger; see ``Lexical.compare``."""
        with self._lock:
            return self._lexical.compare()

    def tidy_up(self) -> None:
        """Keep all records of full shards and bring the index of words to the ledger, as far as can be done."""
        while self.tidy():
            self._beat()

    def _passing(self, only: Filter, number: int, ids: Sequence[str]) -> set[str]:
        made = self._chroma.names()
        for shard in self._ledger.shards():
            if shard.number == number and shard.collection in made:
                found = self._chroma.passing(shard.collection, ids, only)
                if shard.sealed:
                    self._leave()
                return found
        return set()

    def records(self, number: int, ids: Sequence[str], *, vectors: bool) -> dict[str, Record]:
        """Records of one shard by id, what was just stored included; those that are not there are left out."""
        with self._lock:
            self._settle()
            made = self._chroma.names()
            found: dict[str, Record] = {}
            for shard in self._ledger.shards():
                if shard.number == number and shard.collection in made:
                    found = self._chroma.get(shard.collection, ids, vectors=vectors)
            return found

    def _unkept(self, number: int, ids: Sequence[str]) -> dict[str, Record]:
        """Records that are not kept, from a full shard's collection."""
        found = self.records(number, ids, vectors=True)
        if found:
            self._kept_amiss.add(number)
        self._leave()
        return found

    def count(self, only: Filter) -> int:
        """How many chunks fit a filter, what was just stored included; one shard's ids in memory at a time."""
        with self._lock:
            self._settle()
            made, found = self._chroma.names(), 0
            for shard in self._ledger.shards():
                if shard.collection in made:
                    found += self._chroma.count(shard.collection, only)
                    self._leave()
            return found

    def inspect(self, shard: Shard, dimensions: int) -> Inspection:
        """Compare a shard, record by record, with what the ledger says it holds.

        Of a full one that is damaged every chunk is faulty.
        """
        with self._lock:
            self._settle()
            wanted = list(self._ledger.expected(shard.number, settled=True))
            if self._chroma.altered(shard.collection) and shard.sealed:
                return Inspection(len(wanted), tuple(wanted), ())
            try:
                faulty = self._faulty(shard, wanted, dimensions)
                present = self._present(shard)
            except Unavailable:
                if self._chroma.apart or not shard.sealed:
                    raise
                return Inspection(len(wanted), tuple(wanted), ())
            finally:
                self._close()
            stray = present.difference(self._ledger.expected(shard.number, leaving=True))
            return Inspection(len(wanted), tuple(faulty), tuple(sorted(stray)))

    def _present(self, shard: Shard) -> set[str]:
        return self._chroma.ids(shard.collection) if shard.collection in self._chroma.names() else set()

    def _faulty(self, shard: Shard, wanted: Sequence[str], dimensions: int) -> list[str]:
        """Those of the wanted chunks that are missing or not as they must be."""
        present = self._present(shard)
        faulty = [i for i in wanted if i not in present]
        sound = [i for i in wanted if i in present]
        for start in range(0, len(sound), PAGE):
            page = sound[start : start + PAGE]
            found = self._chroma.get(shard.collection, page)
            faulty += [i for i in page if i not in found or not _sound(found[i], dimensions)]
        return faulty

    def _settle(self) -> None:
        """Land what was taken, for a reader, who may be another thread than the one that journals."""
        if self._torn:
            raise Unavailable(
                "a shard is put right after Chroma went away while it was written", "try again in a moment"
            )
        self._land()
        with self._guarded():
            self._chroma.persist()

    # -- memory and life ----------------------------------------------------------------------------------

    @property
    def awake(self) -> bool:
        """Whether a client is open, records are still on their way, or a shard is to be put right."""
        return self._chroma.open or bool(self._gathering or self._sent) or self._torn

    def warm(self, vector: Vector, text: str) -> None:
        """Store one full batch elsewhere, unless a rebuild did as much: what stays of it is of the baseline.

        No client is open afterwards. Where Chroma is apart its memory is not ours.
        """
        if self._warm or self._chroma.apart:
            return
        batch = [Record(f"{n}", text, {"source": ""}, vector) for n in range(self._batch_size)]
        with self._lock:
            if SCRATCH in self._chroma.names():
                self._chroma.delete(SCRATCH)
            self._chroma.create(SCRATCH)
            self._chroma.add(SCRATCH, batch)
            self._chroma.delete(SCRATCH)

    def wake(self) -> None:
        """Load the index of the shard being written, which is of the baseline too."""
        with self._lock:
            shard = self._ledger.active()
            if not self._chroma.apart and shard.collection in self._chroma.names():
                self._chroma.get(shard.collection, [f"{'0' * 32}:0"])

    def rest(self) -> None:
        """Put everything on disk, close the client and call the shards clean: a kill now harms nothing.

        For the thread that journals: what it journalled but did not yet add would be called clean too.
        """
        with self._lock:
            self.flush()
            if self._writing:
                with self._guarded():
                    self._chroma.persist()
                    self._chroma.confirm()
                self._chroma.end()
            self._close()
            self._lexical.close()
            self._ledger.mark_clean(self._suspect)
            self._writing.clear()

    def release(self) -> None:
        """Give Chroma's memory back at once (a rung of the reclaim ladder)."""
        with self._lock:
            with suppress(Unavailable):  # what was sent is gathered again, and the next call says so
                self._arrive()
            self._close()

    def _close(self) -> None:
        self._chroma.close()
        self._trim()

    def _leave(self) -> None:
        """Let an index of ours go on the way to the next; to collect garbage too takes as long as to search."""
        if not self._chroma.apart:
            self._chroma.close()
            self._squeeze()

    def recover(self) -> None:
        """Rebuild whatever a kill may have torn. Called once, before anything else touches the store."""
        with self._lock:
            for done in rebuild.recover(self._chroma, self._ledger, self._kept, self._embed, self._beat):
                self._warm |= done.lacking is None and done.chunks >= self._batch_size
                self._tell(done)
            self._close()

    def repair(self, shard: Shard) -> rebuild.Rebuilt:
        """Rebuild one shard that ``verify`` found wanting."""
        with self._lock:
            return self._replace(shard, sound=False)

    def _replace(self, shard: Shard, *, sound: bool) -> rebuild.Rebuilt:
        self._suspect.add(shard.number)
        self.rest()
        self._ledger.mark_dirty(shard.number)
        with self._guarded():
            done = self._rebuild(shard, sound=sound)
        self._close()
        self._suspect.discard(shard.number)
        return done


def _sound(record: Record, dimensions: int) -> bool:
    vector = record.vector
    return (
        vector.shape == (dimensions,)
        and bool(np.isfinite(vector).all())
        and bool(abs(float(np.linalg.norm(vector)) - 1) < 1e-3 or not vector.any())
        and "source" in record.metadata
    )

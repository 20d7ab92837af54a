"""The index of words beside ledger and kept records: kept like them, and asked for whole records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from bouquetd.ledger import Ledger
from bouquetd.model import EVERYTHING, Filter, Record, Vector
from bouquetd.store.chroma import PAGE
from bouquetd.store.kept import Kept
from bouquetd.store.words import Words

FILTERED = 2000
"""Chunks that share most with a question's words and are then tried with the question's filter."""

VECTORS = 50
"""Records read at a time of which only the vectors are wanted."""

Sharing = tuple[int, str, float]
"""Shard, id and BM25 score of a chunk."""

Fetch = Callable[[int, Sequence[str]], Mapping[str, Record]]
"""Records of a shard by id; those that are not there are left out."""

Passing = Callable[[int, Sequence[str]], Iterable[str]]
"""Those of a shard's ids that pass a filter: 2,000 whole records would be 9 MB."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Chunks that the index of words lacks, those that it has beyond the ledger, whether it can be mended."""

    missing: int
    stray: int
    mendable: bool


class Lexical:
    """Which chunks share words with a question. One thread at a time uses it."""

    def __init__(self, ledger: Ledger, kept: Kept, words: Words) -> None:
        self._ledger = ledger
        self._kept = kept
        self._words = words
        # Shards of which the index may be behind the ledger or ahead of it; None: not one was looked at yet.
        self._doubted: set[int] | None = None
        self._gathered: dict[int, list[Record]] = {}
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="words")
        self._writing: Future[list[int]] | None = None

    def add(self, shard: int, records: Sequence[Record]) -> None:
        """Take in what was journalled, by ``begin`` or by whatever is called next.

        What fails is made up for by ``tidy``: nobody waits for it.
        """
        self._gathered.setdefault(shard, []).extend(records)

    def begin(self) -> None:
        """Write what was gathered, in a thread, so that Chroma can be given the same meanwhile."""
        self._join()
        if self._gathered:
            self._writing = self._beside.submit(self._write, self._gathered)
            self._gathered = {}

    def _write(self, gathered: Mapping[int, Sequence[Record]]) -> list[int]:
        """Returns the shards for which that failed."""
        return [shard for shard, records in gathered.items() if not self._words.add(shard, records)]

    def _join(self) -> None:
        if self._writing is not None:
            self._doubt(self._writing.result())
            self._writing = None

    def _catch_up(self) -> Words:
        """The index with all in it that was added."""
        self.begin()
        self._join()
        return self._words

    def remove(self, documents: Collection[str], shards: Iterable[int]) -> None:
        """Let go of the chunks of documents, which lie in these shards."""
        if not self._catch_up().remove(documents):
            self._doubt(shards)

    def close(self) -> None:
        """Close the file until it is next needed."""
        self._catch_up().close()

    @contextmanager
    def looking(self, text: str, n: int, only: Filter) -> Iterator[Future[list[Sharing]]]:
        """Find what shares most with the words of a text, in a thread: vectors can be compared meanwhile.

        With a filter more than ``n``, for ``best`` to try them with it. Nothing else is to be asked within.
        """
        words = self._catch_up()
        found = self._beside.submit(words.search, text, n if only == EVERYTHING else max(n, FILTERED))
        try:
            yield found
        finally:
            wait([found])

    def best(
        self, found: list[Sharing], n: int, only: Filter, passing: Passing, fetch: Fetch
    ) -> list[tuple[Record, float]]:
        """The ``n`` best of what was found, best first, each with its BM25 score.

        With a filter, of those that are ``passing`` it. Chroma is asked only for that, and by ``fetch`` for
        what is neither in the journal nor kept.
        """
        if only != EVERYTHING:
            asked = _grouped((shard, id_) for shard, id_, _ in found).items()
            passed = {id_ for shard, ids in asked for id_ in passing(shard, ids)}
            found = [row for row in found if row[1] in passed][:n]
        records: dict[str, Record] = {}
        for shard, ids in _grouped((shard, id_) for shard, id_, _ in found).items():
            records.update(self._records(shard, ids, fetch))
        return [(records[id_], score) for _, id_, score in found if id_ in records]

    def vectors(self, ids: Sequence[str]) -> dict[str, Vector]:
        """The vectors of chunks, by id; those that are not at hand are left out."""
        placed: dict[str, list[tuple[int, int, int]]] = {}
        places: list[tuple[int, str]] = []
        for id_ in ids:
            document, _, number = id_.rpartition(":")
            if document not in placed:
                placed[document] = self._ledger.placements(document)
            places += [(shard, id_) for shard, first, last in placed[document] if first <= int(number) <= last]
        found: dict[str, Vector] = {}
        for shard, own in _grouped(places).items():
            found |= self._kept.vectors(shard, own) or {
                id_: record.vector
                for page in _pages(own, VECTORS)
                for id_, record in self._ledger.journalled_by_id(page).items()
            }
        return found

    def compare(self) -> Difference:
        """Count how far the index is from the ledger, a page of ids at a time; ``tidy`` mends it from here on.

        What is still on its way in is neither missing nor stray. 4 s for a million chunks.
        """
        words = self._catch_up()
        missing, stray = 0, words.size()
        for shard in self._ledger.shards():
            for page in _pages(self._ledger.expected(shard.number, settled=True)):
                missing += len(page) - words.count(shard.number, page)
            for page in _pages(self._ledger.expected(shard.number, leaving=True)):
                stray -= words.count(shard.number, page)
        if missing or stray:
            self._doubted = None
        return Difference(missing, stray, words.writable())

    def tidy(self, fetch: Fetch) -> bool:
        """Bring the index nearer to the ledger by a page of chunks; whether there is more to do.

        After a start, and when the file was begun anew, each shard is looked at once, which takes 40 ms for
        20,000 chunks where nothing is amiss. ``fetch`` gives what is neither in the journal nor kept.
        """
        if self._catch_up().renewed():
            self._doubted = None
        numbers = [shard.number for shard in self._ledger.shards()]
        if self._doubted is None:
            if not self._words.keep_only(numbers):
                return False
            self._doubted = set(numbers)
        self._doubted.intersection_update(numbers)
        for number in sorted(self._doubted)[:1]:
            wanted, there = set(self._ledger.expected(number)), self._words.ids(number)
            missing, stray = sorted(wanted - there)[:PAGE], sorted(there - wanted)[:PAGE]
            records = self._records(number, missing, fetch)
            if not (self._words.discard(stray) and self._words.add(number, list(records.values()))):
                return False
            if not (records or stray):
                self._doubted.discard(number)
        return bool(self._doubted)

    def _records(self, shard: int, ids: Sequence[str], fetch: Fetch) -> dict[str, Record]:
        """Records by id: from the journal while their shard is active, else as they are kept, else fetched."""
        found = self._kept.get(shard, ids) or self._ledger.journalled_by_id(ids)
        lost = [id_ for id_ in ids if id_ not in found]
        return {**found, **fetch(shard, lost)} if lost else found

    def _doubt(self, shards: Iterable[int]) -> None:
        if self._doubted is not None:
            self._doubted.update(shards)


def _pages(ids: Iterable[str], size: int = PAGE) -> Iterator[list[str]]:
    rest = iter(ids)
    while page := list(islice(rest, size)):
        yield page


def _grouped(places: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """Ids by shard."""
    found: dict[int, list[str]] = {}
    for shard, id_ in places:
        found.setdefault(shard, []).append(id_)
    return found

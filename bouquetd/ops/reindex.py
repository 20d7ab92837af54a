"""``bouquetd reindex``: every document stored anew, by another embedder or chunker, from its stored chunks.

What is filled is the next generation of the store: a ledger and collections of its own, written by the same
stages and rules as the first, so that a kill costs the batch in hand. The one before stays as it is, and is
asked, until the new ledger takes the place of the old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from bouquetd.backoff import BackOff
from bouquetd.errors import Unavailable
from bouquetd.ledger import Entry, Ledger, identity
from bouquetd.model import Chunk, Record, State, printable
from bouquetd.ops.rejoin import pieces, stored
from bouquetd.pipeline import Pipeline
from bouquetd.store.shards import Store

PAGE = 100
"""Documents entered, and records read, at a time."""

Records = Callable[[int, Sequence[str]], dict[str, Record]]
"""Records of one shard by id; those that are not there are left out."""


class Lost(Unavailable):
    """What no waiting brings back."""


class Reindex:
    """Fills the next generation. ``read`` of ``total`` chunks are dealt with."""

    def __init__(
        self,
        before: Ledger,
        records: Records,
        ledger: Ledger,
        store: Store,
        pipeline: Pipeline,
        *,
        recipe: str | None,
        beat: Callable[[], None],
    ) -> None:
        """``recipe`` is that of the store before, where chunks stay as they are; None: all are cut anew.

        ``beat`` is called for each page of documents and may raise ``Stopped``.
        """
        self._before = before
        self._records = records
        self._ledger = ledger
        self._store = store
        self._pipeline = pipeline
        self._recipe = recipe
        self._beat = beat
        self._trouble: tuple[Unavailable, int] | None = None
        self.read = 0
        self.total = sum(shard.chunks for shard in before.shards())

    @property
    def share(self) -> float:
        """How far it has come, 0 to 1."""
        return min(1.0, self.read / self.total) if self.total else 1.0

    @property
    def trouble(self) -> Unavailable | None:
        """Why nothing could be stored of late; None while it goes on."""
        error, taken = self._trouble or (None, 0)
        return error if self._store.taken == taken else None

    def persist(self, wait: Callable[[float], object], tell: Callable[[str], object]) -> None:
        """``run`` to the end, and where something is missing, wait as many seconds and go on.

        What is missing is told once until more is stored. Raises ``Stopped``, and ``Lost`` for what stays so.
        """
        backoff = BackOff()
        while True:
            self._beat()
            try:
                self.run()
            except Lost:
                raise
            except Unavailable as error:
                self._pipeline.leave_out(lambda _: True)
                if not self.trouble:
                    backoff.reset()
                    tell(f"Waiting, and trying again by itself. {error.told}")
                self._trouble = error, self._store.taken
                wait(max(backoff.next(), error.after))
            else:
                return

    def run(self) -> None:
        """Store what is not yet stored, to the last chunk.

        Raises ``Stopped`` between two batches, ``Unavailable`` when something is missing; the next call goes
        on at the chunk it came to.
        """
        self.read = 0
        self._store.retry()
        held = (e for e in self._before.entries(State.COMPLETE, State.FILED) if e.chunks)
        while page := list(islice(held, PAGE)):
            self._beat()
            for entry, anew in zip(page, self._ledger.inherit([e.document for e in page]), strict=True):
                if anew.whole:
                    self.read += entry.chunks
                else:
                    self._pipeline.take(anew.document, self._chunks(entry))
        self._pipeline.flush()
        self._store.rest()

    def _chunks(self, entry: Entry) -> Iterable[Chunk]:
        document = entry.document
        kept = self._recipe is not None and document.id == identity(
            document.source, document.digest, self._recipe
        )
        chunks = map(stored, self._read(entry))
        return chunks if kept else self._pipeline.chunk(pieces(chunks))

    def _read(self, entry: Entry) -> Iterator[Record]:
        """The records of a document, a page in memory at a time."""
        id_ = entry.document.id
        for shard, first, last in self._before.placements(id_):
            for start in range(first, last + 1, PAGE):
                ids = [f"{id_}:{number}" for number in range(start, min(start + PAGE, last + 1))]
                found = self._records(shard, ids)
                for chunk in ids:
                    if chunk not in found:
                        raise Lost(
                            f"a chunk of {printable(entry.document.source)} is lost",
                            "set embed and chunk back to what the store was filled with, run `bouquetd verify"
                            " --repair`, then set them anew and reindex",
                        )
                    self.read += 1
                    yield found[chunk]

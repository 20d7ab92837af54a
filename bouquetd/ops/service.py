"""The commands that need the store, as the daemon answers them and as a command without a daemon runs them.

In embedded mode nobody but the process that holds the lock may open the store, not even to read (section 6 of
the design). So a command asks the daemon over its socket; with no daemon running it takes the lock itself.
Answers are plain values that JSON can say.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

import numpy as np

from bouquetd.config import Settings
from bouquetd.embed import Embedder
from bouquetd.errors import Unavailable
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import EVERYTHING, Filter, Hit, State, printable
from bouquetd.ops import listing
from bouquetd.ops.documents import LIGHT, matching, requeue
from bouquetd.ops.search import query
from bouquetd.ops.verify import repair, verify
from bouquetd.store.shards import Store
from bouquetd.worker import Worker

T = TypeVar("T")

PATIENCE = 600.0
"""Seconds a request waits for the worker to come to the end of the document in hand."""


Handlers = dict[str, Callable[[dict[str, Any]], Any]]
"""What may be asked, by name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command may ask of a store that is not to be changed."""

    settings: Settings
    ledger: Ledger
    store: Store
    embedder: Embedder

    def asked(self) -> Handlers:
        """Questions that change nothing."""
        light = {op: partial(do, self.ledger, self.settings.paths) for op, do in LIGHT.items()}
        return {
            **light,
            "search": lambda a: self.search(str(a["text"]), int(a["n"]), _only(a)),
            "query": lambda a: [asdict(hit) for hit in self.query(a["question"], int(a["n"]), _only(a))],
            "documents": lambda a: listing.documents(self.ledger, str(a["after"])),
            "chunks": lambda a: listing.chunks(
                self.ledger, self.store, a["after"], a["source"], vectors=bool(a["vectors"])
            ),
            "verify": lambda _: asdict(verify(*self._verified())),
        }

    def while_reindexing(self) -> Handlers:
        """The same; whatever would change something is put off."""
        asked = self.asked()
        verified = asked["verify"]
        return {
            **asked,
            "verify": lambda a: _later(a) if a.get("repair") else verified(a),
            **dict.fromkeys(("forget", "retry"), _later),
        }

    def search(self, text: str, n: int, only: Filter = EVERYTHING) -> list[dict[str, Any]]:
        """The best passages, best first."""
        return [
            {
                "source": hit.metadata.get("source"),
                "page": hit.metadata.get("page"),
                "row": hit.metadata.get("row"),
                "chunk": hit.metadata.get("chunk"),
                "start": hit.metadata.get("start"),
                "end": hit.metadata.get("end"),
                "media_type": hit.metadata.get("media_type"),
                "title": hit.metadata.get("title"),
                "headings": hit.metadata.get("headings"),
                "language": hit.metadata.get("language"),
                "document": hit.id.rpartition(":")[0],
                "id": hit.id,
                "distance": round(hit.distance, 4),
                "text": hit.text,
            }
            for hit in self.query(text, n, only)
        ]

    def query(self, question: str | list[float], n: int, only: Filter = EVERYTHING) -> list[Hit]:
        """The same for a text or a vector, with all that is stored beside each."""
        asked = question if isinstance(question, str) else np.asarray(question, dtype=np.float32)
        return query(self.store, self.embedder, asked, n, only)

    def _verified(self) -> tuple[Ledger, Store, int]:
        return self.ledger, self.store, self.embedder.dimensions


@dataclass(frozen=True, slots=True)
class Service(Reading):
    """Everything a command may ask; ``handlers`` are what the control socket offers."""

    worker: Worker

    def handlers(self, owner: Callable[[Callable[[], Any]], Any]) -> Handlers:
        """By name; ``owner`` runs what writes in the thread that owns the store."""
        return {
            **self.asked(),
            "verify": lambda a: owner(self.repair) if a.get("repair") else asdict(verify(*self._verified())),
            "forget": lambda a: owner(lambda: self.forget(list(a["patterns"]), missing=bool(a.get("missing")))),
        }

    def repair(self) -> dict[str, Any]:
        """Verify and put right; see ``ops.verify``."""
        paths = self.settings.paths

        def again(entry: Entry) -> str:
            return requeue(self.ledger, paths.archive, paths.inbox, entry)

        return asdict(repair(*self._verified(), again))

    def forget(self, patterns: list[str], *, missing: bool = False) -> list[str]:
        """Remove the chunks of every document that matches; returns their sources.

        ``missing`` takes those kept in an inbox from which their files have gone.
        """
        states = (State.COMPLETE, State.FILED, State.DUPLICATE, State.FORGOTTEN)
        found = self.worker.missing() if missing else matching(self.ledger, patterns, *states)
        # One that has chunks left was being forgotten when the process died.
        entries = [entry for entry in found if entry.chunks or entry.state is not State.FORGOTTEN]
        for entry in entries:
            self.worker.forget(entry)
        return [printable(entry.document.source) for entry in entries]


def _later(_arguments: object) -> NoReturn:
    raise Unavailable("the store is being reindexed", "try again when that is done (bouquetd status)")


def _only(arguments: dict[str, Any]) -> Filter:
    return Filter(arguments.get("where"), tuple(map(str, arguments.get("texts", ()))))


def by_worker(worker: Worker, wake: Callable[[], None]) -> Callable[[Callable[[], T]], T]:
    """Runs a function between two steps of a worker that runs in another thread, and waits for its result."""

    def run(function: Callable[[], T]) -> T:
        future = worker.requests.ask(function)
        wake()
        try:
            result: T = future.result(PATIENCE)
        except TookTooLong:
            raise Unavailable(
                "the daemon is still busy with the file in hand", "it will be done after that file"
            ) from None
        return result

    return run

"""The commands that need the store, as the daemon answers them and as a command without a daemon runs them.

In embedded mode nobody but the process that holds the lock may open the store, not even to read (section 6 of
the design). So a command asks the daemon over its socket; with no daemon running it takes the lock itself.
Answers are plain values that JSON can say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

import numpy as np

from bouquetd.config import Settings
from bouquetd.embed import Embedder
from bouquetd.errors import Rejected, Unavailable
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import PACKED, Filter, Hit, Record, State, Vector, printable
from bouquetd.ops import listing, memory
from bouquetd.ops.answer import answer, searched
from bouquetd.ops.documents import AFFECTED, LIGHT, SHOWN, Round, chosen, requeue
from bouquetd.ops.explain import explain
from bouquetd.ops.filters import Conditions
from bouquetd.ops.search import query
from bouquetd.ops.verify import repair, verify
from bouquetd.pause import Pause
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
            "memory": lambda a: memory.told(self.settings.paths, a),
            "search": self.search,
            "documents": lambda a: listing.documents(self.ledger, str(a["after"])),
            "chunks": lambda a: listing.chunks(
                self.ledger, self.store, a["after"], a["source"], vectors=bool(a["vectors"])
            ),
            "verify": lambda _: asdict(verify(*self._verified())),
        }

    def while_reindexing(self) -> Handlers:
        """The same, and the pause; whatever would change something, or is of the daemon, is put off."""
        asked, pause = self.asked(), Pause(self.settings.paths.state)
        verified = asked["verify"]
        return {
            **asked,
            "verify": lambda a: _later(a) if a.get("repair") else verified(a),
            "pause": lambda a: pause.begin(a.get("reason")).told,
            "resume": lambda _: pause.end(),
            **dict.fromkeys(("forget", "missing", "retry", "ignore", "drain", "report"), _later),
        }

    def search(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The best passages, best first; where there are none, what was searched."""
        question, n, context = arguments["question"], int(arguments["n"]), int(arguments["context"])
        conditions = _conditions(arguments["conditions"])
        asked = question if isinstance(question, str) else np.asarray(question, dtype=np.float32)
        found = answer(self, asked, n, conditions, context=context, merged=bool(arguments["merged"]))
        return {
            "passages": [asdict(passage) for passage in found],
            "searched": None if found else asdict(searched(self, conditions)),
        }

    # -- what an answer needs -----------------------------------------------------------------------------

    def hits(self, question: str | Vector, n: int, only: Filter) -> list[Hit]:
        """The best chunks, best first; see ``ops.search.query``."""
        return query(self.store, self.embedder, question, n, only)

    def sources(self) -> Iterator[str]:
        """The sources of all that has chunks."""
        return map(printable, self.ledger.sources())

    def chunks_by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        """Chunks of any documents, each shard asked once."""
        wanted: dict[int, list[str]] = {}
        shards: dict[str, list[tuple[int, int, int]]] = {}
        for id_ in ids:
            document, _, number = id_.rpartition(":")
            if document not in shards:
                shards[document] = self.ledger.placements(document)
            for shard, first, last in shards[document]:
                if first <= int(number) <= last:
                    wanted.setdefault(shard, []).append(id_)
        found: dict[str, Record] = {}
        for shard, own in wanted.items():
            found |= self.store.records(shard, own, vectors=False)
        return found

    def place(self, document: str) -> tuple[str | None, str | None]:
        """Where the file of a document lies now, and the name in it of what is packed."""
        entry = self.ledger.find(document)
        around = entry and self.ledger.outermost(entry.document)
        if not entry or not around or around.destination == "":
            return None, None
        source, paths = around.document.source, self.settings.paths
        path = paths.inbox / source if around.destination is None else paths.archive / around.destination
        packed = entry.document.source.removeprefix(source).removeprefix(PACKED)
        return str(path), printable(packed) or None

    def fitting(self, only: Filter) -> int:
        """How many chunks fit a filter."""
        return self.store.count(only)

    def documents_and_chunks(self) -> tuple[int, int]:
        """How much is stored, what is just being stored included."""
        return sum(1 for _ in self.ledger.sources()), sum(shard.chunks for shard in self.ledger.shards())

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
            "explain": lambda a: explain(self.ledger, self.settings.paths, a, self.worker.look),
            "pause": lambda a: self.worker.pause.begin(a.get("reason")).told,
            "resume": lambda _: self.worker.pause.end(),
            "ignore": self.ignore,
            "drain": self.drain,
            "missing": self.missing,
            "forget": lambda a: owner(lambda: self.forget(a)),
        }

    def repair(self) -> dict[str, Any]:
        """Verify and put right; see ``ops.verify``."""
        paths = self.settings.paths

        def again(entry: Entry) -> str:
            return requeue(self.ledger, paths.archive, paths.inbox, entry)

        return asdict(repair(*self._verified(), again))

    def ignore(self, arguments: dict[str, Any]) -> Any:
        """Add or remove rules of the operator's, which hold at once."""
        told = LIGHT["ignore"](self.ledger, self.settings.paths, arguments)
        self.worker.heed_rules()
        return told

    def drain(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """How far the inbox is emptied; without a ``number``, from a fresh look at it on, which gets one.

        ``at`` is now, in seconds since the epoch.
        """
        worker, at = self.worker, time.time()
        number = int(arguments.get("number") or worker.ask_emptied())
        return {
            "number": number,
            "at": at,
            "done": worker.emptied(number),
            **worker.pending(),
        }

    def missing(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """What ``forget`` would take with ``missing``: the first by name, and how many."""
        gone = filter(_remembered, self.worker.missing(""))
        names = sorted(printable(entry.document.source) for entry in gone)
        return {"sources": names[:SHOWN], "number": len(names)}

    def forget(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Remove the chunks of the documents that are meant, ``ROUND`` at most; returns their sources.

        ``missing`` takes those kept in an inbox from which their files have gone.
        """
        wanted, after = chosen(arguments, *AFFECTED["forget"], State.FORGOTTEN), str(arguments.get("after", ""))
        missing = arguments.get("missing")
        found = Round(self.worker.missing(after) if missing else self.ledger.select(wanted, after))
        done = []
        for entry in found:
            if _remembered(entry):
                self.worker.forget(entry)
                done.append(printable(entry.document.source))
        return {"done": sorted(done), "after": found.after}


def _remembered(entry: Entry) -> bool:
    """Whether there is something to forget; what was being forgotten when the process died has chunks left."""
    return bool(entry.chunks) or entry.state is not State.FORGOTTEN


def _later(_arguments: object) -> NoReturn:
    raise Unavailable("the store is being reindexed", "try again when that is done (bouquetd status)")


def _conditions(given: dict[str, Any]) -> Conditions:
    try:
        known: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        return Conditions(**known)
    except TypeError:
        raise Rejected(
            f"the daemon does not know all of the conditions {', '.join(given)}",
            "daemon and command are of different versions: restart the daemon",
        ) from None


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

"""Running ``bouquetd reindex``: two generations of the store side by side, the old one answers questions.

Past 400 lines because each step must know how far a kill let the one before it come: one file, one story.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bouquetd import assembly, recovery
from bouquetd import log as logging
from bouquetd.config import Config, Settings, shard_chunks
from bouquetd.control import SOCKET, Server
from bouquetd.daemon import EXIT_OK, EXIT_STUCK, Signals
from bouquetd.embed import Embedder
from bouquetd.embed.choice import chosen
from bouquetd.entities import Entities
from bouquetd.entities import choice as entities
from bouquetd.errors import ConfigError, Stopped, Unavailable
from bouquetd.ledger import Corrupt, Ledger
from bouquetd.lock import Held, hold
from bouquetd.log import Log
from bouquetd.memory.gate import Gate, Stuck
from bouquetd.memory.governor import Governor, exact, short
from bouquetd.memory.meter import Meter
from bouquetd.memory.probe import Probe
from bouquetd.memory.reclaim import Ladder, standard, trimmer
from bouquetd.model import MB, Document, Piece, Record, printable
from bouquetd.ops import status
from bouquetd.ops.reindex import Reindex
from bouquetd.ops.service import Reading
from bouquetd.recipe import Recipe
from bouquetd.running import FAILED, settle_in
from bouquetd.store.chroma import Chroma
from bouquetd.store.embedded import Embedded
from bouquetd.store.server import Server as ChromaServer
from bouquetd.store.shards import Store

EVERY = 1.0
"""Seconds between two looks at how far it is."""

PATIENCE = 60.0
"""Seconds that a Chroma server may take to answer at the start."""


Say = Callable[[str], object]
"""Tells whoever waits a sentence."""

Shown = Callable[[], AbstractContextManager[Callable[[float], object]]]
"""Opens what shows how far it is, 0 to 1."""


@dataclass(slots=True)
class Generations:
    """The store as it is, held by its locks, and what the settings ask for."""

    settings: Settings
    log: Log
    say: Say
    chroma: Embedded | ChromaServer
    ledger: Ledger
    before: Recipe
    embedder: Embedder
    wanted: Recipe
    squeeze: Callable[[], object]
    beat: Callable[[], None]

    @property
    def folder(self) -> Path:
        """Where the next ledger lies."""
        return self.settings.paths.state / recovery.NEXT

    def drop_next(self) -> None:
        """Remove all that is not in force."""
        own = self.chroma.generation
        recovery.remove(self.settings, self.chroma, own + 1, *(self.chroma.generations() - {own}))


def reindex(config: Config, say: Say, shown: Shown) -> int:
    """Move the store to the embedder and chunker of the settings; returns the exit status, 1 when stopped.

    Raises ``Unavailable`` when a daemon runs, or something needed is missing, ``ConfigError`` when it cannot be
    done within ``memory.limit``.
    """
    log = logging.get()
    logging.configure("console", "warning")
    settle_in(config.settings)
    signals = Signals()
    with signals.caught(), _taken(config.settings, log, say, signals.stopping) as it:
        if it.before == it.wanted or not it.ledger.filled():
            recovery.fit(it.ledger, it.settings, it.wanted, it.chroma)
            it.drop_next()
            say(f"Nothing is to be done: the store has {it.wanted.told}, as the settings say.")
            return EXIT_OK
        say(f"From {it.before.told}\nto {it.wanted.told}.")
        try:
            _fill(it, signals, shown)
        except Stopped:
            say("Stopped; `bouquetd reindex` goes on from here.")
            return FAILED
        except Stuck as error:
            say(f"Giving up this process; `bouquetd reindex` goes on from here. {error.told}")
            return EXIT_STUCK
    say("Done: the store is reindexed. Start the daemon again.")
    return EXIT_OK


def abandon(config: Config) -> bool:
    """Drop a reindexing that is half done; whether there was one."""
    logging.configure("console", "warning")
    settle_in(config.settings)
    signals = Signals()
    with signals.caught(), _taken(config.settings, logging.get(), str, signals.stopping) as it:
        there = (it.folder / recovery.LEDGER).exists()
        it.drop_next()
    return there


@contextmanager
def _taken(settings: Settings, log: Log, say: Say, stopping: threading.Event) -> Iterator[Generations]:
    """Take the locks and open the ledger in force, whatever the store was filled with."""
    paths = settings.paths

    def beat() -> None:
        if stopping.is_set():
            raise Stopped("asked to stop")

    with ExitStack() as stack:
        embedded = settings.store.mode == "embedded"
        for folder in (paths.state, paths.runtime, *([paths.store] if embedded else [])):
            assembly.make(folder)
        try:
            for folder in (paths.state, *([paths.store] if embedded else [])):
                stack.enter_context(hold(folder / "bouquetd.lock"))
        except Held as error:
            raise Unavailable(
                error.reason,
                "reindex needs the store for itself: stop the daemon first (systemctl stop bouquetd), and start"
                " it again afterwards; searches are answered meanwhile",
            ) from None
        squeeze = trimmer() or (lambda: None)
        embedder = chosen(recovery.patient(settings.embed, settings), squeeze, beat)
        wanted = assembly.recipe(embedder, settings)
        chroma = recovery.chroma(settings)
        stack.callback(chroma.close)
        if isinstance(chroma, ChromaServer):
            recovery.meet(chroma.greet, "Chroma", log, stopping, PATIENCE, beat)
        ledger = recovery.open_ledger(settings, "", chroma, log, beat)
        stack.callback(ledger.close)
        before = recovery.recorded(ledger, settings)
        ledger.recipe = str(before)
        yield Generations(settings, log, say, chroma, ledger, before, embedder, wanted, squeeze, beat)


def _fill(it: Generations, signals: Signals, shown: Shown) -> None:
    """Fill the next generation and put it in force."""
    settings, log, paths = it.settings, it.log, it.settings.paths
    asked = _old_embedder(it)
    with ExitStack() as stack:
        it.chroma.record = it.before.recorded()
        it.chroma.filled_by = None if isinstance(asked, _Absent) else asked
        old = _store(it, it.chroma, it.ledger, asked.embed)
        old.recover()
        stack.callback(assembly.leave, old, log)
        while ids := it.ledger.removals():
            it.beat()
            old.remove(ids)
        old.rest()
        with suppress(Unavailable):
            asked.embed([assembly.WARM_TEXT])  # before questions come, which are asked side by side
        # Before anybody asks: to drop what is half done takes the Chroma that questions go to.
        chroma, ledger = _next(it, stack)
        stack.enter_context(_answering(paths.runtime, Reading(settings, it.ledger, old, asked)))

        store = _store(it, chroma, ledger, it.embedder.embed)
        store.recover()
        stack.callback(assembly.leave, store, log)

        probe = stack.enter_context(Probe())
        governor = Governor(assembly.limits(settings))

        def release() -> None:
            old.release()
            store.release()

        def unload() -> None:
            asked.close()
            it.embedder.close()

        ladder = Ladder(standard(release, unload), probe.rss)
        gate = Gate(
            governor, probe, ladder, clock=time.monotonic, log=log, batch_size=settings.pipeline.batch_size,
            stopping=signals.stopping, pause_limit=settings.memory.pause_limit,
        )  # fmt: skip
        meter = Meter(probe.rss, settings.memory.operation, time.monotonic, log)
        finder = Entities(
            entities.chosen(recovery.patient(settings.entities, settings), it.beat),
            settings.entities.max_concurrent,
            log,
            beat=it.beat,
        )
        stack.callback(finder.close)
        _warm(it, probe, governor, store)

        pipeline = assembly.stages(settings, _no_file, ledger, store, it.embedder, finder, gate, meter)
        work = Reindex(
            it.ledger, _records(it, old), ledger, store, pipeline,
            recipe=str(it.before) if it.before.chunker == it.wanted.chunker else None, beat=it.beat,
        )  # fmt: skip
        with _progress(work, probe, governor, paths.runtime, shown):
            work.persist(signals.stopping.wait, log.warning)
        ledger.succeed(it.ledger.path)
        chroma.mark_whole()
    _switch(it, ledger)
    recovery.remove(settings, it.chroma, it.chroma.generation)


def _next(it: Generations, stack: ExitStack) -> tuple[Chroma, Ledger]:
    """The next generation, as far as it was filled for the same recipe; else from the start."""
    number = it.chroma.generation + 1
    path = it.folder / recovery.LEDGER
    if path.exists():
        try:
            ledger = Ledger(path, str(it.wanted))
        except Corrupt as error:
            it.say(f"What was half done is dropped and begun anew. {error.reason.capitalize()}")
            it.drop_next()
        else:
            theirs = Recipe.of(json.loads(ledger.fact(recovery.RECIPE) or "{}"))
            same = theirs == it.wanted and recovery.generation(ledger) == number
            if not same:
                ledger.close()
                asked = theirs.told if theirs else "something else"
                it.say(f"What was half done, towards {asked}, is dropped and begun anew.")
                it.drop_next()
    if not path.exists():
        it.drop_next()
        ledger = Ledger(path, str(it.wanted))
    stack.callback(ledger.close)
    recovery.record(ledger, it.settings, it.wanted)
    ledger.remember(recovery.GENERATION, str(number))
    chroma = recovery.chroma(it.settings, it.embedder)
    chroma.generation = number
    chroma.record = it.wanted.recorded()
    stack.callback(chroma.close)
    return chroma, ledger


def _store(
    it: Generations, chroma: Chroma, ledger: Ledger, embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> Store:
    return Store(
        chroma,
        ledger,
        recovery.kept(it.settings, chroma.generation),
        recovery.words(it.settings, chroma.generation),
        shard_chunks=shard_chunks(it.settings),
        batch_size=it.settings.store.batch_size,
        embed=embed,
        beat=it.beat,
        tell=lambda done: assembly.tell(done, ledger, it.log),
        trim=lambda: assembly.collect(it.squeeze),
        squeeze=it.squeeze,
    )


class _Absent:
    """Stands for the embedder of the store where that is not to be had any more."""

    def __init__(self, name: str, dimensions: int, why: str) -> None:
        self.name = name
        self.dimensions = dimensions
        self.options: dict[str, str] = {}
        self._why = why

    def begin(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError

    def embed(
        self,
        texts: Sequence[str],  # noqa: ARG002
        tokens: Sequence[Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        raise Unavailable(
            f"the store is being reindexed, and its embedder {self.name} is not to be had: {self._why}",
            "ask again when that is done; bouquetd status says how far it is",
        )

    def query(self, text: str) -> NDArray[np.float32]:
        return self.embed([text])

    def close(self) -> None:
        pass


def _old_embedder(it: Generations) -> Embedder:
    if it.before.embedder == it.wanted.embedder:
        return it.embedder
    try:
        found = chosen(recovery.embedded_by(it.ledger, it.settings), it.squeeze)
    except (ConfigError, KeyError) as error:
        return _Absent(it.before.embedder, it.before.dimensions, str(error))
    if found.name != it.before.embedder:
        return _Absent(it.before.embedder, it.before.dimensions, f"there is {found.name} in its place")
    return found


def _warm(it: Generations, probe: Probe, governor: Governor, store: Store) -> None:
    """Load what costs memory. Raises ``ConfigError`` when that leaves no room under ``memory.limit``."""
    vectors = it.embedder.embed([assembly.WARM_TEXT] * it.settings.pipeline.batch_size)
    store.warm(vectors[0], assembly.WARM_TEXT)
    gc.collect()
    it.squeeze()
    if (taken := probe.rss()) >= governor.limits.resume_at:
        raise ConfigError(
            [
                f"memory.limit: {short(governor.limits.limit)} is too small to reindex: {exact(taken)} are"
                " taken before the first chunk, by both embedders; set it to"
                f" {short(int(taken / it.settings.memory.resume / MB + 50) * MB)} or more until it is done"
            ]
        )


def _records(it: Generations, old: Store) -> Callable[[int, Sequence[str]], dict[str, Record]]:
    """Records as they were kept or journalled, without Chroma's index; what is not, from Chroma."""
    kept = recovery.kept(it.settings, it.chroma.generation)

    def read(shard: int, ids: Sequence[str]) -> dict[str, Record]:
        found = kept.get(shard, ids)
        if len(found) < len(ids):
            found |= it.ledger.journalled_by_id([id_ for id_ in ids if id_ not in found])
        if len(found) < len(ids):
            found |= old.records(shard, [id_ for id_ in ids if id_ not in found], vectors=False)
        return found

    return read


def _no_file(_file: object, _document: Document) -> Iterator[Piece]:
    """No file is read."""
    return iter(())


@contextmanager
def _answering(runtime: Path, reading: Reading) -> Iterator[None]:
    server = Server(runtime / SOCKET, reading.while_reindexing())
    server.start()
    try:
        yield
    finally:
        server.stop()


def _switch(it: Generations, ledger: Ledger) -> None:
    """Let the next ledger take the place of the old one, in one step."""
    path, pages = it.ledger.path, ledger.path.with_name(f"{ledger.path.name}-wal")
    if pages.exists():  # SQLite keeps them where there was no room to fold them in
        raise Unavailable(
            f"the new ledger is not whole, a part of it is still in {printable(str(pages))}",
            "see that there is room on that disk (df), then run `bouquetd reindex` again: it goes on from here",
        )
    with it.ledger.alone():
        os.replace(ledger.path, path)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _progress(work: Reindex, probe: Probe, governor: Governor, runtime: Path, shown: Shown) -> Iterator[None]:
    """Say how far it is while it works: to ``bouquetd status``, and to who waits for it."""
    done, began = threading.Event(), time.time()

    def seen() -> dict[str, Any]:
        vitals, trouble = probe.vitals(), work.trouble
        return {
            "state": "reindexing", "why": trouble.told if trouble else "", "share": round(work.share, 4),
            "pid": os.getpid(), "since": began, "at": time.time(),
            "rss_mb": round(vitals.rss / MB, 2), "peak_mb": round(vitals.peak / MB, 2),
            "vsz_mb": round(vitals.vsz / MB, 2), "limit_mb": governor.limits.limit / MB,
        }  # fmt: skip

    def publish(show: Callable[[float], object]) -> None:
        while True:
            now = seen()
            with suppress(OSError):
                status.write(runtime, now)
            show(now["share"])
            if done.wait(EVERY):
                show(work.share)
                return

    with shown() as show:
        thread = threading.Thread(target=publish, args=(show,), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with suppress(OSError):
                os.unlink(runtime / status.FILE)

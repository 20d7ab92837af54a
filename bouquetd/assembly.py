"""Where the parts are put together, for the daemon and for commands that run without one."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from bouquetd import extract, recovery
from bouquetd.admission import Admission
from bouquetd.chunk import chunk
from bouquetd.config import Settings, bytes_per_chunk, shard_chunks
from bouquetd.embed import Embedder
from bouquetd.embed.choice import chosen
from bouquetd.entities import Entities
from bouquetd.entities import choice as entities
from bouquetd.errors import ConfigError, Stopped, Unavailable
from bouquetd.extract import ocr
from bouquetd.extract.plugins import installed
from bouquetd.filing import Filing
from bouquetd.health import Health
from bouquetd.inbox.access import Access
from bouquetd.inbox.alone import Alone
from bouquetd.inbox.intake import Intake
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.rules import Rules
from bouquetd.inbox.scan import Ignore
from bouquetd.inbox.watcher import Marks
from bouquetd.ingestion import Ingestion
from bouquetd.ledger import Ledger
from bouquetd.lock import hold
from bouquetd.log import Log
from bouquetd.memory.gate import Gate
from bouquetd.memory.governor import Governor, Limits, exact, short
from bouquetd.memory.meter import Meter
from bouquetd.memory.probe import Probe
from bouquetd.memory.reclaim import Ladder, standard, trimmer
from bouquetd.memory.recorder import Watermark
from bouquetd.model import MB, Document, Piece, printable
from bouquetd.ops.service import Service
from bouquetd.pause import Pause
from bouquetd.pipeline import Pipeline
from bouquetd.reader import Reader
from bouquetd.recipe import Recipe
from bouquetd.store import rebuild
from bouquetd.store.server import Server
from bouquetd.store.shards import Store
from bouquetd.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")

CHUNKER = "chunk/2"
"""Revision of the chunker and the extractors; part of every document's identity, so change it with them."""

ASK = "BOUQUETD_ASK"
"""The variable with the path that ``inbox.access`` asks at; the unit of the service sets it."""

WARM_TEXT = "Warm before the first file, so that the baseline is known. " * 14
"""About as long as a chunk of the default size."""


@dataclass(slots=True)
class Engine:
    """All parts of a bouquetd that holds its directories."""

    settings: Settings
    ledger: Ledger
    store: Store
    embedder: Embedder
    probe: Probe
    watermark: Watermark
    governor: Governor
    gate: Gate
    meter: Meter
    health: Health
    marks: Marks
    queue: Queue
    intake: Intake
    admission: Admission
    reader: Reader
    worker: Worker
    service: Service
    greet: Callable[[], None]
    """Waits for an embedder that is elsewhere."""
    baseline: int = 0
    """Bytes of RSS that everything comes on top of, as ``warm`` found it."""

    def warm(self) -> int:
        """Load whatever costs memory; returns the RSS in bytes that everything later comes on top of.

        Raises ``ConfigError`` when that leaves no room under ``memory.limit``, ``Unavailable`` when an embedder
        that is elsewhere stays away, ``Stopped`` when asked to stop meanwhile.
        """
        self.greet()
        vectors = self.embedder.embed([WARM_TEXT] * self.settings.pipeline.batch_size)
        self.store.warm(vectors[0], WARM_TEXT)
        gc.collect()
        gc.freeze()  # of what stays: to look through it takes each collection 40 ms
        self.store.wake()
        if trim := trimmer():
            trim()
        self.baseline = self.probe.rss()
        self.fit(self.settings)
        self.admission.taken = self.baseline + bytes_per_chunk(self.settings) * shard_chunks(self.settings)
        return self.baseline

    def fit(self, settings: Settings) -> None:
        """Raise ``ConfigError`` where the baseline leaves no room under the ``memory.limit`` of settings."""
        memory, resume_at = settings.memory, limits(settings).resume_at
        if self.baseline >= resume_at:
            enough = short(int(self.baseline / memory.resume / MB + 50) * MB)
            raise ConfigError(
                [
                    f"memory.limit: {short(memory.limit)} is too small: {exact(self.baseline)} are taken"
                    f" before the first file, and work resumes only below {exact(int(resume_at))}"
                    f" ({memory.resume:.0%}); set it to {enough} or more, or make store.shard_chunks smaller"
                ]
            )

    def apply(self, settings: Settings) -> None:
        """Take over what may change while running (``config.LIVE``); the rest must be as it was."""
        self.settings = self.reader.settings = settings
        self.worker.apply(settings)
        memory = settings.memory
        self.governor.limits = limits(settings)
        self.gate.configured, self.gate.pause_limit = settings.pipeline.batch_size, memory.pause_limit
        self.health.pause_limit = memory.pause_limit
        self.health.deadline = settings.pipeline.stage_deadline
        self.meter.allowance = memory.operation
        self.intake.rescan, self.intake.ignore = settings.inbox.rescan, Ignore(settings.inbox.ignore)
        self.intake.next_scan = 0.0
        self.queue.settle = settings.inbox.settle


@contextmanager
def engine(
    settings: Settings,
    log: Log,
    *,
    stopping: threading.Event,
    on_mark: Callable[[], None] = lambda: None,
    beat: Callable[[str], None] = lambda _: None,
    patience: float = 10.0,
) -> Iterator[Engine]:
    """Take the locks, open and recover everything, and close it in good order.

    It leaves the process as it is, which may be somebody else's; ``running`` sees to ours. ``beat`` is told
    what a long recovery is doing, ``patience`` are the seconds that a Chroma server may take to answer. Raises
    ``Held`` when another process has the directories, ``Unavailable`` or ``ConfigError`` when something is
    missing, ``Stopped`` when asked to stop meanwhile.
    """
    paths, clock = settings.paths, time.monotonic
    plugins = [found.plugin for found in installed()]
    with ExitStack() as stack:
        embedded = settings.store.mode == "embedded"
        for folder in (paths.inbox, paths.state, paths.runtime, *([paths.store] if embedded else [])):
            make(folder)
        for folder in (paths.state, *([paths.store] if embedded else [])):
            stack.enter_context(hold(folder / "bouquetd.lock"))
        beat("opening the store")

        probe = stack.enter_context(Probe())
        squeeze = trimmer() or (lambda: None)
        health = Health(settings.pipeline.stage_deadline, settings.memory.pause_limit)

        def pulse() -> None:
            if stopping.is_set():
                raise Stopped("asked to stop between two requests")
            health.beat(clock(), "embed")

        embedder = chosen(recovery.patient(settings.embed, settings), squeeze, pulse)
        chroma = recovery.chroma(settings, embedder)

        def checked(doing: str) -> None:
            if stopping.is_set():
                raise Stopped(f"asked to stop while {doing}")
            health.beat(clock(), doing)
            beat(doing)

        if isinstance(chroma, Server):
            waiting = f"waiting for Chroma at {chroma.where}"
            recovery.meet(chroma.greet, "Chroma", log, stopping, patience, lambda: checked(waiting))

        def greet() -> None:
            if settings.embed.provider == "openai":
                who = f"the embedder at {settings.embed.url}"
                again = partial(checked, f"waiting for {who}")
                recovery.meet(lambda: embedder.query("warm"), who, log, stopping, patience, again)

        asked = recipe(embedder, settings)
        ledger = recovery.open_ledger(
            settings, str(asked), chroma, log, lambda: checked("rebuilding the ledger")
        )
        stack.callback(ledger.close)
        recovery.fit(ledger, settings, asked, chroma)
        chroma.record = asked.recorded()
        if recovery.sweep(ledger, settings, chroma):
            log.warning("Dropped a half-done reindexing: the settings fit the store as it is", what="dropped")
        store = Store(
            chroma,
            ledger,
            recovery.kept(settings, chroma.generation),
            recovery.words(settings, chroma.generation),
            shard_chunks=shard_chunks(settings),
            batch_size=settings.store.batch_size,
            embed=embedder.embed,
            beat=lambda: checked("rebuilding a shard"),
            tell=lambda done: tell(done, ledger, log),
            trim=lambda: collect(squeeze),
            squeeze=squeeze,
        )
        stack.callback(chroma.close)
        store.recover()
        # Only now: what was not recovered must not be called clean on the way out.
        stack.callback(leave, store, log)

        pause = Pause(paths.state, on_mark)
        governor = Governor(limits(settings))
        ladder = Ladder(standard(store.release, embedder.close), probe.rss)
        gate = Gate(
            governor, probe, ladder, clock=clock, log=log, batch_size=settings.pipeline.batch_size,
            stopping=stopping, pause_limit=settings.memory.pause_limit, rest=pause.check,
        )  # fmt: skip
        watermark = Watermark(probe.rss)
        meter = Meter(watermark.rss, settings.memory.operation, clock, log)
        marks = _WakingMarks(on_mark)
        queue = Queue(settings.inbox.settle)
        stack.callback(queue.close)
        keep, ask = settings.inbox.after == "keep", os.environ.get(ASK)
        intake = Intake(
            inbox=paths.inbox, queue=queue, marks=marks, ledger=ledger,
            access=Access(paths.inbox, Path(ask) if ask else None, moves=not keep),
            alone=Alone(paths.inbox, ledger, clock, log), ignore=Ignore(settings.inbox.ignore),
            rescan=settings.inbox.rescan, keep=keep, busy=lambda _: False, clock=clock, log=log,
            rules=Rules(ledger.rules()),
        )  # fmt: skip

        def between_texts() -> None:
            if stopping.is_set():
                raise Stopped("asked to stop while entities were looked for")
            health.beat(clock(), "entities")

        finder = Entities(
            entities.chosen(recovery.patient(settings.entities, settings), pulse),
            settings.entities.max_concurrent, log, clock=clock, beat=between_texts,
        )  # fmt: skip
        stack.callback(finder.close)
        filing = Filing(
            settings, ledger=ledger, store=store, intake=intake, health=health, clock=clock, log=log
        )
        admission = Admission(partial(extract.memory, plugins=plugins), lambda: governor.limits)
        reader = Reader(
            settings, plugins, ocr=ocr.find(settings.ocr), meter=meter, health=health, clock=clock,
            stopping=stopping, rest=pause.check,
        )  # fmt: skip
        pipeline = stages(settings, reader.pieces, ledger, store, embedder, finder, gate, meter)
        ingestion = Ingestion(
            settings, ledger=ledger, store=store, pipeline=pipeline, reader=reader, filing=filing,
            intake=intake, admit=admission, gate=gate, health=health, clock=clock, log=log,
        )  # fmt: skip
        worker = Worker(
            settings, ledger=ledger, store=store, queue=queue, intake=intake, filing=filing,
            pipeline=pipeline, ingestion=ingestion, gate=gate, pause=pause, health=health, clock=clock, log=log,
        )  # fmt: skip
        watermark.running = lambda: (meter.stage, printable(worker.working_on))
        service = Service(settings, ledger, store, embedder, worker)
        yield Engine(
            settings, ledger, store, embedder, probe, watermark, governor, gate, meter, health, marks, queue,
            intake, admission, reader, worker, service, greet,
        )  # fmt: skip


def recipe(embedder: Embedder, settings: Settings) -> Recipe:
    """How these settings fill a store."""
    chunker = f"{CHUNKER}/{settings.chunk.size}/{settings.chunk.overlap}"
    return Recipe(embedder.name, embedder.dimensions, chunker)


def limits(settings: Settings) -> Limits:
    """The governor's marks."""
    memory = settings.memory
    return Limits(memory.limit, memory.throttle, memory.resume, memory.pressure)


def stages(
    settings: Settings,
    pieces: Callable[[BinaryIO, Document], Iterable[Piece]],
    ledger: Ledger,
    store: Store,
    embedder: Embedder,
    finder: Entities,
    gate: Gate,
    meter: Meter,
) -> Pipeline:
    """The stages of a document's way into a store."""

    def metered(stage: str, function: Callable[P, T]) -> Callable[P, T]:
        def run(*arguments: P.args, **named: P.kwargs) -> T:
            with meter.operation(stage, "a batch"):
                return function(*arguments, **named)

        return run

    return Pipeline(
        extract=pieces,
        chunk=lambda pieces: chunk(pieces, settings.chunk.size, settings.chunk.overlap),
        names=entities.names(settings.entities),
        entities=metered("entities", finder),
        begin=embedder.begin,
        embed=metered("embed", embedder.embed),
        journal=metered("journal", ledger.journal),
        land=metered("store", store.land),
        store=metered("store", store.add),
        gate=gate,
        store_batch=settings.store.batch_size,
        watch=lambda _batch: None,
    )


class _WakingMarks(Marks):
    """Marks that also wake the worker."""

    def __init__(self, on_mark: Callable[[], None]) -> None:
        super().__init__()
        self._on_mark = on_mark

    def add(self, path: str) -> None:
        super().add(path)
        self._on_mark()


def tell(done: rebuild.Rebuilt, ledger: Ledger, log: Log) -> None:
    """Log what was put right in a store."""
    if done.compacted:
        log.info(
            f"Compacted shard {done.shard}: {done.chunks} chunks stay, {done.compacted} deleted ones took room",
            what="compacted",
        )
    elif done.lacking is not None:
        log.info(
            f"Shard {done.shard} is sound {done.cause}: {done.chunks} chunks as in the journal,"
            f" {done.lacking} of them added",
            what="caught up",
        )
    else:
        log.info(
            f"Rebuilt shard {done.shard} {done.cause}: {done.chunks} chunks from the {done.origin}",
            what="rebuilt",
        )
    for id_ in done.missing:
        if entry := ledger.find(id_):
            log.error(f"Chunks of {printable(entry.document.source)} are lost; run `bouquetd verify --repair`")


def leave(store: Store, log: Log) -> None:
    """Close a store in good order, so that a kill from here on harms nothing."""
    try:
        store.rest()
    except Unavailable as error:
        log.warning(f"The store could not be closed in good order; the next start puts it right. {error.told}")


def collect(trim: Callable[[], object]) -> None:
    """Give back to the system what is garbage."""
    gc.collect()
    trim()


def make(folder: Path) -> None:
    """Make a folder where it is missing. Raises ``ConfigError`` when that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            [f"{printable(str(folder))} cannot be made: {error.strerror}; make it, or set another in paths"]
        ) from error

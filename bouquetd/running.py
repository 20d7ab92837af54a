"""Three ways to run: ``serve`` (the daemon), ``drain`` (``once``), ``answer`` (a command without a daemon)."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bouquetd import log as logging
from bouquetd.assembly import Engine, engine, make
from bouquetd.config import Config, Settings, advise
from bouquetd.control import SOCKET as SOCKET
from bouquetd.control import NoDaemon, Server, request
from bouquetd.daemon import EXIT_STUCK, Daemon, Signals
from bouquetd.errors import Stopped
from bouquetd.lock import Held
from bouquetd.log import Log
from bouquetd.memory.gate import Stuck
from bouquetd.memory.governor import exact
from bouquetd.memory.history import FILE as HISTORY
from bouquetd.model import MB, printable
from bouquetd.notify import Notifier, watchdog_interval
from bouquetd.observing import chronicled, on_request, reporter
from bouquetd.ops import fit, status
from bouquetd.ops.service import Handlers, by_worker
from bouquetd.pause import Pause
from bouquetd.requests import Requests
from bouquetd.snapshot import Snapshot
from bouquetd.tending import Publisher, Reloader, Watch

if TYPE_CHECKING:
    from bouquetd.web.site import Site

START_STEP = 90.0
"""Seconds more that systemd grants whenever a recovery says that it goes on: more than one request may take."""

PATIENCE = 660.0
"""Seconds the daemon may take to answer: a little more than it waits for its worker."""

COMING = 30.0
"""Seconds a daemon may take to start or to stop before its lock counts as held for good."""

LOOK = 1.0
"""Seconds between two looks at the memory, for its history, as long as no file takes longer."""

OK, FAILED, UNAVAILABLE = 0, 1, 69

MALLOC_ARENAS = 2
"""Heaps of the C library: with one for each thread RSS is 12 to 23 MB higher (section 6 of the design)."""

MAPPED_FROM = MB
"""Bytes from which the C library gets a block of its own from the system and gives it back when it is freed.
Left to itself it raises that to 32 MB, and then a model that was dropped and loaded again costs 28 MB more."""

GC_THRESHOLD = (10_000, 20, 20)
"""When Python looks for cycles: a batch makes thousands of objects, next to none of them in cycles. Its own
marks of 700 and 10 take 4 % of the time of small files."""


def settle_in(settings: Settings) -> None:
    """Make the process ours: a modest heap, and a working directory without surprises.

    Raises ``ConfigError`` when there can be no state directory.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-8, MALLOC_ARENAS)  # M_ARENA_MAX, from malloc.h
        mallopt(-3, MAPPED_FROM)  # M_MMAP_THRESHOLD
    gc.set_threshold(*GC_THRESHOLD)
    make(settings.paths.state)
    with suppress(OSError):  # where it may not be entered, taking the lock there says so
        os.chdir(settings.paths.state)  # Chroma reads a `.env` in the working directory


def serve(config: Config) -> int:
    """Run the daemon until it is told to stop; returns the exit status."""
    # On a fatal signal, the watchdog's SIGABRT among them, the stacks of all threads go to stderr.
    faulthandler.enable()
    log = _begin(config)
    settle_in(config.settings)
    notifier, signals, work = Notifier(), Signals(), threading.Event()

    def beat(doing: str) -> None:
        notifier.extend(START_STEP)
        notifier.status(f"Starting: {doing}")
        with suppress(OSError):  # the first status of the daemon at work says that it cannot be written
            status.write(config.settings.paths.runtime, status.starting(doing, START_STEP))

    with (
        signals.caught(),
        engine(
            config.settings, log, stopping=signals.stopping, on_mark=work.set, beat=beat, patience=math.inf
        ) as parts,
        chronicled(parts, log) as chronicle,
    ):
        _say_whether_it_fits(config, parts, log)
        baseline = parts.warm()
        parts.worker.reconcile()
        watch = Watch(parts, log)
        desk, writer = Requests(), reporter(parts, log)
        handlers = parts.service.handlers(by_worker(parts.worker, work.set))
        server = Server(
            config.settings.paths.runtime / SOCKET,
            handlers | {"report": on_request(writer, desk, signals.wake.set)},
        )
        publish = Publisher(config.settings.paths.runtime, notifier, log)
        snapshot = Snapshot(parts.worker, parts.queue, parts.intake, parts.gate, parts.meter, parts.probe)
        started = {
            "baseline_mb": round(baseline / MB, 2), "ceiling_mb": round(parts.probe.ceiling() / MB, 2)
        }  # fmt: skip
        daemon = Daemon(
            parts.worker, work=work, signals=signals, queue=parts.queue, health=parts.health, notifier=notifier,
            watchdog=watchdog_interval(os.environ, os.getpid()), rewatch=watch.tend,
            reload=Reloader(config, parts, chronicle, log),
            status=lambda: snapshot.take() | started | watch.told() | _hung(parts),
            publish=publish, desk=desk, report=writer.write, look=chronicle.look, farewell=chronicle.end,
            log=log,
        )  # fmt: skip
        site = _site(parts, lambda: publish.last, handlers, log)
        server.start()
        try:
            limit = parts.governor.limits.limit
            log.info(
                f"Ready: watching {printable(str(config.settings.paths.inbox))} ({watch.kind});"
                f" {exact(baseline)} of {exact(limit)} in use",
                what="ready",
                rss_mb=round(baseline / MB, 2),
            )
            if site:
                site.start()
            code = daemon.run()
        finally:
            if site:
                site.stop()
            watch.stop()
            server.stop()
    log.info("Stopped", what="stopped")
    return code


def drain(config: Config) -> int:
    """Ingest what is in the inbox and return: 1 when a file failed, 69 when something needed is missing.

    Raises ``Paused`` when the operator wants none ingested, now or meanwhile.
    """
    log = _begin(config, "warning" if sys.stderr.isatty() else None)
    settle_in(config.settings)
    Pause(config.settings.paths.state).check()
    signals = Signals()
    with (
        signals.caught(),
        engine(config.settings, log, stopping=signals.stopping) as parts,
        chronicled(parts, log) as chronicle,
    ):
        parts.warm()
        parts.worker.reconcile()
        with _progress(parts) as show:
            code = _drain(parts, signals, show, chronicle.look)
        done = code in (OK, FAILED) and not signals.stopping.is_set()
        chronicle.end(OK if code == FAILED else code, "all was done that was in the inbox" if done else "")
    tally = parts.worker.tally
    log.info(
        f"Drained: {tally.documents} documents, {tally.chunks} chunks, {tally.duplicates} already there,"
        f" {tally.failed} failed"
    )
    return code


def answer(config: Config, op: str, arguments: dict[str, Any]) -> Any:
    """Answer a command where no daemon runs: take the store, answer, let it go.

    Raises ``Held`` when a daemon has it after all.
    """
    logging.configure("console", "warning")
    settle_in(config.settings)
    signals = Signals()
    with signals.caught(), engine(config.settings, logging.get(), stopping=signals.stopping) as parts:
        return parts.service.handlers(lambda function: function())[op](arguments)


def ask(config: Config, op: str, arguments: dict[str, Any], alone: Callable[[str, dict[str, Any]], Any]) -> Any:
    """Have the daemon answer, or, where none runs, do it ``alone``, which may raise ``Held``.

    A daemon that is just starting or stopping, and has the store and no ear, is waited for.
    """
    until = time.monotonic() + COMING
    while True:
        with suppress(NoDaemon):
            return request(config.settings.paths.runtime / SOCKET, op, PATIENCE, **arguments)
        try:
            return alone(op, arguments)
        except Held:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _site(parts: Engine, status: Callable[[], Any], handlers: Handlers, log: Log) -> Site | None:
    """What is to be served over HTTP; where nothing is, not even the modules are loaded."""
    settings = parts.settings
    if not settings.metrics.listen and not settings.page.listen:
        return None
    from bouquetd.web.site import Site

    site = Site(settings, status, lambda op, given: handlers[op](given), settings.paths.state / HISTORY, log)
    if site.metrics:
        parts.meter.heard = site.metrics.heard
    return site


def _hung(parts: Engine) -> dict[str, Any]:
    """Why the watchdog would not be fed, whether there is one or not."""
    now = time.monotonic()
    why = parts.health.trouble(now, waiting=parts.queue.waiting(now))
    return {"hung": why} if why is None else {"hung": why, "state": "hung", "why": why, "remedy": status.AFRESH}


def _begin(config: Config, level: str | None = None) -> Log:
    settings = config.settings
    logging.configure(settings.logging.format, level or settings.logging.level)
    log = logging.get()
    for line in advise(settings):
        log.warning(f"{printable(str(config.path))}: {line}")
    return log


def _say_whether_it_fits(config: Config, parts: Engine, log: Log) -> None:
    ceiling, known = parts.probe.ceiling(), fit.unit_of(config.path, Path.home())
    unit = fit.Unit(known[0], None, ceiling, known[1]) if known else None
    for line in fit.advise(config.settings.memory.limit, ceiling, unit, parts.reader.page_memory):
        log.warning(f"{printable(str(config.path))}: {line}")


def _drain(parts: Engine, signals: Signals, show: Callable[[], None], look: Callable[[], None]) -> int:
    worker, seen = parts.worker, time.monotonic()
    look()
    try:
        with suppress(Stopped):
            while not signals.stopping.is_set():
                wait = worker.step()
                show()
                if (now := time.monotonic()) - seen >= LOOK:
                    look()
                    seen = now
                if worker.paused is not None:
                    worker.finish()
                    raise worker.paused
                if worker.trouble is not None:
                    return UNAVAILABLE
                if worker.idle:
                    break
                signals.stopping.wait(min(wait, 0.2))
        worker.finish()
    except Stuck:
        return EXIT_STUCK
    return FAILED if worker.tally.failed else OK


@contextmanager
def _progress(parts: Engine) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def show() -> None:
            tally, current = parts.worker.tally, parts.worker.current
            done = tally.documents + tally.failed + tally.duplicates
            bar.update(
                task, completed=done, total=done + parts.queue.count(),
                description=printable(current.source) if current else f"{tally.chunks} chunks",
            )  # fmt: skip

        yield show

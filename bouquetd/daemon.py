"""The main thread: signals, one tick a second, the watchdog's ping, the status, the end.

The worker has a thread of its own, so that this one can tell a worker that works from one that hangs.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from bouquetd.errors import Stopped, Unavailable
from bouquetd.health import Health
from bouquetd.inbox.queue import Queue
from bouquetd.ledger import Corrupt
from bouquetd.log import Log
from bouquetd.memory.gate import Stuck
from bouquetd.notify import Notifier
from bouquetd.requests import Requests
from bouquetd.worker import Worker

TICK = 1.0
"""Seconds between two looks at everything."""

GRACE = 4.0
"""Seconds a graceful stop may take before the process leaves without waiting for the worker."""

EXIT_OK, EXIT_INTERNAL, EXIT_STUCK = 0, 70, 75
"""``EX_SOFTWARE`` and ``EX_TEMPFAIL`` of sysexits.h: systemd starts the daemon afresh after both."""

STDERR = 2
"""Where the stacks of all threads go when something fails in a way nobody foresaw."""


class Signals:
    """Signals as flags. The first SIGTERM or SIGINT asks to stop, the second leaves at once.

    SIGHUP asks for a reload, SIGUSR1 for a memory report.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self.reload = False
        self.report = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle SIGTERM, SIGINT, SIGHUP and SIGUSR1 within."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        elif number == signal.SIGUSR1:
            self.report = True
        elif self.stopping.is_set():
            os._exit(128 + number)  # everything durable is durable already
        else:
            self.stopping.set()
        self.wake.set()


class Daemon:
    """Runs a worker until told to stop.

    ``work`` wakes the worker; ``rewatch`` mends the watcher and says whether it did; ``reload`` reads the YAML
    again; ``status`` is how all is, ``publish`` tells everybody; ``desk`` has what other
    threads want done by this one; ``report`` writes a memory report; ``look`` is called each tick,
    ``farewell`` with the exit status before the process leaves.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        work: threading.Event,
        signals: Signals,
        queue: Queue,
        health: Health,
        notifier: Notifier,
        watchdog: float | None,
        rewatch: Callable[[], bool],
        reload: Callable[[], None],
        status: Callable[[], dict[str, Any]],
        publish: Callable[[dict[str, Any]], None],
        desk: Requests,
        report: Callable[[], object],
        look: Callable[[], None],
        farewell: Callable[[int], None],
        log: Log,
    ) -> None:
        self.worker = worker
        self._work_arrived = work
        self._signals = signals
        self._queue = queue
        self._health = health
        self._notifier = notifier
        self._watchdog = watchdog
        self._rewatch = rewatch
        self._reload = reload
        self._status = status
        self._publish = publish
        self._desk = desk
        self._report = report
        self._look = look
        self._farewell = farewell
        self._log = log
        self._exit = EXIT_OK
        self._next_ping = 0.0
        self._mourned: str | None = None

    def run(self) -> int:
        """Work until SIGTERM or until the worker gives up; returns the exit status."""
        thread = threading.Thread(target=self._work, name="worker", daemon=True)
        thread.start()
        self._notifier.ready()
        period = min(TICK, self._watchdog or TICK)
        try:
            while thread.is_alive() and not self._signals.stopping.is_set():
                self._tick(time.monotonic())
                self._signals.wake.wait(period)
                self._signals.wake.clear()
        except Exception:
            faulthandler.dump_traceback(STDERR)
            raise
        self._notifier.stopping()
        self._notifier.status("Stopping: finishing the batch in hand")
        self._signals.stopping.set()
        self._work_arrived.set()
        thread.join(GRACE)
        if thread.is_alive():
            self.worker.disown()
            self._log.warning("Stopping without waiting for the step in hand; the next start resumes there")
            self._farewell(EXIT_OK)
            os._exit(EXIT_OK)
        self._farewell(self._exit)
        return self._exit

    def _tick(self, now: float) -> None:
        if self._signals.reload:
            self._signals.reload = False
            self._notifier.reloading()
            self._reload()
            self._work_arrived.set()
            self._notifier.ready()
        if self._signals.report:
            self._signals.report = False
            try:
                self._report()
            except Unavailable as error:
                self._log.warning(error.told, what="report")
        self._desk.answer()
        if self._rewatch():
            self._work_arrived.set()
        self._look()
        self._publish(self._status())
        if self._watchdog and now >= self._next_ping:
            trouble = self._health.trouble(now, waiting=self._queue.waiting(now))
            if trouble is None:
                self._notifier.watchdog()
                self._next_ping = now + self._watchdog
            elif trouble != self._mourned:
                self._log.error(f"No watchdog ping: {trouble}. systemd will restart the daemon", what="hang")
                self._mourned = trouble

    def _work(self) -> None:
        try:
            with suppress(Stopped):
                while not self._signals.stopping.is_set():
                    wait = self.worker.step()
                    if wait > 0:
                        self._work_arrived.wait(wait)
                        self._work_arrived.clear()
            self.worker.finish()
        except (Stuck, Corrupt) as error:
            self._log.error(f"Giving up this process. {error.told}")
            self._exit = EXIT_STUCK if isinstance(error, Stuck) else EXIT_INTERNAL
        except Exception:
            self._log.exception("The worker failed in a way nobody foresaw; a restart goes on from the ledger")
            faulthandler.dump_traceback(STDERR)
            self._exit = EXIT_INTERNAL
        finally:
            self._signals.wake.set()

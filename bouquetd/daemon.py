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
from bouquetd.memory.gate import Gate, Stuck
from bouquetd.memory.governor import Mode
from bouquetd.memory.probe import Probe
from bouquetd.model import MB, printable
from bouquetd.notify import Notifier
from bouquetd.rate import Rate
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
    """Signals as flags. The first SIGTERM or SIGINT asks to stop, the second leaves at once."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self.reload = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle SIGTERM, SIGINT and SIGHUP within."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        elif self.stopping.is_set():
            os._exit(128 + number)  # everything durable is durable already
        self.wake.set()
        if number != signal.SIGHUP:
            self.stopping.set()


class Daemon:
    """Runs a worker until told to stop.

    ``work`` wakes the worker; ``rewatch`` mends the watcher and says whether it did; ``reload`` reads the YAML
    again; ``publish`` takes the status, to which ``facts`` adds what only others know.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        work: threading.Event,
        signals: Signals,
        queue: Queue,
        gate: Gate,
        health: Health,
        probe: Probe,
        notifier: Notifier,
        watchdog: float | None,
        rewatch: Callable[[], bool],
        reload: Callable[[], None],
        publish: Callable[[dict[str, Any]], None],
        facts: Callable[[], dict[str, Any]],
        log: Log,
    ) -> None:
        self.worker = worker
        self._work_arrived = work
        self._signals = signals
        self._queue = queue
        self._gate = gate
        self._health = health
        self._probe = probe
        self._notifier = notifier
        self._watchdog = watchdog
        self._rewatch = rewatch
        self._reload = reload
        self._publish = publish
        self._facts = facts
        self._log = log
        self._exit = EXIT_OK
        self._next_ping = 0.0
        self._mourned: str | None = None
        self._began = time.time()
        self._rate = Rate()

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
            os._exit(EXIT_OK)
        return self._exit

    def _tick(self, now: float) -> None:
        if self._signals.reload:
            self._signals.reload = False
            self._notifier.reloading()
            self._reload()
            self._work_arrived.set()
            self._notifier.ready()
        if self._rewatch():
            self._work_arrived.set()
        self._publish(self.status())
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

    def status(self) -> dict[str, Any]:
        """Everything ``bouquetd status`` shows; sizes in MB of 1024 * 1024 bytes, times in seconds."""
        vitals, current, tally = self._probe.vitals(), self.worker.current, self.worker.tally
        state, why = self._state()
        # The file in hand leaves the queue when it is done with.
        in_hand = (1, current.size) if current else (0, 0)
        files, size = max(0, self._queue.count() - in_hand[0]), max(0, self._queue.bytes() - in_hand[1])
        return {
            "state": state,
            "why": why,
            "pid": os.getpid(),
            "since": self._began,
            "at": time.time(),
            "rss_mb": round(vitals.rss / MB, 2),
            "peak_mb": round(vitals.peak / MB, 2),
            "vsz_mb": round(vitals.vsz / MB, 2),
            "queue": {"files": files, "bytes": size},
            "current": None
            if current is None
            else {
                "source": printable(current.source),
                "size": current.size,
                "share": round(current.share, 4),
                "chunks": current.chunks,
            },
            "documents": tally.documents,
            "chunks": tally.chunks,
            "chunks_per_second": round(self._rate.of(time.monotonic(), tally.chunks), 1),
            "failed": tally.failed,
            "duplicates": tally.duplicates,
            **self._facts(),
        }

    def _state(self) -> tuple[str, str]:
        trouble: Unavailable | None = self.worker.trouble
        if trouble is not None:
            return "holding", trouble.reason
        if self._gate.mode is Mode.PAUSE:
            return "paused", f"memory, for {self._gate.paused:.0f} s"
        if self._gate.mode is Mode.THROTTLE:
            return "throttled", "memory"
        return ("working" if self.worker.current or self._queue.count() else "idle"), ""

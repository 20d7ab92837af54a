"""What the daemon says of itself once a second: one picture of worker, queue, gate and process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bouquetd import __version__
from bouquetd.inbox.intake import Intake
from bouquetd.inbox.queue import Queue
from bouquetd.ingestion import Current
from bouquetd.memory.gate import Gate
from bouquetd.memory.governor import Mode
from bouquetd.memory.meter import Meter
from bouquetd.memory.probe import Probe
from bouquetd.model import MB, printable
from bouquetd.rate import Rate
from bouquetd.worker import Worker

WAITS = "nothing; it goes on by itself, see memory.limit"
"""What is to be done about a pause for memory."""


@dataclass(slots=True)
class Snapshot:
    """Takes the picture; ``clock`` is the steady one of the worker and the queue."""

    worker: Worker
    queue: Queue
    intake: Intake
    gate: Gate
    meter: Meter
    probe: Probe
    clock: Callable[[], float] = time.monotonic
    began: float = field(default_factory=time.time)
    chunks: Rate = field(default_factory=Rate)
    read: Rate = field(default_factory=Rate)

    def take(self) -> dict[str, Any]:
        """Everything of the moment; sizes in MB of 1024 * 1024 bytes where a name says so, times in seconds.

        ``since``, ``at`` and ``last_scan`` count from the epoch.
        """
        now, worker, gate = self.clock(), self.worker, self.gate
        vitals, current, tally, limits = self.probe.vitals(), worker.current, worker.tally, gate.limits
        state, why, remedy = self._state()
        # The file in hand leaves the queue when it is done with.
        waiting, size = self.queue.count(), self.queue.bytes()
        done = tally.bytes + (int(current.size * current.share) if current else 0)
        return {
            "state": state,
            "why": why,
            "remedy": remedy,
            "pid": os.getpid(),
            "version": __version__,
            "since": self.began,
            "at": time.time(),
            "rss_mb": _mb(vitals.rss),
            "peak_mb": _mb(vitals.peak),
            "vsz_mb": _mb(vitals.vsz),
            "limit_mb": _mb(limits.limit),
            "throttle_mb": _mb(limits.throttle_at),
            "resume_mb": _mb(limits.resume_at),
            "available_mb": _mb(self.probe.available()),
            "pressure": self.probe.pressure(),
            "machine_pressure": self.probe.machine_pressure(),
            "throttles": gate.throttles,
            "pauses": gate.pauses,
            "paused_seconds": round(gate.rested, 1),
            "queue": {
                "files": max(0, waiting - (current is not None)),
                "bytes": max(0, size - (current.size if current else 0)),
                "oldest": round(self.queue.oldest(now), 1),
            },
            "last_scan": self._when(self.intake.last_scan, now),
            "current": None if current is None else self._in_hand(current, now),
            "stage": self.meter.stage,
            "stages": {
                stage: {
                    "operations": work.operations,
                    "seconds": round(work.seconds, 3),
                    "grown_mb": _mb(work.grown),
                }
                for stage, work in list(self.meter.work.items())
            },
            "documents": tally.documents,
            "chunks": tally.chunks,
            "bytes": tally.bytes,
            "chunks_per_second": round(self.chunks.of(now, tally.chunks), 1),
            "bytes_per_second": round(max(0.0, self.read.of(now, done))),
            "failed": tally.failed,
            "reasons": tally.reasons.copy(),
            "duplicates": tally.duplicates,
        }

    def _when(self, moment: float | None, now: float) -> float | None:
        """A time of the clock in seconds since the epoch."""
        return None if moment is None else round(time.time() - (now - moment), 1)

    def _in_hand(self, current: Current, now: float) -> dict[str, Any]:
        return {
            "source": printable(current.source),
            "size": current.size,
            "share": round(current.share, 4),
            "chunks": current.chunks,
            "seconds": round(now - current.began, 1),
            "stage": self.meter.stage,
        }

    def _state(self) -> tuple[str, str, str]:
        """In a word, why, and what to do about it."""
        if (paused := self.worker.paused) is not None:
            return "paused", paused.reason, paused.remedy
        if (trouble := self.worker.trouble) is not None:
            return "holding", trouble.reason, trouble.remedy
        if self.gate.mode is Mode.PAUSE:
            return "paused", f"memory, for {self.gate.paused:.0f} s", WAITS
        if self.gate.mode is Mode.THROTTLE:
            return "throttled", "memory", WAITS
        busy = self.worker.current or self.worker.unfinished or self.queue.count()
        return ("working" if busy else "idle"), "", ""


def _mb(size: float) -> float:
    return round(size / MB, 2)

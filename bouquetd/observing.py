"""What watches the daemon's memory, put together: the history, and the reports that are asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from functools import partial
from typing import Any

import psutil

from bouquetd.assembly import Engine
from bouquetd.errors import Unavailable
from bouquetd.log import Log
from bouquetd.memory import ended, history, report
from bouquetd.memory.chronicle import Chronicle
from bouquetd.memory.governor import short
from bouquetd.memory.report import Reporter
from bouquetd.requests import Requests

PATIENCE = 60.0
"""Seconds that a report may take: it waits for one tick, and looks at every object there is."""


@contextmanager
def chronicled(parts: Engine, log: Log) -> Iterator[Chronicle]:
    """Begin this process's part of the history of memory, and see that its end is noted."""
    paths, worker = parts.settings.paths, parts.worker
    chronicle = Chronicle(
        history.History(paths.state / history.FILE, log, time.time), parts.probe, parts.watermark,
        mode=lambda: parts.gate.mode, trouble=lambda: at.reason if (at := worker.trouble) else None,
        clock=time.time,
    )  # fmt: skip
    parts.gate.heard = chronicle.hear
    note, boot = ended.take(paths.runtime), psutil.boot_time()
    chronicle.begin(f"pid {os.getpid()}", lambda alive: ended.cause(note, alive, boot), parts.gate.limits)
    with chronicle.told():
        yield chronicle


def reporter(parts: Engine, log: Log) -> Reporter:
    """Who writes the memory reports of this process."""
    return Reporter(
        parts.settings.paths.state / report.FOLDER,
        vitals=parts.probe.vitals,
        facts=partial(_facts, parts),
        clock=time.time,
        log=log,
    )


def on_request(
    writer: Reporter, desk: Requests, wake: Callable[[], None]
) -> Callable[[object], dict[str, Any]]:
    """Answers the request ``report``: the thread that ``desk`` belongs to, woken by ``wake``, writes it."""

    def answer(_arguments: object) -> dict[str, Any]:
        future = desk.ask(writer.write)
        wake()
        try:
            written = future.result(PATIENCE)
        except TookTooLong:
            raise Unavailable(
                f"the daemon has not written a report within {PATIENCE:.0f} s",
                "see what it does with: bouquetd status, journalctl -u bouquetd",
            ) from None
        return {"path": str(written.path), "summary": list(written.summary)}

    return answer


def _facts(parts: Engine) -> dict[str, str]:
    """What the governor says of itself."""
    gate, limits, (stage, source) = parts.gate, parts.gate.limits, parts.watermark.running()
    return {
        "Governor": f"{gate.mode}; batches of {gate.batch_size} chunks, of {gate.configured} configured",
        "Marks": f"throttle {short(int(limits.throttle_at))}, limit {short(limits.limit)},"
        f" resume {short(int(limits.resume_at))}, ceiling {short(parts.probe.ceiling())}",
        "Since the start": f"throttled {gate.throttles} times, paused {gate.pauses} times, {gate.rested:.0f} s",
        "Kernel's memory pressure": f"{parts.probe.pressure():.0%}",
        "In hand": f"{source or 'no file'}, {f'in the stage {stage}' if stage else 'between two stages'}",
    }

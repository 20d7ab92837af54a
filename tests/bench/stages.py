"""A whole daemon in this process, with a clock on every stage.

``python -m tests.bench.stages CONFIG FILES`` runs ``serve``, as ``bouquetd run`` does, on an inbox that already
holds FILES files, and prints where the time went. The clock starts when the worker takes the first file, all
being settled by then, and stops at the end of the step in which the last one was filed, all its chunks being in
Chroma. A stage's time is its own, without that of a stage it calls, so the sum is the wall time of the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.modules["rich"] = None  # type: ignore[assignment]  # as `bouquetd run` does

from bouquetd import assembly, running  # noqa: E402
from bouquetd.assembly import Engine  # noqa: E402
from bouquetd.config import load  # noqa: E402
from tests.bench.machine import memory  # noqa: E402


class Clock:
    """Who had the worker's thread for how long, each moment given to one name only.

    ``seconds`` of wall time by name, and ``cpu`` seconds of this thread: the difference was spent waiting, for
    the disk, for other threads, for a core.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._owners: list[str] = []
        self._since = self._cpu_since = 0.0

    def give(self, name: str) -> None:
        """From now on time is that of ``name``."""
        self._settle()
        self._owners.append(name)

    def take(self) -> None:
        """Time is again that of whoever had it before."""
        self._settle()
        self._owners.pop()

    def _settle(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        if self._owners:
            self.seconds[self._owners[-1]] += now - self._since
            self.cpu[self._owners[-1]] += cpu - self._cpu_since
        self._since, self._cpu_since = now, cpu

    def restart(self) -> None:
        """Begin anew; whoever has the time now goes on having it."""
        self._settle()
        self.seconds.clear()
        self.cpu.clear()

    def call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self.give(name)
            try:
                return function(*arguments, **named)
            finally:
                self.take()

        return timed

    def pull(self, name: str, function: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        """The function that gives an iterator, timed whenever something is asked of it."""

        def timed(*arguments: Any, **named: Any) -> Iterator[Any]:
            source = iter(function(*arguments, **named))
            advance = self.call(name, lambda: next(source, None))
            while (item := advance()) is not None:
                yield item

        return timed


class Stages:
    """Clocks on an engine's stages, from the first file taken until ``files`` were filed."""

    def __init__(self, parts: Engine, files: int) -> None:
        self.worker, self.clock, self.chroma = parts.worker, Clock(), Clock()
        self.began = self.ended = self.cpu = 0.0
        self._files = files
        self._put_in(parts)

    def _put_in(self, parts: Engine) -> None:
        worker, store, call, pull = parts.worker, parts.store, self.clock.call, self.clock.pull
        pipeline = worker._pipeline
        pipeline.extract = pull("extract", pipeline.extract)
        pipeline.chunk = pull("chunk", pipeline.chunk)
        pipeline.names = pull("names", pipeline.names)
        pipeline.entities = call("entities", pipeline.entities)
        pipeline.embed = call("embed", pipeline.embed)
        pipeline.journal = call("journal", pipeline.journal)
        pipeline.land = call("store", pipeline.land)
        pipeline.store = call("store", pipeline.store)
        pipeline.watch = call("log lines", pipeline.watch)
        parts.gate.wait = call("gate", parts.gate.wait)
        store.flush = call("store", store.flush)
        store._seal = call("seal a shard", store._seal)
        worker._file_away = call("file away", worker._file_away)
        take, step = call("take: open, hash, claim", worker._take), worker.step

        def first_take(*arguments: Any) -> None:
            if not self.began:
                self.began, self.cpu = time.perf_counter(), time.process_time()
                self.clock.restart()
            take(*arguments)

        def last_step() -> float:
            self.clock.give("other")
            try:
                return step()
            finally:
                self.clock.take()
                tally = worker.tally
                if not self.ended and tally.documents + tally.failed + tally.duplicates >= self._files:
                    self.ended, self.cpu = time.perf_counter(), time.process_time() - self.cpu
                    os.kill(os.getpid(), signal.SIGTERM)

        worker._take, worker.step = first_take, last_step
        store._chroma.add = self.chroma.call("add", store._chroma.add)


def main(config: Path, files: int) -> None:
    """Serve until all is filed, print."""
    found: list[Stages] = []

    @contextmanager
    def engine(*arguments: Any, **named: Any) -> Iterator[Engine]:
        with assembly.engine(*arguments, **named) as parts:
            found.append(Stages(parts, files))
            yield parts

    running.engine = engine
    code = running.serve(load(config))
    if code or not found[0].ended:
        sys.exit(code or 1)
    stages = found[0]
    print(
        json.dumps(
            {
                "chunks": stages.worker.tally.chunks,
                "seconds": stages.ended - stages.began,
                "cpu": stages.cpu,
                "peak_mb": memory()[1],
                "stages": stages.clock.seconds,
                "stages_cpu": stages.clock.cpu,
                "chroma": stages.chroma.seconds["add"],
                "chroma_cpu": stages.chroma.cpu["add"],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

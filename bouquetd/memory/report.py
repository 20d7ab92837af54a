"""The memory report, for hunting a leak in a daemon that runs: mappings, objects, allocations, stacks.

It tells types, places in the code and names of files, and nothing of what stands in documents.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import re
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bouquetd.errors import Unavailable
from bouquetd.log import Log
from bouquetd.memory.governor import exact
from bouquetd.memory.mappings import grouped
from bouquetd.memory.probe import Vitals
from bouquetd.model import MB, printable

FOLDER = "reports"
"""In the state directory."""

KEPT = 10
"""Reports that are kept; the oldest go first."""

MAPPINGS, TYPES, SITES = 20, 30, 25
"""Lines of a report: mappings, types of objects, and places that allocate."""

_THREAD = re.compile(r"(?:Current thread|Thread) 0x([0-9a-f]+)")

REMEMBERED = 2000
"""Types, and places that allocate, whose figures are kept for the next report to be compared with."""


@dataclass(frozen=True, slots=True)
class Report:
    """Where a report was written, and what it comes to in a few lines."""

    path: Path
    summary: tuple[str, ...]


class Reporter:
    """Writes reports, each compared with the one before; all in one thread.

    ``vitals`` reads the process, ``facts`` gives what the governor says of itself, ``clock`` counts seconds
    since the epoch, ``smaps`` is the kernel's file about the process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vitals: Callable[[], Vitals],
        facts: Callable[[], Mapping[str, str]],
        clock: Callable[[], float],
        log: Log,
        smaps: str = "/proc/self/smaps",
    ) -> None:
        self._folder = folder
        self._vitals = vitals
        self._facts = facts
        self._clock = clock
        self._log = log
        self._smaps = smaps
        self._rss: int | None = None
        self._types: dict[str, int] = {}
        self._sites: dict[str, int] = {}

    def write(self) -> Report:
        """Write one, and tell its summary in the log. Raises ``Unavailable`` where it cannot be written."""
        summary: list[str] = []
        text = "\n".join(self._sections(summary)) + "\n"
        try:
            path = self._put(text)
        except OSError as error:
            raise Unavailable(
                f"the memory report cannot be written to {printable(str(self._folder))}: {error.strerror}",
                "see to the disk and to who owns the folder",
            ) from error
        for number, line in enumerate(summary):
            begin = f"Report written to {printable(str(path))}: " if number == 0 else "Report: "
            self._log.info(f"[MEMORY] {begin}{line}", what="report")
        return Report(path, tuple(summary))

    def _put(self, text: str) -> Path:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        now = self._clock()
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(now))
        path = self._folder / f"{stamp}.{int(now % 1 * 1000):03}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        for old in sorted(self._folder.glob("*.txt"))[:-KEPT]:
            old.unlink()
        return path

    def _sections(self, summary: list[str]) -> Iterator[str]:
        vitals = self._vitals()
        grown = "" if self._rss is None else f", {_change(vitals.rss - self._rss)} since the last report"
        self._rss = vitals.rss
        summary.append(f"{exact(vitals.rss)} RSS{grown}")
        yield f"Memory of bouquetd, pid {os.getpid()}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
        yield f"RSS {exact(vitals.rss)}{grown}, peak {exact(vitals.peak)}, VSZ {exact(vitals.vsz)}"
        yield from (f"{name}: {value}" for name, value in self._facts().items())
        yield f"Python: {sys.version.split()[0]}, {threading.active_count()} threads"
        yield f"gc: counts {gc.get_count()}, thresholds {gc.get_threshold()}, collections " + ", ".join(
            f"{one['collections']} ({one['collected']} freed, {one['uncollectable']} not)"
            for one in gc.get_stats()
        )
        yield from self._mapped(summary)
        yield from self._objects(summary)
        yield from self._allocations(summary)
        yield from _stacks()

    def _mapped(self, summary: list[str]) -> Iterator[str]:
        with open(self._smaps, encoding="utf-8", errors="backslashreplace") as stream:
            found = grouped(stream)
        yield from _heading(f"RSS by mapping: the {MAPPINGS} largest of {len(found)}")
        yield from (f"{exact(one.rss):>12}  {one.count:>4} x  {one.name}" for one in found[:MAPPINGS])
        largest = (f"{os.path.basename(one.name.split(':')[0])} {exact(one.rss)}" for one in found[:3])
        summary.append(f"most of it in {', '.join(largest)}")

    def _objects(self, summary: list[str]) -> Iterator[str]:
        by_type = Counter(map(type, gc.get_objects()))
        counts = Counter({f"{kind.__module__}.{kind.__qualname__}": n for kind, n in by_type.items()})
        before, self._types = self._types, dict(counts.most_common(REMEMBERED))
        yield from _heading(
            f"Live objects by type: the {TYPES} most frequent of {len(counts)}, and their growth since the last"
            f" report. Not counted: numbers, texts and arrays, and {gc.get_freeze_count()} objects of the start"
        )
        yield from _table(counts, before, TYPES, str)
        if before:
            grown = Counter({name: n - before.get(name, 0) for name, n in counts.items()}).most_common(3)
            summary.append("objects grown most: " + ", ".join(f"{name} {n:+}" for name, n in grown))
        else:
            summary.append("most objects: " + ", ".join(f"{name} {n}" for name, n in counts.most_common(3)))

    def _allocations(self, summary: list[str]) -> Iterator[str]:
        if not tracemalloc.is_tracing():
            yield from _heading("Allocations by place: not traced; set memory.trace: true and restart")
            return
        places = ((one.traceback[0], one.size) for one in tracemalloc.take_snapshot().statistics("lineno"))
        found = Counter(
            {
                f"{place.filename}:{place.lineno}": size
                for place, size in places
                if place.filename != tracemalloc.__file__
            }
        )
        before, self._sites = self._sites, dict(found.most_common(REMEMBERED))
        own = tracemalloc.get_tracemalloc_memory()
        yield from _heading(
            f"Allocations by place: the {SITES} largest of {len(found)}, {exact(sum(found.values()))} in all,"
            f" and their growth since the last report. The tracing itself takes {exact(own)}"
        )
        yield from _table(found, before, SITES, exact)
        place, size = found.most_common(1)[0]
        summary.append(f"most allocated in {place}: {exact(size)}; the tracing itself takes {exact(own)}")


def _table(
    found: Counter[str], before: Mapping[str, int], most: int, shown: Callable[[int], str]
) -> Iterator[str]:
    """Figures, the largest first, with what each grew by, where there is something to compare with."""
    for name, figure in found.most_common(most):
        change = figure - before.get(name, 0) if before else 0
        grown = f"{'+' if change > 0 else '-'}{shown(abs(change))}" if change else ""
        yield f"{shown(figure):>12}  {grown:>12}  {name}"


def _stacks() -> Iterator[str]:
    """The last call first, as faulthandler tells them while no thread runs.

    To walk the frames of a thread that ends meanwhile has crashed CPython 3.11.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    with open(os.memfd_create("stacks"), "w+", encoding="utf-8", errors="replace") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        for line in file:
            if found := _THREAD.match(line):
                name = names.get(int(found[1], 16), "that Python did not start")
                yield from _heading(f"Stack of the thread {name}")
            elif line.strip():
                yield line.rstrip()


def _heading(text: str) -> tuple[str, str]:
    return "", f"== {text} =="


def _change(size: int) -> str:
    return f"{size / MB:+.2f} MB"

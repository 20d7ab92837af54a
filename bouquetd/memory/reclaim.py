"""The ladder by which a pause gives memory back, cheapest rung first."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ENOUGH = 0.05
"""A rung that frees less than this share of the RSS is left alone for a while."""

FIRST_REST, LONGEST_REST = 1.0, 60.0
"""Seconds a rung rests after freeing too little; doubled each time, up to the second figure."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to give memory back. ``cheap`` ones cost no warm state and may run between two batches."""

    name: str
    free: Callable[[], object]
    cheap: bool = False


@dataclass(frozen=True, slots=True)
class Freed:
    """What one rung did: RSS ``before`` and ``after`` in bytes; ``error`` says why it could not do its work."""

    rung: str
    before: int
    after: int
    error: str = ""

    @property
    def size(self) -> int:
        """Bytes given back; 0 where the RSS grew meanwhile."""
        return max(0, self.before - self.after)

    @property
    def enough(self) -> bool:
        """Whether it was worth the effort."""
        return self.size >= ENOUGH * self.before


class Ladder:
    """Tries rungs from the lowest up until the RSS is low enough, resting those that free too little."""

    def __init__(self, rungs: Sequence[Rung], rss: Callable[[], int]) -> None:
        self._rungs = tuple(rungs)
        self._rss = rss
        self._rest = dict.fromkeys(range(len(self._rungs)), 0.0)
        self._until = dict.fromkeys(range(len(self._rungs)), float("-inf"))

    def climb(self, now: float, target: float, *, cheap: bool = False) -> list[Freed]:
        """Free memory until the RSS is under ``target`` bytes; with ``cheap``, on the cheap rungs only.

        ``now`` in seconds of a steady clock. A rung that fails is reported, and rests if it freed too little.
        """
        climbed: list[Freed] = []
        rss = self._rss()
        for place, rung in enumerate(self._rungs):
            if rss < target:
                break
            if now < self._until[place] or (cheap and not rung.cheap):
                continue
            freed = self._try(rung, rss)
            rest = 0.0 if freed.enough else min(max(2 * self._rest[place], FIRST_REST), LONGEST_REST)
            self._rest[place], self._until[place] = rest, now + rest
            climbed.append(freed)
            rss = freed.after
        return climbed

    def _try(self, rung: Rung, before: int) -> Freed:
        error = ""
        try:
            rung.free()
        except Exception as problem:  # A rung that breaks must not keep the next from being tried.
            error = f"{type(problem).__name__}: {problem}"
        return Freed(rung.name, before, self._rss(), error)


def standard(close_store: Callable[[], object], drop_embedder: Callable[[], object]) -> list[Rung]:
    """The rungs in order: collect garbage, trim the heap, close the Chroma client, drop the embedder.

    The upper two collect and trim as well: what they let go of returns to the system only then. Where the C
    library has no ``malloc_trim`` that rung is absent.
    """
    trim = trimmer()

    def then_settle(release: Callable[[], object]) -> Callable[[], None]:
        def free() -> None:
            release()
            gc.collect()
            if trim:
                trim()

        return free

    return [
        Rung("gc", gc.collect, cheap=True),
        *([Rung("malloc_trim", trim, cheap=True)] if trim else []),
        Rung("close the Chroma client", then_settle(close_store)),
        Rung("drop the embedder", then_settle(drop_embedder)),
    ]


def trimmer() -> Callable[[], object] | None:
    """The C library's ``malloc_trim(0)``, which hands free heap pages back; None where there is none."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is None:
        return None
    malloc_trim.argtypes, malloc_trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: malloc_trim(0)

"""The entities stage: what a text names, at most ``entities.max_concurrent`` texts at a time.

Stored with the chunk as ``kind:value``, so that Chroma's
``where={"entities": {"$contains": "email:ada@example.org"}}`` finds them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING

from bouquetd.backoff import BackOff
from bouquetd.errors import Explained, Stopped, Unavailable

if TYPE_CHECKING:
    from bouquetd.log import Log

Provider = Callable[[str], list[str]]
"""Finds the entities of one text, as ``kind:value``. Raises ``Unavailable`` where what it asks is
away, anything else over that one text."""

SLOW = 1.0
"""Seconds after which a text was slow: between such ones there may be a stop, and each is a sign of life."""


def nothing(_text: str) -> list[str]:
    """The provider behind ``entities.provider: none``."""
    return []


class Entities:
    """Runs a provider over batches, at most ``max_concurrent`` texts at a time.

    What a provider raises never reaches the chunk, which goes without entities. One that is ``Unavailable`` is
    left alone for a while, longer with each failure or as long as it asks for, so that a server that is down
    costs one time-out and not one a chunk; that is told once, until it works again. Whatever else it raises is
    about that one text, and only the first such is told.
    """

    def __init__(
        self,
        provider: Provider,
        max_concurrent: int,
        log: Log,
        *,
        clock: Callable[[], float] = time.monotonic,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """``beat`` is called after a slow text, in any thread; it may raise ``Stopped``."""
        self._provider = provider
        self._width = max_concurrent
        self._log = log
        self._clock = clock
        self._beat = beat
        self._pool = ThreadPoolExecutor(max_concurrent, thread_name_prefix="entities")
        self._lock = threading.Lock()
        self._backoff = BackOff()
        self._until: float | None = None
        self._told = self._told_of_text = False

    def __call__(self, texts: Sequence[str]) -> Iterator[list[str] | None]:
        """Begin at once; the entities of each text, in the order of the texts, are waited for when taken.

        None for a text of which the provider could not say.
        """
        # One task a worker and batch instead of one a text: handing over costs more than a pattern does.
        slices = self._pool.map(self._run, [texts[i :: self._width] for i in range(self._width)])
        return _woven(slices)

    def _run(self, texts: Sequence[str]) -> list[list[str] | None]:
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> list[str] | None:
        began = self._clock()
        if self._until is not None and began < self._until:
            return None
        try:
            found = self._provider(text)
        except Stopped:
            raise
        except Exception as error:
            self._failed(error)
            return None
        finally:
            if self._clock() - began > SLOW:
                self._beat()
        if self._told:
            self._works()
        return found

    def _failed(self, error: Exception) -> None:
        with self._lock:
            if isinstance(error, Unavailable):
                self._until = self._clock() + max(self._backoff.next(), error.after)
                told, self._told = self._told, True
            else:
                told, self._told_of_text = self._told_of_text, True
        if told:
            return
        if isinstance(error, Unavailable):
            text = f"Storing chunks without their entities, as none can be found. {error.told}"
        else:
            said = error.told if isinstance(error, Explained) else f"{type(error).__name__}: {error}"
            text = f"Storing a chunk without its entities. {said}"
        self._log.warning(text, what="no entities")

    def _works(self) -> None:
        with self._lock:
            if not self._told:
                return
            self._told, self._until = False, None
            self._backoff.reset()
        self._log.info("Entities are found again", what="entities again")

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _woven(slices: Iterable[list[list[str] | None]]) -> Iterator[list[str] | None]:
    """One of each slice in turn, until the longest has ended."""
    end: list[str] = []  # told from an empty answer by what it is, not by what is in it
    for row in zip_longest(*slices, fillvalue=end):
        yield from (entities for entities in row if entities is not end)

"""The entities stage: what a text names, at most ``entities.max_concurrent`` texts at a time.

Stored with the chunk as ``kind:value``, so that Chroma's
``where={"entities": {"$contains": "email:ada@example.org"}}`` finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

from bouquetd.entities.patterns import patterns

Provider = Callable[[str], list[str]]
"""Finds the entities of one text."""


def nothing(_text: str) -> list[str]:
    """The provider behind ``entities.provider: none``."""
    return []


PROVIDERS: dict[str, Provider] = {"patterns": patterns, "none": nothing}


class Entities:
    """Runs a provider over batches, at most ``max_concurrent`` texts at a time."""

    def __init__(self, provider: Provider, max_concurrent: int) -> None:
        self._provider = provider
        self._width = max_concurrent
        self._pool = ThreadPoolExecutor(max_concurrent, thread_name_prefix="entities")

    def __call__(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Begin at once; the entities of each text, in the order of the texts, are waited for when taken."""
        # One task a worker and batch instead of one a text: handing over costs more than a pattern does.
        slices = self._pool.map(self._run, [texts[i :: self._width] for i in range(self._width)])
        return _woven(slices)

    def _run(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._provider(text) for text in texts]

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _woven(slices: Iterable[list[list[str]]]) -> Iterator[list[str]]:
    """One of each slice in turn, until the longest has ended."""
    for row in zip_longest(*slices):
        yield from (entities for entities in row if entities is not None)

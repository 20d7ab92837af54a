"""Embedders: text in, one vector of unit length each out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PART = 100
"""Texts that are cut into tokens at a time: of 700 characters, some 2 MB until they are embedded."""


class Tokens(Protocol):
    """The tokens of texts, which are made in native code that runs beside the caller's."""

    def take(self, number: int) -> Sequence[Any]:
        """Those of the next texts; waits if need be."""


class Cut:
    """Tokens that ``cut`` makes of some texts at a time, in a thread, while those before are used."""

    def __init__(self, pool: Executor, cut: Callable[[list[str]], Sequence[Any]], texts: Sequence[str]) -> None:
        self._coming: Iterator[Future[Sequence[Any]]] = (
            pool.submit(cut, list(texts[start : start + PART])) for start in range(0, len(texts), PART)
        )
        self._next = next(self._coming, None)
        self._ready: list[Any] = []

    def take(self, number: int) -> Sequence[Any]:
        """Those of the next texts; waits if need be."""
        while len(self._ready) < number and self._next is not None:
            self._ready.extend(self._next.result())
            self._next = next(self._coming, None)
        taken, self._ready = self._ready[:number], self._ready[number:]
        return taken


class Embedder(Protocol):
    """Turns texts into vectors, each by itself: a text's vector does not depend on its batch."""

    @property
    def name(self) -> str:
        """Model and revision; part of every document's identity."""

    @property
    def dimensions(self) -> int:
        """Length of each vector."""

    @property
    def options(self) -> Mapping[str, str]:
        """What of the section ``embed`` brings it back, besides the provider, with which its name begins."""

    def begin(self, texts: Sequence[str]) -> Tokens:
        """Begin to cut texts into tokens, beside the caller."""

    def embed(self, texts: Sequence[str], tokens: Sequence[Any] | None = None) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), dimensions)``, zero for a text without tokens.

        ``tokens`` are those of these texts, where ``begin`` has made them.
        """

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape ``(dimensions,)``, which some models want marked as one."""

    def close(self) -> None:
        """Give the model's memory back; it is loaded again when next needed."""

"""Embedders: text in, one vector of unit length each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Tokens:
    """The tokens of texts, text by text, waited for when some are asked for."""

    def __init__(self, made: Future[Sequence[Any]]) -> None:
        self._made = made

    def __getitem__(self, part: slice) -> Sequence[Any]:
        return self._made.result()[part]


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
        """Begin to cut texts into tokens, in native code that runs beside the caller's."""

    def embed(self, texts: Sequence[str], tokens: Sequence[Any] | None = None) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), dimensions)``, zero for a text without tokens.

        ``tokens`` are those of these texts, where ``begin`` has made them.
        """

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape ``(dimensions,)``, which some models want marked as one."""

    def close(self) -> None:
        """Give the model's memory back; it is loaded again when next needed."""

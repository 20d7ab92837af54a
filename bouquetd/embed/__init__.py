"""Embedders: text in, one vector of unit length each out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns texts into vectors, each by itself: a text's vector does not depend on its batch."""

    @property
    def name(self) -> str:
        """Model and revision; part of every document's identity."""

    @property
    def dimensions(self) -> int:
        """Length of each vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), dimensions)``, zero for a text without tokens."""

    def close(self) -> None:
        """Give the model's memory back; it is loaded again when next needed."""

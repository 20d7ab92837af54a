"""A second embedder, so that a store can be moved to it: half the numbers of the static one, a name of its own.

Settings name none that is there in every checkout, so the choice is patched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from bouquetd.config import Embed
from bouquetd.embed import Embedder
from bouquetd.embed.static import StaticEmbedder

BEFORE = Embed().but(provider="before")
"""The settings that a store was filled with by the static embedder."""

PATCH = "from tests import another\nwanted = another.wanted()\nwanted.__enter__()"
"""What has another process want it."""


class Another:
    """The first half of each vector of the static embedder."""

    takes = 0.0
    """Seconds that it rests for a text, where a test needs one that is slow on every machine."""

    name = "another/first-half"
    dimensions = 128

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self._whole = StaticEmbedder()
        self.begin, self.close = self._whole.begin, self._whole.close

    def embed(self, texts: Sequence[str], tokens: Sequence[Any] | None = None) -> NDArray[np.float32]:
        time.sleep(self.takes * len(texts))
        half = self._whole.embed(texts, tokens)[:, : self.dimensions]
        norms = np.linalg.norm(half, axis=1, keepdims=True)
        return half / np.where(norms == 0, np.float32(1), norms)

    def query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector


def choice(settings: Embed, *_: object) -> Embedder:
    """The embedder that the store was filled with, or the other."""
    return StaticEmbedder() if settings.provider == BEFORE.provider else Another()


@contextmanager
def wanted() -> Iterator[None]:
    """Within, the settings ask for the other embedder."""
    with ExitStack() as stack:
        for name in ("assembly.chosen", "reindexing.chosen"):
            stack.enter_context(mock.patch(f"bouquetd.{name}", choice))
        stack.enter_context(mock.patch("bouquetd.recovery.embedded_by", return_value=BEFORE))
        yield

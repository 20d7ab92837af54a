"""The embedder as Chroma knows it: registered under a name that each collection's configuration carries.

A plain Chroma client, in a program that imported this, embeds its questions as the daemon embeds texts. One
that did not still reads, and asks by vector: Chroma looks for the name only when it is to embed a text.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from chromadb.api.types import Documents, Embeddings, Space
from chromadb.api.types import EmbeddingFunction as Function
from chromadb.utils.embedding_functions import register_embedding_function

from bouquetd.embed import Embedder
from bouquetd.embed.static import StaticEmbedder


class EmbeddingFunction(Function[Documents]):
    """An embedder by its name; the model is loaded with the first text, once for all instances."""

    def __init__(self, embedder: str = StaticEmbedder.name) -> None:
        """Raises ``ValueError`` for an embedder that this bouquetd does not have."""
        if embedder != StaticEmbedder.name:
            raise ValueError(
                f"this bouquetd has no embedder {embedder!r}; use the one that wrote the collection"
            )
        self._name = embedder

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 (Chroma's word)
        """One vector of unit length for each text. Raises ``ConfigError`` when the model is not installed."""
        return list(_embedder().embed(input))

    @staticmethod
    def name() -> str:
        """What collections call it."""
        return "bouquetd"

    def get_config(self) -> dict[str, Any]:
        """What a collection keeps of it."""
        return {"embedder": self._name}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> EmbeddingFunction:
        """The one that a collection was made with."""
        return EmbeddingFunction(str(config.get("embedder")))

    def default_space(self) -> Space:
        """Distances are cosine distances."""
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        """No others are sensible."""
        return ["cosine"]


@cache
def _embedder() -> Embedder:
    return StaticEmbedder()


register_embedding_function(EmbeddingFunction)  # type: ignore[no-untyped-call]

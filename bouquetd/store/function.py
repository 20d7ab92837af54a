"""The embedder as Chroma knows it, named in each collection's configuration, so that a client asks by text.

A collection of ``minilm`` names Chroma's own default function, which is the same model: every plain client, and
what is built on one, embeds its questions in the same space without knowing bouquetd. One of another embedder
names ours, registered as ``bouquetd``, which a program has that imported this. One that did not still reads,
and asks by vector: Chroma looks for the name only when it is to embed a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chromadb.api.types import DefaultEmbeddingFunction, Documents, Embeddings, Space
from chromadb.api.types import EmbeddingFunction as Function
from chromadb.utils.embedding_functions import register_embedding_function

from bouquetd.config import Embed, Invalid
from bouquetd.embed import Embedder
from bouquetd.embed.choice import chosen

MOST = 4
"""Embedders that a process keeps for its collections."""


class EmbeddingFunction(Function[Documents]):
    """An embedder by its name; the model is loaded with the first text, once for all instances."""

    def __init__(self, embedder: str, **options: str) -> None:
        """``embedder`` as ``Embedder.name`` gives it, or its provider; ``options`` as ``Embedder.options``."""
        self._name = embedder
        self._options = options

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 (Chroma's word)
        """One vector of unit length for each text.

        Raises ``ConfigError`` when the model is not installed, ``ValueError`` for one that this bouquetd does
        not have.
        """
        return list(self._embedder.embed(input))

    def embed_query(self, input: Documents) -> Embeddings:  # noqa: A002
        """The same for questions, which some models want marked as such."""
        return [self._embedder.query(text) for text in input]

    @property
    def _embedder(self) -> Embedder:
        return _embedder(self._name, tuple(sorted(self._options.items())))

    @staticmethod
    def name() -> str:
        """What collections call it."""
        return "bouquetd"

    def get_config(self) -> dict[str, Any]:
        """What a collection keeps of it."""
        return {"embedder": self._name, **self._options}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> EmbeddingFunction:
        """The one that a collection was made with."""
        return EmbeddingFunction(**{key: str(value) for key, value in config.items()})

    def default_space(self) -> Space:
        """Distances are cosine distances."""
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        """No others are sensible."""
        return ["cosine"]


def function(embedder: Embedder) -> Function[Documents]:
    """What a collection is to name that this embedder fills."""
    if embedder.name.startswith("minilm/"):
        return DefaultEmbeddingFunction()
    return EmbeddingFunction(embedder.name, **embedder.options)


def behind(named: Mapping[str, Any] | None) -> Embedder:
    """The embedder that a collection names in its configuration; the default one where it names none.

    Raises ``ValueError`` for one that this bouquetd does not have, ``ConfigError`` for one not installed.
    """
    if not named or named.get("name") in (None, DefaultEmbeddingFunction.name()):
        return _embedder("minilm", ())
    if named["name"] != EmbeddingFunction.name():
        raise ValueError(f"this collection was filled by another program, with {named['name']!r}")
    options = {key: str(value) for key, value in named.get("config", {}).items()}
    return _embedder(options.pop("embedder", ""), tuple(sorted(options.items())))


@lru_cache(maxsize=MOST)
def _embedder(name: str, options: tuple[tuple[str, str], ...]) -> Embedder:
    try:
        settings = Embed.read({"provider": name.partition("/")[0], **dict(options)})
    except Invalid:
        raise ValueError(
            f"this bouquetd has no embedder {name!r}; use the one that wrote the collection"
        ) from None
    found = chosen(settings)
    if name not in (found.name, settings.provider):
        raise ValueError(f"this bouquetd has no embedder {name!r}, but {found.name!r}; put that model in place")
    return found


register_embedding_function(EmbeddingFunction)  # type: ignore[no-untyped-call]

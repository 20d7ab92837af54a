"""The provider that the settings ask for. Each is imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bouquetd.config import Entities
from bouquetd.entities import Provider, nothing
from bouquetd.model import Chunk

PIPELINE = "en_core_web_sm"
"""Of spaCy, where the settings name none."""


def chosen(settings: Entities, pulse: Callable[[], None] = lambda: None) -> Provider:
    """The provider behind ``entities.provider``; ``pulse`` is called before each request to a server.

    Raises ``ConfigError`` where what it needs is missing.
    """
    if settings.provider == "none":
        return nothing
    if settings.provider == "openai":
        from bouquetd.entities.remote import remote

        return remote(settings.url, settings.model, settings.key_file, settings.timeout, pulse)
    if settings.provider == "spacy":
        from bouquetd.entities.spacy_ import pipeline

        return pipeline(settings.model or PIPELINE)
    from bouquetd.entities.patterns import patterns

    return patterns(settings.region)


def require(settings: Entities) -> None:
    """See that what the provider needs is installed, loading none of it. Raises ``ConfigError``."""
    if settings.provider == "spacy":
        from bouquetd.entities import spacy_

        spacy_.require(settings.model or PIPELINE)


def names(settings: Entities) -> Callable[[Iterable[Chunk], int], Iterable[Chunk]]:
    """What adds to a document's chunks, from that number on, what is found in them without the provider.

    For ``patterns`` the names known so far, for ``openai`` what has a grammar, also while the server is away.
    """
    if settings.provider == "patterns":
        from bouquetd.entities.names import named

        return named
    if settings.provider == "openai":
        from bouquetd.entities.patterns import grammatical

        return grammatical(settings.region)
    return lambda chunks, _first: chunks

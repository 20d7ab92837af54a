"""The embedder that the settings ask for. Each is imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable

from bouquetd.config import Embed
from bouquetd.embed import Embedder


def chosen(settings: Embed, trim: Callable[[], object] = lambda: None) -> Embedder:
    """The embedder behind ``embed.provider``, its model not yet loaded.

    ``trim`` gives freed memory back to the system. Raises ``ConfigError`` where what it needs is not installed.
    """
    from bouquetd.embed.static import StaticEmbedder

    return {"static": StaticEmbedder}[settings.provider](trim)

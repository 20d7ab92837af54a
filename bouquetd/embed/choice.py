"""The embedder that the settings ask for. Each is imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable

from bouquetd.config import Embed
from bouquetd.embed import Embedder


def chosen(
    settings: Embed, trim: Callable[[], object] = lambda: None, pulse: Callable[[], None] = lambda: None
) -> Embedder:
    """The embedder behind ``embed.provider``, its model not yet loaded.

    ``trim`` gives freed memory back to the system; ``pulse`` is called before each request to a server, and may
    raise ``Stopped``. Raises ``ConfigError`` where what it needs is not installed.
    """
    if settings.provider == "openai":
        from bouquetd.embed.remote import RemoteEmbedder

        return RemoteEmbedder(settings, pulse)
    from bouquetd.embed.static import StaticEmbedder

    return {"static": StaticEmbedder}[settings.provider](trim)

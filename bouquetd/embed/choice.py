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
    raise ``Stopped``. Raises ``ConfigError`` where what it needs is not installed, ``Unavailable`` where that
    may not be read.
    """
    if settings.provider == "openai":
        from bouquetd.embed.remote import RemoteEmbedder

        return RemoteEmbedder(settings, pulse)
    if settings.provider == "static":
        from bouquetd.embed.static import StaticEmbedder

        return StaticEmbedder(trim)

    from bouquetd.embed import folder
    from bouquetd.embed.onnx import OnnxEmbedder

    found = folder.named(settings.provider, settings.model)
    options = {} if settings.provider == "minilm" else {"model": str(found.path)}
    return OnnxEmbedder(found, settings.provider, settings.threads, trim, options)

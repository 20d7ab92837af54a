"""The embedder that the settings ask for. Each is imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
    if settings.provider == "static":
        from bouquetd.embed.static import StaticEmbedder

        return StaticEmbedder(trim)

    from bouquetd.embed import folder
    from bouquetd.embed.onnx import OnnxEmbedder

    if settings.provider == "minilm":
        remedy = "put the model there: make model (in a checkout), or bouquetd model install minilm"
        found = folder.read(folder.MINILM, "embed.provider", remedy)
        return OnnxEmbedder(found, "minilm", settings.threads, trim)
    path = Path(settings.model) if settings.model else folder.CHROMA.expanduser()
    remedy = "name the folder of a sentence-transformer with its model.onnx and tokenizer.json"
    found = folder.read(path, "embed.model", remedy)
    return OnnxEmbedder(found, "onnx", settings.threads, trim, {"model": str(path)})

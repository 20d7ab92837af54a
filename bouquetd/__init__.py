"""bouquetd: drop a file into a folder, find it in Chroma, within a fixed amount of memory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bouquetd.bouquet import Bouquet as Bouquet
    from bouquetd.store.function import EmbeddingFunction as EmbeddingFunction

__version__ = "0.1.0"

_FOR_APPLICATIONS = {"Bouquet": "bouquetd.bouquet", "EmbeddingFunction": "bouquetd.store.function"}
"""Imported when first asked for: they bring Chroma and numpy along, which a command may do without."""


def __getattr__(name: str) -> Any:
    if name in _FOR_APPLICATIONS:
        return getattr(import_module(_FOR_APPLICATIONS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The command line: what people type, what they see, and the exit status.

One module a group of commands; the order in which they are imported is that of ``--help``.
"""

from bouquetd.cli import daemon, memory, search, entities, files, reindex, model, setup  # isort: skip
from bouquetd.cli.app import EPILOG, app, main

__all__ = [
    "EPILOG",
    "app",
    "daemon",
    "entities",
    "files",
    "main",
    "memory",
    "model",
    "reindex",
    "search",
    "setup",
]

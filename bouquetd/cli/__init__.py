"""The command line: what people type, what they see, and the exit status.

One module a group of commands; the order in which they are imported is that of ``--help``.
"""

from bouquetd.cli import daemon, search, entities, files, reindex, model, doctor, tune, setup  # isort: skip
from bouquetd.cli.app import EPILOG, app, main

__all__ = [
    "EPILOG",
    "app",
    "daemon",
    "doctor",
    "entities",
    "files",
    "main",
    "model",
    "reindex",
    "search",
    "setup",
    "tune",
]

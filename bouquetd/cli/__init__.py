"""The command line: what people type, what they see, and the exit status.

One module a group of commands; the order in which they are imported is that of ``--help``.
"""

from bouquetd.cli import (  # noqa: F401  # isort: skip
    daemon, top, memory, files, explain, intake, search, entities, doctor, tune, reindex, model, setup,
)  # fmt: skip
from bouquetd.cli.app import EPILOG, app, main

__all__ = ["EPILOG", "app", "main"]

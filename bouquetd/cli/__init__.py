"""The command line: what people type, what they see, and the exit status.

One module a group of commands. Only the one that is asked for is imported; ``--help`` and whoever describes the
commands want them all. None says ``from __future__ import annotations``: typer reads those of each command, and
would have to compile them from their text, which takes ``--help`` a tenth of its time.
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from bouquetd.cli.app import EPILOG, app, run

__all__ = ["COMMANDS", "EPILOG", "app", "everything", "main"]

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "daemon", "once": "daemon", "status": "daemon", "top": "top", "memory": "memory",
        "files": "files", "retry": "files", "forget": "files", "verify": "files", "explain": "explain",
        "pause": "intake", "resume": "intake", "ignore": "intake", "drain": "intake", "search": "search",
        "entities": "entities", "doctor": "doctor", "tune": "tune", "reindex": "reindex", "check": "setup",
        "init": "setup", "install": "setup", "model": "model",
    }
)  # fmt: skip
"""The module of each command, in the order of ``--help``."""


def main() -> None:
    """The entry point ``bouquetd``."""
    # Chroma loads Pydantic, which would look through all that is installed for plugins: 50 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    module = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if module:
        import_module(f"{__name__}.{module}")
    else:
        everything()
    run()


def everything() -> None:
    """Import all commands into ``app``."""
    for module in dict.fromkeys(COMMANDS.values()):
        import_module(f"{__name__}.{module}")

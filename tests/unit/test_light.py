"""A command that asks the ledger answers at once, since it does not load what it can do without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bouquetd.cli import COMMANDS
from tests.harness import Home

PROGRAM = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
from bouquetd.cli import main
main()
"""

HEAVY = (
    "asyncio", "bouquetd.embed", "bouquetd.entities", "bouquetd.extract", "bouquetd.store", "bouquetd.web",
    "chromadb", "concurrent.futures", "email", "http", "importlib.metadata", "numpy", "onnxruntime", "pydantic",
    "pydantic_core", "structlog", "tokenizers",
)  # fmt: skip
"""What takes longer to load than a question to the ledger to answer."""


def loaded_by(*arguments: str) -> set[str]:
    """The modules of a command at its end."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if any(name == part or name.startswith(f"{part}.") for part in HEAVY)}


@pytest.mark.parametrize("command", [("status",), ("files",), ("explain", "letter.txt")])
def test_a_command_that_asks_the_ledger_loads_that_and_little_else(tmp_path: Path, command: list[str]) -> None:
    home = Home(tmp_path)
    with home.ledger():
        pass
    found = loaded_by(*command, "-c", str(home.yaml))
    assert "bouquetd.ledger" in found
    assert heavy(found) == set()
    assert "rich" not in found


def test_help_loads_nothing_that_a_command_would_need() -> None:
    found = loaded_by("--help")
    assert heavy(found) == set()
    assert "rich" not in found
    assert {name for name in found if name.startswith("bouquetd.ops")} == set()
    assert "bouquetd.config" not in found


def test_help_names_every_command_with_a_whole_sentence_on_eighty_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from bouquetd.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
    )
    listed = done.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []

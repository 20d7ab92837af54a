"""The examples in the README, to be run: programs, and commands of the shell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[1] / "README.md"

APPLICATIONS = "Python for applications"
"""The section with the examples for programs that read."""


def examples(section: str) -> list[str]:
    """The Python of a section, block by block."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", README.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(question: str) -> str:
    """The commands of the shell beneath a heading of the third rank."""
    [text] = re.findall(
        rf"^### {re.escape(question)}\n(.*?)(?=^##|\Z)", README.read_text(), re.DOTALL | re.MULTILINE
    )
    [block] = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(block)


def run(section: str, holding: str) -> dict[str, Any]:
    """Run the one example of a section that holds a text; returns what it defined."""
    [code] = [example for example in examples(section) if holding in example]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, README.name, "exec", dont_inherit=True), names)
    return names

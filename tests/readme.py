"""The examples in the README, as programs to be run."""

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


def run(section: str, holding: str) -> dict[str, Any]:
    """Run the one example of a section that holds a text; returns what it defined."""
    [code] = [example for example in examples(section) if holding in example]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, README.name, "exec", dont_inherit=True), names)
    return names

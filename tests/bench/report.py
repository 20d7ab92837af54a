"""Tables as people read them and figures as programs do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Failed(Exception):
    """A run did not do its work, so its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one measurement; the first column names what the others are about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        cells = [list(self.columns), *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells
        ]
        rule = " | ".join("-" * width for width in widths)
        return "\n".join([f"### {self.title}", "", *(f"| {line} |" for line in [lines[0], rule, *lines[1:]])])


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement found: tables to read, figures to compare, and how to read them."""

    tables: Sequence[Table]
    figures: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.tables), *self.notes])


def write(folder: Path, name: str, result: Result, machine: Mapping[str, str]) -> None:
    """Leave the figures of one measurement as ``<name>.json`` and its tables for the report."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": name, "machine": machine, "text": str(result), "figures": result.figures}
    (folder / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n")


def left(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What every measurement left in a folder, of earlier runs too, by name."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def gather(folder: Path, found: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, str]) -> None:
    """Put pictures, which have titles by file name, and what measurements left into ``report.md``."""
    parts = ["# What bouquetd costs", *(f"![{title}]({file})" for file, title in pictures.items())]
    for name, values in found.items():
        machine = "; ".join(f"{key} {value}" for key, value in values["machine"].items())
        parts += [f"## {name}", f"Measured on: {machine}.", values["text"]]
    (folder / "report.md").write_text("\n\n".join(parts) + "\n")


def _shown(cell: object) -> str:
    return f"{cell:,.2f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)

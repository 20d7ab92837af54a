"""What the daemon says of itself once a second: a file for ``bouquetd status``, one line for systemd."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "status.json"
"""In the runtime directory."""


def write(runtime: Path, status: Mapping[str, Any]) -> None:
    """Replace the status file in one step; a reader sees the old one or the new one, whole."""
    temporary = runtime / f".{FILE}.new"
    with open(temporary, "w", encoding="ascii") as stream:
        json.dump(status, stream)
    os.replace(temporary, runtime / FILE)


def read(runtime: Path) -> dict[str, Any] | None:
    """The last status written, or None."""
    try:
        with open(runtime / FILE, encoding="ascii") as stream:
            status: dict[str, Any] = json.load(stream)
    except (OSError, ValueError):
        return None
    return status


def line(status: Mapping[str, Any]) -> str:
    """The one line that ``systemctl status`` shows."""
    parts = [
        f"{status['state'].capitalize()}{': ' + status['why'] if status['why'] else ''}",
        f"{status['rss_mb']:.0f} of {status['limit_mb']:.0f} MB",
        f"{_files(status['queue']['files'])} waiting",
    ]
    if status["current"]:
        current = status["current"]
        parts.append(
            f"{current['source']} {current['share']:.0%}, {current['chunks']} chunks,"
            f" {status['chunks_per_second']:.0f} chunks/s"
        )
    parts.append(f"{status['documents']} stored, {status['failed']} failed")
    return "; ".join(parts)


def _files(number: int) -> str:
    return f"{number} file" if number == 1 else f"{number} files"

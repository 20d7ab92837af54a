"""What systemd says of a unit, and the drop-in that changes one."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 5.0
"""Seconds that systemctl may take."""


def show(name: str, properties: Sequence[str], *, user: bool) -> dict[str, str]:
    """Properties of a unit by their names; none where there is no systemd or it does not answer."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return {}
    command = [systemctl, *(["--user"] if user else []), "show", name, f"--property={','.join(properties)}"]
    try:
        said = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def drop_in(name: str, topic: str, *, user: bool, home: Path) -> Path:
    """Where a drop-in about ``topic`` for a unit lies: the system's, or the user's."""
    root = home / ".config" / "systemd" / "user" if user else Path("/etc/systemd/system")
    return root / f"{name}.d" / f"{topic}.conf"


def text(service: Mapping[str, str]) -> str:
    """A drop-in that sets some options of the section ``[Service]``."""
    return "[Service]\n" + "".join(f"{key}={value}\n" for key, value in service.items())


def word(text: str) -> str:
    """One word of an option, as systemd is to read it: in quotes where it would take it for several."""
    text = text.replace("%", "%%")
    if not re.search(r"[\s\"'\\]", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(text: str) -> list[str]:
    """The words of an option, as systemd reads them."""
    try:
        return shlex.split(text.replace("%%", "%"))
    except ValueError:  # a quote without its other half
        return text.split()


def pasteable(path: Path, service: Mapping[str, str], *, sudo: str) -> str:
    """A shell command that writes such a drop-in to ``path``; ``sudo`` stands before what needs root."""
    written = text(service).replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")
    return f"printf {shlex.quote(written)} | {sudo}install -Dm644 /dev/stdin {shlex.quote(str(path))}"

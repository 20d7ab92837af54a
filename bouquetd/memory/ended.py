"""How the process before this one ended, from what systemd left in a file."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

FILE = "ended"
"""In the runtime directory; the units write it (``ExecStopPost=``) and the next start takes it away."""

LONGEST = 4096
"""Bytes of it that are read."""

UNKNOWN = "killed, or the machine went down"

EXITS = {
    "69": "something it needed was not there",
    "70": "an internal error; the log says which",
    "75": "memory stayed short",
    "78": "the configuration or the machine does not fit",
    str(128 + signal.SIGINT): "at once, at a second signal",
    str(128 + signal.SIGTERM): "at once, at a second signal",
}
"""What the exit statuses mean, as in ``bouquetd --help``."""


def take(runtime: Path) -> str:
    """The note in the runtime directory, which is removed with this; empty where there is none."""
    text = ""
    with suppress(OSError):
        with open(runtime / FILE, encoding="ascii", errors="replace") as stream:
            text = stream.read(LONGEST)
    with suppress(OSError):
        os.unlink(runtime / FILE)
    return text


def cause(note: str, alive: float, boot: float) -> str:
    """Why a process ended that did not say so itself, in a few words.

    ``note`` begins with ``$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS`` (systemd.exec(5)); a line ``oom_kill N``
    from the cgroup may follow, since systemd itself tells such a death from another only where it stops the
    unit for it. ``alive``: when it was last seen; ``boot``: when the machine started; both since the epoch.
    """
    if alive < boot:
        return "the machine went down, or was started again"
    result, code, status = [*note.split(), "", "", ""][:3]
    if result == "oom-kill" or (status == "KILL" and re.search(r"^oom_kill [1-9]", note, re.MULTILINE)):
        return "killed for its memory (oom-kill)"
    if result == "watchdog":
        return "hung, and stopped by systemd (watchdog)"
    if result == "timeout":
        return "it took too long to start or to stop (timeout)"
    if code == "exited" and status != "0":
        return f"exit {status}" + (f": {EXITS[status]}" if status in EXITS else "")
    if code in ("killed", "dumped"):
        return f"signal {status}"
    return UNKNOWN

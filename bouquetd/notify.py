"""Tells systemd how the daemon is (sd_notify); without systemd every call does nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sdnotify import SystemdNotifier

LONGEST = 1000
"""Characters of a status line: at four bytes each they fit into the 4,096 that systemd reads."""


class Notifier:
    """Speaks to ``$NOTIFY_SOCKET`` as it is when this object is made."""

    def __init__(self) -> None:
        self._systemd = SystemdNotifier()

    def ready(self) -> None:
        """Started, or done with a reload."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; control characters and line breaks are taken out."""
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        self._send(f"STATUS={line[:LONGEST]}")

    def watchdog(self) -> None:
        """Real progress was made."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """On the way out."""
        self._send("STOPPING=1")

    def reloading(self) -> None:
        """The configuration is being read again; ``ready`` follows when that is done."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def extend(self, seconds: float) -> None:
        """Ask for ``seconds`` more, counted from now, to start or to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _send(self, message: str) -> None:
        # sdnotify encodes as Latin-1 and swallows what does not fit; systemd wants UTF-8.
        self._systemd.notify(message.encode("utf-8").decode("latin-1"))


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two pings: half of what systemd allows, as sd_watchdog_enabled(3) advises.

    None where no watchdog is set, or it is meant for another process.
    """
    allowed = environ.get("WATCHDOG_USEC", "")
    if not allowed.isdecimal() or int(allowed) == 0 or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(allowed) / 2_000_000

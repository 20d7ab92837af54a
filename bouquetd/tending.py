"""What the main thread tends beside the worker: the watcher, reloads, the published status."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bouquetd import log as logging
from bouquetd.assembly import Engine
from bouquetd.config import LIVE, Config, Settings, changed, load
from bouquetd.control import SOCKET as SOCKET
from bouquetd.errors import ConfigError, Unavailable
from bouquetd.inbox.watcher import Watcher, limit, watches_left
from bouquetd.inbox.watches import raised
from bouquetd.log import Log
from bouquetd.memory.chronicle import Chronicle
from bouquetd.notify import Notifier
from bouquetd.ops import status


class Watch:
    """Keeps a watcher on the inbox: begins it, and begins it again when the inbox went and came back."""

    PAUSE = 5.0
    """Seconds between two looks."""

    def __init__(self, parts: Engine, log: Log) -> None:
        self._parts = parts
        self._log = log
        self._watcher = self._fresh()
        self._next = 0.0
        self._full = False
        self._said: str | None = None
        self.tend()

    @property
    def kind(self) -> str:
        """How changes are noticed, in a word."""
        kinds = {"native": "events", "polling": "polling"}
        return kinds[self._watcher.kind] if self._watcher.alive else "rescans"

    def told(self) -> dict[str, Any]:
        """How changes are noticed, and the limit that lets us watch no more folders, if so, for the status."""
        return {"watch": self.kind, "watches_full": limit()[0] if self._full or self._watcher.full else None}

    def tend(self) -> bool:
        """See that events come; true when that was just mended and the inbox wants a scan."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.PAUSE
        if self._watcher.alive:
            self._mind_the_limit()
            return False
        self._watcher.stop()
        self._watcher = self._fresh()
        try:
            self._watcher.start()
        except Unavailable as error:
            if error.reason != self._said:
                self._log.warning(error.told)
            self._said = error.reason
            return False
        self._said = None
        self._parts.marks.add("")
        return True

    def _mind_the_limit(self) -> None:
        if self._watcher.kind == "native" and not self._full:
            name, most = limit()
            self._full = watches_left(most) == 0
            if self._full:
                self._log.warning(
                    "All inotify watches are in use: what arrives in new folders of the inbox is found by"
                    f" rescans only. Raise the limit ({raised(name)}), then restart"
                )

    def stop(self) -> None:
        """Watch no longer."""
        self._watcher.stop()

    def _fresh(self) -> Watcher:
        inbox = self._parts.settings.inbox
        return Watcher(self._parts.settings.paths.inbox, inbox.watch, inbox.poll, self._parts.marks.add)


class Reloader:
    """Reads the YAML again on SIGHUP and applies what can change while running."""

    def __init__(self, config: Config, parts: Engine, chronicle: Chronicle, log: Log) -> None:
        self._config = config
        self._parts = parts
        self._chronicle = chronicle
        self._log = log

    def __call__(self) -> None:
        """A file that is broken, or leaves less memory than is taken already, is refused; the old one holds."""
        try:
            fresh = load(self._config.path)
            self._parts.fit(fresh.settings)
        except ConfigError as error:
            for problem in error.problems:
                self._log.error(f"Reload refused: {problem}", what="reload refused")
            return
        keys = changed(self._parts.settings, fresh.settings)
        live = [key for key in keys if key in LIVE]
        self._parts.apply(merged(self._parts.settings, fresh.settings, live))
        logging.configure(fresh.settings.logging.format, fresh.settings.logging.level)
        applied = f"now in force: {', '.join(live)}" if live else "nothing to apply"
        self._chronicle.reloaded(applied, self._parts.gate.limits)
        self._log.info(f"Reloaded: {applied}", what="reloaded")
        if rest := [key for key in keys if key not in LIVE]:
            self._log.warning(f"Reloaded: these need a restart: {', '.join(rest)}", what="reloaded")


def merged(old: Settings, new: Settings, keys: list[str]) -> Settings:
    """``old`` with the values that ``new`` has for some dotted keys."""
    result = old
    for key in keys:
        section, _, option = key.rpartition(".")
        if section:
            part = getattr(result, section)
            taken = getattr(getattr(new, section), option)
            result = result.but(**{section: part.but(**{option: taken})})
        else:
            result = result.but(**{option: getattr(new, option)})
    return result


class Publisher:
    """Writes the status file and systemd's status line; a full disk is mentioned once and harms nothing."""

    def __init__(self, runtime: Path, notifier: Notifier, log: Log) -> None:
        self._runtime = runtime
        self._notifier = notifier
        self._log = log
        self._said: str | None = None
        self.last: dict[str, Any] | None = None

    def __call__(self, seen: dict[str, Any]) -> None:
        """Publish one status; it is ``last`` until the next."""
        self.last = seen
        self._notifier.status(status.line(seen))
        try:
            status.write(self._runtime, seen)
        except OSError as error:
            if str(error) != self._said:
                self._log.warning(f"{status.FILE} cannot be written: {error}; the status shown is old")
            self._said = str(error)
        else:
            self._said = None

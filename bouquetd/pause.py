"""The operator's pause: while its file lies in the state directory, no file of the inbox is taken.

The file is the truth, so the pause outlives restarts and kills, and can be set where no daemon runs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bouquetd.errors import Paused, Unavailable
from bouquetd.model import printable

FILE = "paused.json"
"""In the state directory."""

LONGEST = 200
"""Characters of a reason that are kept."""

REMEDY = "bouquetd resume"


@dataclass(frozen=True, slots=True)
class Note:
    """What the file says: since when, in seconds since the epoch, and why, where that was said."""

    since: float
    reason: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises ``ValueError`` for what no pause wrote."""
        try:
            found = json.loads(text)
            reason = found["reason"]
            return cls(float(found["since"]), None if reason is None else str(reason)[:LONGEST])
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error

    @property
    def told(self) -> str:
        """In words: "by the operator since 14:05 (new disk)"; with the date where that is another day."""
        then, today = time.localtime(self.since), time.localtime()
        when = time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
        return f"by the operator since {when}" + (f" ({self.reason})" if self.reason else "")


class Pause:
    """The pause as one process sees it. Any thread may use it.

    ``changed`` is called whenever this process sets or ends it; ``now`` is what it came to at the last look. A
    file that cannot be read counts as a pause, since somebody wanted one.
    """

    def __init__(self, state: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._path = state / FILE
        self._changed = changed
        self._seen: tuple[int, ...] | None = None
        self.now: Paused | None = None
        self.look()

    def look(self) -> Paused | None:
        """Read the file where it is another than at the last look."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._seen = self.now = None
            return None
        except OSError as error:
            self._seen, self.now = None, self._broken(error.strerror or str(error))
            return self.now
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        if seen != self._seen:
            self.now = self._read()
            self._seen = seen
        return self.now

    def check(self) -> None:
        """Raise ``Paused`` while there is a pause."""
        if (now := self.now) is not None:
            raise Paused(now.reason, now.remedy)

    def begin(self, reason: str | None) -> Paused:
        """Pause; one that is there already keeps its time, and its reason unless there is a new one.

        Raises ``Unavailable`` where the file cannot be written.
        """
        note = Note(round(time.time(), 3), printable(reason.strip())[:LONGEST] if reason else None)
        try:
            before = Note.of(self._path.read_text(encoding="utf-8"))
            note = Note(before.since, note.reason or before.reason)
        except (OSError, ValueError):
            pass
        temporary = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as stream:
                os.fchmod(stream.fileno(), 0o644)  # root may write it for the daemon's user
                json.dump(asdict(note), stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self.look()
        self._changed()
        return _paused(note)

    def end(self) -> bool:
        """Go on; whether there was a pause. Raises ``Unavailable`` where the file cannot be removed."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            there = False
        except OSError as error:
            raise _unwritable(self._path, error) from error
        else:
            there = True
        self.look()
        self._changed()
        return there

    def _read(self) -> Paused:
        try:
            return _paused(Note.of(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            return self._broken(str(error))

    def _broken(self, how: str) -> Paused:
        return Paused(f"by {printable(str(self._path))}, which cannot be read: {printable(how)}", REMEDY)


def _paused(note: Note) -> Paused:
    return Paused(note.told, REMEDY)


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{printable(str(path))} cannot be changed: {error.strerror or error}",
        "run the command as the daemon's user (sudo -u bouquetd), or start the daemon and ask again",
    )

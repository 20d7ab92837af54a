"""What the file system tells us about the inbox. Events only mark paths; a scan then looks at them."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from watchdog.events import (
    DirCreatedEvent,
    DirModifiedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, EventDispatcher, EventEmitter, EventQueue
from watchdog.observers.inotify import InotifyObserver
from watchdog.utils import BaseThread

from bouquetd.errors import Unavailable
from bouquetd.inbox.watches import LIMITS, raised, tightest
from bouquetd.model import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.events import FileSystemEvent

# A folder that is made and filled at once may be watched twice, by its event and by a walk: the same watch.
warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)

_INOTIFY = logging.getLogger("watchdog.observers.inotify")

MARKS = 4096
"""Marked paths remembered at once; with more, one scan of everything is cheaper anyway."""

SILENT = re.compile(
    r"nfs\d?|cifs|smb\w*|fuse|fuse\..*|fuseblk|9p|virtiofs|afs|ceph|lustre|beegfs|gfs2?|ocfs2|vboxsf|prl_fs|davfs"
)
"""File systems that others can write to without this kernel sending an event."""

WATCHED: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,  # also what is moved in from outside
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


class Marks:
    """Paths to be looked at, each once; with more than ``limit`` of them it asks for a whole scan instead.

    Thread-safe.
    """

    def __init__(self, limit: int = MARKS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._overflow = False

    def add(self, path: str) -> None:
        """Marks a source or a folder, relative to the inbox; "" is the inbox and means a whole scan."""
        with self._lock:
            if self._overflow:
                return
            self._paths.add(path)
            if not path or len(self._paths) > self._limit:
                self._overflow = True
                self._paths.clear()

    def __bool__(self) -> bool:
        """Whether anything is marked."""
        with self._lock:
            return self._overflow or bool(self._paths)

    def take(self) -> tuple[set[str], bool]:
        """The marks since the last call, and whether to scan everything instead."""
        with self._lock:
            taken = self._paths, self._overflow
            self._paths, self._overflow = set(), False
        return taken


class Watcher:
    """Calls ``on_mark`` from threads of its own with every path, relative to the inbox, worth a look.

    ``mode`` is ``native`` (inotify), ``polling`` (the whole inbox is marked every ``poll`` seconds) or
    ``auto``: polling where others can write without this kernel noticing, else native.
    """

    def __init__(
        self,
        inbox: Path,
        mode: Literal["auto", "native", "polling"],
        poll: float,
        on_mark: Callable[[str], None],
    ) -> None:
        self._inbox = str(inbox)
        self._poll = poll
        self._on_mark = on_mark
        self._threads: list[BaseThread] = []
        self._observer: BaseObserver | None = None
        self.kind: Literal["native", "polling"] = "native" if mode == "auto" else mode
        """How changes are noticed."""
        self.full = False
        """Whether there were too few watches to start."""
        if mode == "auto":
            mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
            if SILENT.fullmatch(filesystem_of(os.path.realpath(inbox), mounts)):
                self.kind = "polling"

    def start(self) -> None:
        """Starts watching, or starts over. Raises ``Unavailable`` when that cannot be; rescans must do then."""
        self.stop()
        before = set(threading.enumerate())
        queue = _MarkingQueue(self._mark)
        try:
            if self.kind == "native":
                events, self._observer = WATCHED, _NativeObserver(queue)
            else:
                events, self._observer = [DirModifiedEvent], _PollingObserver(queue, self._poll)
            self._observer.schedule(FileSystemEventHandler(), self._inbox, recursive=True, event_filter=events)
            self._observer.start()
        except OSError as error:
            self.stop()
            raise self._unavailable(error) from error
        finally:
            self._threads = [t for t in threading.enumerate() if isinstance(t, BaseThread) and t not in before]

    def stop(self) -> None:
        """Stops watching; no mark is made after it returns."""
        if self._observer is not None:
            _INOTIFY.disabled = True  # it calls it an error that its thread is stopped while it reads
            try:
                self._observer.stop()
                if self._observer.is_alive():
                    self._observer.join()
            finally:
                _INOTIFY.disabled = False
            self._observer = None

    @property
    def alive(self) -> bool:
        """Whether all threads that carry the events run; not so once the inbox itself was removed."""
        return self._observer is not None and all(thread.is_alive() for thread in self._threads)

    def _mark(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.dest_path or event.src_path)
        self._on_mark(path[len(self._inbox) :].lstrip("/"))

    def _unavailable(self, error: OSError) -> Unavailable:
        inbox = printable(self._inbox)
        if error.errno == errno.ENOSPC:
            self.full = True
            return Unavailable(
                f"{inbox} cannot be watched: the limit of inotify watches is reached",
                f"Raise it: {raised(limit()[0])} (one watch a folder), then restart;"
                " until then rescans find new files.",
            )
        if error.errno == errno.EMFILE:
            return Unavailable(
                f"{inbox} cannot be watched: the limit of inotify instances is reached",
                "Raise it: sysctl fs.inotify.max_user_instances=512, then restart;"
                " until then rescans find new files.",
            )
        return Unavailable(
            f"{inbox} cannot be watched: {error.strerror}",
            "Create it, mount its file system, or give the daemon's user permission to read it.",
        )


def filesystem_of(path: str, mountinfo: str) -> str:
    """The type of the file system an absolute path without links lies on, from ``/proc/self/mountinfo``.

    Returns "" when no mount holds it.
    """
    best, kind = -1, ""
    for line in mountinfo.split("\n"):
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = point == "/" or path == point or path.startswith(point + "/")
        # Of two mounts on one point the later one is seen.
        if inside and len(point) >= best:
            best, kind = len(point), right.split(" ")[0]
    return kind


def limit() -> tuple[str, int]:
    """The limit of watches that binds this process: its name and its value."""
    return tightest(_text) or (LIMITS[0], sys.maxsize)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None


def watches_left(limit: int) -> int:
    """How many more folders this process could watch of so many, were it the only one of its user.

    At 0 the kernel silently watches no further folder, and what lies there waits for a rescan.
    """
    used = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            with info.open() as lines:
                used += sum(line.startswith("inotify ") for line in lines)
        except OSError:
            continue
    return max(0, limit - used)


class _MarkingQueue(EventQueue):
    """Marks each event at once, in the thread that read it, instead of keeping it for a dispatcher.

    watchdog's own queue has no bound, and giving it one can deadlock its ``stop``.
    """

    def __init__(self, mark: Callable[[FileSystemEvent], None]) -> None:
        super().__init__()
        self._mark = mark

    def put(self, item: Any, *args: Any, **kwargs: Any) -> None:
        if item is EventDispatcher.stop_event:
            super().put(item, *args, **kwargs)
        else:
            self._mark(item[0])


class _NativeObserver(InotifyObserver):
    def __init__(self, queue: EventQueue) -> None:
        self._marking = queue
        super().__init__()

    @property
    def event_queue(self) -> EventQueue:
        return self._marking


class _PollingEmitter(EventEmitter):
    """Says every so often that the inbox may have changed.

    watchdog's own polling keeps two snapshots of the whole tree in memory; our scan and queue do without.
    """

    def queue_events(self, timeout: float) -> None:
        if not self.stopped_event.wait(timeout):
            self.queue_event(DirModifiedEvent(self.watch.path))


class _PollingObserver(BaseObserver):
    def __init__(self, queue: EventQueue, poll: float) -> None:
        self._marking = queue
        super().__init__(_PollingEmitter, timeout=poll)

    @property
    def event_queue(self) -> EventQueue:
        return self._marking

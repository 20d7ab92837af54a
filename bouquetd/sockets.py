"""What servers within the daemon share: a bounded number of threads, and unix sockets wherever they lie."""

from __future__ import annotations

import errno
import os
import socket
import socketserver
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LONGEST_PATH = 107
"""Bytes of a socket's path that fit into ``sockaddr_un`` (unix(7)), less the closing null."""


class Bounded(socketserver.ThreadingMixIn):
    """Answers each request in a thread of its own, ``parallel`` of them at once; one more is turned away."""

    parallel = 8
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._slots = threading.BoundedSemaphore(self.parallel)
        super().__init__(*arguments, **named)

    def turn_away(self, request: socket.socket) -> None:
        """Say that there are too many requests; an ``OSError`` is of no consequence."""

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread, or turn the request away."""
        if self._slots.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:
                self._slots.release()
                raise
        else:
            with suppress(OSError):
                self.turn_away(request)
            self.shutdown_request(request)  # type: ignore[attr-defined]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, within the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def drain(self, grace: float) -> None:
        """Wait until no request is in hand, at most ``grace`` seconds."""
        until = time.monotonic() + grace
        for _ in range(self.parallel):
            if not self._slots.acquire(timeout=max(0.0, until - time.monotonic())):
                return


def clear(path: Path) -> None:
    """Remove a socket that nobody listens on any more. Raises ``FileExistsError`` for what is no socket."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "something that is no socket is in its place")
        os.unlink(path)


@contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """A socket's path; where it is too long for the kernel, a way round by its folder's descriptor."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

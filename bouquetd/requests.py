"""What other threads want done by the thread that owns something, when it suits that one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from bouquetd.errors import Unavailable

MOST = 16
"""Requests that may wait."""


class Requests:
    """Functions waiting for their turn; ``ask`` from any thread, ``answer`` from the owner's."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()

    def ask(self, function: Callable[[], Any]) -> Future[Any]:
        """Have ``function`` run by the owner. Raises ``Unavailable`` when too much is asked already."""
        if self._waiting.qsize() >= MOST:
            raise Unavailable("the daemon has too many requests to work on", "try again in a moment")
        future: Future[Any] = Future()
        self._waiting.put((function, future))
        return future

    def answer(self) -> None:
        """Run all that wait; what one raises is for whoever asked."""
        with suppress(Empty):
            while True:
                function, future = self._waiting.get_nowait()
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(function())
                    except Exception as error:
                        future.set_exception(error)

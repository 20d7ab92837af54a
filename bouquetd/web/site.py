"""Puts together what is served: which answers on which address, and who may have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bouquetd.config import Listen, Settings
from bouquetd.errors import Unavailable
from bouquetd.log import Log
from bouquetd.web.guard import Guard
from bouquetd.web.health import Status, health
from bouquetd.web.page import Ask, Page
from bouquetd.web.server import Routes, Server

if TYPE_CHECKING:
    from bouquetd.web.metrics import Metrics


class Site:
    """All that listens. What cannot be served is told of in the log, and the daemon works without it."""

    def __init__(self, settings: Settings, status: Status, ask: Ask, history: Path, log: Log) -> None:
        self.metrics: Metrics | None = None
        self._log = log
        self._served: dict[str, Routes] = {}
        self._servers: list[Server] = []
        if where := settings.metrics.listen:
            from bouquetd.web.metrics import Metrics  # with its client, only where they are wanted

            self.metrics = Metrics(status, settings.paths, history)
            self._served[where] = self.metrics.routes()
        if where := settings.page.listen:
            guard = Guard(Listen.of(where), settings.page.token_file, log)
            # On one address with the page, metrics are for whoever has its token.
            beside = {way: guard.token_only(answer) for way, answer in self._served.get(where, {}).items()}
            self._served[where] = {**beside, **Page(status, ask, history, guard).routes(), **health(status)}
            guard.check()

    def start(self) -> None:
        """Listen on each address."""
        for where, routes in self._served.items():
            server = Server(Listen.of(where), routes)
            if self._tell(server.start):
                self._servers.append(server)
                self._log.info(f"Serving on {where}", what="web")

    def stop(self) -> None:
        """Listen no more."""
        while self._servers:
            self._servers.pop().stop()

    def _tell(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except Unavailable as error:
            self._log.error(f"Going on without the page or the metrics. {error.told}", what="web")
            return False
        return True

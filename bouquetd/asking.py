"""An embedded store, asked through the daemon that has it; where none runs we take it ourselves.

Both ways go through the same handlers, and their answers are the same plain values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np

from bouquetd import log
from bouquetd.assembly import engine
from bouquetd.config import Config
from bouquetd.model import Document, Record, Vector
from bouquetd.ops.filters import Conditions
from bouquetd.ops.passages import Passage
from bouquetd.running import ask


class Asking:
    """Any thread may use it. The store, once taken, is held until ``close``: no daemon starts meanwhile."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._handlers: dict[str, Callable[[dict[str, Any]], Any]] = {}

    def answer(
        self, question: str | Vector, n: int, conditions: Conditions, *, context: int, merged: bool
    ) -> list[Passage]:
        """The best passages, best first; see ``ops.answer``."""
        asked = question if isinstance(question, str) else question.tolist()
        plain = asdict(conditions)
        found = self._ask("search", question=asked, n=n, conditions=plain, context=context, merged=merged)
        return [Passage.from_plain(values) for values in found["passages"]]

    def documents(self) -> Iterator[Document]:
        """Documents that are stored as a whole, by id."""
        after = ""
        while page := self._ask("documents", after=after):
            for row in page:
                yield Document(**row)
            after = page[-1]["id"]

    def chunks(self, source: str | None, *, vectors: bool) -> Iterator[Record]:
        """Records by shard, document and number; of one source or all."""
        page = self._ask("chunks", after=None, source=source, vectors=vectors)
        while True:
            for row in page["records"]:
                yield Record(**{**row, "vector": np.asarray(row["vector"], dtype=np.float32)})
            if page["next"] is None:
                return
            page = self._ask("chunks", after=page["next"], source=source, vectors=vectors)

    def close(self) -> None:
        """Let go of the store, if it was taken."""
        with self._lock:
            self._handlers = {}
            self._held.close()

    def _ask(self, op: str, **arguments: Any) -> Any:
        with self._lock:
            handlers = self._handlers
        return handlers[op](arguments) if handlers else ask(self._config, op, arguments, self._alone)

    def _alone(self, op: str, arguments: dict[str, Any]) -> Any:
        with self._lock:
            if not self._handlers:
                parts = self._held.enter_context(
                    engine(self._config.settings, log.plain(), stopping=threading.Event())
                )
                self._handlers = parts.service.handlers(lambda function: function())
            handlers = self._handlers
        return handlers[op](arguments)

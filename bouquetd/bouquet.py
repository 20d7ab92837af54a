"""What bouquetd stored, for programs: ``Bouquet`` finds passages and lists documents and chunks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from bouquetd import recovery
from bouquetd.asking import Asking
from bouquetd.config import Embed, Invalid, Store, load
from bouquetd.embed import Embedder
from bouquetd.embed.choice import chosen
from bouquetd.errors import ConfigError, Rejected
from bouquetd.model import Document, Record, Vector, printable
from bouquetd.ops.filters import Conditions
from bouquetd.ops.passages import Passage
from bouquetd.ops.reader import Reader
from bouquetd.ops.since import since as begin_of
from bouquetd.ops.where import parse

CONFIG = "bouquetd.yaml"
"""The file that is read in a folder."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that is stored as a whole. ``ingested_at`` in seconds since the epoch."""

    source: str
    document: str
    digest: str
    media_type: str
    chunks: int
    ingested_at: float


class Bouquet:
    """A store that a bouquetd fills, to be read. Use it in a ``with``, or ``close`` it.

    Questions raise ``Unavailable`` when what they need cannot be reached, ``Rejected`` when they cannot be
    asked; both say what to do. Any thread may ask.
    """

    def __init__(self, where: str | os.PathLike[str], **server: Any) -> None:
        """``where`` is the YAML, a folder with a ``bouquetd.yaml``, or the URL of a Chroma server.

        An embedded store is asked through its daemon. Where none runs it is taken with the first question and
        held until ``close``. A server is read directly, no daemon is needed. ``server`` goes with a URL: what
        the section ``store`` of the settings has for it (``collection``, ``tenant``, ``database``,
        ``token_file``, ``token_header``, ``ca_file``), with its defaults. Raises ``ConfigError`` for settings
        that cannot be read or do not fit.
        """
        self._embedder: Embedder | None = None
        self._embed: Embed | None = None
        self._store = self._opened(os.fspath(where), server)

    def _opened(self, where: str, server: Mapping[str, Any]) -> _Source:
        if where.startswith(("http://", "https://")):
            return Reader(recovery.server(_server_settings(url=where, **server), None), None)
        if server:
            name = next(iter(server))
            raise ConfigError([f"{name}: {printable(where)} names its own; leave the argument out"])
        config = load(Path(where) / CONFIG if os.path.isdir(where) else Path(where))
        self._embed = config.settings.embed
        if config.settings.store.mode == "server":
            return Reader(recovery.server(config.settings.store, None), self.embedder)
        return Asking(config)

    @property
    def embedder(self) -> Embedder:
        """What texts and questions are embedded with; its model is loaded with the first one.

        At a URL it is the one that the collections name. Raises ``ConfigError`` for one that is not installed.
        """
        if self._embed is None:
            return cast(Reader, self._store).embedder
        if self._embedder is None:
            self._embedder = chosen(self._embed)
        return self._embedder

    def query(
        self,
        question: str | Sequence[float] | NDArray[np.floating[Any]],
        n: int = 10,
        where: str | Mapping[str, Any] | None = None,
        containing: str | Sequence[str] = (),
        *,
        source: str | Sequence[str] = (),
        since: str | datetime | None = None,
        entity: str | Sequence[str] = (),
        kind: str | Sequence[str] = (),
        language: str | None = None,
        context: int = 0,
        merged: bool = True,
    ) -> list[Passage]:
        """The ``n`` best passages, 1,000 at most, best first, fewer where the best 1,400 chunks make no more.

        A text is ranked by meaning and by words, as ``bouquetd search`` does it; a vector by distance alone.
        ``where`` narrows by metadata, in the words of ``--where`` or as Chroma's filter; each text of
        ``containing`` must stand in the passage, capitals and all; ``source``, ``since``, ``entity``, ``kind``
        and ``language`` are what the command's options of these names are.

        Neighbouring chunks of a document that both are among the best are one passage, its ``id`` that of the
        better one; with ``merged=False`` each chunk is one by itself. ``context`` chunks before and behind each
        are shown with it.
        """
        asked = question if isinstance(question, str) else np.asarray(question, dtype=np.float32)
        begin = since.timestamp() if isinstance(since, datetime) else begin_of(since, time.time())
        conditions = Conditions(
            where=_condition(where), containing=_several(containing), source=_several(source), since=begin,
            entity=_several(entity), kind=_several(kind), language=language,
        )  # fmt: skip
        return self._store.answer(asked, n, conditions, context=context, merged=merged)

    def documents(self) -> Iterator[StoredDocument]:
        """All documents, in no order that means anything, a page in memory at a time."""
        for d in self._store.documents():
            yield StoredDocument(printable(d.source), d.id, d.digest, d.media_type, d.stored, d.since)

    def chunks(self, source: str | None = None, *, vectors: bool = False) -> Iterator[Record]:
        """All chunks, or those of one source: each document's in their order, a page in memory at a time.

        Unless ``vectors`` are asked for, each comes with an empty one. A server may show those of documents
        that are still on their way in, too.
        """
        return self._store.chunks(source, vectors=vectors)

    def __iter__(self) -> Iterator[Record]:
        return self.chunks()

    def close(self) -> None:
        """Let go of what was opened or taken; a later question opens it again."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


class _Source(Protocol):
    """The two ways to a store."""

    def answer(
        self, question: str | Vector, n: int, conditions: Conditions, *, context: int, merged: bool
    ) -> list[Passage]: ...

    def documents(self) -> Iterator[Document]: ...

    def chunks(self, source: str | None, *, vectors: bool) -> Iterator[Record]: ...

    def close(self) -> None: ...


def _server_settings(**given: object) -> Store:
    try:
        return Store.read({"mode": "server", **given})
    except Invalid as error:
        raise ConfigError([f"{key}: {fault}" for key, fault in error.faults.items()]) from None


def _condition(where: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not isinstance(where, str):
        return where
    try:
        return parse(where)
    except ValueError as error:
        raise Rejected(str(error), "write for instance 'name = \"a.pdf\" and page <= 3'") from None


def _several(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)

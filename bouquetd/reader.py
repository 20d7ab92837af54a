"""Reading files of every kind, with an eye on the watchdog, a stop, each step's memory, a document's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from bouquetd import extract
from bouquetd.config import Settings
from bouquetd.errors import Stopped
from bouquetd.extract import Reading
from bouquetd.extract.ocr import Tesseract
from bouquetd.extract.packed import Member
from bouquetd.extract.plugins import Plugin
from bouquetd.extract.reading import beyond
from bouquetd.health import Health
from bouquetd.memory.meter import Meter
from bouquetd.model import Document, Piece, printable

MOST_NOTES = 10
"""What the owner of one document is told at most beside that it is stored."""


class Stopping(Protocol):
    """Whether the daemon is to stop."""

    def is_set(self) -> bool:
        """It is."""


class Reader:
    """All formats, those of plug-ins too. ``settings`` may be replaced; they hold from the next document on."""

    def __init__(
        self,
        settings: Settings,
        plugins: Sequence[Plugin],
        *,
        ocr: Tesseract | str,
        meter: Meter,
        health: Health,
        clock: Callable[[], float],
        stopping: Stopping,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """``rest`` raises ``Paused`` while the operator wants the intake to rest."""
        self.settings = settings
        self._plugins = plugins
        self._ocr = ocr
        self._meter = meter
        self._health = health
        self._clock = clock
        self._stopping = stopping
        self._rest = rest
        self._notes: list[str] = []

    @property
    def page_memory(self) -> int:
        """Bytes that text recognition of a page may take, in a process of its own; 0 where there is none."""
        return 0 if isinstance(self._ocr, str) else self._ocr.memory

    def media_type(self, file: BinaryIO, name: str) -> str:
        """The kind of a file, ready to be read. Raises Rejected for one that nobody reads."""
        kind = extract.media_type(file, name, self._plugins)
        extract.load(kind)
        return kind

    def has_text(self, media_type: str) -> bool:
        """Whether files of a kind have text of their own; archives have not."""
        return extract.has_text(media_type, self._plugins)

    def may_hold(self, media_type: str) -> bool:
        """Whether something may be packed in files of a kind."""
        return extract.may_hold(media_type, self._plugins)

    def members(self, file: BinaryIO, media_type: str) -> Iterator[Member] | None:
        """What is packed in a file; None for a kind in which nothing is."""
        return extract.members(file, media_type, self._reading(), self._plugins)

    def pieces(self, file: BinaryIO, document: Document) -> Iterator[Piece]:
        """The text of a file. Raises ``Stopped`` and ``Paused`` between pieces, Rejected beyond bounds.time."""
        reading, spent, source = self._reading(), 0.0, printable(document.source)
        self._notes = []  # of one that was refused half-way nothing is to be told of the next
        pull = extract.extract(file, document.media_type, reading, plugins=self._plugins)
        while True:
            began = self._clock()
            with self._meter.operation("extract", source):
                piece = next(pull, None)
            now = self._clock()
            spent += now - began
            if piece is None:
                return
            if self._stopping.is_set():  # a long stretch without a whole batch must not hold up a stop
                raise Stopped("asked to stop between two pieces")
            self._rest()
            if spent > reading.bounds.time:
                raise beyond(
                    f"to read it takes longer than the {reading.bounds.time:g} s of bounds.time", "time"
                )
            self._health.beat(now, "extract")
            yield piece

    def pulse(self) -> None:
        """To be called now and then by what takes long otherwise. Raises ``Stopped`` and ``Paused``."""
        if self._stopping.is_set():
            raise Stopped("asked to stop while unpacking")
        self._rest()
        self._health.beat(self._clock(), "unpack")

    def notes(self) -> tuple[str, ...]:
        """What was noted of the document that was read last."""
        return tuple(self._notes)

    def _reading(self) -> Reading:
        stream = self.settings.stream
        return Reading(stream.read_size, stream.buffer_size, self.settings.bounds, self._note, self._ocr)

    def _note(self, text: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(text)

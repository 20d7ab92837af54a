"""Keeps the history of memory while the daemon runs: each tick a look, an ear to the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from bouquetd.errors import Paused, Stopped
from bouquetd.memory.ended import EXITS
from bouquetd.memory.governor import Limits, Mode
from bouquetd.memory.history import History, Kind, Marks
from bouquetd.memory.probe import Vitals
from bouquetd.memory.recorder import Peak, Recorder, Watermark

STARTING = "start"
"""The stage of what came before the first look."""


class Gauge(Protocol):
    """What is read of the process; ``Probe`` answers it."""

    def vitals(self) -> Vitals:
        """RSS, peak and VSZ."""

    def ceiling(self) -> int:
        """The most this process can ever have, in bytes."""


class Chronicle:
    """One process's part of the history. ``begin`` it, ``look`` once a second, ``end`` it, all in one thread.

    ``mode`` is the governor's, ``trouble`` what holds the worker up (None for nothing), ``clock`` counts
    seconds since the epoch. ``hear`` is for any thread.
    """

    def __init__(
        self,
        history: History,
        gauge: Gauge,
        watermark: Watermark,
        *,
        mode: Callable[[], Mode],
        trouble: Callable[[], str | None],
        clock: Callable[[], float],
    ) -> None:
        self._history = history
        self._gauge = gauge
        self._watermark = watermark
        self._mode = mode
        self._trouble = trouble
        self._clock = clock
        self._recorder = Recorder()
        self._highest = 0
        self._told: str | None = None

    def begin(self, who: str, cause: Callable[[float], str], limits: Limits) -> None:
        """Note the start of the process ``who``, and the end of the one before; see ``History.started``."""
        vitals = self._gauge.vitals()
        self._history.started(who, vitals.rss, cause)
        self._limited(limits)

    @contextmanager
    def told(self) -> Iterator[None]:
        """See that an end is noted which comes by an exception."""
        try:
            yield
        except Stopped:
            self.end(0)
            raise
        except Paused as error:
            self.end(0, error.reason)
            raise
        except Exception as error:
            self.end(1, f"{type(error).__name__}: {error}")
            raise

    def reloaded(self, text: str, limits: Limits) -> None:
        """Note that the configuration was read again, and the marks that are in force from now on."""
        self.hear(Kind.RELOADED, text, self._gauge.vitals().rss)
        self._limited(limits)

    def _limited(self, limits: Limits) -> None:
        ceiling = self._gauge.ceiling()
        self._history.marks(Marks(int(limits.throttle_at), int(limits.resume_at), limits.limit, ceiling))

    def hear(self, kind: Kind, text: str, rss: int) -> None:
        """Note what somebody saw happen, with the source that is in hand."""
        self._history.note(kind, text, rss, self._watermark.running()[1])

    def look(self) -> None:
        """Take down the RSS of now and the largest since the last look."""
        vitals = self._gauge.vitals()
        if self._highest == 0:
            peak = Peak(vitals.peak, STARTING)
        else:
            # The kernel sees peaks that nobody read: within one operation, or of a thread that is not ours.
            if vitals.peak > self._highest:
                self._watermark.see(vitals.peak)
            peak = self._watermark.take()
            if vitals.rss > peak.rss:
                peak = Peak(vitals.rss, *self._watermark.running())
        self._highest = vitals.peak
        trouble = self._trouble()
        if trouble is not None and trouble != self._told:
            self.hear(Kind.HELD, trouble, vitals.rss)
        self._told = trouble
        self._history.write(self._recorder.tick(self._clock(), vitals.rss, self._mode(), peak))

    def end(self, status: int, why: str = "") -> None:
        """Note how this process ends, by its exit status; ``why`` where that does not say it."""
        rss = self._gauge.vitals().rss
        if status == 0:
            self._history.note(Kind.STOPPED, why or "asked to stop", rss)
        else:
            self._history.note(Kind.DIED, why or f"exit {status}: {EXITS.get(str(status), 'unknown')}", rss)
        self._history.write(self._recorder.finish())
        self._history.close()

"""Reads the history of memory, beside a daemon that writes it or without one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bouquetd.errors import Unavailable
from bouquetd.memory.history import PATIENCE, SLOTS, WIDTHS, Event, Marks, transaction
from bouquetd.memory.recorder import Sample, begin, merged
from bouquetd.model import printable

MOST = 1000
"""Samples that an answer has at most, unless asked for others: more than a drawing can show."""

PEAKS = 20
"""Peaks that an answer names."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """The highest that a stage took RSS to with a source in hand: bytes, and when it was (since the epoch)."""

    peak: int
    at: float
    stage: str
    source: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stretch of history, all of it oldest first but ``peaks``, which are highest first.

    From ``since``, which is when it begins where less is kept than was asked for, to ``until``, in seconds
    since the epoch; ``width`` the seconds that one sample stands for at least. ``marks`` are those in force
    last.
    """

    since: float
    until: float
    width: float
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]
    peaks: tuple[Attributed, ...]
    marks: Marks


NOTHING = Recorded(0.0, 0.0, WIDTHS[0], (), (), (), Marks())
"""What there is before the first daemon ran."""


def read(path: Path, since: float, until: float, most: int = MOST) -> Recorded:
    """What was recorded between two times, in seconds since the epoch, in at most ``most`` samples.

    Beside a running daemon, or without one. Where there is no file there is no history. Raises ``Unavailable``
    for a file that is damaged or not for us to read.
    """
    name = printable(str(path))
    try:
        if not path.exists():
            return replace(NOTHING, since=since, until=until)
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10 * PATIENCE)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(
            f"the history of memory in {name} cannot be read: {error}",
            "run the command as the daemon's user, or start the daemon and be in its group",
        ) from error
    try:
        with transaction(connection):
            return _recorded(connection, since, until, most)
    except sqlite3.Error as error:
        raise Unavailable(
            f"the history of memory in {name} cannot be read: {error}",
            "if it is damaged, restart the daemon: it sets the file aside and begins a new one",
        ) from error
    finally:
        connection.close()


def _recorded(connection: sqlite3.Connection, since: float, until: float, most: int) -> Recorded:
    since = _begun(connection, since, until)
    # The finest ring that goes back far enough.
    level = 0 if until - since <= SLOTS * WIDTHS[0] else len(WIDTHS) - 1
    width = WIDTHS[level]
    stretch = (level, since - width, until)
    rows = connection.execute(
        "SELECT at, ticks, rss, peak, stage, source, mode FROM samples"
        " WHERE level = ? AND at > ? AND at <= ? ORDER BY at",
        stretch,
    )
    coarser = max(width, -(-(until - since) // most))
    peaks = connection.execute(
        "SELECT max(peak), at, stage, source FROM samples WHERE level = ? AND at > ? AND at <= ?"
        " GROUP BY stage, source ORDER BY max(peak) DESC LIMIT ?",
        (*stretch, PEAKS),
    )
    events = connection.execute(
        "SELECT at, kind, text, rss, source FROM events WHERE at >= ? AND at <= ? ORDER BY number",
        (since, until),
    )
    marks = connection.execute("SELECT throttle, resume, limited, ceiling FROM marks").fetchone()
    return Recorded(
        since,
        until,
        coarser,
        tuple(_thinned((Sample(*row) for row in rows), coarser)),
        tuple(Event(*row) for row in events),
        tuple(Attributed(*row) for row in peaks),
        Marks(*marks) if marks else Marks(),
    )


def _begun(connection: sqlite3.Connection, since: float, until: float) -> float:
    """When the history begins that is kept of that time, so that a young one is shown in all its detail."""
    firsts = [
        connection.execute(
            "SELECT min(at) FROM samples WHERE level = ? AND at > ? AND at <= ?", (level, since - width, until)
        ).fetchone()[0]
        for level, width in enumerate(WIDTHS)
    ]
    # A coarse bucket begins before what is in it: where the fine ring goes as far back, it knows better.
    fine, coarse = firsts[0], firsts[-1]
    if coarse is None:
        return since
    first = fine if fine is not None and fine - coarse < WIDTHS[-1] else coarse
    event = connection.execute("SELECT min(at) FROM events WHERE at >= ? AND at <= ?", (since, until))
    begun: float = max(since, min(first, event.fetchone()[0] or first))
    return begun


def _thinned(samples: Iterable[Sample], width: float) -> Iterator[Sample]:
    """Samples, oldest first, as fewer: one for each ``width`` seconds; every peak stays one."""
    held: Sample | None = None
    for sample in samples:
        if held is not None and begin(held.at, width) == begin(sample.at, width):
            held = merged(held, sample)
            continue
        if held is not None:
            yield held
        held = sample
    if held is not None:
        yield held


def plain(recorded: Recorded) -> dict[str, Any]:
    """As values that JSON can say."""
    return asdict(recorded) | {"marks": recorded.marks._asdict()}


def parsed(answer: Mapping[str, Any]) -> Recorded:
    """Back from ``plain``."""
    return Recorded(
        answer["since"],
        answer["until"],
        answer["width"],
        tuple(Sample(**one) for one in answer["samples"]),
        tuple(Event(**one) for one in answer["events"]),
        tuple(Attributed(**one) for one in answer["peaks"]),
        Marks(**answer["marks"]),
    )

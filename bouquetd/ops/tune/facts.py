"""What was measured of a machine, and what is proposed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine. Sizes in bytes, times in seconds.

    ``ram`` is what bouquetd and all others there share, the least of RAM and the control groups above us.
    ``flush_state`` and ``flush_store``: what an fsync takes where each lies. ``embedded``: chunks a second by
    threads, for an embedder that has none under 1. ``stored``: chunks a second that the store takes, 0 where it
    was not measured. ``rss`` is the peak of a process with the embedder and the store.
    """

    ram: int
    cores: int
    flush_state: float
    flush_store: float
    embedded: Mapping[int, float]
    stored: float
    rss: int


@dataclass(frozen=True, slots=True)
class Change:
    """An option by its dotted key, in the YAML's notation, as it is and as it should be."""

    key: str
    now: str
    then: str
    why: str


@dataclass(frozen=True, slots=True)
class Limits:
    """MemoryHigh and MemoryMax of a unit, in bytes."""

    high: int
    maximum: int
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to change, and what to expect of it.

    ``notes`` are what no option mends. ``rate`` is in chunks a second, ``gigabyte`` the seconds that 1 GB of
    text takes.
    """

    changes: tuple[Change, ...]
    unit: Limits | None
    notes: tuple[str, ...]
    rate: float
    gigabyte: float

    @property
    def empty(self) -> bool:
        """Whether all may stay as it is."""
        return not self.changes and self.unit is None

"""Sizes, durations, percents and counts: from the YAML's notation to numbers, and back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

_NUMBER = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([^\s0-9.]*)")


def shown(value: object) -> str:
    """A value as an error message quotes it: on one line, printable, and short."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def closest(word: str, words: Collection[str]) -> str | None:
    """The one of ``words`` that a person who wrote ``word`` most likely meant."""
    import difflib  # only where something is wrong

    return next(iter(difflib.get_close_matches(word.casefold(), words, n=1, cutoff=0.6)), None)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of quantity.

    Everything is counted in whole *grains* (a byte, a millisecond, a hundredth of a percent), so that reading
    and writing are exact. ``grains`` of them make one of what the program uses (a byte, a second, 100 %).
    ``units`` maps what a person writes to grains, largest first; ``""`` among them allows a bare number.
    ``spellings`` are further names of the same units.
    """

    name: str
    example: str
    units: Mapping[str, int]
    spellings: Mapping[str, str]
    grains: int = 1

    def read(self, text: str) -> int:
        """The grains in ``text``. Raises ``ValueError`` that says what to write instead."""
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{shown(text)} is not {self.name}; write for instance {self.example}")
        number, written = match.groups()
        unit = written.casefold()
        per_unit = {name.casefold(): count for name, count in self.units.items()}.get(
            self.spellings.get(unit, unit)
        )
        if per_unit is not None:
            grains = Decimal(number) * per_unit
            if per_unit > 1 or grains == int(grains):
                return round(grains)
            raise ValueError(f"{shown(text)} is not a whole number; write for instance {self.example}")
        if not any(self.units):
            raise ValueError(f"{shown(text)} is not {self.name}; write for instance {self.example}")
        known = ", ".join(name for name in self.units if name)
        fault = f"has the unknown unit {shown(written)}" if unit else "has no unit"
        raise ValueError(f"{shown(text)} {fault}; use {known}, for instance {self.example}")

    def write(self, grains: int) -> str:
        """The shortest notation of ``grains`` that reads back as the same number."""
        for name, count in self.units.items():
            if grains and grains % count == 0:
                return f"{grains // count}{name}"
        name, count = list(self.units.items())[-1]
        return f"{grains / count:g}{name}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind with its range, both ends included and in grains; stands in a field's ``Annotated`` type.

    A string is read as notation. A number is taken as what the program itself uses: bytes, seconds, a fraction.
    """

    kind: Kind
    low: int
    high: int

    def parse(self, value: object) -> int | float:
        """The number that ``value`` means. Raises ``ValueError`` that says what is wrong and what to write."""
        kind = self.kind
        if isinstance(value, str):
            grains = kind.read(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            grains = round(value * kind.grains)
        else:
            raise ValueError(f"{shown(value)} is not {kind.name}; write for instance {kind.example}")
        if grains < self.low:
            raise ValueError(f"{kind.write(grains)} is too small; use {kind.write(self.low)} or more")
        if grains > self.high:
            raise ValueError(f"{kind.write(grains)} is too large; use {kind.write(self.high)} or less")
        return grains if kind.grains == 1 else grains / kind.grains

    def show(self, value: float) -> str:
        """``value`` in the YAML's notation."""
        return self.kind.write(round(value * self.kind.grains))


_SIZE = Kind(
    name="a size",
    example="50MB",
    units={"TB": 1024**4, "GB": 1024**3, "MB": 1024**2, "KB": 1024, "": 1},
    spellings={"tib": "tb", "gib": "gb", "mib": "mb", "kib": "kb", "b": ""},
)
_DURATION = Kind(
    name="a duration",
    example="2s",
    units={"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1},
    spellings={},
    grains=1000,
)
_PERCENT = Kind(name="a percentage", example="80%", units={"%": 100}, spellings={}, grains=10_000)
_COUNT = Kind(name="a whole number", example="20", units={"": 1}, spellings={})


def read_size(text: str) -> int:
    """Bytes of ``10MB``. Raises ``ValueError`` that says what to write instead."""
    return _SIZE.read(text)


def read_duration(text: str) -> float:
    """Seconds of ``10m``. Raises ``ValueError`` that says what to write instead."""
    return _DURATION.read(text) / 1000


def size(low: str, high: str) -> Quantity:
    """A size between two others. The value is an ``int`` of bytes; 1 MB = 1 MiB = 1024 * 1024."""
    return Quantity(_SIZE, _SIZE.read(low), _SIZE.read(high))


def duration(low: str, high: str) -> Quantity:
    """A duration between two others. The value is a ``float`` of seconds, to the millisecond."""
    return Quantity(_DURATION, _DURATION.read(low), _DURATION.read(high))


def percent(low: str, high: str) -> Quantity:
    """A percentage between two others. The value is a ``float``: ``80%`` is 0.8."""
    return Quantity(_PERCENT, _PERCENT.read(low), _PERCENT.read(high))


def count(low: int, high: int) -> Quantity:
    """A whole number between two others."""
    return Quantity(_COUNT, low, high)

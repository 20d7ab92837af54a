"""What an office document says of itself: the core properties of OOXML, the metadata of OpenDocument.

Both are a few elements of the Dublin Core with kin of their own; the names of these elements tell them all
apart.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, datetime

from bouquetd.extract.package import Handler, Package
from bouquetd.model import NOTHING, Facts, Piece

_TAKEN = frozenset((
    "title", "language", "initial-creator", "creator", "created", "creation-date", "modified", "date",
    "keywords", "keyword",
))  # fmt: skip
_LONGEST = 500  # characters of one property
_MOST = 100  # keywords
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.I | re.S)


class Properties(Handler):
    """Collects the properties in a part that has nothing else."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._values: list[str] | None = None  # of the property we are in
        self._name = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        """A property begins, or something within one."""
        if name.rpartition(" ")[2] in _TAKEN:
            self._name = name
            self._values = self._found.setdefault(name.rpartition(" ")[2], [])
        if self._values is not None and len(self._values) < _MOST:
            self._values.append("")

    def end(self, name: str) -> None:
        """A property ends."""
        if name == self._name:
            self._values = None

    def text(self, text: str) -> None:
        """Text of a property."""
        if self._values:
            self._values[-1] = (self._values[-1] + text)[:_LONGEST]

    def facts(self) -> Facts:
        """What was found; ``NOTHING`` itself if nothing was."""
        values = [*self._found.get("keywords", ()), *self._found.get("keyword", ())]
        keywords = (" ".join(word.split()) for value in values for word in re.split("[,;]", value))
        language = _LANGUAGE.fullmatch(self._first("language") or "")
        facts = Facts(
            title=self._first("title"),
            author=self._first("initial-creator") or self._first("creator"),
            language=language[1].lower() if language else None,
            created_at=moment(self._first("created") or self._first("creation-date")),
            modified_at=moment(self._first("modified") or self._first("date")),
            keywords=tuple(dict.fromkeys(filter(None, keywords)))[:_MOST],
        )
        return NOTHING if facts == NOTHING else facts

    def _first(self, name: str) -> str | None:
        values = (" ".join(value.split()) for value in self._found.get(name, ()))
        return next(filter(None, values), None)


def moment(value: str | None) -> float | None:
    """Seconds since the epoch of a date as ISO 8601 writes it, in UTC unless it says more; None for others."""
    try:
        when = datetime.fromisoformat(value or "")
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None  # before the epoch, a program had no clock


def core(package: Package) -> Generator[Piece, None, Facts]:
    """The facts of an OOXML document, with a heartbeat now and then."""
    properties = Properties()
    for related in (yield from package.relations("")).values():
        if related.kind == "core-properties" and package.has(related.target):
            yield from package.parse_if_sound(related.target, properties)
            break
    return properties.facts()

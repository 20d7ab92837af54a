"""Extractors that other packages bring: found by entry point, checked before anything is read.

A package offers one under the group ``bouquetd.extractors``, in its ``pyproject.toml``::

    [project.entry-points."bouquetd.extractors"]
    epub = "bouquetd_epub"

What the entry point names, a module, a class's instance, whatever has the four attributes of ``Plugin``, is
asked about each file before bouquetd's own kinds are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import BinaryIO, Protocol, runtime_checkable

from bouquetd.errors import ConfigError
from bouquetd.model import Piece, printable

GROUP = "bouquetd.extractors"

PROTOCOL = 1
"""Version of ``Plugin``; another number means another way to be called."""


@runtime_checkable
class Plugin(Protocol):
    """Version 1 of what an extractor from elsewhere has.

    ``protocol`` is 1, ``media_type`` what is stored with each chunk; one of bouquetd's own is taken over.
    ``extract`` is as in ``bouquetd.extract.Extractor``: it reads a file a little at a time and yields a
    ``bouquetd.model.Piece`` for each little (64 KB of text or less is a good size), and raises
    ``bouquetd.errors.Rejected(reason, remedy)`` for a file that it cannot read. It must give the same text for
    the same bytes each time: a file that was cut short is taken up again at the chunk.

    One that must hold the whole file in memory may have a fifth attribute, ``memory(size) -> int``: the bytes
    of RSS that a file of ``size`` bytes takes at most. A file for which there is no room is refused unread.
    """

    protocol: int
    media_type: str

    def claims(self, head: bytes, name: str) -> bool:
        """Whether a file is of this kind, by its first bytes (64 KB at most) and its name."""

    def extract(self, file: BinaryIO, *, read_size: int) -> Iterator[Piece]:
        """The text of the file."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plug-in and where it came from, as ``bouquetd check`` shows it."""

    plugin: Plugin
    origin: str


def installed() -> list[Found]:
    """Every extractor that is installed, in the order of the names of their entry points.

    Raises ``ConfigError`` that names each one that cannot be used: a daemon that silently goes on without it
    would file its documents as unreadable.
    """
    problems: list[str] = []
    found: list[Found] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        origin = _origin(entry)
        try:
            plugin = _load(entry)
        except (Exception, SystemExit) as error:
            problems.append(
                f"the extractor {origin} cannot be used: {type(error).__name__}: {printable(str(error))[:300]};"
                f" install a version for protocol {PROTOCOL}, or uninstall it"
            )
            continue
        if twin := next((f for f in found if f.plugin.media_type == plugin.media_type), None):
            problems.append(
                f"the extractors {twin.origin} and {origin} both read {plugin.media_type}; uninstall one"
            )
        else:
            found.append(Found(plugin, origin))
    if problems:
        raise ConfigError(problems)
    return found


def _load(entry: EntryPoint) -> Plugin:
    plugin = entry.load()
    if not isinstance(plugin, Plugin):
        lacking = [a for a in ("protocol", "media_type", "claims", "extract") if not hasattr(plugin, a)]
        raise TypeError(f"it has no {', '.join(lacking)}")
    if plugin.protocol != PROTOCOL:
        raise TypeError(f"it is written for protocol {plugin.protocol!r}, this is {PROTOCOL}")
    if not isinstance(plugin.media_type, str) or plugin.media_type.count("/") != 1:
        raise TypeError(f"its media_type is {plugin.media_type!r}, not like text/plain")
    return plugin


def _origin(entry: EntryPoint) -> str:
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return printable(f"{entry.name}{package}")

"""The data that flows through the pipeline, in the order in which it comes into being."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:  # it takes longer to load than a question to the ledger to answer
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"
"""One embedding, shape ``(dimensions,)``, of unit length."""

Metadata = Mapping[str, str | int | float | bool | list[str]]
"""What Chroma stores beside a chunk; no nulls."""

MB = 1024 * 1024
"""1 MB, as the memory-safety guide and systemd count."""


PACKED = "!/"
"""Stands between the source of an archive or a mail and the name of what is packed in it."""


UNREAD = "unread"
"""The digest of a file that was rejected before its content was looked at."""


class State(StrEnum):
    """Where a document stands in its life."""

    CLAIMED = "claimed"
    STORING = "storing"
    COMPLETE = "complete"
    FILED = "filed"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the file system says about a file's identity and content without reading it.

    ``size`` in bytes, times in nanoseconds since the epoch. Two equal fingerprints of one path mean that
    nobody wrote to the file in between.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Fingerprint:
        """The fingerprint within a ``stat`` result."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document says of itself; stored beside each of its chunks under these names.

    ``language`` is a code of ISO 639-1 (``de``), times are in seconds since the epoch. Of a mail, ``title`` is
    its subject, ``author`` its sender and ``recipients`` everybody it went to.
    """

    title: str | None = None
    author: str | None = None
    language: str | None = None
    created_at: float | None = None
    modified_at: float | None = None
    keywords: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()


NOTHING = Facts()
"""A document that says nothing of itself."""


class Place(NamedTuple):
    """Where a text stands.

    ``page`` (a slide, a sheet) and ``row`` (of a table, a line of JSON, a message of a mailbox) count from 1;
    ``headings`` is the path of headings above it, outermost first; ``link`` what it links to; ``facts`` what
    the document, of a mailbox the message, says of itself.
    """

    page: int | None = None
    row: int | None = None
    headings: tuple[str, ...] = ()
    link: str | None = None
    facts: Facts = NOTHING


SOMEWHERE = Place()
"""Text of a format that has no places."""


class Piece(NamedTuple):
    """A piece of extracted text, all of it in one ``Place``.

    A tuple, which is made five times as fast as a frozen dataclass: a page has two for each of its links.
    """

    text: str
    page: int | None = None
    row: int | None = None
    headings: tuple[str, ...] = ()
    link: str | None = None
    facts: Facts = NOTHING

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(*self[1:])


HEARTBEAT = Piece("")
"""No text yet: whoever reads is still at it. It passes through at once, so that a stop need not wait."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is embedded and stored.

    ``number`` counts from 0 within the document. ``start`` and ``end`` are character offsets into the extracted
    text, ``place`` is where the chunk starts, ``links`` what is linked to and ``names`` (``kind:value``) what
    is named anywhere in it. ``last`` marks a document's final chunk, so that a ledger rebuilt from the store
    knows which documents are whole; that one has the ``text_digest`` of the whole document (``likeness``),
    empty for one without letters and digits. ``entities`` are those of a chunk that was stored before; None:
    they are to be found.
    """

    number: int
    text: str
    start: int
    end: int
    last: bool
    place: Place = SOMEWHERE
    links: tuple[str, ...] = ()
    text_digest: str = ""
    names: tuple[str, ...] = ()
    entities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A source with a digest, as the ledger knows it when its file is being worked on.

    ``source`` is the path relative to the inbox as ``os.fsdecode`` gives it, ``size`` in bytes, ``stored`` the
    number of chunks that are already durable, ``since`` the first claim in seconds since the epoch. What is
    packed in another document, an archive or a mail, has that one's source as ``parent``. Of one that is whole,
    ``text_digest`` is that of its normalised text (``likeness``).
    """

    id: str
    source: str
    digest: str
    size: int
    media_type: str
    since: float
    attempts: int = 0
    stored: int = 0
    parent: str | None = None
    text_digest: str | None = None

    @property
    def name(self) -> str:
        """The file name, without its folders."""
        return os.path.basename(self.source)


@dataclass(frozen=True, slots=True)
class Record:
    """A chunk as the journal and Chroma hold it. ``id`` is ``<document>:<number>``."""

    id: str
    text: str
    metadata: Metadata
    vector: Vector


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a search. ``distance`` is cosine distance: 0 is the same direction, 2 the opposite.

    ``by_meaning`` and ``by_words`` are its places in the two orders that it was ranked by, from 1; None in one
    that it does not stand in.
    """

    id: str
    text: str
    metadata: Metadata
    distance: float
    by_meaning: int | None = None
    by_words: int | None = None
    vector: Vector | None = field(default=None, compare=False, repr=False)
    """What it was found by, until it is ranked, where that was read with the rest."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a hit must be: ``where`` is Chroma's filter on metadata, ``texts`` must each stand in its text."""

    where: Mapping[str, Any] | None = None
    texts: tuple[str, ...] = ()


EVERYTHING = Filter()
"""No condition at all."""


def printable(path: str) -> str:
    """A path that is safe to print, log and store: invalid UTF-8 and control characters become escapes."""
    if path.isprintable():
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(name: str) -> str:
    """A name as it is printed, in quotes for a shell."""
    return "'" + printable(name).replace("'", "'\\''") + "'"


def pasted(*names: str) -> str:
    """Names as arguments of a command that is to be pasted, behind ``--`` where one looks like an option."""
    return "-- " * any(name.startswith("-") for name in names) + " ".join(map(quoted, names))

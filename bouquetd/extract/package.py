"""A ZIP of XML, as most office documents and e-books are, or a file that is one XML: all read as streams.

Expat, of the standard library, hands text out as it comes and builds nothing. A document type that declares
anything itself, with which entities and everything harmful in XML begins, is refused; one that only names a
definition elsewhere, as old e-books do, is not followed there. Names of parts are only ever looked up in the
list that the ZIP has of its own files: none reaches the file system.
"""

from __future__ import annotations

import errno
import lzma
import posixpath
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import read
from bouquetd.extract.reading import Reading
from bouquetd.model import HEARTBEAT, MB, Piece

_DIRECTORY_LIMIT = 4 * MB  # of the list of files in the ZIP, which zipfile holds in memory; Word needs 10 KB
_PLAIN_SIZE = 64 * MB  # up to here a part may be packed as well as it will
_LONGEST_TAG = 4 * MB
_MOST_RELATIONS = 20_000
_MOST_LINKS = 10_000  # of a part to the outside that are kept, in some 4 MB
_LONGEST_TARGET = 1_000  # characters, of an id too

_RELATION = "http://schemas.openxmlformats.org/package/2006/relationships Relationship"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, UnicodeError, ValueError,
    OverflowError,
)  # fmt: skip


class Handler:
    """Takes the events of a part; each those it wants. Names are ``namespace local``, or ``local`` alone."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Text between two tags, perhaps not all of it."""


class Relation(NamedTuple):
    """What a part of an Office document refers to: another part, or something outside the package.

    ``kind`` is the last step of the URI that names it: ``hyperlink``, ``slide``, ``styles``.
    """

    kind: str
    target: str
    outside: bool = False


class Package:
    """An open ZIP. ``kind`` names it to people, ``repair`` says what to do about a broken one."""

    def __init__(self, archive: zipfile.ZipFile, kind: str, repair: str, reading: Reading) -> None:
        self._parts = {_plain(part.filename): part for part in archive.infolist()}
        self._any_case = {name.lower(): part for name, part in self._parts.items()}
        self.names: Mapping[str, object] = self._parts  # in order, and quick to ask
        self._reading = reading
        self._archive = archive
        self._kind = kind
        self._repair = repair

    def rejected(self, what: str) -> Rejected:
        """The error for a package in which something is wrong."""
        return Rejected(f"the {self._kind} {what}", self._repair)

    def has(self, name: str) -> bool:
        """Whether there is a part of this name; upper and lower case are the same in Office documents."""
        return name in self._parts or name.lower() in self._any_case

    def open(self, name: str) -> BinaryIO:
        """A part as a stream of bytes. Raises Rejected for one that is missing, encrypted or a bomb."""
        part = self._parts.get(name) or self._any_case.get(name.lower())
        if part is None:
            raise self.rejected(f"is damaged: it has no {name[:100]}")
        if part.flag_bits & 1:
            raise encrypted(self._kind)
        ratio = self._reading.bounds.ratio
        if part.file_size > max(_PLAIN_SIZE, ratio * part.compress_size):
            raise self.rejected(
                f"unpacks to {part.file_size // MB} MB, over {ratio} times (bounds.ratio) its size: a ZIP bomb"
            )
        return self._archive.open(part)  # type: ignore[return-value]

    def parse(self, name: str, handler: Handler) -> Iterator[Piece]:
        """Hand a part's XML to a handler; a heartbeat whenever it got some, so that it can be emptied."""
        with self.open(name) as stream:
            yield from _parse(stream, handler, self._reading, self.rejected)

    def parse_if_sound(self, name: str, handler: Handler) -> Iterator[Piece]:
        """The same for a part whose loss or damage does not matter, as far as it can be read."""
        with suppress(Rejected, expat.ExpatError, NotImplementedError, *_DAMAGED):
            yield from self.parse(name, handler)

    def relations(self, name: str) -> Generator[Piece, None, dict[str, Relation]]:
        """What a part of an Office document (the package itself: no name) refers to, by the id it has for each.

        With heartbeats meanwhile.
        """
        folder, base = posixpath.split(name)
        listed = posixpath.join(folder, "_rels", f"{base}.rels")
        found = _Relations(folder)
        if self.has(listed):
            for beat in self.parse(listed, found):
                yield beat
                if found.parts > _MOST_RELATIONS:
                    raise self.rejected(f"refers to more than {_MOST_RELATIONS} other parts in one")
        return found.targets


def encrypted(kind: str) -> Rejected:
    """The error for a document that only a password opens."""
    return Rejected(f"the {kind} is encrypted", "Remove the password where it was written and drop it again.")


def related(attributes: Mapping[str, str]) -> str:
    """The id of the relation that an element of an Office document names, or nothing."""
    return next((value for key, value in attributes.items() if key.endswith("/relationships id")), "")


class _Relations(Handler):
    """The relations of a part. Those to the outside are only links: there may be more than are kept."""

    def __init__(self, folder: str) -> None:
        self.targets: dict[str, Relation] = {}
        self.parts = 0
        self._folder = folder

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name != _RELATION:
            return
        id_, target = attributes.get("Id", ""), attributes.get("Target", "")
        kind = sys.intern(attributes.get("Type", "").rpartition("/")[2])
        outside = attributes.get("TargetMode") == "External"
        if max(len(id_), len(target), len(kind)) > _LONGEST_TARGET:
            return
        if not outside:
            self.parts += 1
            target = posixpath.normpath(posixpath.join("/", self._folder, _plain(target, ""))).lstrip("/")
        if not outside or len(self.targets) - self.parts < _MOST_LINKS:
            self.targets[id_] = Relation(kind, target, outside)


def _plain(name: str, but: str = "/") -> str:
    """A name as the format wants it: some programs on Windows write it with their own kind of slash."""
    return name.replace("\\", "/").lstrip(but)


def _parse(
    stream: BinaryIO, handler: Handler, reading: Reading, rejected: Callable[[str], Rejected]
) -> Iterator[Piece]:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    depth, most_nested, most_attributes = 0, reading.bounds.nesting, reading.bounds.attributes

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > most_nested:
            raise rejected(f"is damaged: its elements are nested more than {most_nested} (bounds.nesting) deep")
        if len(attributes) > most_attributes:
            raise rejected(
                f"is damaged: an element has {len(attributes)} attributes, of {most_attributes} that"
                " bounds.attributes allows"
            )
        handler.start(element, attributes)

    def end(element: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(element)

    def doctype(_name: str, _system: str | None, _public: str | None, declares: int) -> None:
        if declares:
            raise rejected("contains a document type declaration, which the format forbids")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = doctype
    fed, read_size = 0, reading.read_size
    while block := stream.read(read_size):
        try:
            parser.Parse(block, False)  # noqa: FBT003
        except LookupError as error:
            raise rejected(f"is damaged: its XML is in an {error}") from None
        fed += len(block)
        if fed - max(0, parser.CurrentByteIndex) > _LONGEST_TAG + read_size:
            raise rejected("is damaged: a tag of its XML has no end")
        yield HEARTBEAT
    parser.Parse(b"", True)  # noqa: FBT003
    yield HEARTBEAT


@contextmanager
def opened(file: BinaryIO, kind: str, repair: str, reading: Reading) -> Iterator[Package]:
    """A file as a package. Whatever is wrong with it, within too, becomes Rejected; OSError passes."""
    with _faults(kind, repair), _not_the_disk(), directory(file) as archive:
        yield Package(archive, kind, repair, reading)


def parse_file(file: BinaryIO, handler: Handler, kind: str, repair: str, reading: Reading) -> Iterator[Piece]:
    """Hand a file that is XML as it stands to a handler, as ``Package.parse`` does with a part."""
    file.seek(0)
    with _faults(kind, repair):
        yield from _parse(file, handler, reading, lambda what: Rejected(f"the {kind} {what}", repair))


@contextmanager
def _faults(kind: str, repair: str) -> Iterator[None]:
    try:
        yield
    except expat.ExpatError as error:
        raise Rejected(f"the {kind} is damaged: its XML is broken ({error})", repair) from None
    except _DAMAGED as error:
        raise Rejected(f"the {kind} is damaged or incomplete ({error})", repair) from None
    except NotImplementedError as error:
        raise Rejected(f"the {kind} is packed in a way that cannot be read ({error})", repair) from None


@contextmanager
def _not_the_disk() -> Iterator[None]:
    """A damaged ZIP may send us to where no file has anything, and bz2 calls any damage an OSError."""
    try:
        yield
    except OSError as error:
        if error.errno in (None, errno.EINVAL):
            raise zipfile.BadZipFile(str(error)) from None
        raise


def names(file: BinaryIO) -> list[str]:
    """The names of the files in a ZIP. Raises Rejected for one that is damaged."""
    try:
        with _not_the_disk(), directory(file) as archive:
            return list(map(_plain, archive.namelist()))
    except (NotImplementedError, *_DAMAGED) as error:
        raise Rejected(
            f"the ZIP (or office document) is damaged or incomplete ({error})",
            "Get the file again, and drop it again.",
        ) from None


def declared(file: BinaryIO) -> str:
    """The media type that a package declares in its file ``mimetype``, or nothing."""
    with suppress(Rejected, KeyError, RuntimeError, NotImplementedError, *_DAMAGED), _not_the_disk():
        with directory(file) as archive, archive.open("mimetype") as stream:
            return stream.read(100).decode("ascii", "replace").strip()
    return ""


def directory(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, if the list of its files is of a size that can be held in memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the longest end record, comment included
    tail = read(file, 65_557)
    end = len(tail) - 22
    if end < 0 or tail[end : end + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        end = tail.rfind(b"PK\5\6")
    if 0 <= end <= len(tail) - 22 and struct.unpack_from("<L", tail, end + 12)[0] > _DIRECTORY_LIMIT:
        raise Rejected(
            "it is a ZIP with far more files than an office document has",
            "Unpack it, and drop what is in it.",
        )
    file.seek(0)
    return zipfile.ZipFile(file)

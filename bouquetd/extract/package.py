"""A ZIP of XML, as most office documents and e-books are: both read as streams.

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
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO
from xml.parsers import expat

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import read
from bouquetd.extract.reading import Reading
from bouquetd.model import MB

_DIRECTORY_LIMIT = 4 * MB  # of the list of files in the ZIP, which zipfile holds in memory; Word needs 10 KB
_PLAIN_SIZE = 64 * MB  # up to here a part may be packed as well as it will
_LONGEST_TAG = 4 * MB
_MOST_RELATIONS = 20_000

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


class Package:
    """An open ZIP. ``kind`` names it to people, ``repair`` says what to do about a broken one."""

    def __init__(self, archive: zipfile.ZipFile, kind: str, repair: str, reading: Reading) -> None:
        self.names = dict.fromkeys(archive.namelist())  # in order, and quick to ask
        self._reading = reading
        self._archive = archive
        self._kind = kind
        self._repair = repair

    def rejected(self, what: str) -> Rejected:
        """The error for a package in which something is wrong."""
        return Rejected(f"the {self._kind} {what}", self._repair)

    def open(self, name: str) -> BinaryIO:
        """A part as a stream of bytes. Raises Rejected for one that is missing, encrypted or a bomb."""
        try:
            part = self._archive.getinfo(name)
        except KeyError:
            raise self.rejected(f"is damaged: it has no {name[:100]}") from None
        if part.flag_bits & 1:
            raise Rejected(
                f"the {self._kind} is encrypted", "Remove the password where it was written and drop it again."
            )
        ratio = self._reading.bounds.ratio
        if part.file_size > max(_PLAIN_SIZE, ratio * part.compress_size):
            raise self.rejected(
                f"unpacks to {part.file_size // MB} MB, over {ratio} times (bounds.ratio) its size: a ZIP bomb"
            )
        return self._archive.open(part)  # type: ignore[return-value]

    def parse(self, name: str, handler: Handler) -> Iterator[None]:
        """Hand a part's XML to a handler; yields whenever it got some, so that it can be emptied."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        depth, bounds = 0, self._reading.bounds

        def start(element: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > bounds.nesting:
                raise self.rejected(
                    f"is damaged: its elements are nested more than {bounds.nesting} (bounds.nesting) deep"
                )
            if len(attributes) > bounds.attributes:
                raise self.rejected(
                    f"is damaged: an element has {len(attributes)} attributes, of {bounds.attributes} that"
                    " bounds.attributes allows"
                )
            handler.start(element, attributes)

        def end(element: str) -> None:
            nonlocal depth
            depth -= 1
            handler.end(element)

        def doctype(_name: str, _system: str | None, _public: str | None, declares: int) -> None:
            if declares:
                raise self.rejected("contains a document type declaration, which the format forbids")

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = handler.text
        parser.StartDoctypeDeclHandler = doctype
        fed, read_size = 0, self._reading.read_size
        with self.open(name) as stream:
            while block := stream.read(read_size):
                try:
                    parser.Parse(block, False)  # noqa: FBT003
                except LookupError as error:
                    raise self.rejected(f"is damaged: its XML is in an {error}") from None
                fed += len(block)
                if fed - max(0, parser.CurrentByteIndex) > _LONGEST_TAG + read_size:
                    raise self.rejected("is damaged: a tag of its XML has no end")
                yield
        parser.Parse(b"", True)  # noqa: FBT003
        yield

    def relations(self, name: str) -> dict[str, str]:
        """The parts that a part of an Office document refers to, by the id it has for each."""
        folder, base = posixpath.split(name)
        listed = posixpath.join(folder, "_rels", f"{base}.rels")
        found = _Relations(folder)
        if listed in self.names:
            for _ in self.parse(listed, found):
                if len(found.targets) > _MOST_RELATIONS:
                    raise self.rejected(f"refers to more than {_MOST_RELATIONS} other parts in one")
        return found.targets


class _Relations(Handler):
    def __init__(self, folder: str) -> None:
        self.targets: dict[str, str] = {}
        self._folder = folder

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _RELATION and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", "")))
            self.targets[attributes.get("Id", "")] = target.lstrip("/")


@contextmanager
def opened(file: BinaryIO, kind: str, repair: str, reading: Reading) -> Iterator[Package]:
    """A file as a package. Whatever is wrong with it, within too, becomes Rejected; OSError passes."""
    try:
        with _not_the_disk(), directory(file) as archive:
            yield Package(archive, kind, repair, reading)
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
            return archive.namelist()
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

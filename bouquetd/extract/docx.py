"""DOCX: a ZIP of XML, both read as streams.

Expat, of the standard library, hands text out as it comes and builds nothing; a document type declaration,
with which entities and everything harmful in XML begins, is refused (the format forbids it anyway).
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import read
from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.model import MB, Piece, printable

_DIRECTORY_LIMIT = 4 * MB  # of the list of files in the ZIP, which zipfile holds in memory; Word needs 10 KB
_PLAIN_SIZE = 64 * MB
_RATIO = 100  # of unpacked to packed size above _PLAIN_SIZE; Word's XML has 10 to 30
_MAX_DEPTH = 1000
_LONGEST_TAG = 4 * MB

_MAIN = re.compile(r"word/document\d*\.xml")
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_WORD = frozenset((
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "http://purl.oclc.org/ooxml/officeDocument/math",
))  # fmt: skip
_SKIPPED = frozenset(("pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "moveFrom"))
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"  # says the same once more
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}

_KINDS = {
    "xl/workbook.xml": "an Excel workbook (.xlsx)",
    "ppt/presentation.xml": "a PowerPoint presentation (.pptx)",
    "META-INF/container.xml": "an e-book (.epub)",
    "content.xml": "an OpenDocument file (.odt, .ods, .odp)",
    "META-INF/MANIFEST.MF": "a Java archive (.jar)",
}
_REMEDY = "Save or export it as .docx, .pdf, .html, .csv or .txt, or unpack it, and drop the result again."
_REPAIR = "Open it in a word processor, save it anew as .docx, and drop it again."
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, UnicodeError, ValueError)


def extract(file: BinaryIO, *, read_size: int) -> Iterator[Piece]:
    """The paragraphs and tables, then footnotes and endnotes. What was deleted with tracking is left out."""
    try:
        with _open(file) as archive:
            names = archive.namelist()
            main = next(filter(_MAIN.fullmatch, names))
            for name in (main, *(note for note in _NOTES if note in names)):
                yield from _part(archive, archive.getinfo(name), read_size)
    except expat.ExpatError as error:
        raise Rejected(f"the DOCX is damaged: its XML is broken ({error})", _REPAIR) from None
    except _DAMAGED as error:
        raise Rejected(f"the DOCX is damaged or incomplete ({error})", _REPAIR) from None
    except NotImplementedError as error:
        raise Rejected(f"the DOCX is packed in a way that cannot be read ({error})", _REPAIR) from None


def check(file: BinaryIO) -> None:
    """Raise Rejected, saying what it is instead, unless the ZIP is a DOCX."""
    try:
        with _open(file) as archive:
            names = archive.namelist()
    except _DAMAGED as error:
        raise Rejected(
            f"the ZIP (or DOCX) is damaged or incomplete ({error})", "Get the file again, and drop it again."
        ) from None
    if "[Content_Types].xml" in names and any(map(_MAIN.fullmatch, names)):
        return
    for name, kind in _KINDS.items():
        if name in names:
            raise Rejected(f"it is {kind}, which bouquetd does not read", _REMEDY)
    shown = ", ".join(printable(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    raise Rejected(f"it is a ZIP that is no DOCX; it holds {len(names)} file(s): {shown or 'none'}", _REMEDY)


def _open(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, if the list of its files is of a size that can be held in memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the longest end record, comment included
    tail = read(file, 65_557)
    end = len(tail) - 22
    if end < 0 or tail[end : end + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        end = tail.rfind(b"PK\5\6")
    if 0 <= end <= len(tail) - 22 and struct.unpack_from("<L", tail, end + 12)[0] > _DIRECTORY_LIMIT:
        raise Rejected("it is a ZIP with far more files than a DOCX has", _REMEDY)
    file.seek(0)
    return zipfile.ZipFile(file)


def _part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, read_size: int) -> Iterator[Piece]:
    if part.flag_bits & 1:
        raise Rejected("the DOCX is encrypted", "Remove the password in a word processor and drop it again.")
    if part.file_size > max(_PLAIN_SIZE, _RATIO * part.compress_size):
        raise Rejected(
            f"the DOCX unpacks to {part.file_size // MB} MB, over {_RATIO} times its size, like a ZIP bomb",
            _REPAIR,
        )
    reader = _Reader()
    fed = 0
    with archive.open(part) as stream:
        while block := stream.read(read_size):
            reader.parser.Parse(block, False)  # noqa: FBT003
            fed += len(block)
            if fed - max(0, reader.parser.CurrentByteIndex) > _LONGEST_TAG + read_size:
                raise Rejected("the DOCX is damaged: a tag of its XML has no end", _REPAIR)
            if reader.flow.size >= FULL:
                yield Piece(reader.flow.take())
    reader.parser.Parse(b"", True)  # noqa: FBT003
    yield Piece(reader.flow.take() + "\n\n")


class _Reader:
    """Turns the events of the parser into text."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        self._depth = 0
        self._skip_below = 0  # the depth of the element whose content is passed over, 0 for none
        self._in_text = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Rejected(f"the DOCX is damaged: elements nested more than {_MAX_DEPTH} deep", _REPAIR)
        if self._skip_below:
            return
        namespace, _, local = name.rpartition(" ")
        if name == _FALLBACK:
            self._skip_below = self._depth
        elif namespace in _WORD:
            if local == "t":
                self._in_text = True
            elif local in _SKIPPED:
                self._skip_below = self._depth
            elif by := _BREAKS.get(local):
                self.flow.separate(by)
            elif character := _CHARACTERS.get(local):
                self.flow.write(character)

    def _end(self, name: str) -> None:
        if self._skip_below == self._depth:
            self._skip_below = 0
        elif not self._skip_below:
            namespace, _, local = name.rpartition(" ")
            if namespace in _WORD:
                if local == "t":
                    self._in_text = False
                elif by := _BREAKS.get(local):
                    self.flow.separate(by)
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._in_text and not self._skip_below:
            self.flow.write(text)

    def _doctype(self, *declaration: object) -> None:  # noqa: ARG002
        raise Rejected("the DOCX contains a document type declaration, which the format forbids", _REPAIR)

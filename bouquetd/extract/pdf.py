"""PDF: the text of each page, through PDFium.

PDFium (BSD) by pypdfium2 (Apache-2.0) has wheels for every platform and reads more broken files than the Python
parsers, at a fraction of their time. The text comes in the order of the page's content, which is that of
reading wherever a program set the page. What running over many pages adds to a text is taken out again; pages
that hold only pictures go to text recognition where there is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from bouquetd.errors import Rejected
from bouquetd.extract.ocr import Unread
from bouquetd.extract.outline import LONGEST_TITLE, Outline
from bouquetd.extract.pdf_about import MOST_FIELDS, Bookmarks, bookmarks, facts, form
from bouquetd.extract.reading import Reading, beyond
from bouquetd.extract.running import without_running_heads
from bouquetd.extract.typeset import Typeset
from bouquetd.model import NOTHING, Facts, Piece

_REOPEN = 200
"""Pages after which the document is opened anew: PDFium keeps what it has parsed (measured over 7,000 pages:
78 MB in one go, 36 MB this way)."""

_MOST_NOTES = 5_000
"""Links, notes and fields after which it is opened anew as well: an index has hundreds of them on each page, of
some KB each."""

_TAIL = 2048  # bytes; the specification wants the end mark in the last 1,024

_REPAIR = (
    "Open it in a viewer; if it opens, print or export it to a new PDF, else get it again. Then drop it again."
)
_TRUNCATED = "the PDF is truncated: its end is missing"
_DAMAGED = "the PDF is damaged"

_LONGEST_TITLE_LINES = 3
_MOST_LINES = 2_000  # of a page on which titles are looked for
_NUMBERING = re.compile(r"^[\W\d_]+")
_NO_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page beside its text: its index, what was written on it afterwards, is it nothing but pictures.

    ``unread`` notes, links and fields more are on it than were looked at.
    """

    index: int
    form: str
    unread: int
    picture: bool


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text page by page, ``Piece.page`` counting from 1, below the bookmarks that lead there.

    Raises Rejected when it needs a password, is truncated or damaged, has more pages than ``bounds.pages``, or
    no text at all.
    """
    _check_end(file)
    about = _About(file, reading)
    pictures = _Pictures(file, reading)
    found, unread = False, 0
    for page, text in without_running_heads(_pages(file)):
        if page.picture:
            text = yield from pictures.read(page.index)
        if page.form:
            text = f"{text}\n\n{page.form}"
        found = found or not (not text or text.isspace())
        unread += page.unread
        yield from about.placed(page.index, text)
    if not found:
        raise pictures.nothing(about.pages)
    pictures.tell(about.pages)
    if unread:
        reading.note(
            f"{unread:,} of the notes, links and fields on its pages were not read: "
            f"of a page the first {MOST_FIELDS:,} are"
        )


class _About:
    """What is read before the first page: facts and bookmarks, which say where a text stands."""

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        self.facts: Facts = NOTHING
        self._outline = Outline()
        document = _open(file)
        try:
            self.pages = len(document)
            if self.pages > reading.bounds.pages:
                raise beyond(
                    f"the PDF has {self.pages:,} pages, of {reading.bounds.pages:,} that bounds.pages allows",
                    "pages",
                )
            self.facts = facts(document)
            self._bookmarks: Bookmarks = bookmarks(document)
            if pdfium_c.FPDF_GetFormType(document) == pdfium_c.FORMTYPE_XFA_FULL:
                reading.note(
                    "it is a form (XFA) that only Adobe Reader can show; what other programs see was read"
                )
        finally:
            document.close()

    def placed(self, index: int, text: str) -> Iterator[Piece]:
        """A page as pieces: a section begins where its title stands on the page, else at the top."""
        marks = self._bookmarks.get(index, ())
        lines = f"{text}\n\n".splitlines(keepends=True)
        titles = _titles(lines) if marks else {}
        start = 0
        for level, title in marks:
            at = next((at for at in titles.get(_essence(title), ()) if at >= start), start)
            if at > start:
                yield self._piece(index, lines[start:at])
                start = at
            self._outline.enter(level, title)
        yield self._piece(index, lines[start:])

    def _piece(self, index: int, lines: list[str]) -> Piece:
        return Piece("".join(lines), index + 1, None, self._outline.path, None, self.facts)


def _titles(lines: list[str]) -> dict[str, list[int]]:
    """Where on a page each line, and the few lines from there on, stand."""
    found: dict[str, list[int]] = {}
    for at in range(min(len(lines), _MOST_LINES)):
        for end in range(at + 1, min(at + _LONGEST_TITLE_LINES, len(lines)) + 1):
            title = " ".join(line[: 2 * LONGEST_TITLE] for line in lines[at:end])
            found.setdefault(_essence(title), []).append(at)
    found.pop("", None)
    return found


def _essence(title: str) -> str:
    """What stays the same of a title that is spaced or numbered otherwise."""
    return _NO_LETTERS.sub("", _NUMBERING.sub("", title)).casefold()


class _Pictures:
    """The pages that are only pictures: read where there is text recognition, else counted and told of."""

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        self._file = file
        self._reading = reading
        self._count = 0
        self._failed: list[str] = []

    def read(self, index: int) -> Generator[Piece, None, str]:
        """The text of such a page."""
        self._count += 1
        if isinstance(self._reading.ocr, str):
            return ""
        try:
            return (yield from self._reading.ocr.page(self._file, index))
        except Unread as error:
            self._failed.append(f"page {index + 1} {error}")
            return ""

    def tell(self, pages: int) -> None:
        """Note what of the document was not read."""
        if isinstance(self._reading.ocr, str) and self._count:
            self._reading.note(
                f"{self._count} of its {pages} pages are only pictures and were not read. {self._reading.ocr}"
            )
        elif self._failed:
            self._reading.note(
                f"{len(self._failed)} of its {pages} pages are only pictures and could not be read:"
                f" {self._failed[0]}"
            )

    def nothing(self, pages: int) -> Rejected:
        """The error for a document of which nothing was read."""
        if not self._count:
            return Rejected(f"the PDF has no text: its {pages} page(s) are blank", "Drop it when it has text.")
        if isinstance(self._reading.ocr, str):
            return Rejected(
                f"the PDF has no text: {self._count} of its {pages} page(s) are only pictures",
                f"{self._reading.ocr} Or run text recognition over it (ocrmypdf, for one) and drop the result"
                " again.",
            )
        why = f"; {self._failed[0]}" if self._failed else ""
        return Rejected(
            f"the PDF has no text: {self._count} of its {pages} page(s) are only pictures in which text"
            f" recognition finds none{why}",
            "If there is text in them, see ocr.languages, or make the pictures sharper, and drop it again.",
        )


def _pages(file: BinaryIO) -> Iterator[tuple[_Page, str]]:
    typeset = Typeset()
    number, pages = 0, 1
    while number < pages:
        document = _open(file)
        try:
            pages, notes = len(document), 0
            for number in range(number, min(number + _REOPEN, pages)):  # noqa: B020
                text, (written, count, unread), picture = _read(document, number)
                notes += count
                yield _Page(number, written, unread, picture), typeset.mend(text)
                if notes > _MOST_NOTES:
                    break
        finally:
            document.close()
        number += 1


def warm() -> None:
    """Have PDFium load its fonts and tables."""
    document = pdfium.PdfDocument.new()
    try:
        document.new_page(100, 100)
        _read(document, 0)
    finally:
        document.close()


def _check_end(file: BinaryIO) -> None:
    """PDFium repairs a file whose end is missing, with as many pages as it finds: half a document, silently."""
    size = file.seek(0, os.SEEK_END)
    tail = b""
    while size and not tail:  # padding behind the end is common
        start = max(0, size - _TAIL)
        file.seek(start)
        tail = file.read(size - start).rstrip(b"\0 \t\r\n")
        size = start
    file.seek(max(0, size + len(tail) - _TAIL))
    if b"%%EOF" not in file.read(_TAIL) and b"startxref" not in tail:
        raise Rejected(_TRUNCATED, _REPAIR)


def _open(file: BinaryIO) -> pdfium.PdfDocument:
    # By descriptor, since by now another file may go by the name; and by the raw call, since the helper
    # resolves the link to that name.
    handle = pdfium_c.FPDF_LoadDocument(f"/proc/self/fd/{file.fileno()}".encode() + b"\0", None)
    if handle:
        document = pdfium.PdfDocument(handle)
        if len(document):
            return document
        document.close()
        raise Rejected("the PDF has no pages", _REPAIR)
    code = pdfium_c.FPDF_GetLastError()
    if code == pdfium_c.FPDF_ERR_FILE:
        raise OSError(f"PDFium could not read the file of descriptor {file.fileno()}")
    if code in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY):
        raise Rejected(
            "the PDF is encrypted and needs a password",
            "Remove the password (`qpdf --decrypt --password=... IN.pdf OUT.pdf`, or print it to a new PDF "
            "from a viewer) and drop the result again.",
        )
    raise Rejected(_DAMAGED, _REPAIR)


def _read(document: pdfium.PdfDocument, number: int) -> tuple[str, tuple[str, int, int], bool]:
    """Of a page its text, what was written on it afterwards, and whether it has things on it but no text."""
    try:
        page = document[number]
        try:
            text = page.get_textpage()
            try:
                found = str(text.get_text_bounded())
            finally:
                text.close()
            picture = (not found or found.isspace()) and pdfium_c.FPDFPage_CountObjects(page) > 0
            return found, form(page), picture
        finally:
            page.close()
    except pdfium.PdfiumError:
        raise Rejected(f"{_DAMAGED}: page {number + 1} of {len(document)} cannot be read", _REPAIR) from None

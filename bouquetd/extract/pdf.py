"""PDF: the text of each page, through PDFium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from bouquetd.errors import Rejected
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

_REOPEN = 200
"""Pages after which the document is opened anew: PDFium keeps what it has parsed (measured over 7,000 pages:
78 MB in one go, 36 MB this way)."""

_TAIL = 2048  # bytes; the specification wants the end mark in the last 1,024

_REPAIR = (
    "Open it in a viewer; if it opens, print or export it to a new PDF, else get it again. Then drop it again."
)
_TRUNCATED = "the PDF is truncated: its end is missing"
_DAMAGED = "the PDF is damaged"


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:  # noqa: ARG001
    """The text page by page, ``Piece.page`` counting from 1.

    Raises Rejected when it needs a password, is truncated or damaged, or has no text at all.
    """
    _check_end(file)
    found = False
    number, pages = 0, 1
    while number < pages:
        document = _open(file)
        try:
            pages = len(document)
            for number in range(number, min(number + _REOPEN, pages)):  # noqa: B020
                text = _page_text(document, number)
                found = found or not (not text or text.isspace())
                yield Piece(text + "\n\n", page=number + 1)
        finally:
            document.close()
        number += 1
    if not found:
        raise Rejected(
            f"the PDF has no text: its {pages} page(s) hold only pictures",
            "Run text recognition over it (ocrmypdf, for one) and drop the result again.",
        )


def warm() -> None:
    """Have PDFium load its fonts and tables."""
    document = pdfium.PdfDocument.new()
    try:
        document.new_page(100, 100)
        _page_text(document, 0)
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


def _page_text(document: pdfium.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        try:
            text = page.get_textpage()
            try:
                return str(text.get_text_bounded())
            finally:
                text.close()
        finally:
            page.close()
    except pdfium.PdfiumError:
        raise Rejected(f"{_DAMAGED}: page {number + 1} of {len(document)} cannot be read", _REPAIR) from None

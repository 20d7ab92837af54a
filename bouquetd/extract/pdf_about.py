"""What a PDF says of itself beside its pages: title, author and dates, the bookmarks, the fields of its forms.

All of it comes through PDFium's plain calls, which hand out texts of any length: what is longer than anybody
would write is passed over.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from bouquetd.extract.outline import DEEPEST
from bouquetd.model import Facts

MOST_BOOKMARKS = 5_000
_MOST_VISITS = 50_000_000  # of pages, in search of where bookmarks lead
MOST_FIELDS = 2_000
"""Notes, links and fields of one page that are looked at."""

_LONGEST = 8 * 1024  # bytes
_LONGEST_VALUE = 64 * 1024
_MOST_KEYWORDS = 50
_LONGEST_FACT = 500  # characters

_DATE = re.compile(
    r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*(?:Z|([+-])(\d\d)'?(\d\d)?)?", re.ASCII
)
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?![A-Za-z])")
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff]+")

Bookmarks = dict[int, list[tuple[int, str]]]
"""By the index of the page they lead to, level (from 1) and title of each, in their order."""


def facts(document: pdfium.PdfDocument) -> Facts:
    """Title, author, language, dates and keywords as the document has them."""

    def meta(tag: str) -> str:
        return _text(lambda buffer, size: pdfium_c.FPDF_GetMetaText(document, tag.encode(), buffer, size))

    language = _LANGUAGE.match(
        _text(lambda buffer, size: pdfium_c.FPDFCatalog_GetLanguage(document, buffer, size))
    )
    keywords = (word.strip() for word in re.split(r"[;,]", meta("Keywords")))
    return Facts(
        title=meta("Title")[:_LONGEST_FACT] or None,
        author=meta("Author")[:_LONGEST_FACT] or None,
        language=language[1].lower() if language else None,
        created_at=_seconds(meta("CreationDate")),
        modified_at=_seconds(meta("ModDate")),
        keywords=tuple([word[:_LONGEST_FACT] for word in keywords if word][:_MOST_KEYWORDS]),
    )


def bookmarks(document: pdfium.PdfDocument) -> Bookmarks:
    """Where the sections begin. None is followed twice, nor too deep."""
    found: Bookmarks = {}
    most = min(MOST_BOOKMARKS, _MOST_VISITS // max(1, len(document)))
    for number, (bookmark, level) in enumerate(_walk(document)):
        if number >= most:
            break
        page = _page_of(document, bookmark)
        if page is not None and (title := _title(bookmark)):
            found.setdefault(page, []).append((level, title))
    return found


def form(page: pdfium.PdfPage) -> tuple[str, int, int]:
    """What was written on a page afterwards: fields of a form that are filled in, and remarks set in type.

    A line for each, with the name of the field where that was meant to be read; and how many notes, links and
    fields were looked at, and how many were not. PDFium's own forms are left alone: for thousands of fields
    they take minutes.
    """
    lines: list[str] = []
    there = pdfium_c.FPDFPage_GetAnnotCount(page)
    count = min(there, MOST_FIELDS)
    for index in range(count):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            line = _written(annotation)
        finally:
            pdfium_c.FPDFPage_CloseAnnot(annotation)
        if line:
            lines.append(line)
    return "\n".join(lines), count, there - count


def _written(annotation: Any) -> str:
    def string(key: bytes) -> str:
        return _text(
            lambda buffer, size: pdfium_c.FPDFAnnot_GetStringValue(annotation, key, buffer, size),
            _LONGEST_VALUE,
        )

    subtype = pdfium_c.FPDFAnnot_GetSubtype(annotation)
    if subtype == pdfium_c.FPDF_ANNOT_FREETEXT:
        return string(b"Contents")
    if subtype != pdfium_c.FPDF_ANNOT_WIDGET:
        return ""
    kind, name = string(b"FT"), string(b"TU")
    if kind == "Btn":  # boxes: what is ticked says something by its name only
        state = string(b"AS")
        return f"{name}: {state}" if name and state not in ("", "Off") else ""
    value = string(b"V")
    return f"{name}: {value}" if name and value else value


# -- bookmarks --------------------------------------------------------------------------------------------


def _walk(document: pdfium.PdfDocument) -> Iterator[tuple[Any, int]]:
    """Each bookmark once, in the order in which they are read, with its level."""
    seen: set[int] = set()
    above = [pdfium_c.FPDFBookmark_GetFirstChild(document, None)]  # one for each level: the next one there
    while above:
        bookmark = above[-1]
        if not bookmark or (address := ctypes.addressof(bookmark.contents)) in seen:
            above.pop()
            continue
        seen.add(address)
        yield bookmark, len(above)
        above[-1] = pdfium_c.FPDFBookmark_GetNextSibling(document, bookmark)
        if len(above) < DEEPEST:
            above.append(pdfium_c.FPDFBookmark_GetFirstChild(document, bookmark))


def _title(bookmark: Any) -> str:
    return _text(lambda buffer, size: pdfium_c.FPDFBookmark_GetTitle(bookmark, buffer, size))


def _page_of(document: pdfium.PdfDocument, bookmark: Any) -> int | None:
    destination = pdfium_c.FPDFBookmark_GetDest(document, bookmark)
    if not destination:
        action = pdfium_c.FPDFBookmark_GetAction(bookmark)
        if not action or pdfium_c.FPDFAction_GetType(action) != pdfium_c.PDFACTION_GOTO:
            return None
        destination = pdfium_c.FPDFAction_GetDest(document, action)
    page = int(pdfium_c.FPDFDest_GetDestPageIndex(document, destination)) if destination else -1
    return page if page >= 0 else None


# -- texts ------------------------------------------------------------------------------------------------


def _text(call: Callable[[Any, int], int], longest: int = _LONGEST) -> str:
    """On one line what a call of PDFium's writes into a buffer, in UTF-16; nothing where that is too long."""
    size = call(None, 0)
    if not 2 < size <= longest:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    call(buffer, size)
    text = bytes(buffer)[:-2].decode("utf-16-le", "replace")
    return " ".join(unicodedata.normalize("NFC", _UNPRINTED.sub(" ", text)).split())


def _seconds(date: str) -> float | None:
    """``D:20240229153000+01'00'`` in seconds since the epoch; what is left out of it is the first, or UTC."""
    if not (match := _DATE.match(date)):
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    sign, hours, minutes = match.groups()[6:]
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    with suppress(ValueError, OverflowError):
        moment = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=UTC)
        return (moment + offset if sign == "-" else moment - offset).timestamp()
    return None

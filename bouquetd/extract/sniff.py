"""What kind of file it is: its content decides, and its suffix where content cannot."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract import docx, epub, mail, odf, package, picture, pptx, xlsx
from bouquetd.extract.encoding import SAMPLE, head_text, looks_binary, marked, read, wide
from bouquetd.model import printable

TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/x-ndjson"
NOTEBOOK = "application/x-ipynb+json"
XML = "application/xml"
PDF = "application/pdf"
MAIL = "message/rfc822"
MAILBOX = "application/mbox"
RTF = "application/rtf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"

_BY_SUFFIX = {
    ".md": MARKDOWN, ".markdown": MARKDOWN,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".csv": CSV, ".tsv": TSV, ".tab": TSV,
    ".json": JSON, ".geojson": JSON, ".jsonl": JSONL, ".ndjson": JSONL, ".ipynb": NOTEBOOK,
    ".xml": XML,
}  # fmt: skip

# Pictures that may begin as a text does, and the suffixes by which they are believed.
_LIKE_TEXT = {picture.GIF: (".gif",), picture.PNM: (".pnm", ".ppm", ".pgm", ".pbm")}

_PACKAGES = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "META-INF/MANIFEST.MF": "a Java archive (.jar)",
    "AndroidManifest.xml": "an Android app (.apk)",
    "Index/Document.iwa": "a document of Apple's (.pages, .numbers, .key)",
}
_UNPACK = "Save or export it as .docx, .pdf, .html, .csv or .txt, or unpack it, and drop the result again."

_HTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)
_JSON_START = re.compile(r'\s*(?:["{\[]|-?\d|true\b|false\b|null\b)')

# Kinds that people drop and that would be gibberish as text.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.doc, .xls, .ppt), or one with a password",
     "Save it without a password as .docx or .pdf"),
    (b"%!PS", "a PostScript file", "Convert it to PDF (ps2pdf, for one)"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it"),
    (b"BZh", "a bzip2 archive", "Unpack it"),
    (b"\xfd7zXZ\0", "an xz archive", "Unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive", "Unpack it"),
    (b"SQLite format 3\0", "an SQLite database", "Export its tables as .csv"),
    (b"\x7fELF", "a program", "Drop documents only"),
)  # fmt: skip


def media_type(file: BinaryIO, name: str) -> str:
    """The media type of a file, which is left at offset 0. ``name`` may be a path; only its suffix is used.

    Raises Rejected for an empty file and for one of a kind that bouquetd does not read.
    """
    file.seek(0)
    head = read(file, SAMPLE)
    try:
        return _judge(file, head, os.path.splitext(name)[1].lower())
    finally:
        file.seek(0)


def _judge(file: BinaryIO, head: bytes, suffix: str) -> str:
    if not head:
        raise Rejected("the file is empty", "Drop it again when it has content.")
    binary = not marked(head) and not wide(head) and looks_binary(head)
    pdf = head.find(b"%PDF-", 0, 1024)
    if pdf == 0 or (pdf > 0 and (binary or suffix == ".pdf")):  # else a text that speaks of PDF
        return PDF
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _package_type(file)
    if head.startswith(b"{\\rtf"):
        return RTF
    shown = picture.kind_of(head)
    if shown and (binary or shown not in _LIKE_TEXT or suffix in _LIKE_TEXT[shown]):
        return shown
    if mail.is_mailbox(head):
        return MAILBOX
    if mail.is_mail(head) or (suffix == ".eml" and mail.begins_with_header(head)):
        return MAIL
    for magic, kind, remedy in _FOREIGN:
        if head.startswith(magic) and (binary or not magic.isascii() or magic == b"%!PS"):
            raise Rejected(
                f"it is {kind}, which bouquetd does not read", f"{remedy}, and drop the result again."
            )
    if binary:
        raise Rejected(
            "it looks binary: too many of its bytes are control characters",
            "Save or export it as .txt, .md, .html, .pdf, .docx, .csv or .json, and drop the result again.",
        )
    return _text_type(head_text(head[:4096]), suffix)


def _package_type(file: BinaryIO) -> str:
    """Which kind of ZIP it is, by the files in it. Raises Rejected, saying what it is, for the others."""
    names = package.names(file)
    if "[Content_Types].xml" in names:
        if any(map(docx.MAIN.fullmatch, names)):
            return DOCX
        for main, kind in ((pptx.MAIN, PPTX), (xlsx.MAIN, XLSX)):
            if main in names:
                return kind
    said = package.declared(file)
    if odf.MAIN in names and said.startswith("application/vnd.oasis.opendocument"):
        return next((kind for kind in (ODS, ODP) if said.startswith(kind)), ODT)
    if epub.MAIN in names and (said == EPUB or any(name.endswith(".opf") for name in names)):
        return EPUB
    for name, what in _PACKAGES.items():
        if name in names:
            raise Rejected(f"it is {what}, which bouquetd does not read", _UNPACK)
    shown = ", ".join(printable(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    raise Rejected(
        f"it is a ZIP that is no document; it holds {len(names)} file(s): {shown or 'none'}", _UNPACK
    )


def _text_type(start: str, suffix: str) -> str:
    by_suffix = _BY_SUFFIX.get(suffix, TEXT)
    if _HTML_START.match(start):
        return HTML
    if by_suffix in (JSON, JSONL, NOTEBOOK) and not _JSON_START.match(start):
        return TEXT
    return by_suffix

"""What kind of file it is: its content decides, and its suffix where content cannot."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract.docx import check
from bouquetd.extract.encoding import SAMPLE, head_text, looks_binary, marked, read, wide

TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/x-ndjson"
XML = "application/xml"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_BY_SUFFIX = {
    ".md": MARKDOWN, ".markdown": MARKDOWN,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".csv": CSV, ".tsv": TSV, ".tab": TSV,
    ".json": JSON, ".geojson": JSON, ".jsonl": JSONL, ".ndjson": JSONL,
    ".xml": XML,
}  # fmt: skip

_HTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)
_JSON_START = re.compile(r'\s*(?:["{\[]|-?\d|true\b|false\b|null\b)')

# Kinds that people drop and that would be gibberish as text.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.doc, .xls, .ppt), or one with a password",
     "Save it without a password as .docx or .pdf"),
    (b"{\\rtf", "an RTF document", "Save it as .docx or .txt"),
    (b"%!PS", "a PostScript file", "Convert it to PDF (ps2pdf, for one)"),
    (b"\x89PNG\r\n", "a PNG picture", "Turn it into a PDF with text recognition"),
    (b"\xff\xd8\xff", "a JPEG picture", "Turn it into a PDF with text recognition"),
    (b"GIF8", "a GIF picture", "Turn it into a PDF with text recognition"),
    (b"II*\0", "a TIFF picture", "Turn it into a PDF with text recognition"),
    (b"MM\0*", "a TIFF picture", "Turn it into a PDF with text recognition"),
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
        check(file)
        return DOCX
    for magic, kind, remedy in _FOREIGN:
        if head.startswith(magic) and (binary or not magic.isascii() or magic in (b"{\\rtf", b"%!PS")):
            raise Rejected(
                f"it is {kind}, which bouquetd does not read", f"{remedy}, and drop the result again."
            )
    if binary:
        raise Rejected(
            "it looks binary: too many of its bytes are control characters",
            "Save or export it as .txt, .md, .html, .pdf, .docx, .csv or .json, and drop the result again.",
        )
    return _text_type(head_text(head[:4096]), suffix)


def _text_type(start: str, suffix: str) -> str:
    by_suffix = _BY_SUFFIX.get(suffix, TEXT)
    if _HTML_START.match(start):
        return HTML
    if by_suffix in (JSON, JSONL) and not _JSON_START.match(start):
        return TEXT
    return by_suffix

"""What kind of file it is: its content decides, and its suffix where content cannot."""

from __future__ import annotations

import os
import re
import uuid
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract import archive, docx, epub, mail, odf, ole, package, picture, pptx, suffixes, xlsx
from bouquetd.extract.encoding import SAMPLE, head_text, looks_binary, marked, plain, read, wide
from bouquetd.model import printable

TEXT = "text/plain"
MARKDOWN = "text/markdown"
RST = "text/x-rst"
ASCIIDOC = "text/asciidoc"
ORG = "text/x-org"
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
ODG = "application/vnd.oasis.opendocument.graphics"
FODT = f"{ODT}-flat-xml"
FODS = f"{ODS}-flat-xml"
FODP = f"{ODP}-flat-xml"
EPUB = "application/epub+zip"
ZIP = "application/zip"
TAR = "application/x-tar"
"""Packed by gzip, bzip2 or xz, or not."""

_COMPRESSED = {
    b"\x1f\x8b": "application/gzip",
    b"BZh": "application/x-bzip2",
    b"\xfd7zXZ\0": "application/x-xz",
}
GZIP, BZIP2, XZ = _COMPRESSED.values()
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
MSG = "application/vnd.ms-outlook"

_BY_SUFFIX = {
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".rst": RST, ".rest": RST,
    ".adoc": ASCIIDOC, ".asciidoc": ASCIIDOC, ".org": ORG,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".csv": CSV, ".tsv": TSV, ".tab": TSV,
    ".json": JSON, ".geojson": JSON, ".jsonl": JSONL, ".ndjson": JSONL, ".ipynb": NOTEBOOK,
    ".xml": XML, ".svg": XML,
}  # fmt: skip

_DATA = frozenset((CSV, TSV, JSON, JSONL, XLSX, ODS)) | suffixes.TEXTS - {suffixes.TEX}
# Pictures that may begin as a text does, and the suffixes by which they are believed.
_LIKE_TEXT = {picture.GIF: (".gif",), picture.PNM: (".pnm", ".ppm", ".pgm", ".pbm")}

# Nobody gives these to a text; a file of such a name that is not of such a kind is what is left of one.
_NEVER_TEXT = frozenset(
    ".pdf .docx .docm .pptx .pptm .xlsx .xlsm .odt .ods .odp .epub .msg .zip .gz .tgz .bz2 .xz .tar"
    " .png .jpg .jpeg .gif .tif .tiff .bmp .webp".split()
)

# What a ZIP is that is no archive to people, by a file in it, and what to do about it.
_APPLE = (
    "a document of Apple's iWork (.pages, .numbers, .key)",
    "Export it there as PDF, Word, Excel or PowerPoint",
)
_PACKAGES = {
    "xl/workbook.bin": ("a binary Excel workbook (.xlsb)", "Save it as .xlsx or .csv"),
    "META-INF/MANIFEST.MF": ("a Java archive (.jar)", "If there are documents in it, unpack them"),
    "AndroidManifest.xml": ("an Android app (.apk)", "If there are documents in it, unpack them"),
    "Index/Document.iwa": _APPLE,
    "Metadata/BuildVersionHistory.plist": _APPLE,
    "buildVersionHistory.plist": _APPLE,
}

# What a compound file is, by a stream or storage in it; the first that fits.
_COMPOUNDS = {
    "encryptedpackage": "a Word, Excel or PowerPoint document that is protected by a password",
    "\tdrmcontent": "an Office document that is protected by a rights management",
    "__properties_version1.0": MSG,
    "worddocument": DOC,
    "workbook": XLS,
    "book": XLS,
    "powerpoint document": PPT,
    "pp40": "a presentation of PowerPoint 4 or 95",
    "visiodocument": "a drawing of Visio",
    "quill": "a publication of Publisher",
    "matost": "a document of Works",
    "wksssworkbook": "a sheet of Works",
    "catalog": "a collection of thumbnails (Thumbs.db)",
    "   114": "a plan of Project",
    "hwpsummaryinformation": "a document of Hangul (.hwp)",
    "\5hwpsummaryinformation": "a document of Hangul (.hwp)",
    "starwriterdocument": "a document of StarOffice",
    "starcalcdocument": "a sheet of StarOffice",
    "stardrawdocument": "a presentation of StarOffice",
    "stardrawdocument3": "a presentation of StarOffice",
    "_vba_project_cur": "a collection of macros",
    "vba": "a collection of macros",
    "destlist": "a list of what was opened (.automaticDestinations-ms)",
    "stickynotes.snt": "a collection of sticky notes",
}
_INSTALLERS = ("000c1084", "000c1086")  # how the class of a Windows installer's package and patch begins

_FLAT = {"text": FODT, "spreadsheet": FODS, "presentation": FODP}
_HTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*)*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)
_XML_START = re.compile(
    r"\s*(?:<\?xml\s|(?:<!--.*?-->\s*)*(?:<!DOCTYPE\s+[\w:]|<(?:svg|rss|feed)\s|<[\w.:-]+\s[^<>]*?\bxmlns\b))",
    re.S,
)
_JSON_START = re.compile(r'\s*(?:["{\[]|-?\d|true\b|false\b|null\b)')

_ANEW = "or pack what is in it as .zip or .tar.gz"
# Kinds that people drop and that would be gibberish as text.
_FOREIGN = (
    (b"\xdb\xa5", "a document of Word 2", "Save it as .docx or .pdf"),
    (b"\x9b\xa5", "a document of Word 1", "Save it as .docx or .pdf"),
    (b"\xdc\xa5", "a document of Word 6 without its container", "Save it as .docx or .pdf"),
    (b"\xfe7\0", "a document of Word for the Macintosh, 5 or older", "Save it as .docx or .pdf"),
    (b"1\xbe\0\0", "a document of Word for DOS or of Write", "Save it as .docx or .pdf"),
    (b"2\xbe\0\0", "a document of Write", "Save it as .docx or .pdf"),
    (b"\t\0\4\0", "a sheet of Excel 2", "Save it as .xlsx or .csv"),
    (b"\t\2\6\0", "a sheet of Excel 3", "Save it as .xlsx or .csv"),
    (b"\t\4\6\0", "a sheet of Excel 4", "Save it as .xlsx or .csv"),
    (b"\t\x08\x08\0", "a workbook of Excel 5 without its container", "Save it as .xlsx or .csv"),
    (b"\xffWPC", "a document of WordPerfect", "Save it as .docx or .pdf"),
    (b"\0\0\2\0\6\4", "a sheet of Lotus 1-2-3", "Save it as .xlsx or .csv"),
    (b"\0\0\x1a\0\0\x10", "a sheet of Lotus 1-2-3", "Save it as .xlsx or .csv"),
    (b"%!PS", "a PostScript file", "Convert it to PDF (ps2pdf, for one)"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", f"Unpack it (`zstd -d`, of a TAR `tar --zstd -xf`), {_ANEW}"),
    (b"\x04\x22\x4d\x18", "packed by LZ4", f"Unpack it (`lz4 -d`), {_ANEW}"),
    (b"LZIP\1", "packed by lzip", f"Unpack it (`lzip -d`, of a TAR `tar --lzip -xf`), {_ANEW}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", f"Unpack it (`7z x`), {_ANEW}"),
    (b"Rar!\x1a\x07", "a RAR archive", f"Unpack it (`unrar x` or `7z x`), {_ANEW}"),
    (b"MSCF\0\0\0\0", "a cabinet of Windows (.cab)", f"Unpack it (`cabextract`), {_ANEW}"),
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


def prose(media_type: str) -> bool:
    """Whether a file of this type holds sentences, and so is in some language: no data, no source code."""
    return media_type not in _DATA


def _judge(file: BinaryIO, head: bytes, suffix: str) -> str:
    if not head:
        raise Rejected("the file is empty", "Drop it again when it has content.")
    binary = not marked(head) and not wide(head) and looks_binary(head)
    pdf = head.find(b"%PDF-", 0, 1024)
    if pdf == 0 or (pdf > 0 and (binary or suffix == ".pdf")):  # else a text that speaks of PDF
        return PDF
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _package_type(file)
    for magic, kind in _COMPRESSED.items():
        if head.startswith(magic) and (binary or not magic.isascii()):
            return TAR if archive.is_tape(archive.begins(file)) else kind
    if binary and archive.is_tape(head):
        return TAR
    if head.startswith(ole.MAGIC):
        return _compound_type(file)
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
    if suffix in _NEVER_TEXT and not plain(head):
        raise Rejected(
            f"it is called {suffix} but does not begin as such a file does, nor is it text: it is damaged, or"
            " something else",
            "See that it opens where it came from, and drop it again from there.",
        )
    return _text_type(head_text(head[:4096]), suffix)


def _package_type(file: BinaryIO) -> str:
    """Which kind of ZIP it is, by the files in it. Raises Rejected for one that nobody reads."""
    names = package.names(file)
    if "[Content_Types].xml" in names:
        if any(map(docx.MAIN.fullmatch, names)):
            return DOCX
        for main, kind in ((pptx.MAIN, PPTX), (xlsx.MAIN, XLSX)):
            if main in names:
                return kind
    said = package.declared(file)
    if said.startswith("application/vnd.oasis.opendocument"):
        if odf.SEALED in names:
            raise package.encrypted("OpenDocument file")
        if odf.MAIN in names:
            return next((kind for kind in (ODS, ODP, ODG) if said.startswith(kind)), ODT)
    if epub.MAIN in names and (said == EPUB or any(name.endswith(".opf") for name in names)):
        return EPUB
    for name, (what, remedy) in _PACKAGES.items():
        if name in names:
            raise Rejected(
                f"it is {what}, which bouquetd does not read", f"{remedy}, and drop the result again."
            )
    return ZIP


def _compound_type(file: BinaryIO) -> str:
    """Which kind of compound file it is. Raises Rejected, saying what it is, for the others."""
    with ole.opened(file, "Office document", "Get the file again, and drop it again.") as compound:
        names = compound.children(compound.root)
        what = next((what for name, what in _COMPOUNDS.items() if name in names), None)
        if what is None and uuid.UUID(bytes_le=compound.root.class_id).hex.startswith(_INSTALLERS):
            what = "a package of the Windows installer (.msi)"
    if what in (DOC, XLS, PPT, MSG):
        return what
    if what is not None:
        remedy = (
            "Open it, save it without a password, " if "protected" in what else "Save it as .docx or .pdf, "
        )
        raise Rejected(f"it is {what}, which bouquetd does not read", f"{remedy}and drop the result again.")
    shown = [printable(entry.name) for entry in names.values()]
    raise Rejected(
        f"it is a compound file (OLE) of an unknown program; it holds {', '.join(shown[:3]) or 'nothing'}"
        + (", ..." if len(shown) > 3 else ""),
        "Save or export it as .docx, .pdf, .html, .csv or .txt, and drop the result again.",
    )


def _text_type(start: str, suffix: str) -> str:
    by_suffix = _BY_SUFFIX.get(suffix) or suffixes.media_type(start, suffix) or TEXT
    if _HTML_START.match(start):
        return HTML
    if flat := odf.FLAT.match(start):
        return _FLAT.get(flat[1], by_suffix)
    if by_suffix == TEXT and _XML_START.match(start):
        return XML
    if by_suffix in (JSON, JSONL, NOTEBOOK) and not _JSON_START.match(start):
        return TEXT
    return by_suffix

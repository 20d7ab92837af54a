"""From a file to its text: which kind it is, and an extractor for each kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import BinaryIO, Protocol

from bouquetd.errors import Rejected
from bouquetd.extract import (
    archive,
    doc,
    docx,
    epub,
    headed,
    html,
    json_,
    language,
    mail,
    markdown,
    msg,
    notebook,
    odf,
    picture,
    ppt,
    pptx,
    rst,
    rtf,
    sniff,
    suffixes,
    table,
    text,
    xls,
    xlsx,
    xml_,
)
from bouquetd.extract.clean import clean
from bouquetd.extract.encoding import SAMPLE, read
from bouquetd.extract.packed import Member, Unpacker
from bouquetd.extract.plugins import Plugin
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import MB, Piece

__all__ = ["EXTRACTORS", "UNPACKERS", "Extractor", "Reading", "extract", "load", "media_type", "memory"]


class Extractor(Protocol):
    """One family of formats. Pieces come raw, each about as large as a read; ``extract`` cleans and cuts them.

    It reads from the start of the file, as much at a time and as far as ``reading`` says, raises Rejected,
    perhaps half-way, for what it cannot read, and lets OSError pass.
    """

    def __call__(self, file: BinaryIO, reading: Reading) -> Iterator[Piece]:
        """The text of the file."""


def _pdf(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    from bouquetd.extract import pdf

    return pdf.extract(file, reading)


EXTRACTORS: dict[str, Extractor] = {
    sniff.TEXT: text.extract,
    **dict.fromkeys(suffixes.TEXTS, text.extract),
    sniff.MARKDOWN: markdown.extract,
    sniff.RST: rst.extract,
    sniff.ASCIIDOC: headed.extract_asciidoc,
    sniff.ORG: headed.extract_org,
    sniff.XML: xml_.extract,
    sniff.HTML: html.extract,
    sniff.CSV: table.extract,
    sniff.TSV: table.extract,
    sniff.JSON: json_.extract,
    sniff.JSONL: json_.extract_lines,
    sniff.NOTEBOOK: notebook.extract,
    sniff.PDF: _pdf,
    sniff.MAIL: mail.extract,
    sniff.MAILBOX: mail.extract_mailbox,
    sniff.RTF: rtf.extract,
    sniff.DOCX: docx.extract,
    sniff.PPTX: pptx.extract,
    sniff.XLSX: xlsx.extract,
    sniff.ODT: odf.extract,
    sniff.ODP: odf.extract,
    sniff.ODG: odf.extract,
    sniff.ODS: odf.extract_sheets,
    sniff.FODT: odf.extract_flat,
    sniff.FODP: odf.extract_flat,
    sniff.FODS: odf.extract_flat_sheets,
    sniff.EPUB: epub.extract,
    sniff.DOC: doc.extract,
    sniff.XLS: xls.extract,
    sniff.PPT: ppt.extract,
    sniff.MSG: msg.extract,
    **dict.fromkeys(picture.KINDS, picture.extract),
}


PLAIN_TEXT = 16 * MB
"""Bytes up to which a text is no bomb, however small the file is that it comes of."""

UNPACKERS: dict[str, Unpacker] = {
    sniff.ZIP: archive.zipped,
    sniff.TAR: archive.taped,
    sniff.GZIP: archive.single,
    sniff.BZIP2: archive.single,
    sniff.XZ: archive.single,
    sniff.MAIL: mail.members,
    sniff.MAILBOX: mail.members_of_mailbox,
    sniff.MSG: msg.members,
}
"""What has files packed in it. Archives have no text of their own; mails have."""


def media_type(file: BinaryIO, name: str, plugins: Sequence[Plugin] = ()) -> str:
    """The media type of a file, which is left at offset 0; the plug-ins are asked first, in their order.

    Raises Rejected for an empty file and for one of a kind that nobody reads.
    """
    if plugins:
        file.seek(0)
        head = read(file, SAMPLE)
        for plugin in plugins:
            if head and plugin.claims(head, os.path.basename(name)):
                file.seek(0)
                return plugin.media_type
    return sniff.media_type(file, name)


def memory(media_type: str, size: int, plugins: Sequence[Plugin] = ()) -> int:
    """Bytes of RSS that a file of a type and a size takes at most while it is read; 0 for what streams.

    Of bouquetd's own formats all but notebooks do. A plug-in that reads files whole has a function ``memory``
    that says how much.
    """
    for plugin in plugins:
        if plugin.media_type == media_type and hasattr(plugin, "memory"):
            return int(plugin.memory(size))
    return notebook.memory(size) if media_type == sniff.NOTEBOOK else 0


def has_text(media_type: str, plugins: Sequence[Plugin] = ()) -> bool:
    """Whether files of a type have text of their own, beside what is packed in them."""
    return media_type in EXTRACTORS or not may_hold(media_type, plugins)


def may_hold(media_type: str, plugins: Sequence[Plugin] = ()) -> bool:
    """Whether something may be packed in files of a type."""
    return media_type in UNPACKERS and _foreign(media_type, plugins) is None


def members(
    file: BinaryIO, media_type: str, reading: Reading, plugins: Sequence[Plugin] = ()
) -> Iterator[Member] | None:
    """What is packed in a file; None for a type in which nothing is."""
    return UNPACKERS[media_type](file, reading) if may_hold(media_type, plugins) else None


def extract(
    file: BinaryIO, media_type: str, reading: Reading, *, plugins: Sequence[Plugin] = ()
) -> Iterator[Piece]:
    """The text of a file in pieces of at most ``reading.buffer_size`` bytes of UTF-8, clean and in NFC.

    Empty ones are heartbeats. The text does not depend on how much is read at a time. Raises Rejected, perhaps
    half-way, when the file is not what its media type says, has no text or more of it than the bounds allow;
    OSError passes.
    """
    bounds, size, found = reading.bounds, 0, False
    expanded = max(PLAIN_TEXT, bounds.ratio * file.seek(0, os.SEEK_END))
    file.seek(0)
    pieces = clean(_raw(file, media_type, reading, plugins), reading.buffer_size)
    for piece in language.told(pieces) if sniff.prose(media_type) else pieces:
        found = found or not (not piece.text or piece.text.isspace())
        size += len(piece.text.encode())
        if size > bounds.text:
            raise beyond(f"it has more text than the {bounds.text / MB:g} MB that bounds.text allows", "text")
        if size > expanded:
            raise beyond(f"its text is over {bounds.ratio} times as long as the file (bounds.ratio)", "ratio")
        yield piece
    if not found:
        raise Rejected(
            "there is no text in the file, only white space or markup", "Drop it again when it has text."
        )


def _foreign(media_type: str, plugins: Sequence[Plugin]) -> Plugin | None:
    """The plug-in that reads a type, if there is one."""
    return next((plugin for plugin in plugins if plugin.media_type == media_type), None)


def _raw(file: BinaryIO, media_type: str, reading: Reading, plugins: Sequence[Plugin]) -> Iterator[Piece]:
    if plugin := _foreign(media_type, plugins):
        return plugin.extract(file, read_size=reading.read_size)
    extractor = EXTRACTORS.get(media_type)
    if extractor is None:
        raise Rejected(f"bouquetd does not read files of the type {media_type}", "Convert it to text or PDF.")
    return extractor(file, reading)


@cache
def load(media_type: str) -> None:
    """Load the library behind a type and have it ready, so that this is no part of reading a file.

    Most inboxes see no PDF for days, and PDFium with its fonts takes 4 MB.
    """
    if media_type == sniff.PDF:
        from bouquetd.extract import pdf

        pdf.warm()

"""Pictures: the text in them, recognised by tesseract where it is installed.

Tesseract decodes them itself, in a process of its own. Only their headers are read here, for how large they
are.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import read
from bouquetd.extract.ocr import Unread
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import Piece

PNG = "image/png"
JPEG = "image/jpeg"
GIF = "image/gif"
TIFF = "image/tiff"
BMP = "image/bmp"
WEBP = "image/webp"
PNM = "image/x-portable-anymap"
KINDS = {
    PNG: "a PNG picture", JPEG: "a JPEG picture", GIF: "a GIF picture", TIFF: "a TIFF picture",
    BMP: "a BMP picture", WEBP: "a WebP picture", PNM: "a PNM picture",
}  # fmt: skip

_PNM_HEAD = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_HEAD = 4096
_MOST_SEGMENTS = 10_000  # of a JPEG before its picture
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF
_REMEDY = "Open it in a viewer; if it opens, save it anew as PNG or print it to a PDF, and drop that."

Size = tuple[int, int]


def kind_of(head: bytes) -> str | None:
    """The media type of a picture by its first bytes, as tesseract would judge; none for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith((b"II*\0", b"MM\0*")):
        return TIFF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    return PNM if _PNM_HEAD.match(head) else None


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text, of a TIFF with several pictures page by page, ``Piece.page`` counting from 1.

    Raises Rejected where there is no text recognition, for what is no picture after all, and for one too large.
    """
    file.seek(0)
    head = read(file, _HEAD)
    kind = kind_of(head)
    if kind is None:
        raise Rejected("the picture is damaged: its beginning is not that of one", _REMEDY)
    if isinstance(reading.ocr, str):
        raise Rejected(f"it is {KINDS[kind]}, and there is no text recognition here", reading.ocr)
    try:
        sizes = _tiff_sizes(file, head, reading) if kind == TIFF else [_size(file, head, kind)]
    except (struct.error, ValueError):
        raise Rejected(f"it is {KINDS[kind]} that is damaged: nothing says how large it is", _REMEDY) from None
    most = reading.ocr.most_pixels
    failed: list[str] = []
    for index, (width, height) in enumerate(sizes):
        if width * height > most:
            raise Rejected(
                f"it is {KINDS[kind]} of {width:,} x {height:,} pixels, and there is memory for {most:,}"
                " (ocr.memory)",
                "Make it smaller and drop it again, or raise ocr.memory, restart bouquetd, and run"
                " `bouquetd retry`.",
            )
        page = index + 1 if len(sizes) > 1 else None
        try:
            text = yield from reading.ocr.picture(file, index)
        except Unread as error:
            failed.append(str(error))
        else:
            yield Piece(text + "\n\n", page)
    if len(failed) == len(sizes):
        raise Rejected(
            f"it is {KINDS[kind]} that {failed[0]}",
            "Open it in a viewer; if it opens, save it smaller, as PNG, and drop that, or raise what is named"
            " here, restart bouquetd, and run `bouquetd retry`.",
        )
    if failed:
        reading.note(
            f"{len(failed)} of its {len(sizes)} pages could not be read; the first of them {failed[0]}"
        )


def _size(file: BinaryIO, head: bytes, kind: str) -> Size:
    """Width and height. Raises ``struct.error`` or ``ValueError`` where there are none."""
    if kind == PNG:
        width, height = struct.unpack_from(">II", head, 16)
    elif kind == GIF:
        width, height = struct.unpack_from("<HH", head, 6)
    elif kind == BMP:
        short = int.from_bytes(head[14:18], "little") == _BMP_HEADERS[0]
        width, height = struct.unpack_from("<HH" if short else "<ii", head, 18)
    elif kind == WEBP:
        width, height = _webp_size(head)
    elif kind == JPEG:
        width, height = _jpeg_size(file)
    else:
        match = _PNM_HEAD.match(head)
        width, height = (int(number) for number in match.groups()) if match else (0, 0)
    width, height = abs(width), abs(height)
    if not width or not height:
        raise ValueError("no size")
    return width, height


def _webp_size(head: bytes) -> Size:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(file: BinaryIO) -> Size:
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        while (mark := read(file, 1)) == b"\xff" or not mark:
            if not mark:
                raise ValueError("no frame")
        code, length = mark[0], read(file, 2)
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", read(file, 5), 1)
            return width, height
        file.seek(int.from_bytes(length, "big") - 2, os.SEEK_CUR)
    raise ValueError("no frame")


def _tiff_sizes(file: BinaryIO, head: bytes, reading: Reading) -> list[Size]:
    """Of each picture in a TIFF. Directories that go round in a circle end with the bound of pages."""
    order = "<" if head.startswith(b"II") else ">"
    (offset,) = struct.unpack_from(f"{order}I", head, 4)
    sizes: list[Size] = []
    while offset:
        if len(sizes) >= reading.bounds.pages:
            raise beyond(
                f"it has more than the {reading.bounds.pages:,} pages that bounds.pages allows", "pages"
            )
        file.seek(offset)
        (entries,) = struct.unpack(f"{order}H", read(file, 2))
        directory = read(file, entries * 12)
        found = {}
        for tag, form, _, value in struct.iter_unpack(f"{order}HHI4s", directory):
            if tag in (_WIDTH, _HEIGHT):
                found[tag] = struct.unpack_from(f"{order}H" if form == 3 else f"{order}I", value)[0]
        sizes.append((found.get(_WIDTH, 0), found.get(_HEIGHT, 0)))
        (offset,) = struct.unpack(f"{order}I", read(file, 4))
    if not sizes or not all(width and height for width, height in sizes):
        raise ValueError("no size")
    return sizes

"""Files that are made to do harm, or look as if: each with how it must end.

A reason is a regular expression for why it is refused; none is for one that has to be read. With a ``scale``
over 1 what is refused has its full size, and what is read so many times its smallest: minutes from 10 on.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import samples
from tests.faults import quine
from tests.harness import prose

SECRET = "/etc/hostname"
"""What an external entity asks for; a file that everybody may read."""

LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)
"""A thousand million times the same."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """How to write the file, and why it is refused, if so."""

    write: Callable[[Path], object]
    reason: str | None = None


def made(data: Callable[[], bytes | str]) -> Callable[[Path], object]:
    """Writes what a function makes."""

    def write(path: Path) -> None:
        content = data()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def files(scale: int = 1) -> Mapping[str, Hostile]:
    """All of them by name, in the order in which they are to be dropped."""
    few: dict[str, Hostile] = {
        "bomb.zip": Hostile(made(bomb), r"bounds\.ratio"),
        "nested.zip": Hostile(made(lambda: nested(300)), r"bounds\.depth"),
        "quine.zip": Hostile(made(quine.zipped), r"bounds\.depth"),
        "droste.gz": Hostile(made(quine.gzipped), r"bounds\.depth"),
        "many.zip": Hostile(made(lambda: many(12_000)), r"bounds\.members|far more files"),
        "laughs.xml": Hostile(made(lambda: f"{LAUGHS}<r>&j;</r>"), "document type|entit"),
        "laughs.svg": Hostile(made(lambda: f"{LAUGHS}<svg>&j;</svg>"), "document type|entit"),
        "laughs.docx": Hostile(made(lambda: samples.zip_of({
            "[Content_Types].xml": "<Types/>", "word/document.xml": f"{LAUGHS}<r>&j;</r>",
        })), "document type"),
        "entity.xml": Hostile(made(entity), "document type|entit"),
        "loop.pdf": Hostile(made(looping_pdf), "PDF"),
        "pages.pdf": Hostile(made(lambda: pages(21_000)), r"bounds\.pages"),
        "tree.pdf": Hostile(made(lambda: tree_of_pages(200_000)), "PDF"),
        "outline.pdf": Hostile(made(outline_in_circles)),
        "jpx.pdf": Hostile(made(lambda: jpeg_2000(1_000)), "only pictures"),
        "jbig2.pdf": Hostile(made(lambda: jbig2(1_000)), "only pictures"),
        "deep.json": Hostile(made(lambda: "[" * 1_000_000 + "]" * 1_000_000), r"bounds\.nesting"),
        "deep.html": Hostile(made(lambda: "<html>" + "<div>" * 500_000 + "Deep text." + "</div>" * 500_000)),
        "deep.xml": Hostile(made(lambda: "<?xml version='1.0'?>" + "<a>" * 100_000 + "x"), "nest"),
        "deep.rtf": Hostile(made(lambda: r"{\rtf1 " + "{" * 100_000 + "x" + "}" * 100_001), r"bounds\.nesting"),
        "line.txt": Hostile(made(lambda: "word " * 40_000)),
        "unbroken.txt": Hostile(made(lambda: "x" * 100_000)),
        "lies.pdf": Hostile(made(lambda: prose(2_000))),
        "lies.txt": Hostile(made(lambda: samples.pdf(["A page of a PDF by another name."]))),
        "lies.docx": Hostile(made(lambda: samples.epub(["An e-book by another name."]))),
        "itself.eml": Hostile(made(lambda: attached_to_itself(1_000)), "nested more than 20 deep"),
        "paths.tar": Hostile(made(paths)),
        "cells.xlsx": Hostile(lambda path: cells(path, 40_000)),
        "columns.csv": Hostile(made(lambda: (",".join(map(str, range(16_384))) + "\n") * 3)),
        "huge.txt": Hostile(sparse, "too large"),
    }  # fmt: skip
    if scale > 1:
        few |= {
            "pages.pdf": Hostile(made(lambda: pages(100_000)), r"bounds\.pages"),
            "jpx.pdf": Hostile(made(lambda: jpeg_2000(60_000)), "only pictures"),
            "jbig2.pdf": Hostile(made(lambda: jbig2(46_000)), "only pictures"),
            "nested.zip": Hostile(made(lambda: nested(3_000)), r"bounds\.depth"),
            "deep.html": Hostile(made(lambda: "<html>" + "<div>" * 5_000_000 + "Deep text.")),
            "cells.xlsx": Hostile(lambda path: cells(path, 40_000 * scale)),
            "line.txt": Hostile(made(lambda: "word " * 50_000 * scale)),
            "unbroken.txt": Hostile(made(lambda: "x" * 50_000 * scale)),
            "columns.csv": Hostile(made(lambda: (",".join(map(str, range(16_384))) + "\n") * (2 + scale))),
        }
    return few


def bomb() -> bytes:
    """An archive of archives of nothing: each within bounds, all together not."""
    inner = samples.zip_of({"blank.txt": b"\n" * (40 << 20)})
    return samples.zip_of({f"{n}.zip": inner + bytes(n) for n in range(3)} | {"good.txt": "A good one."})


def nested(depth: int) -> bytes:
    """A file in an archive in an archive and so on."""
    data, name = b"Somewhere within.", "text.txt"
    for number in range(depth):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(name, data)
        data, name = buffer.getvalue(), f"{number}.zip"
    return data


def many(count: int) -> bytes:
    """An archive of so many files."""
    return samples.zip_of({f"{n}.txt": f"{n}" for n in range(count)})


def entity() -> str:
    """XML that wants a file of the machine read into it."""
    return f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{SECRET}">]><r>&x;</r>'


def looping_pdf() -> bytes:
    """Pages that are their own parents and children, content that refers to itself, a table before itself."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
        b"<< /Type /Pages /Kids [2 0 R 3 0 R 2 0 R] /Count 3 /Parent 2 0 R >>",
        b"<< /Type /Page /Parent 3 0 R /Contents [4 0 R 4 0 R] /Resources 3 0 R /MediaBox 3 0 R >>",
        b"<< /Length 4 0 R >> stream\nendstream",
        b"<< /First 5 0 R /Last 5 0 R /Next 5 0 R /Prev 5 0 R /Parent 5 0 R /Title (x) /Count 1 >>",
    ]
    return objects_of_pdf(objects, itself=True)


def pages(count: int) -> bytes:
    """A PDF of so many pages, all with the same content."""
    kids = b" ".join(b"%d 0 R" % (n + 5) for n in range(count))
    text = b"BT /F1 12 Tf 50 700 Td (The same on each page.) Tj ET"
    return objects_of_pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >> stream\n%s\nendstream" % (len(text), text),
        *[_page(2)] * count,
    ])  # fmt: skip


def tree_of_pages(depth: int) -> bytes:
    """A PDF whose one page lies so deep in the tree of its pages."""
    text = b"BT /F1 12 Tf 50 700 Td (A page down there.) Tj ET"
    return objects_of_pdf([
        b"<< /Type /Catalog /Pages 5 0 R >>",
        _page(4 + depth),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >> stream\n%s\nendstream" % (len(text), text),
        *(b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (n + 6) for n in range(depth - 1)),
        b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>",
    ])  # fmt: skip


def outline_in_circles() -> bytes:
    """A PDF with a page of text, and bookmarks each of which comes after the other and lies within it."""
    text = b"BT /F1 12 Tf 50 700 Td (A page with bookmarks.) Tj ET"
    return objects_of_pdf([
        b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [5 0 R] >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >> stream\n%s\nendstream" % (len(text), text),
        _page(2),
        b"<< /Type /Outlines /First 7 0 R /Last 8 0 R /Count 2 >>",
        b"<< /Title (One) /Parent 8 0 R /Next 8 0 R /Prev 8 0 R /First 8 0 R /Last 8 0 R /Dest [5 0 R /Fit] >>",
        b"<< /Title (Two) /Parent 7 0 R /Next 7 0 R /Prev 7 0 R /First 7 0 R /Last 7 0 R /Dest [5 0 R /Fit] >>",
    ])  # fmt: skip


def jpeg_2000(side: int) -> bytes:
    """A page that is a JPEG 2000 of such a width and height, by its head; there is no more of it."""
    size = struct.pack(">HLLLLLLLLHBBB", 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    head = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size
    return samples.picture_pdf(side, side, head, "JPXDecode")


def jbig2(side: int) -> bytes:
    """A page that is a JBIG2 of such a width and height, all white."""
    page = struct.pack(">LBBBL", 0, 48, 0, 1, 19) + struct.pack(">LLLLBH", side, side, 0, 0, 4, 0)
    return samples.picture_pdf(side, side, page, "JBIG2Decode")


def _page(parent: int) -> bytes:
    return (
        b"<< /Type /Page /Parent %d 0 R /Contents 4 0 R /MediaBox [0 0 600 800]"
        b" /Resources << /Font << /F1 3 0 R >> >> >>"
    ) % parent


def objects_of_pdf(objects: Sequence[bytes], *, itself: bool = False) -> bytes:
    """A PDF of these objects, from number 1 on, the first its catalogue; ``itself`` loops its table."""
    data, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj %s endobj\n" % (number, content)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % at for at in offsets)
    before = b"/Prev %d" % start if itself else b""
    data += b"trailer << /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, before)
    data += b"startxref\n%d\n%%%%EOF" % start
    return bytes(data)


def attached_to_itself(depth: int) -> bytes:
    """A mail with a mail with a mail, as forwarded attachments."""
    head = b"From: a@example.org\nTo: b@example.org\nSubject: again\nMIME-Version: 1.0\n"
    lines = [head]
    for number in range(depth):
        lines.append(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (number, number))
        lines.append(b"Content-Type: text/plain\n\nText of number %d.\n--b%d\n" % (number, number))
        lines.append(b"Content-Type: message/rfc822\n\n" + head)
    return b"".join(lines) + b"Content-Type: text/plain\n\nThe innermost.\n"


def paths() -> bytes:
    """A TAR that wants to be unpacked all over the machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tape:
        for name in ("/etc/bouquetd-was-here", "../../../../etc/bouquetd-was-here", "C:\\bouquetd-was-here"):
            info = tarfile.TarInfo(name)
            info.size = 20
            tape.addfile(info, io.BytesIO(name[:20].ljust(20).encode()))
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, SECRET
            tape.addfile(info)
        info = tarfile.TarInfo("link/through-a-link.txt")
        info.size = 20
        tape.addfile(info, io.BytesIO(b"Through a link, no. "))
    return buffer.getvalue()


def cells(path: Path, count: int) -> None:
    """A sheet of so many cells with numbers that do not pack well."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in _workbook().items():
            archive.writestr(name, data)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(
                b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            )
            for row in range(count // 100):
                inner = b"".join(
                    b"<c><v>%d</v></c>" % ((row * 100 + n) * 2_654_435_761 % 1_000_003) for n in range(100)
                )
                sheet.write(b"<row>%s</row>" % inner)
            sheet.write(b"</sheetData></worksheet>")


def _workbook() -> dict[str, bytes]:
    whole = samples.xlsx([["a"]])
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n != "xl/worksheets/sheet1.xml"}


def sparse(path: Path) -> None:
    """Two thousand million bytes on one line, of which none is on the disk."""
    with path.open("wb") as file:
        file.truncate(2 << 30)

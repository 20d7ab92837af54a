"""Small files of every kind, made on the spot; the whole ones hold what was asked for and nothing else."""

from __future__ import annotations

import csv as csv_module
import hashlib
import html as html_module
import io
import json as json_module
import struct
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import PurePath
from xml.sax.saxutils import escape

from tests import legacy

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_OFFICE = "http://schemas.openxmlformats.org"
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(pages: Sequence[str], *, points: int = 11) -> bytes:
    """A PDF with one page for each text, whose lines stand below each other in letters of so many points.
    Characters beyond Windows-1252 become question marks."""
    return _pdf([_content(page, points) for page in pages])


def pdf_with(
    pages: Sequence[str], objects: Sequence[str] = (), *, catalogue: str = "", trailer: str = "", page: str = ""
) -> bytes:
    """The same with further ``objects``, from number 4 + 2 * pages on, and more in the dictionaries."""
    return _pdf([_content(text) for text in pages], trailer, [o.encode() for o in objects], catalogue, page)


def encrypted_pdf(password: str = "secret") -> bytes:
    """A PDF that cannot be opened without its password (standard handler, 40-bit RC4)."""
    padded = (password.encode("latin-1") + _PADDING)[:32]
    identity = hashlib.md5(b"bouquetd").digest()
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    permissions = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5(padded + owner + permissions + identity).digest()[:5]
    user = _rc4(key, _PADDING)
    encrypt = f"<< /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{user.hex()}> /P -4 >>"
    content = _content("nobody reads this")
    number = 5  # of the content's object, see _pdf
    secret = _rc4(hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10], content)
    return _pdf([secret], f"/Encrypt {encrypt} /ID [<{identity.hex()}> <{identity.hex()}>]")


def truncated_pdf() -> bytes:
    """A PDF of several pages whose second half never arrived."""
    whole = pdf([f"page {n}" for n in range(1, 6)])
    return whole[: len(whole) // 2]


def scanned_pdf() -> bytes:
    """A PDF whose page has a drawing and no text."""
    return _pdf([b"10 10 200 200 re f"])


def picture_pdf(width: int, height: int, pixels: bytes, coded: str = "") -> bytes:
    """A PDF whose page is a grey picture; see ``pictures_pdf``."""
    return pictures_pdf([(width, height, pixels, coded)])


def pictures_pdf(pictures: Sequence[tuple[int, int, bytes, str]]) -> bytes:
    """A PDF of which each page is a grey picture: width, height, its data and by what filter they are coded."""
    images, first = [], 4 + 2 * len(pictures)
    for width, height, data, coded in pictures:
        filtered = f"/Filter /{coded}" if coded else ""
        images.append(
            f"<< /Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent"
            f" {1 if coded == 'JBIG2Decode' else 8} /Width {width} /Height {height} {filtered}"
            f" /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"
        )  # fmt: skip
    named = " ".join(f"/Im{number} {first + number} 0 R" for number in range(len(pictures)))
    shown = [b"q 595 0 0 842 0 0 cm /Im%d Do Q" % number for number in range(len(pictures))]
    return _pdf(shown, more=images, resources=f"/XObject << {named} >>")


def docx(paragraphs: Sequence[str]) -> bytes:
    """A DOCX with one paragraph for each text."""
    body = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>' for text in paragraphs
    )
    return docx_of(body)


def docx_of(body: str, **parts: str) -> bytes:
    """A DOCX with this XML as its body, and more parts of ``word/`` by name (``footnotes=...``)."""
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
    }
    for name, xml in parts.items():
        files[f"word/{name}.xml"] = f'<w:{name} xmlns:w="{_WORD}">{xml}</w:{name}>'
    return zip_of(files)


def pptx(slides: Sequence[str]) -> bytes:
    """A PPTX with one slide for each text, which has its notes."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    shape = (
        f'<p:sld xmlns:p="{_OFFICE}/presentationml/2006/main" xmlns:a="{drawing}">'
        "<a:p><a:r><a:t>{}</a:t></a:r></a:p></p:sld>"
    )
    files = {"[Content_Types].xml": _TYPES}
    ids, targets = "", {}
    for number, text in enumerate(slides, start=1):
        ids += f'<p:sldId id="{255 + number}" r:id="rId{number}"/>'
        targets[f"rId{number}"] = f"slides/slide{number}.xml"
        files[f"ppt/slides/slide{number}.xml"] = shape.format(escape(text))
        files[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(
            {"rId1": f"../notesSlides/notesSlide{number}.xml"}
        )
        files[f"ppt/notesSlides/notesSlide{number}.xml"] = shape.format(f"Notes of slide {number}.")
    files["ppt/presentation.xml"] = (
        f'<p:presentation xmlns:p="{_OFFICE}/presentationml/2006/main"'
        f' xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><p:sldIdLst>{ids}</p:sldIdLst>'
        "</p:presentation>"
    )
    files["ppt/_rels/presentation.xml.rels"] = _relations(targets)
    return zip_of(files)


def xlsx(rows: Sequence[Sequence[object]], name: str = "Sheet1") -> bytes:
    """An XLSX with one sheet; texts lie in the shared table, numbers in their cells."""
    main = f"{_OFFICE}/spreadsheetml/2006/main"
    texts: list[str] = []
    lines = ""
    for number, row in enumerate(rows, start=1):
        cells = ""
        for column, value in enumerate(row):
            place = f'r="{chr(65 + column)}{number}"'
            if isinstance(value, str):
                cells += f'<c {place} t="s"><v>{len(texts)}</v></c>'
                texts.append(f'<si><t xml:space="preserve">{escape(value)}</t></si>')
            else:
                cells += f"<c {place}><v>{value}</v></c>"
        lines += f'<row r="{number}">{cells}</row>'
    return zip_of({
        "[Content_Types].xml": _TYPES,
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_OFFICE}/officeDocument/2006/relationships">'
        f'<sheets><sheet name="{escape(name)}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(
            {"rId1": "worksheets/sheet1.xml", "rId2": "sharedStrings.xml"}
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{"".join(texts)}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    })  # fmt: skip


_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODF_NAMES = (
    f'xmlns:office="{_ODF}:office:1.0" xmlns:text="{_ODF}:text:1.0" xmlns:table="{_ODF}:table:1.0"'
    f' xmlns:draw="{_ODF}:drawing:1.0" xmlns:presentation="{_ODF}:presentation:1.0"'
    f' xmlns:meta="{_ODF}:meta:1.0" xmlns:style="{_ODF}:style:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def odf(kind: str, body: str, *, element: str = "", styles: str = "", meta: str = "") -> bytes:
    """An OpenDocument file of a kind (text, spreadsheet, presentation) with this XML as its body.

    ``element`` is what its body is called if not like its kind.
    """
    element = f"office:{element or kind}"
    files = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {_ODF_NAMES}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><{element}>{body}</{element}></office:body>"
        "</office:document-content>",
    }
    if meta:
        files["meta.xml"] = (
            f"<office:document-meta {_ODF_NAMES}><office:meta>{meta}</office:meta></office:document-meta>"
        )
    return zip_of(files)


def flat_odf(kind: str, body: str, meta: str = "") -> bytes:
    """The same as one file of XML, with a picture in it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {_ODF_NAMES}'
        f' office:mimetype="application/vnd.oasis.opendocument.{kind}"><office:meta>{meta}</office:meta>'
        "<office:master-styles><text:p>Nobody reads this</text:p></office:master-styles>"
        f"<office:body><office:{kind}>{body}<draw:image><office:binary-data>iVBORw0KGgo=</office:binary-data>"
        f"</draw:image></office:{kind}></office:body></office:document>"
    ).encode()


def odt(paragraphs: Sequence[str]) -> bytes:
    """An ODT with one paragraph for each text."""
    return odf("text", odf_text(paragraphs))


def odf_text(paragraphs: Sequence[str]) -> str:
    """The body of an OpenDocument text."""
    return "".join(f"<text:p>{escape(text)}</text:p>" for text in paragraphs)


def ods(rows: Sequence[Sequence[object]]) -> bytes:
    """An ODS with one sheet."""
    return odf("spreadsheet", odf_sheet(rows))


def odf_sheet(rows: Sequence[Sequence[object]]) -> str:
    """The body of an OpenDocument spreadsheet."""
    lines = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{escape(str(cell))}</text:p></table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in rows
    )
    return f'<table:table table:name="Sheet1">{lines}</table:table>'


def odp(slides: Sequence[str]) -> bytes:
    """An ODP with one slide for each text."""
    return odf("presentation", odf_slides(slides))


def odf_slides(slides: Sequence[str]) -> str:
    """The body of an OpenDocument presentation."""
    return "".join(f"<draw:page><text:p>{escape(text)}</text:p></draw:page>" for text in slides)


def epub(chapters: Sequence[str]) -> bytes:
    """An EPUB with one chapter for each text."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    order = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    files: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf">'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>",
    }
    for n, text in enumerate(chapters):
        files[f"OEBPS/c{n}.xhtml"] = html([text])
    return zip_of(files)


def rtf(paragraphs: Sequence[str]) -> bytes:
    """An RTF with one paragraph for each text."""
    units = [
        (text.encode("utf-16-le")[at] | text.encode("utf-16-le")[at + 1] << 8)
        for text in ["\n".join(paragraphs)]
        for at in range(0, 2 * (len(text.encode("utf-16-le")) // 2), 2)
    ]
    body = "".join(
        "\\par\n" if unit == 10
        else "\\" + chr(unit) if chr(unit) in "\\{}"
        else chr(unit) if unit < 128
        else f"\\u{unit - 65_536 if unit > 32_767 else unit}?"
        for unit in units
    )  # fmt: skip
    head = "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\info{\\title Nobody reads this}}\\uc1 "
    return f"{head}{body}\\par}}".encode("ascii")


def eml(text: str, html_text: str = "", attached: Mapping[str, bytes] | None = None) -> bytes:
    """A message as a program writes it, with its text in HTML as well where that is given."""
    message = EmailMessage()
    message["From"] = "Grüße <sender@example.org>"
    message["To"] = "reader@example.org"
    message["Date"] = "Tue, 03 Mar 2026 10:00:00 +0000"
    message["Subject"] = "A message"
    message.set_content(text)
    if html_text:
        message.add_alternative(html_text, subtype="html")
    for name, data in (attached or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def notebook(cells: Sequence[str]) -> bytes:
    """A notebook with one cell of Markdown for each text, and one of code with an output."""
    code = {
        "cell_type": "code", "source": ["print(", "6 * 7)"],
        "outputs": [{"output_type": "stream", "text": ["42\n"]}, {"data": {"image/png": "iVBORw0KGgo="}}],
    }  # fmt: skip
    written = [{"cell_type": "markdown", "source": text.splitlines(keepends=True)} for text in cells]
    return json({"cells": [*written, code], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def mbox(texts: Sequence[str]) -> bytes:
    """A mailbox with one message for each text."""
    return b"\n".join(b"From sender@example.org Tue Mar  3 10:00:00 2026\n" + eml(text) for text in texts)


def _relations(targets: Mapping[str, str]) -> str:
    """Each is of the kind that its file is named after."""
    kind = f"{_OFFICE}/officeDocument/2006/relationships/"
    kinds = {target: kind + PurePath(target).stem.rstrip("0123456789") for target in targets.values()}
    listed = "".join(
        f'<Relationship Id="{id_}" Type="{kinds[target]}" Target="{target}"/>'
        for id_, target in targets.items()
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{listed}</Relationships>'


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A deflated ZIP of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def zip_of_pictures() -> bytes:
    """A ZIP with two pictures and nothing else."""
    return zip_of(dict.fromkeys(("a.png", "b.png"), b"\x89PNG\r\n\x1a\n" + binary_junk()))


def zip_with(data: bytes, files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP with some more files, or others in their place."""
    kept: dict[str, str | bytes] = {name: part_of(data, name) for name in parts_of(data)}
    return zip_of(kept | dict(files))


def parts_of(data: bytes) -> list[str]:
    """The names of the files in a ZIP."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()


def part_of(data: bytes, name: str) -> str:
    """A file in a ZIP, as text."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name).decode()


def html(paragraphs: Sequence[str], title: str = "A page") -> bytes:
    """An HTML page with one paragraph for each text."""
    body = "\n".join(f"<p>{html_module.escape(text)}</p>" for text in paragraphs)
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>\n{body}\n</body></html>\n"
    return page.encode()


def xml(paragraphs: Sequence[str]) -> bytes:
    """An article of DocBook with one paragraph for each text."""
    body = "".join(f"<para>{escape(text)}</para>\n" for text in paragraphs)
    return f'<?xml version="1.0"?>\n<article role="sample">\n{body}</article>\n'.encode()


def xml_bomb() -> bytes:
    """XML of a few lines that would expand to a billion words."""
    declared = "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9))
    return f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY a 'ha'>{declared}]><a>&j;</a>".encode()


def csv(rows: Sequence[Sequence[object]], delimiter: str = ",") -> bytes:
    """A CSV of these rows, the first of which is the header."""
    buffer = io.StringIO()
    csv_module.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue().encode()


def json(value: object) -> bytes:
    """A value as indented JSON."""
    return json_module.dumps(value, indent=2).encode()


def jsonl(values: Sequence[object]) -> bytes:
    """One value on each line."""
    return "".join(json_module.dumps(value) + "\n" for value in values).encode()


def binary_junk(size: int = 4096) -> bytes:
    """Bytes without any pattern, the same ones each time."""
    return hashlib.shake_256(b"junk").digest(size)


def whole_files(sentence: str = "The quick brown fox jumps over the lazy dog.") -> dict[str, bytes]:
    """One sound file of each kind by name, every one with this sentence in it."""
    return {
        "a.txt": sentence.encode(),
        "a.md": f"---\ntitle: A note\n---\n# A heading\n\n{sentence}\n\nAnother\n---\n[x](y.md)\n".encode(),
        "a.rst": f"A heading\n=========\n\n:Author: Ann\n\n{sentence}\n\nAnother\n-------\n".encode(),
        "a.adoc": f"= A heading\nAnn <a@example.org>\n\n{sentence}\n\n== Another\n".encode(),
        "a.org": f"#+TITLE: A note\n\n* A heading\n\n{sentence}\n** Another\n".encode(),
        "a.html": html([sentence]),
        "a.pdf": pdf([sentence]),
        "a.docx": docx([sentence]),
        "a.pptx": pptx([sentence, "more"]),
        "a.xlsx": xlsx([["id", "text"], [1, sentence], [2, "more"]]),
        "a.odt": odt([sentence]),
        "a.ods": ods([["id", "text"], [1, sentence], [2, "more"]]),
        "a.odp": odp([sentence, "more"]),
        "a.odg": odf("graphics", odf_slides([sentence, "more"]), element="drawing"),
        "a.fodt": flat_odf("text", odf_text([sentence])),
        "a.fods": flat_odf("spreadsheet", odf_sheet([["id", "text"], [1, sentence], [2, "more"]])),
        "a.fodp": flat_odf("presentation", odf_slides([sentence, "more"])),
        "a.xml": xml([sentence, "more"]),
        "a.epub": epub([sentence, "more"]),
        "a.doc": legacy.doc([sentence, "more"]),
        "a.xls": legacy.xls([["id", "text"], [1, sentence], [2, "more"]]),
        "a.ppt": legacy.ppt([sentence, "more"]),
        "a.msg": legacy.msg(sentence),
        "a.rtf": rtf([sentence]),
        "a.ipynb": notebook([sentence, "more"]),
        "a.eml": eml(sentence),
        "a.mbox": mbox([sentence, "more"]),
        "a.csv": csv([["id", "text"], [1, sentence], [2, "more"]]),
        "a.tsv": csv([["id", "text"], [1, sentence], [2, "more"]], "\t"),
        "a.json": json({"text": sentence, "numbers": [1, 2, 3]}),
        "a.jsonl": jsonl([{"text": sentence}, {"text": "more"}]),
    }


def bad_files() -> dict[str, bytes]:
    """Files that can never be ingested, by name."""
    return {
        "empty.txt": b"",
        "blank.txt": b" \n\t\n" * 10,
        "junk.txt": binary_junk(),
        "zeros.txt": bytes(1000),
        "encrypted.pdf": encrypted_pdf(),
        "truncated.pdf": truncated_pdf(),
        "scanned.pdf": scanned_pdf(),
        "pictures.zip": zip_of_pictures(),
        "picture.png": b"\x89PNG\r\n\x1a\n" + binary_junk(),
        "truncated.docx": docx(["text"])[:-40],
        "encrypted.odt": zip_with(
            odt(["text"]), {"META-INF/manifest.xml": "<f><a:encryption-data xmlns:a='b'/></f>"}
        ),
        "truncated.fodt": flat_odf("text", odf_text(["text"]))[:-20],
        "doctype.fods": flat_odf("spreadsheet", odf_sheet([["text"]])).replace(
            b"<office:document ", b"<!DOCTYPE a [<!ENTITY b 'c'>]><office:document ", 1
        ),
        "truncated.rtf": rtf(["text"])[:-1],
        "bomb.xml": xml_bomb(),
        "deep.xml": b"<?xml version='1.0'?>" + b"<a>" * 5000,
        "truncated.doc": legacy.doc(["text"])[:1500],
        "encrypted.doc": legacy.doc(["text"], flags=0x0100),
        "encrypted.xls": legacy.xls([["text"]], before=struct.pack("<HHH", 0x2F, 2, 0)),
        "encrypted.ppt": legacy.ppt(["text"], mark=0xF3D1C4DF),
        "encrypted_package.docx": legacy.compound({"EncryptionInfo": b"x", "EncryptedPackage": b"x"}),
        "other.msi": legacy.compound({"\u4840\u3f3f": b"x"}, bytes.fromhex("84100c0000000000c000000000000046")),
        "Thumbs.db": legacy.compound({"Catalog": b"x"}),
        "invalid.json": b'{"a": 1, "b": }',
        "invalid.jsonl": b'{"a": 1}\n{"b": 2}\n{"c": \n{"d": 4}\n',
    }


def _content(text: str, points: int = 11) -> bytes:
    lines = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").split("\n")
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    return f"BT /F1 {points} Tf {points + 3} TL 50 780 Td {shown} ET".encode("cp1252", "replace")


def _pdf(
    contents: Sequence[bytes],
    trailer: str = "",
    more: Sequence[bytes] = (),
    catalogue: str = "",
    page: str = "",
    resources: str = "",
) -> bytes:
    """Objects: 1 catalogue, 2 pages, 3 font, then page and content of each page, then more."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(contents)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * n} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> {resources} >> {page} >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    objects += more
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += (
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    )
    return bytes(out)


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)

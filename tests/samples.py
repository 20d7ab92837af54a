"""Small files of every kind, made on the spot; the whole ones hold what was asked for and nothing else."""

from __future__ import annotations

import csv as csv_module
import hashlib
import html as html_module
import io
import json as json_module
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(pages: Sequence[str], *, points: int = 11) -> bytes:
    """A PDF with one page for each text, whose lines stand below each other in letters of so many points.
    Characters beyond Windows-1252 become question marks."""
    return _pdf([_content(page, points) for page in pages])


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


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A deflated ZIP of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def zip_that_is_no_docx() -> bytes:
    """A ZIP with two pictures and a note."""
    return zip_of({"a.png": b"\x89PNG", "b.png": b"\x89PNG", "readme.txt": "two pictures"})


def html(paragraphs: Sequence[str], title: str = "A page") -> bytes:
    """An HTML page with one paragraph for each text."""
    body = "\n".join(f"<p>{html_module.escape(text)}</p>" for text in paragraphs)
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>\n{body}\n</body></html>\n"
    return page.encode()


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
        "a.md": f"# A heading\n\n{sentence}\n".encode(),
        "a.html": html([sentence]),
        "a.pdf": pdf([sentence]),
        "a.docx": docx([sentence]),
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
        "other.docx": zip_that_is_no_docx(),
        "truncated.docx": docx(["text"])[:-40],
        "invalid.json": b'{"a": 1, "b": }',
        "invalid.jsonl": b'{"a": 1}\n{"b": 2}\n{"c": \n{"d": 4}\n',
    }


def _content(text: str, points: int = 11) -> bytes:
    lines = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").split("\n")
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    return f"BT /F1 {points} Tf {points + 3} TL 50 780 Td {shown} ET".encode("cp1252", "replace")


def _pdf(contents: Sequence[bytes], trailer: str = "") -> bytes:
    """Objects: 1 catalogue, 2 pages, 3 font, then page and content of each page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
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

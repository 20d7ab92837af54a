"""DOCX: paragraphs, tables, notes, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.extract import package as module
from tests import samples

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def text(data: bytes, read_size: int = 4096) -> str:
    return "".join(p.text for p in extract(io.BytesIO(data), DOCX, Reading(read_size, 4096)))


def run(inner: str) -> str:
    return f"<w:p><w:r>{inner}</w:r></w:p>"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (run("<w:t>one</w:t>") + run("<w:t>two</w:t>"), "one\n\ntwo"),
        (run('<w:t xml:space="preserve">a </w:t><w:t>b</w:t>'), "a b"),
        (run("<w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t>"), "a\tb\nc"),
        ("<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>x</w:t></w:r></w:p>", "x"),
        (run("<w:t>co</w:t><w:noBreakHyphen/><w:t>op</w:t>"), "co-op"),
        (run("<w:instrText>PAGE</w:instrText><w:delText>gone</w:delText><w:t>kept</w:t>"), "kept"),
        (f"<w:moveFrom>{run('<w:t>moved</w:t>')}</w:moveFrom>{run('<w:t>moved</w:t>')}", "moved"),
        (run("<w:t>1 &lt; 2 &#233;</w:t>"), "1 < 2 é"),
        (
            "<w:tbl><w:tr><w:tc>{a}</w:tc><w:tc>{b}</w:tc></w:tr><w:tr><w:tc>{a}</w:tc></w:tr></w:tbl>{b}".format(
                a=run("<w:t>a</w:t>"), b=run("<w:t>b</w:t>")
            ),
            "a\tb\na\n\nb",
        ),
        (
            '<w:p><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
            f"<mc:Choice>{run('<w:t>box</w:t>')}</mc:Choice><mc:Fallback>{run('<w:t>box</w:t>')}</mc:Fallback>"
            "</mc:AlternateContent></w:p>",
            "box",
        ),
    ],
)
@pytest.mark.parametrize("read_size", [1, 4096])
def test_word_processing_becomes_text(body: str, seen: str, read_size: int) -> None:
    assert text(samples.docx_of(body), read_size) == seen


def test_notes_follow_the_text() -> None:
    data = samples.docx_of(
        run("<w:t>body</w:t>"), footnotes=run("<w:t>foot</w:t>"), endnotes=run("<w:t>end</w:t>")
    )
    assert text(data) == "body\n\nfoot\n\nend"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"[Content_Types].xml": "", "xl/workbook.bin": ""}, "xlsb"),
        ({"META-INF/MANIFEST.MF": "", "a.class": ""}, "Java"),
        ({"Index/Document.iwa": ""}, "Apple"),
        ({"a.txt": "", "b.txt": "", "c.txt": "", "d.txt": ""}, "4 file.*a.txt, b.txt, c.txt, ..."),
        ({}, "0 file.*none"),
    ],
)
def test_a_zip_that_is_no_document_is_rejected_for_what_it_is(files: dict[str, str], found: str) -> None:
    with pytest.raises(Rejected, match=found):
        media_type(io.BytesIO(samples.zip_of(files)), "a.docx")


def test_a_truncated_docx_is_rejected() -> None:
    data = samples.docx(["text"] * 100)
    with pytest.raises(Rejected, match="damaged or incomplete"):
        media_type(io.BytesIO(data[: len(data) // 2]), "a.docx")


def test_a_flipped_byte_in_the_packed_text_is_noticed() -> None:
    data = bytearray(samples.docx([f"text {n}" for n in range(500)]))
    at = data.index(b"word/document.xml") + 200
    data[at] ^= 0xFF
    with pytest.raises(Rejected, match="damaged"):
        text(bytes(data))


def test_broken_xml_is_rejected() -> None:
    with pytest.raises(Rejected, match="XML is broken"):
        text(samples.docx_of("<w:p><w:r>"))


def test_an_encoding_that_nobody_knows_is_rejected() -> None:
    document = '<?xml version="1.0" encoding="UTF-81"?><document/>'
    with pytest.raises(Rejected, match="unknown encoding: UTF-81"):
        text(samples.zip_of({"[Content_Types].xml": "", "word/document.xml": document}))


def test_a_zip_of_a_version_to_come_is_rejected() -> None:
    data = bytearray(samples.docx(["text"]))
    at = data.find(b"PK\1\2")
    data[at + 6] = 84
    with pytest.raises(Rejected, match="zip file version"):
        media_type(io.BytesIO(data), "a.docx")


def test_a_zip_that_points_to_where_nothing_can_be_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    data = bytearray(samples.docx(["text"]))
    data[-6:-2] = b"\xff\xff\xff\x7f"  # where its directory begins
    (tmp_path / "a.docx").write_bytes(data)
    with (tmp_path / "a.docx").open("rb") as file, pytest.raises(Rejected, match="damaged"):
        list(extract(file, media_type(file, "a.docx"), Reading(4096, 4096)))


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE w [<!ENTITY a "x"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    document = f'{bomb}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">&c;</w:document>'
    with pytest.raises(Rejected, match="document type declaration"):
        text(samples.zip_of({"[Content_Types].xml": "", "word/document.xml": document}))


def test_endless_nesting_is_rejected() -> None:
    with pytest.raises(Rejected, match="nested"):
        text(samples.docx_of("<w:p>" * 5000))


def test_a_zip_bomb_is_rejected_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLAIN_SIZE", 100_000)
    with pytest.raises(Rejected, match="ZIP bomb"):
        text(samples.docx_of(" " * 1_000_000))


def test_a_zip_of_countless_files_is_rejected_unread() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(500):
            archive.writestr(f"{n:0>9000}", "")
    with pytest.raises(Rejected, match="far more files"):
        media_type(buffer, "a.docx")


def test_an_encrypted_part_is_rejected_as_such() -> None:
    data = bytearray(samples.docx(["text"]))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(header, at + 1)) >= 0:
            data[at + flags] |= 1
    with pytest.raises(Rejected, match="encrypted"):
        text(bytes(data))

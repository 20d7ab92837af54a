"""DOCX: paragraphs, tables, notes, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.extract import package as module
from bouquetd.model import Piece
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
        ({"Index.zip": "", "Metadata/BuildVersionHistory.plist": ""}, "Apple"),
        ({"index.xml": "", "buildVersionHistory.plist": ""}, "Apple"),
    ],
)
def test_a_zip_of_a_foreign_kind_is_rejected_for_what_it_is(files: dict[str, str], found: str) -> None:
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
    with pytest.raises(Rejected, match=r"over 100 times \(bounds\.ratio\) its size: a ZIP bomb"):
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


# -- headings and links ---------------------------------------------------------------------------------------

STYLES = """
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Own"><w:name w:val="Own"/>
<w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Kin"><w:name w:val="Kin"/><w:basedOn w:val="Own"/></w:style>
<w:style w:type="paragraph" w:styleId="TOC"><w:name w:val="TOC Heading"/><w:basedOn w:val="Own"/>
<w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Round"><w:basedOn w:val="Round"/></w:style>
<w:style w:type="character" w:styleId="Heading1Char"><w:name w:val="heading 1"/></w:style>
"""


def styled(style: str, text: str, properties: str = "") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def pieces(data: bytes) -> list[Piece]:
    return [piece for piece in extract(io.BytesIO(data), DOCX, Reading(4096, 4096)) if piece.text]


def headings(body: str, styles: str = STYLES) -> dict[str, tuple[str, ...]]:
    return {piece.text.split()[-1]: piece.headings for piece in pieces(samples.docx_of(body, styles=styles))}


def test_headings_are_told_by_the_outline_of_their_styles() -> None:
    body = "".join((
        styled("Titel", "Book"), styled("berschrift1", "One"), styled("Kin", "Two"), run("<w:t>text</w:t>"),
        styled("berschrift1", "Three"), run("<w:t>more</w:t>"),
    ))  # fmt: skip
    assert headings(body) == {
        "Book": ("Book",),
        "One": ("Book", "One"),
        "text": ("Book", "One", "Two"),
        "more": ("Book", "Three"),
    }


@pytest.mark.parametrize("style", ["TOC", "Round", "Heading1Char", "unknown", ""])
def test_other_styles_make_no_heading(style: str) -> None:
    assert headings(styled(style, "text")) == {"text": ()}


def test_a_paragraph_may_have_an_outline_of_its_own() -> None:
    body = styled("unknown", "Own", '<w:outlineLvl w:val="0"/>') + styled(
        "Kin", "text", '<w:outlineLvl w:val="9"/>'
    )
    assert headings(body) == {"text": ("Own",)}


def test_what_a_paragraph_was_before_a_tracked_change_does_not_count() -> None:
    before = '<w:pPrChange><w:pPr><w:pStyle w:val="Own"/></w:pPr></w:pPrChange>'
    assert headings(styled("unknown", "text", before)) == {"text": ()}


@pytest.mark.parametrize("styles", ["", "<broken"])
def test_without_styles_their_usual_names_tell_headings(styles: str) -> None:
    assert headings(styled("Heading2", "Two") + run("<w:t>text</w:t>"), styles) == {"text": ("Two",)}


def test_a_text_box_in_a_heading_does_not_end_it() -> None:
    box = f"<w:txbxContent>{styled('Own', 'box')}</w:txbxContent>"
    head = f'<w:p><w:pPr><w:pStyle w:val="Own"/></w:pPr><w:r>{box}<w:t>head</w:t></w:r></w:p>'
    assert headings(head + run("<w:t>text</w:t>")) == {"text": ("box head",)}


def field(code: str, shown: str) -> str:
    return (
        f'<w:r><w:fldChar w:fldCharType="begin"/><w:instrText> {code} </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/><w:t>{shown}</w:t><w:fldChar w:fldCharType="end"/></w:r>'
    )


@pytest.mark.parametrize(
    ("inner", "links"),
    [
        ('<w:hyperlink r:id="r1"><w:r><w:t>a</w:t></w:r></w:hyperlink>', ["https://x.org/"]),
        ('<w:hyperlink w:anchor="here"><w:r><w:t>a</w:t></w:r></w:hyperlink>', [None]),
        ('<w:hyperlink r:id="r2"><w:r><w:t>a</w:t></w:r></w:hyperlink>', [None]),
        (field('HYPERLINK "https://y.org/"', "a") + "<w:r><w:t>b</w:t></w:r>", ["https://y.org/", None]),
        (field('HYPERLINK \\l "here"', "a"), [None]),
        (field('HYPERLINK "javascript:x()"', "a"), [None]),
        (field("PAGE", "7"), [None]),
        ('<w:fldSimple w:instr=\'HYPERLINK "https://z.org/"\'><w:r><w:t>a</w:t></w:r></w:fldSimple>', ["https://z.org/"]),
        ('<w:r><w:fldChar w:fldCharType="end"/><w:t>a</w:t></w:r>', [None]),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' * 500 + "<w:r><w:t>a</w:t></w:r>", [None]),
    ],
)  # fmt: skip
def test_links_to_the_outside_go_with_what_they_underline(inner: str, links: list[str | None]) -> None:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    body = f'<w:p xmlns:r="{office}">{inner}</w:p>'
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/hyperlink" Target="https://x.org/" TargetMode="External"/>'
        f'<Relationship Id="r2" Type="{office}/image" Target="media/a.png"/></Relationships>'
    )
    data = samples.zip_with(samples.docx_of(body), {"word/_rels/document.xml.rels": relations})
    assert [piece.link for piece in pieces(data)] == links


def test_notes_stand_under_no_heading_of_the_text() -> None:
    data = samples.docx_of(styled("Own", "Head"), styles=STYLES, footnotes=run("<w:t>foot</w:t>"))
    assert [(piece.text, piece.headings) for piece in pieces(data)] == [("Head", ("Head",)), ("\n\nfoot", ())]


def test_strict_documents_are_read_the_same() -> None:
    data = samples.docx_of(styled("Heading1", "Head") + run("<w:t>text</w:t>"))
    strict = samples.part_of(data, "word/document.xml").replace(
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    (piece,) = pieces(samples.zip_with(data, {"word/document.xml": strict}))
    assert (piece.text, piece.headings) == ("Head\n\ntext", ("Head",))

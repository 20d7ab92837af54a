"""What holds for all documents that are packages of XML: bounds, facts, heartbeats, odd names, and links."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from bouquetd.config import Bounds
from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.extract.clean import clean
from bouquetd.extract.links import link
from bouquetd.extract.properties import moment
from bouquetd.model import HEARTBEAT, NOTHING, Facts, Piece
from tests import samples

CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
    "<dc:title>The  title</dc:title><dc:creator>Änne</dc:creator><dc:language>de-DE</dc:language>"
    "<cp:keywords>one; two,one</cp:keywords><dcterms:created>2020-01-02T03:04:05Z</dcterms:created>"
    "<dcterms:modified>2021-01-02T03:04:05Z</dcterms:modified></cp:coreProperties>"
)
META = (
    "<dc:title>The title</dc:title><meta:initial-creator>Änne</meta:initial-creator><dc:creator>Bo</dc:creator>"
    "<dc:language>de-DE</dc:language><meta:keyword>one</meta:keyword><meta:keyword>two</meta:keyword>"
    "<meta:creation-date>2020-01-02T03:04:05.000000000</meta:creation-date>"
    "<dc:date>2021-01-02T03:04:05Z</dc:date>"
)
SAID = Facts("The title", "Änne", "de", 1577934245.0, 1609556645.0, ("one", "two"))
OFFICE: dict[str, Callable[[], bytes]] = {
    "a.docx": lambda: samples.docx(["text"]),
    "a.pptx": lambda: samples.pptx(["text"]),
    "a.xlsx": lambda: samples.xlsx([["text"]]),
}


def pieces(data: bytes, reading: Reading | None = None) -> list[Piece]:
    file = io.BytesIO(data)
    return list(extract(file, media_type(file, "a"), reading or Reading(4096, 4096)))


def bounded(**bounds: int) -> Reading:
    return Reading(4096, 4096, Bounds().but(**bounds))


def with_core(data: bytes, core: str) -> bytes:
    kind = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    return samples.zip_with(data, {
        "docProps/core.xml": core,
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="c" Type="{kind}" Target="docProps/core.xml"/></Relationships>',
    })  # fmt: skip


# -- facts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OFFICE)
def test_the_core_properties_go_with_every_piece_as_one_object(name: str) -> None:
    found = [piece.facts for piece in pieces(with_core(OFFICE[name](), CORE)) if piece.text]
    assert found[0] == SAID
    assert all(facts is found[0] for facts in found)


@pytest.mark.parametrize("core", ["", "<broken", "<cp/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"])
def test_core_properties_that_say_nothing_or_are_damaged_cost_nothing(core: str) -> None:
    (piece,) = (piece for piece in pieces(with_core(samples.docx(["text"]), core)) if piece.text)
    assert piece.text == "text"
    assert piece.facts is NOTHING


@pytest.mark.parametrize(
    "data",
    [
        samples.odf("text", samples.odf_text(["text"]), meta=META),
        samples.odf("spreadsheet", samples.odf_sheet([["text"]]), meta=META),
        samples.flat_odf("text", samples.odf_text(["text"]), META),
        samples.flat_odf("spreadsheet", samples.odf_sheet([["text"]]), META),
    ],
)
def test_the_metadata_of_opendocument_goes_with_every_piece(data: bytes) -> None:
    assert {piece.facts for piece in pieces(data) if piece.text} == {SAID}


def test_endless_properties_are_cut() -> None:
    core = CORE.replace("Änne", "x" * 100_000).replace("one; two,one", ";".join(map(str, range(10_000))))
    (piece,) = (piece for piece in pieces(with_core(samples.docx(["text"]), core)) if piece.text)
    assert len(piece.facts.author or "") == 500
    assert len(piece.facts.keywords) <= 100


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-02T00:00:00+01:00", 82_800.0),
        ("1601-01-01T00:00:00Z", None),
        ("0000-00-00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_date_is_seconds_since_the_epoch_or_nothing(said: str | None, seconds: float | None) -> None:
    assert moment(said) == seconds


# -- links ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept", ["https://example.org/?q=1", "HTTP://x", "mailto:a@b.c", "../other.docx", "a b"]
)
def test_a_link_to_the_web_a_mail_address_or_a_file_nearby_is_kept(kept: str) -> None:
    assert link(f" {kept} ") == kept


@pytest.mark.parametrize(
    "left",
    ["#here", "", None, "javascript:alert(1)", "file:///etc/passwd", "C:\\x", "\\\\host\\x", "x" * 501, "a\nb"],
)
def test_any_other_link_is_not(left: str | None) -> None:
    assert link(left) is None


# -- bounds ---------------------------------------------------------------------------------------------------


def test_more_attributes_than_allowed_are_rejected_by_that_name() -> None:
    attributes = " ".join(f'a{n}="x"' for n in range(20))
    with pytest.raises(Rejected, match=r"20 attributes.*bounds\.attributes"):
        pieces(samples.docx_of(f"<w:p {attributes}/>"), bounded(attributes=10))


def test_deeper_nesting_than_allowed_is_rejected_by_that_name() -> None:
    with pytest.raises(Rejected, match=r"nested more than 20 \(bounds\.nesting\)"):
        pieces(samples.docx_of("<w:p>" * 30 + "</w:p>" * 30), bounded(nesting=20))


def test_more_text_than_allowed_is_rejected_by_that_name() -> None:
    with pytest.raises(Rejected, match=r"bounds\.text"):
        pieces(samples.docx(["x" * 200_000]), bounded(text=100_000))


@pytest.mark.parametrize(
    "data",
    [
        samples.pptx(["a"] * 4),
        samples.odp(["a"] * 4),
        samples.flat_odf("presentation", samples.odf_slides("abcd")),
    ],
)
def test_more_slides_than_allowed_are_rejected_by_that_name(data: bytes) -> None:
    with pytest.raises(Rejected, match=r"more than the 3 slides that bounds\.pages allows"):
        pieces(data, bounded(pages=3))
    assert pieces(data, bounded(pages=4))


SHEETS = (
    '<table:table table:name="S"><table:table-row{}><table:table-cell{}>{}</table:table-cell></table:table-row>'
    "</table:table>"
)
ROWS, COLUMNS = ' table:number-rows-repeated="{}"', ' table:number-columns-repeated="{}"'


def repeated(rows: int, columns: int, text: str) -> bytes:
    """A sheet of one row and one cell, which stand there that often."""
    return samples.odf("spreadsheet", SHEETS.format(ROWS.format(rows), COLUMNS.format(columns), text))


@pytest.mark.parametrize(
    "data",
    [
        samples.xlsx([["a", "b"]] * 6),
        samples.ods([["a", "b"]] * 6),
        samples.odf("spreadsheet", samples.odf_sheet([["a"] * 6]) * 2),
        repeated(4, 3, "<text:p>x</text:p>"),
        repeated(999_999_999, 16_384, "<text:p>x</text:p>"),
    ],
)
def test_more_cells_than_allowed_are_rejected_by_that_name_over_all_sheets(data: bytes) -> None:
    with pytest.raises(Rejected, match=r"more than the 11 cells that bounds\.cells allows"):
        pieces(data, bounded(cells=11))


def test_cells_that_have_nothing_do_not_count() -> None:
    empty = SHEETS.format(ROWS.format(1_048_576), COLUMNS.format(16_384), "<text:p/>")
    found = pieces(samples.odf("spreadsheet", empty + samples.odf_sheet([["a", "b"]])), bounded(cells=2))
    assert [piece.text for piece in found if piece.text] == ["S\n\n", "Sheet1\n\na\nb"]


# -- heartbeats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "part", "mark"),
    [
        (samples.docx(["MARK"]), "word/document.xml", "MARK"),
        (samples.pptx(["MARK"]), "ppt/slides/slide1.xml", "MARK"),
        (samples.xlsx([["MARK"]]), "xl/sharedStrings.xml", "MARK"),
        (samples.xlsx([[1]]), "xl/worksheets/sheet1.xml", "<row"),
        (samples.odt(["MARK"]), "content.xml", "MARK"),
        (samples.ods([["MARK"]]), "content.xml", "MARK"),
    ],
)
def test_a_part_full_of_nothing_gives_a_heartbeat_for_each_read(data: bytes, part: str, mark: str) -> None:
    nothing = "<x/>" * 25_000
    whole = samples.part_of(data, part).replace(mark, f"{nothing}{mark}", 1)
    beats = [piece for piece in pieces(samples.zip_with(data, {part: whole})) if not piece.text]
    assert len(beats) > 20


# -- odd packages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rename", [lambda name: name.replace("/", "\\"), str.upper], ids=["slashes", "case"])
def test_names_of_parts_may_have_the_slashes_of_windows_and_any_case(rename: Callable[[str], str]) -> None:
    data = samples.xlsx([["some text"]])
    moved = {"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"}
    files = {name: samples.part_of(data, name) for name in samples.parts_of(data)}
    renamed = {rename(name) if name in moved else name: xml for name, xml in files.items()}
    assert "some text" in "".join(piece.text for piece in pieces(samples.zip_of(renamed)))


@pytest.mark.parametrize(
    "files",
    [
        {"encrypted-package": b"\1\2", "META-INF/manifest.xml": "<m/>"},
        {"content.xml": b"\1\2", "META-INF/manifest.xml": "<m xmlns='u'><f><encryption-data/></f></m>"},
    ],
)
def test_an_encrypted_opendocument_file_is_rejected_as_such(files: dict[str, str | bytes]) -> None:
    mimetype: dict[str, str | bytes] = {"mimetype": "application/vnd.oasis.opendocument.text"}
    with pytest.raises(Rejected, match="OpenDocument file is encrypted"):
        pieces(samples.zip_of(mimetype | files))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", "application/vnd.oasis.opendocument.text-flat-xml"),
        ("spreadsheet", "application/vnd.oasis.opendocument.spreadsheet-flat-xml"),
        ("presentation", "application/vnd.oasis.opendocument.presentation-flat-xml"),
        ("formula", "text/plain"),
    ],
)
def test_a_flat_opendocument_file_is_one_by_any_name(kind: str, said: str) -> None:
    assert media_type(io.BytesIO(samples.flat_odf(kind, "")), "a.bin") == said


@pytest.mark.parametrize("name", ["text-template", "text-master", "text-web"])
def test_templates_and_their_kin_are_read_like_documents(name: str) -> None:
    assert pieces(samples.odf(name, samples.odf_text(["text"]), element="text"))[-1].text == "text"


def test_a_flat_file_that_is_cut_off_is_rejected() -> None:
    with pytest.raises(Rejected, match="XML is broken"):
        pieces(samples.flat_odf("text", samples.odf_text(["text"]))[:-20])


def test_a_heartbeat_passes_the_cleaning_at_once_and_parts_no_text() -> None:
    found = list(clean([Piece("a\r"), HEARTBEAT, Piece(""), Piece("\nb")], 4096))
    assert found == [HEARTBEAT, Piece("a\nb")]

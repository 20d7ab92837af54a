"""PDF: pages, and the ways in which one cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bouquetd.config import Bounds
from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract
from bouquetd.model import Facts, Piece
from tests import samples


def pieces(folder: Path, data: bytes, **how: Any) -> list[Piece]:
    path = folder / "a.pdf"
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(extract(file, "application/pdf", Reading(4096, 4096, **how)))


def test_each_page_is_a_piece_with_its_number(tmp_path: Path) -> None:
    found = pieces(tmp_path, samples.pdf(["First page", "Zweite Seite: äöü", "third\nin two lines"]))
    assert [(p.text, p.page) for p in found] == [
        ("First page\n\n", 1),
        ("Zweite Seite: äöü\n\n", 2),
        ("third\nin two lines\n\n", 3),
    ]


def test_pages_keep_their_numbers_when_the_document_is_reopened(tmp_path: Path) -> None:
    found = pieces(tmp_path, samples.pdf([f"page number {n}" for n in range(1, 452)]))
    assert [(p.text.strip(), p.page) for p in found] == [(f"page number {n}", n) for n in range(1, 452)]


def test_a_word_hyphenated_at_a_line_end_is_joined(tmp_path: Path) -> None:
    assert "exam" + "ple" in pieces(tmp_path, samples.pdf(["an exam-\nple of it"]))[0].text


def test_a_page_without_text_among_others_is_no_fault(tmp_path: Path) -> None:
    assert [p.text.strip() for p in pieces(tmp_path, samples.pdf(["one", "", "three"]))] == ["one", "", "three"]


@pytest.mark.parametrize(
    ("data", "reason", "remedy"),
    [
        (samples.encrypted_pdf(), "encrypted", "Remove the password"),
        (samples.truncated_pdf(), "truncated", "get it again"),
        (samples.scanned_pdf(), "1 of its 1 page(s) are only pictures", "tesseract-ocr"),
        (samples.pdf(["", ""]), "blank", "when it has text"),
        (b"%PDF-1.4\nnothing of the kind\nstartxref\n9\n%%EOF\n", "damaged", "get it again"),
        (b"%PDF-", "truncated", "get it again"),
    ],
)
def test_a_pdf_that_cannot_be_read_is_rejected(data: bytes, reason: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        pieces(tmp_path, data)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy


def test_an_encryption_without_a_password_to_open_is_no_hindrance(tmp_path: Path) -> None:
    assert "nobody reads this" in pieces(tmp_path, samples.encrypted_pdf(password=""))[0].text


@pytest.mark.parametrize("padding", [b"\0" * 10_000, b"\n" * 3000, b"junk behind the end " * 20])
def test_padding_behind_the_end_is_no_truncation(padding: bytes, tmp_path: Path) -> None:
    assert pieces(tmp_path, samples.pdf(["text"]) + padding)[0].text.strip() == "text"


def test_more_pages_than_bounds_pages_are_refused_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        pieces(tmp_path, samples.pdf(["text"] * 30), bounds=Bounds(pages=20))
    assert caught.value.reason == "the PDF has 30 pages, of 20 that bounds.pages allows"
    assert "raise bounds.pages" in caught.value.remedy


def test_pages_that_are_only_pictures_are_counted_and_told_of(tmp_path: Path) -> None:
    notes: list[str] = []
    data = samples.pdf(["some text", "MARK", "", "more"]).replace(b"(MARK) Tj ET", b"ET 1 1 99 9 re f")
    pieces(tmp_path, data, note=notes.append)
    [note] = notes
    assert note.startswith("1 of its 4 pages are only pictures and were not read. Install text recognition")


# -- what it says of itself -------------------------------------------------------------------------------


def test_title_author_keywords_and_dates_are_facts(tmp_path: Path) -> None:
    info = (
        "<< /Title <FEFF00DC006200650072> /Author (Anna  B) /Keywords (one, two; three)"
        " /CreationDate (D:20240229120000+01'00') /ModDate (D:2024) >>"
    )
    data = samples.pdf_with(["text"], [info], catalogue="/Lang (de-AT)", trailer="/Info 6 0 R")
    [piece] = pieces(tmp_path, data)
    assert piece.facts == Facts(
        title="\u00dcber",
        author="Anna B",
        language="de",
        created_at=1709204400.0,
        modified_at=1704067200.0,
        keywords=("one", "two", "three"),
    )


@pytest.mark.parametrize("date", ["D:20241399", "yesterday", "D:99999999999999", "(", ""])
def test_a_date_that_is_none_is_left_out(date: str, tmp_path: Path) -> None:
    data = samples.pdf_with(["text"], [f"<< /CreationDate <{date.encode().hex()}> >>"], trailer="/Info 6 0 R")
    assert pieces(tmp_path, data)[0].facts.created_at is None


def outlined(*entries: str) -> bytes:
    """Three pages, and bookmarks as objects from number 11 on below the outline, which is number 10."""
    pages = ["Preface\nto all", "1 First part\nits text\n1.1 A detail\nmore text", "and its end"]
    return samples.pdf_with(pages, ["<< /First 11 0 R >>", *entries], catalogue="/Outlines 10 0 R")


def test_bookmarks_are_headings_from_where_their_titles_stand(tmp_path: Path) -> None:
    data = outlined(
        "<< /Title (First part) /Dest [6 0 R /Fit] /First 12 0 R >>",
        "<< /Title (A detail) /A << /S /GoTo /D [6 0 R /XYZ 0 0 0] >> >>",
    )
    assert [(p.page, p.text.split("\n")[0], p.headings) for p in pieces(tmp_path, data)] == [
        (1, "Preface", ()),
        (2, "1 First part", ("First part",)),
        (2, "1.1 A detail", ("First part", "A detail")),
        (3, "and its end", ("First part", "A detail")),
    ]


def test_a_bookmark_whose_title_is_not_on_the_page_holds_from_its_top(tmp_path: Path) -> None:
    data = outlined("<< /Title (Elsewhere) /Dest [8 0 R /Fit] >>")
    assert [p.headings for p in pieces(tmp_path, data)] == [(), (), ("Elsewhere",)]


def test_bookmarks_in_a_circle_end(tmp_path: Path) -> None:
    data = outlined(
        "<< /Title (One) /Dest [4 0 R /Fit] /Next 12 0 R /First 12 0 R >>",
        "<< /Title (Two) /Dest [6 0 R /Fit] /Next 11 0 R /First 11 0 R >>",
    )
    assert pieces(tmp_path, data)[-1].headings == ("One", "Two")


# -- forms ------------------------------------------------------------------------------------------------


def test_fields_that_are_filled_in_and_typed_remarks_follow_the_text_of_their_page(tmp_path: Path) -> None:
    widget = "/Type /Annot /Subtype /Widget /Rect [9 9 99 20]"
    fields = [
        f"<< {widget} /FT /Tx /T (f1) /TU (Your name) /V (Anna) >>",
        f"<< {widget} /FT /Tx /T (f2) /V (no name of its own) >>",
        f"<< {widget} /FT /Tx /T (f3) /TU (Empty) >>",
        "<< /Type /Annot /Subtype /FreeText /Rect [9 9 99 20] /Contents (A remark) >>",
    ]
    annotations = "/Annots [6 0 R 7 0 R 8 0 R 9 0 R]"
    data = samples.pdf_with(
        ["A form"], fields, catalogue="/AcroForm << /Fields [6 0 R 7 0 R 8 0 R] >>", page=annotations
    )
    [piece] = pieces(tmp_path, data)
    assert piece.text == "A form\n\nYour name: Anna\nno name of its own\nA remark\n\n"


def test_fields_of_a_page_beyond_those_that_are_looked_at_are_told_of(tmp_path: Path) -> None:
    field = "<< /Type /Annot /Subtype /Widget /Rect [9 9 99 20] /FT /Tx /V (x) >>"
    notes: list[str] = []
    data = samples.pdf_with(["A form"], [field], page=f"/Annots [{'6 0 R ' * 2_003}]")
    found = "".join(piece.text for piece in pieces(tmp_path, data, note=notes.append))
    assert found.count("x\n") == 2_000
    assert notes == [
        "3 of the notes, links and fields on its pages were not read: of a page the first 2,000 are"
    ]


# -- running heads ----------------------------------------------------------------------------------------


def test_running_heads_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    texts = ["red", "green", "blue", "grey", "pink", "black"]
    data = samples.pdf([f"The Book of Colours\nAll about {t}.\n- {n} -" for n, t in enumerate(texts, 7)])
    assert [p.text.strip() for p in pieces(tmp_path, data)] == [f"All about {t}." for t in texts]

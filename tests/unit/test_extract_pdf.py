"""PDF: pages, and the ways in which one cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract
from bouquetd.model import Piece
from tests import samples


def pieces(folder: Path, data: bytes) -> list[Piece]:
    path = folder / "a.pdf"
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(extract(file, "application/pdf", Reading(4096, 4096)))


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
        (samples.scanned_pdf(), "only pictures", "text recognition"),
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

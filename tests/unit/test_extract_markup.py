"""reStructuredText, AsciiDoc and Org: sections and what their heads say."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouquetd.extract import headed, rst
from bouquetd.extract.reading import Reading
from bouquetd.model import NOTHING, Facts, Piece


def read(extract, text: str, read_size: int = 4096) -> list[Piece]:
    found = list(extract(io.BytesIO(text.encode()), Reading(read_size)))
    assert "".join(p.text for p in found) == text
    return found


def sections(extract, text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(p.headings, p.text) for p in read(extract, text)]


# -- reStructuredText ------------------------------------------------------------------------------------------


def test_rst_titles_get_their_levels_in_the_order_of_their_styles() -> None:
    text = "===\nDoc\n===\n\nPart\n====\ntext\n\nSub ``code``\n------------\ntext\n\nPart 2\n======\n"
    assert sections(rst.extract, text) == [
        (("Doc",), "===\nDoc\n===\n\n"),
        (("Doc", "Part"), "Part\n====\ntext\n\n"),
        (("Doc", "Part", "Sub code"), "Sub ``code``\n------------\ntext\n\n"),
        (("Doc", "Part 2"), "Part 2\n======\n"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "text\n\n----\n\ntext\n",
        "A long title\n==\n",
        "two\nlines\n=====\n",
        "====  ====\na     b\n====  ====\n",
        "Code::\n\n    Title\n    =====\n",
        "=====\nonly over\n\n",
    ],
)
def test_rst_rules_without_a_title_are_none(text: str) -> None:
    assert {headings for headings, _ in sections(rst.extract, text)} == {()}


def test_rst_fields_below_the_title_are_facts() -> None:
    text = (
        ".. a comment\n\nOn herons\n=========\n\n:Author: Ann\n  Smith\n:Date: 2024-03-01\n"
        ":Keywords: birds, water\n:Version: 3\n\ntext\n\n:author: not me\n"
    )
    assert read(rst.extract, text)[0].facts == Facts(
        title="On herons", author="Ann Smith", created_at=1_709_251_200.0, keywords=("birds", "water")
    )


def test_rst_that_begins_with_text_says_nothing_of_itself() -> None:
    assert read(rst.extract, "text\n\n:Author: Ann\n")[0].facts is NOTHING


# -- AsciiDoc and Org ------------------------------------------------------------------------------------------


def test_asciidoc_headings_and_head() -> None:
    text = (
        "= On herons\nAnn Smith <a@example.org>\n:lang: en\n:keywords: birds, water\n\n"
        "text\n\n== Part\n----\n== no\n----\n=== Sub\n"
    )
    found = read(headed.extract_asciidoc, text)
    assert [p.headings for p in found] == [
        ("On herons",),
        ("On herons", "Part"),
        ("On herons", "Part", "Sub"),
    ]
    assert found[0].facts == Facts(
        title="On herons", author="Ann Smith <a@example.org>", language="en", keywords=("birds", "water")
    )


def test_org_headings_and_head() -> None:
    text = (
        "#+TITLE: On herons\n#+AUTHOR: Ann\n#+DATE: <2024-03-01>\n#+FILETAGS: :birds:water:\n\n"
        "* Part :tag:\ntext *bold*\n** Sub\n"
    )
    found = read(headed.extract_org, text)
    assert [p.headings for p in found] == [(), ("Part",), ("Part", "Sub")]
    assert found[0].facts == Facts(
        title="On herons", author="Ann", created_at=1_709_251_200.0, keywords=("birds", "water")
    )


@pytest.mark.parametrize("extract", [rst.extract, headed.extract_asciidoc, headed.extract_org])
@settings(max_examples=20, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            ["= A", "* B", "Title", "=====", "-----", "----", "", "  text", ":Author: X", "x" * 5000]
        ),
        max_size=12,
    ),
    read_size=st.integers(1, 40),
)
def test_sections_do_not_depend_on_the_reads(extract, parts: list[str], read_size: int) -> None:
    def places(found: list[Piece]) -> list[tuple[str, object]]:
        return [(c, (p.headings, p.facts)) for p in found for c in p.text]

    text = "\n".join(parts)
    assert places(read(extract, text, read_size)) == places(read(extract, text, 1 << 20))

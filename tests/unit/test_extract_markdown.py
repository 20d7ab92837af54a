"""Markdown: sections, links and front matter."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouquetd.extract.lines import LONGEST
from bouquetd.extract.markdown import extract
from bouquetd.extract.reading import Reading
from bouquetd.model import NOTHING, Facts, Piece


def pieces(text: str, read_size: int = 4096) -> list[Piece]:
    return list(extract(io.BytesIO(text.encode()), Reading(read_size)))


def sections(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(p.headings, p.text) for p in pieces(text)]


def facts(text: str) -> Facts:
    found = pieces(text)
    assert len({id(p.facts) for p in found}) == 1
    return found[0].facts


def test_headings_by_signs_or_by_underlining_make_sections_and_stay_in_the_text() -> None:
    assert sections("Before\n# One #\ntext\n\nTwo\n---\ntext\n### Three\nThree *and*\n===\n") == [
        ((), "Before\n"),
        (("One",), "# One #\ntext\n\n"),
        (("One", "Two"), "Two\n---\ntext\n"),
        (("One", "Two", "Three"), "### Three\n"),
        (("Three and",), "Three *and*\n===\n"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\n# a comment\n```\n",
        "~~~ sh\n```\n# a comment\n~~~\n",
        "```` \n```\n# a comment\n````\n",
        "    # indented code\n",
        "#no space\n",
        "####### seven\n",
        "- an item\n---\n",
        "| a | b |\n---\n",
        "---\n---\n",
        "two lines\nof text\n---\n",
        "text\n\n---\n",
        "# " + "x" * LONGEST + "\n",
        "x" * (LONGEST + 1) + "\n===\n",
        "# \n",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert {headings for headings, _ in sections(text)} == {()}


def test_a_fence_that_is_closed_is_over() -> None:
    assert sections("```py\n# no\n```\n# Yes\n")[-1] == (("Yes",), "# Yes\n")


def test_a_heading_is_known_without_its_marks() -> None:
    assert sections("## The `open` call, see [here](a.md) {#open}\n")[0][0] == ("The open call, see here",)


def test_links_are_kept_with_the_text_they_are_on() -> None:
    text = 'See [the docs](https://example.org/a_(b)) and [more](../b.md "B"), ![no](c.png) [no](#there)\n'
    assert [(p.text, p.link) for p in pieces(text) if p.link] == [
        ("[the docs](https://example.org/a_(b))", "https://example.org/a_(b)"),
        ('[more](../b.md "B")', "../b.md"),
    ]
    assert "".join(p.text for p in pieces(text)) == text


def test_front_matter_becomes_facts_and_leaves_the_text() -> None:
    text = (
        "---\ntitle: On *herons*\nauthor:\n  - name: Ann\n    email: a@example.org\n  - Bob\n"
        "date: 2024-03-01\nlastmod: 2024-03-02T10:00:00Z\nlang: en-GB\ntags: [birds, water]\n"
        "keywords: herons, ponds\n---\n\n# Herons\n"
    )
    assert facts(text) == Facts(
        title="On *herons*",
        author="Ann, Bob",
        language="en",
        created_at=1_709_251_200.0,
        modified_at=1_709_373_600.0,
        keywords=("birds", "water", "herons", "ponds"),
    )
    assert "".join(p.text for p in pieces(text)) == "\n# Herons\n"


def test_front_matter_in_toml() -> None:
    text = '+++\ntitle = "T"\ndate = 2024-03-01\nauthors = ["Ann", "Bob"]\ndraft = true\n+++\ntext\n'
    assert facts(text) == Facts(title="T", author="Ann, Bob", created_at=1_709_251_200.0)


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: [\n---\ntext\n",
        "---\njust a rule above\n\n---\ntext\n",
        "---\na: &a [1, 2]\nb: *a\n---\ntext\n",
        "---\na: " + "[" * 1000 + "]" * 1000 + "\n---\ntext\n",
        "---\n? [a]\n: 1\n---\ntext\n",
        "---\n\x07: 1\n---\ntext\n",
        "+++\na = 1979-13-45\n+++\ntext\n",
        "+++\na = " + "[" * 5000 + "]" * 5000 + "\n+++\ntext\n",
        "---\ntitle: never closed\n",
        "---\ntitle: " + "too long " * 10_000 + "\n---\ntext\n",
    ],
)
def test_front_matter_that_cannot_be_read_stays_text(text: str) -> None:
    assert facts(text) is NOTHING
    assert "".join(p.text for p in pieces(text)) == text


def test_front_matter_that_says_nothing_of_use_gives_no_facts() -> None:
    assert facts("---\nlayout: post\ntitle:\ndate: soon\n---\ntext\n") is NOTHING


MARKUP = st.lists(
    st.sampled_from([
        *["# A", "## B ##", "Title", "---", "===", "```", "~~~~", "", "    code", "- item"],
        *["x" * (LONGEST + 9), "[a](b.md)", "> quote", "+++", "title: x"],
    ]),
    max_size=12,
).map(lambda parts: "\n".join(parts))  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(MARKUP, st.sampled_from([7, 100, 1000]))
def test_sections_do_not_depend_on_the_reads(text: str, read_size: int) -> None:
    def places(found: list[Piece]) -> list[tuple[str, object]]:
        return [(c, (p.headings, p.link, p.facts)) for p in found for c in p.text]

    assert places(pieces(text, read_size)) == places(pieces(text, 1 << 20))


class Endless(io.RawIOBase):
    """So many bytes of one line."""

    def __init__(self, size: int) -> None:
        self.size = self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return b"# a [b](c) " * (size // 11) + b"x" * (size % 11)

    def seek(self, at: int, whence: int = 0) -> int:
        self.left = self.size - at
        return at


def test_a_line_without_end_takes_no_memory() -> None:
    def read(size: int) -> Iterator[Piece]:
        return extract(Endless(size), Reading(64 * 1024))  # type: ignore[arg-type]

    tracemalloc.start()
    assert sum(len(p.text) for p in read(20_000_000)) > 19_000_000
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()

"""A text that was cut into chunks is put together again from them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.chunk import chunk
from bouquetd.model import Document, Facts, Piece, Record
from bouquetd.ops.rejoin import pieces, stored
from bouquetd.pipeline import metadata
from tests.harness import prose

WORDS = ["word", "Other.", "x" * 70, "\n", "\n\n", " ", "   ", "\u00e9l", "\u3042\u3002"]
TEXT = st.lists(st.sampled_from(WORDS), max_size=80)


def again(chunks):
    return list(pieces(iter(chunks)))


def text(found):
    return "".join(piece.text for piece in found)


@given(TEXT, st.integers(50, 90), st.integers(0, 49))
def test_every_character_that_is_no_white_space_comes_back_at_its_place(words, size, overlap):
    whole = " ".join(words)
    found = text(again(chunk([Piece(whole)], size, overlap)))
    assert all(a == b or (a.isspace() and b.isspace()) for a, b in zip(found, whole, strict=False))
    assert whole[len(found) :].strip() == ""


@given(st.integers(100, 900), st.integers(0, 99))
def test_to_cut_it_anew_is_as_to_have_cut_it_so_at_first(size, overlap):
    whole = prose(6_000, 1)
    joined = again(chunk([Piece(whole)], 800, 100))
    assert list(chunk(joined, size, overlap)) == list(chunk([Piece(whole)], size, overlap))


def test_pages_rows_headings_and_facts_are_those_of_the_text_they_stood_over():
    facts = Facts(title="A title", keywords=("one", "two"))
    whole = [
        Piece(f"Chapter {n}\n{prose(1_500, n)}\n\n", page=n + 1, headings=("Book", f"Chapter {n}"), facts=facts)
        for n in range(6)
    ]
    found = again(chunk(whole, 400, 50))
    assert {piece.facts for piece in found} == {facts}
    for n in range(6):
        here = text([piece for piece in found if piece.headings == ("Book", f"Chapter {n}")])
        assert here.startswith(f"Chapter {n}\n")
        assert here.strip() == whole[n].text.strip()


def test_a_heading_early_in_a_chunk_stands_again_at_the_head_of_its_text():
    whole = [Piece("Short.\n\n", headings=("One",)), Piece(f"Two\n{prose(2_000, 2)}", headings=("Two",))]
    found = again(chunk(whole, 800, 100))
    assert text(p for p in found if p.headings == ("Two",)).startswith("Two\nSentence")


def test_what_is_linked_to_stays_with_the_text_that_links():
    links = [f"https://example.org/{n}" for n in range(3)]
    whole = [Piece(prose(2_000, 1)), *(Piece("here ", link=link) for link in links), Piece(prose(2_000, 2))]
    chunks = list(chunk(whole, 400, 50))
    anew = list(chunk(again(chunks), 300, 30))
    assert {link for c in anew for link in c.links} == set(links)
    for one in anew:
        near = {link for c in chunks if c.start < one.end and one.start < c.end for link in c.links}
        assert set(one.links) <= near


def test_white_space_without_end_comes_in_pieces():
    found = again(chunk([Piece("one"), Piece(" " * 500_000), Piece("two")], 100, 0))
    assert max(len(piece.text) for piece in found) <= 64 * 1024
    assert re.sub(r"\s", ".", text(found)) == "one" + "." * 500_000 + "two"


@pytest.mark.parametrize("source", ["a.txt", "b!/c.txt"])
def test_a_record_gives_back_the_chunk_that_it_was_made_of(source):
    facts = Facts("T", "A", "de", 1.5, 2.25, ("k",), ("r", "s"))
    whole = [Piece(prose(900, 1), 3, 4, ("H", "I"), "https://example.org", facts), Piece(prose(900, 2))]
    document = Document("0" * 32, source, "d", 1, "text/plain", 1.0, parent="b" if "!" in source else None)
    for one in chunk(whole, 400, 50):
        values = metadata(document, one, [])
        back = stored(Record(f"{document.id}:{one.number}", one.text, values, np.zeros(2, np.float32)))
        assert metadata(document, back, []) == values
        assert (back.number, back.text, back.start, back.end, back.last) == (
            one.number, one.text, one.start, one.end, one.last
        )  # fmt: skip

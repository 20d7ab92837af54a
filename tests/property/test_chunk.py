# ruff: noqa: RUF001
"""Chunks are a function of the text alone, and lose nothing of it."""

from __future__ import annotations

from itertools import pairwise

import regex
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.chunk import chunk
from bouquetd.model import Piece

PARTS = [*["word", "Ünïcode", "é", "。", "👩\u200d🔬", ".", "!?"], "\n\n", "\n", " ", "  \n ", ". "]
SIGNS = [
    *["a", "Python", "e\u0301\u0323", "👩🏽\u200d🔬", "🇩🇪", "\u1100\u1161\u11a8", "한", "क्षि", "กำ", "ที่"],
    *["ประชุม", "委员会", "讨论", "会議に", "ちょっと", "，", "、\ufe00", "。", "」", "1\ufe0f\u20e3"],
    *["\n\n  ", " ", ". B"],
]
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="ab. \n", max_size=600),
    st.lists(st.sampled_from(PARTS)).map("".join),
    st.lists(st.sampled_from(SIGNS)).map("".join),
    st.builds(
        lambda a, gap, b: a + " " * gap + b, st.text(max_size=50), st.integers(0, 200), st.text(max_size=50)
    ),
)
SIZES = st.integers(1, 80).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


def cut(text: str, cuts: list[int]) -> list[Piece]:
    edges = sorted({0, len(text), *(at % (len(text) + 1) for at in cuts)})
    return [Piece(text[a:b]) for a, b in pairwise(edges)] or [Piece(text)]


@given(TEXTS, SIZES, st.lists(st.integers(0, 10_000)))
def test_chunks_do_not_depend_on_how_the_text_was_cut_into_pieces(
    text: str, sizes: tuple[int, int], cuts: list[int]
) -> None:
    assert list(chunk(cut(text, cuts), *sizes)) == list(chunk([Piece(text)], *sizes))


@given(st.lists(st.text(alphabet="ab. \n", max_size=60)), SIZES)
def test_chunks_of_rows_do_not_depend_on_it_either(rows: list[str], sizes: tuple[int, int]) -> None:
    whole = [Piece(f"{row}\n\n", row=at) for at, row in enumerate(rows, 1)]
    single = [Piece(character, row=piece.row) for piece in whole for character in piece.text]
    assert list(chunk(whole, *sizes)) == list(chunk(single, *sizes))


@given(TEXTS, SIZES)
def test_every_character_but_white_space_lies_in_a_chunk(text: str, sizes: tuple[int, int]) -> None:
    covered = set()
    for c in chunk([Piece(text)], *sizes):
        covered.update(range(c.start, c.end))
    assert [i for i, character in enumerate(text) if not character.isspace() and i not in covered] == []


@given(TEXTS, SIZES)
def test_chunks_are_trimmed_within_their_size_and_where_they_say(text: str, sizes: tuple[int, int]) -> None:
    size, overlap = sizes
    chunks = list(chunk([Piece(text)], size, overlap))
    for number, c in enumerate(chunks):
        assert c.number == number
        assert text[c.start : c.end] == c.text == c.text.strip() != ""
        assert len(c.text) <= size
        assert c.last == (number == len(chunks) - 1)
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert before.end - after.start <= overlap


@given(st.lists(st.tuples(st.text(max_size=60), st.integers(1, 9))), SIZES)
def test_page_and_row_are_those_of_the_first_character(
    parts: list[tuple[str, int]], sizes: tuple[int, int]
) -> None:
    pieces = [Piece(text, page=n, row=at) for at, (text, n) in enumerate(parts, 1)]
    places = [(p.page, p.row) for p in pieces for _ in p.text]
    for c in chunk(pieces, *sizes):
        assert (c.place.page, c.place.row) == places[c.start]


@given(st.lists(st.sampled_from(SIGNS)).map("".join), st.integers(12, 80), st.integers(0, 11))
def test_no_sign_is_parted(text: str, size: int, overlap: int) -> None:
    edges = {0, *(found.end() for found in regex.finditer(r"\X", text))}
    for c in chunk([Piece(text)], size, overlap):
        assert {c.start, c.end} <= edges

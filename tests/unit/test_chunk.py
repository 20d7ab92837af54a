# ruff: noqa: RUF001
"""Where chunks begin and end."""

from __future__ import annotations

import itertools

import pytest

from bouquetd.chunk import MOST_LINKS, chunk
from bouquetd.model import Piece


def texts(text: str, size: int, overlap: int = 0) -> list[str]:
    return [c.text for c in chunk([Piece(text)], size, overlap)]


def test_a_short_text_is_one_chunk_and_the_last() -> None:
    (only,) = chunk([Piece("  hello world \n")])
    assert (only.text, only.start, only.end, only.number, only.last) == ("hello world", 2, 13, 0, True)


@pytest.mark.parametrize("text", ["", "   ", "\n\n \t" * 5000])
def test_a_text_of_white_space_has_no_chunks(text: str) -> None:
    assert list(chunk([Piece(text)])) == []


def test_a_document_without_pieces_has_no_chunks() -> None:
    assert list(chunk([])) == []


def test_a_paragraph_break_is_preferred_to_a_later_sentence() -> None:
    assert texts("A first paragraph here\n\nA second. It goes on and on", 40)[0] == "A first paragraph here"


def test_a_sentence_end_is_preferred_to_a_later_line() -> None:
    assert texts("One two three four. Five six\nseven eight nine", 32)[0] == "One two three four."


def test_a_line_end_is_preferred_to_a_later_word() -> None:
    assert texts("one two three four\nfive six seven eight", 30)[0] == "one two three four"


def test_otherwise_it_is_cut_between_words() -> None:
    assert texts("alpha beta gamma delta epsilon", 18) == ["alpha beta gamma", "delta epsilon"]


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    assert texts("This tool, e.g. in a shell. It reads files there", 44)[0] == "This tool, e.g. in a shell."


def test_a_quote_belongs_to_the_sentence_it_closes() -> None:
    assert texts('He said "that is all." Then he went away', 30)[0] == 'He said "that is all."'


def test_a_sentence_of_chinese_needs_no_space_behind_it() -> None:
    assert texts("这是第一句话。这是第二句话比较长一些的", 10)[0] == "这是第一句话。"


def test_a_clause_of_chinese_is_preferred_to_a_later_word() -> None:
    assert texts("一二三四五六，七八九 十一二三四五六七", 12)[0] == "一二三四五六，"


def test_chinese_without_punctuation_is_cut_between_words() -> None:
    assert texts("委员会于星期二开会讨论新的住房规定并且作出决定", 16, 0) == [
        "委员会于星期二开会讨论新的住房",
        "规定并且作出决定",
    ]


def test_japanese_never_begins_a_chunk_with_a_small_kana_or_a_closing_mark() -> None:
    assert all(t[0] not in "っャ。」ー" for t in texts("ちょっとチャックーをつかって」。" * 30, 7))


def test_thai_is_cut_at_its_phrases_else_between_words() -> None:
    assert texts("สมาชิกหลายคน แย้งว่ากฎเหล่านี้", 20)[0] == "สมาชิกหลายคน"
    assert texts("คณะกรรมการประชุมเมื่อวันอังคาร", 18)[0] == "คณะกรรมการประชุม"


def test_a_latin_word_in_chinese_is_not_cut() -> None:
    assert texts("我们使用的是Python语言来编写", 9)[0] == "我们使用的是"


@pytest.mark.parametrize(
    "sign",
    [
        "🇩🇪",
        "👩🏽\u200d🚀",
        "\u1100\u1161\u11a8",
        "क्षि",
        "ก็",
        "กำ",
        "1\ufe0f\u20e3",
        "g\u0308\u0323",
    ],
)
@pytest.mark.parametrize("size", [11, 12, 13])
def test_a_cut_within_a_word_does_not_part_a_sign(sign: str, size: int) -> None:
    found = texts(sign * 40, size)
    assert "".join(found) == sign * 40
    assert all(len(t) % len(sign) == 0 for t in found)


def test_a_blank_line_before_an_indented_line_is_the_lesser_break() -> None:
    text = "def one():\n    number = 12345\n\ndef two():\n    first = 1\n\n    return first\n"
    assert texts(text, 55)[0] == "def one():\n    number = 12345"
    assert texts("  one two three\n\n  four five six\n\n  seven eight", 40)[0].endswith("six")


def test_a_break_in_the_first_half_is_passed_over_for_a_fuller_chunk() -> None:
    assert texts("Ab.\n\nThis goes on without an end for long", 20)[0] == "Ab.\n\nThis goes on"


def test_a_word_longer_than_a_chunk_is_cut_and_nothing_of_it_is_lost() -> None:
    assert texts("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_a_cut_within_a_word_does_not_part_a_letter_from_its_accent() -> None:
    assert all(not t.startswith("\u0301") for t in texts("e\u0301" * 30, 7))


def test_a_cut_within_a_word_does_not_part_a_joined_emoji() -> None:
    assert set(texts("👩\u200d🔬" * 10, 7)) == {"👩\u200d🔬" * 2}


def test_a_pile_of_accents_without_end_is_cut_all_the_same() -> None:
    assert "".join(texts("a" + "\u0301" * 50, 10)) == "a" + "\u0301" * 50


def test_the_next_chunk_of_chinese_begins_behind_a_mark() -> None:
    assert texts("一二三四五六，七八九。十一二三，四五六七八。", 14, 5)[1].startswith("七八九。十")


def test_the_next_chunk_begins_with_the_last_words_of_the_one_before() -> None:
    assert texts("alpha beta gamma delta epsilon", 22, 6) == ["alpha beta gamma delta", "delta epsilon"]


def test_the_overlap_never_grows_over_its_bound_and_begins_at_a_word() -> None:
    text = " ".join(f"word{n}" for n in range(500))
    chunks = list(chunk([Piece(text)], 200, 30))
    for before, after in itertools.pairwise(chunks):
        assert 0 < before.end - after.start <= 30
        assert text[after.start - 1] == " "


def test_a_desert_between_two_words_costs_no_chunk() -> None:
    pieces = [Piece("first"), *[Piece(" " * 1000)] * 2000, Piece("second")]
    assert [(c.text, c.start) for c in chunk(pieces)] == [("first", 0), ("second", 2_000_005)]


def test_chunks_come_while_the_text_is_still_being_read() -> None:
    endless = chunk(Piece("A sentence of some words. ") for _ in itertools.count())
    assert [next(endless).number for _ in range(3)] == [0, 1, 2]


def test_only_the_final_chunk_is_the_last() -> None:
    *others, final = chunk([Piece("word " * 100)], 100, 10)
    assert final.last
    assert not any(c.last for c in others)


def test_page_and_row_are_where_the_chunk_begins() -> None:
    pieces = [Piece("alpha beta ", page=1), Piece("gamma delta ", page=2), Piece("epsilon", page=3)]
    assert [(c.text, c.place.page) for c in chunk(pieces, 16, 0)] == [
        ("alpha beta gamma", 1),
        ("delta epsilon", 2),
    ]


def test_a_chunk_ends_where_a_section_begins_and_nothing_of_it_is_repeated_there() -> None:
    pieces = [Piece("One two three. Four. ", headings=("A",)), Piece("Five six. Seven eight.", headings=("B",))]
    found = [(c.text, c.place.headings) for c in chunk(pieces, 30, 10)]
    assert found == [("One two three. Four.", ("A",)), ("Five six. Seven eight.", ("B",))]


def test_whole_rows_are_repeated_or_none() -> None:
    short = [Piece(f"a: {n}\nb: {n}\n\n", row=n) for n in range(1, 9)]
    assert [c.text for c in chunk(short, 30, 14)][:2] == [
        "a: 1\nb: 1\n\na: 2\nb: 2",
        "a: 2\nb: 2\n\na: 3\nb: 3",
    ]
    assert [c.text for c in chunk(short, 30, 8)][:2] == ["a: 1\nb: 1\n\na: 2\nb: 2", "a: 3\nb: 3\n\na: 4\nb: 4"]


def test_of_a_row_that_is_cut_words_are_repeated() -> None:
    pieces = [Piece("alpha beta gamma delta epsilon\n\n", row=1), Piece("zeta\n\n", row=2)]
    assert [c.text for c in chunk(pieces, 22, 6)] == ["alpha beta gamma delta", "delta epsilon\n\nzeta"]


def test_the_links_of_a_chunk_are_those_within_it_each_once() -> None:
    pieces = [Piece("See "), Piece("here", link="u:1"), Piece(" and "), Piece("there", link="u:1"), Piece(". ")]
    [only] = chunk([*pieces, Piece("Again", link="u:2")])
    assert only.links == ("u:1", "u:2")
    [*_, last] = chunk([Piece("aaa bbb ", link="u:1"), Piece("ccc ddd")], 8, 0)
    assert last.links == ()


def test_no_more_links_are_kept_than_help_anybody() -> None:
    [only] = chunk([Piece("x", link=f"u:{n}") for n in range(100)])
    assert len(only.links) == MOST_LINKS


@pytest.mark.parametrize(("size", "overlap"), [(10, 10), (10, -1), (0, 0)])
def test_an_impossible_size_or_overlap_is_an_error_of_the_caller(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        list(chunk([Piece("text")], size, overlap))

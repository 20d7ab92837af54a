"""Running heads: what is one, and what only looks like one."""

from __future__ import annotations

from itertools import islice

import pytest

from bouquetd.extract.running import AHEAD, HELD, without_running_heads


def stripped(texts: list[str]) -> list[str]:
    return [text for _, text in without_running_heads(enumerate(texts))]


BODIES = [f"Something else on {word}." for word in "apples pears plums figs dates limes nuts quinces".split()]


@pytest.mark.parametrize(
    "head",
    [
        lambda n: "The title",
        lambda n: f"{n + 5}",
        lambda n: f"Page {n + 1} of 8",
        lambda n: f"{n + 101}  CHAPTER 3. FRUIT",
        lambda n: ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii"][n],
        lambda n: "The title" if n % 2 else "The chapter",
        lambda n: f"{n}  The title" if n % 2 else f"The chapter  {n}",
        lambda n: "The title\nThe author",
    ],
)
@pytest.mark.parametrize("place", ["{0}\n{1}", "{1}\n{0}", "\n{0}\n\n{1}\n"])
def test_a_line_that_comes_again_at_the_edge_is_left_out(head, place: str) -> None:
    texts = [place.format(head(n), body) for n, body in enumerate(BODIES)]
    assert [text.strip() for text in stripped(texts)] == BODIES


def test_what_comes_with_a_page_stays_with_it() -> None:
    pages = [(name, f"Head\n{name}") for name in "abcdef"]
    assert list(without_running_heads(pages)) == [(name, name) for name in "abcdef"]


def test_the_head_of_a_chapter_goes_where_its_pages_are() -> None:
    heads = ["One"] * 4 + ["Two"] * 4
    assert stripped([f"{head}\n{body}" for head, body in zip(heads, BODIES, strict=True)]) == BODIES


def test_a_page_number_alone_goes_where_the_others_stand_beside_a_title() -> None:
    texts = [f"{body}\n{n}" if n == 3 else f"Fruit {n}\n{body}" for n, body in enumerate(BODIES)]
    assert stripped(texts) == BODIES


def test_fewer_than_four_pages_have_no_running_heads() -> None:
    texts = ["Head\none", "Head\ntwo", "Head\nthree"]
    assert stripped(texts) == texts


def test_a_page_keeps_what_is_all_that_it_has() -> None:
    texts = [f"Page {n}" for n in range(6)]
    assert stripped(texts) == texts


def test_rows_of_figures_are_no_page_numbers() -> None:
    texts = ["\n".join(f"{(n * 37 + row * 11) % 90} {row * n * 7 % 50}" for row in range(9)) for n in range(8)]
    assert stripped(texts) == texts


def test_text_that_repeats_beyond_a_few_lines_is_no_head() -> None:
    texts = ["\n".join(f"Item {line} of the form" for line in range(12)) + f"\n{body}" for body in BODIES]
    assert stripped(texts) == texts


def test_a_line_that_repeats_within_pages_stays() -> None:
    texts = [f"{body}\na\nb\nc\nd\nAnd so on.\ne\nf\ng\nh\n{body[::-1]}" for body in BODIES]
    assert stripped(texts) == texts


def test_a_few_pages_are_held_back_and_no_more() -> None:
    pages = iter([(None, "Head\ntext")] * 100)
    list(islice(without_running_heads(pages), 10))
    assert len(list(pages)) >= 90 - AHEAD


def test_long_pages_are_not_held_back() -> None:
    pages = iter([(None, "x" * HELD)] * 20)
    list(islice(without_running_heads(pages), 10))
    assert len(list(pages)) >= 8

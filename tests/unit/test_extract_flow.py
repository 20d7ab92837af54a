"""A flow of text: where its pieces stand."""

from __future__ import annotations

from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.outline import DEEPEST, LONGEST_TITLE, Outline


def test_a_heading_begins_its_section_and_is_a_part_of_it() -> None:
    flow = Flow()
    flow.write("Before.")
    for level, title in ((1, "One"), (2, "Two"), (1, "Three")):
        flow.heading(level)
        flow.write(title)
        flow.heading_over()
        flow.write(f"Text of {title}.")
    assert [(p.text, p.headings) for p in flow.pieces(last=True)] == [
        ("Before.", ()),
        ("\n\nOne\n\nText of One.", ("One",)),
        ("\n\nTwo\n\nText of Two.", ("One", "Two")),
        ("\n\nThree\n\nText of Three.", ("Three",)),
    ]


def test_pieces_end_where_a_page_or_a_link_begins() -> None:
    flow = Flow()
    flow.page = 1
    flow.write("See ")
    flow.follow("u:1")
    flow.write("here")
    flow.follow(None)
    flow.write(".")
    flow.page = 2
    flow.write("Next")
    assert [(p.text, p.page, p.link) for p in flow.pieces(last=True)] == [
        ("See ", 1, None),
        ("here", 1, "u:1"),
        (".", 1, None),
        ("\n\nNext", 2, None),
    ]


def test_a_flow_is_handed_on_in_pieces_of_some_size() -> None:
    flow = Flow()
    flow.write("x")
    assert not list(flow.pieces())
    flow.separate(Break.LINE)
    flow.write("y" * 20_000)
    assert ["\n" in p.text for p in flow.pieces()] == [True]
    assert not list(flow.pieces(last=True))


def test_an_outline_keeps_neither_endless_titles_nor_endless_depths() -> None:
    outline = Outline()
    for level in range(100):
        outline.enter(level, f"{level} " + "x" * 1000)
    assert len(outline.path) == DEEPEST
    assert all(len(title) == LONGEST_TITLE for title in outline.path)
    outline.enter(0, " \n ")
    assert len(outline.path) == DEEPEST

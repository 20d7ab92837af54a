"""RTF: characters, breaks, and what is passed over."""

from __future__ import annotations

import io

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.model import Piece
from tests import samples


def text(data: bytes, read_size: int = 4096) -> str:
    file = io.BytesIO(data)
    return "".join(p.text for p in extract(file, media_type(file, "a"), Reading(read_size, 4096)))


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (rb"one\par two", "one\n\ntwo"),
        (rb"one\line two\tab three", "one\ntwo\tthree"),
        (rb"caf\'e9 \'80", "caf\u00e9 \u20ac"),
        (rb"\u8364?\u-10179?\u-8704?!", "\u20ac\U0001f600!"),
        (rb"\uc2\u233\'c3\'a9 x", "\u00e9 x"),
        (rb"\uc0\u233 x", "\u00e9x"),
        (rb"\{a\\b\}\~c", "{a\\b}\u00a0c"),
        (rb"\ldblquote a\rdblquote\emdash b", "\u201ca\u201d\u2014b"),
        (rb"a{\*\unknown gone}b{\pict\pngblip 89504e47}c", "abc"),
        (rb"{\field{\*\fldinst HYPERLINK http://x}{\fldrslt seen}}", "seen"),
        (rb"a\bin5 {}\\}b", "ab"),
        (rb"a{\v hidden}b{\deleted gone}c", "abc"),
        (rb"a{\super\chftn}{\*\footnote\chftn below}b", "a\n\nbelow\n\nb"),
        (rb"a{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt in}}{\shprslt in}}b", "ainb"),
        (rb"{\header top}body{\footer bottom}", "body"),
        (rb"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f1 \'cf\'f0\f0 \'e9", "\u041f\u0440\u00e9"),
        (rb"{\fonttbl{\f0\fcharset128 A;}}\f0 \'93\'fa\'96\'7b", "\u65e5\u672c"),
        (rb"\trowd a\cell b\cell\row c\cell\row\pard d", "a\tb\nc\nd"),
    ],
)
@pytest.mark.parametrize("read_size", [1, 4096])
def test_control_words_become_text(body: bytes, seen: str, read_size: int) -> None:
    assert text(rb"{\rtf1\ansi\ansicpg1252 " + body + b"}", read_size) == seen


def pieces(data: bytes) -> list[Piece]:
    return list(extract(io.BytesIO(data), "application/rtf", Reading()))


def test_what_the_document_says_of_itself_goes_with_each_piece() -> None:
    info = (
        rb"{\info{\title Gr\'fc\'dfe}{\author Ann}{\keywords tea, coffee}{\creatim\yr2024\mo5\dy3\hr10\min30}}"
    )
    (piece,) = pieces(rb"{\rtf1\ansi" + info + rb"text}")
    assert piece.text == "text"
    assert piece.facts.title == "Gr\u00fc\u00dfe"
    assert piece.facts.author == "Ann"
    assert piece.facts.keywords == ("tea", "coffee")
    assert piece.facts.created_at == 1_714_732_200


@pytest.mark.parametrize(
    "heading", [rb"\pard\outlinelevel0 One\par", rb"\pard\s3 One\par", rb"{\pard\s4 One\par}"]
)
def test_a_heading_is_told_by_its_outline_level_or_the_name_of_its_style(heading: bytes) -> None:
    styles = (
        rb"{\stylesheet{\s0 Normal;}{\s3\b heading 1;}{\*\s4\outlinelevel0 Other;}{\s4\outlinelevel0 Mine;}}"
    )
    found = pieces(rb"{\rtf1\ansi" + styles + rb"Before\par" + heading + rb"\pard\s0 Text.}")
    assert [(p.text, p.headings) for p in found] == [("Before", ()), ("\n\nOne\n\nText.", ("One",))]


@pytest.mark.parametrize(
    ("field", "link"),
    [
        (rb'{\*\fldinst{HYPERLINK "http://example.org/x" }}', "http://example.org/x"),
        (rb'{\*\fldinst HYPERLINK \\l "mark"}', None),
        (rb'{\*\fldinst HYPERLINK "javascript:x"}', None),
        (rb"{\*\fldinst PAGE}", None),
    ],
)
def test_a_field_that_is_a_hyperlink_is_followed(field: bytes, link: str | None) -> None:
    found = pieces(rb"{\rtf1 See {\field" + field + rb"{\fldrslt here}}.}")
    assert {p.link for p in found if "here" in p.text} == {link}
    assert found[-1].text.endswith(".")
    assert found[-1].link is None


def test_an_rtf_whose_end_is_missing_is_rejected() -> None:
    with pytest.raises(Rejected, match="end is missing"):
        text(samples.rtf(["text"])[:-1])


def test_endless_nesting_is_rejected() -> None:
    with pytest.raises(Rejected, match="nested"):
        text(rb"{\rtf1 " + b"{" * 5000)

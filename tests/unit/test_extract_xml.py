"""XML: texts for readers, data with its names, and what is hostile or broken."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type, xml_stream
from bouquetd.model import Facts, Piece

BOTH_SIZES = pytest.mark.parametrize("read_size", [3, 4096])


def pieces(document: str | bytes, read_size: int = 4096, notes: list[str] | None = None) -> list[Piece]:
    data = document.encode() if isinstance(document, str) else document
    reading = Reading(read_size, note=(notes if notes is not None else []).append)
    return list(extract(io.BytesIO(data), "application/xml", reading))


def text(document: str | bytes, read_size: int = 4096) -> str:
    return "".join(p.text for p in pieces(document, read_size))


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        ("<book><para>One <b>two</b>, th<i>ree</i>.</para><para>Four</para></book>", "One two, three.\n\nFour"),
        ("<book><para><b>One</b> two</para></book>", "One two"),
        ("<book><odd><x>One</x> two</odd></book>", "One two"),
        ("<book><a>One</a><b>two</b></book>", "One\ntwo"),
        ("<tei><lg><l>One</l><l>two</l></lg><lg><l>three</l></lg></tei>", "One\ntwo\n\nthree"),
        (
            "<book>x<table><row><entry>a</entry><entry><para>b</para></entry></row><row><entry>c</entry></row>"
            "</table>y</book>",
            "x\n\na\tb\nc\n\ny",
        ),
        ("<book><screen>a\n  b</screen>\n  <para>c\n  d</para></book>", "a\n  b\n\nc d"),
        (
            "<book role='x'><para id='y' class='z'>a<![CDATA[ < b]]> &amp; &#99;</para><!-- d --></book>",
            "a < b & c",
        ),
        ("<svg xmlns='s'><style>x</style><text x='1'>Label</text><path d='M0 0'/></svg>", "Label"),
        ("<!DOCTYPE book PUBLIC 'x' 'http://x/y.dtd'><book>a&mdash;b&nowhere;c</book>", "a\u2014b&nowhere;c"),
        ("<book>a&nbsp;b</book>", "a b"),
    ],
)
@BOTH_SIZES
def test_a_text_for_readers_becomes_paragraphs(document: str, seen: str, read_size: int) -> None:
    assert text(document, read_size) == seen


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        (
            "<people><person name='Ann Lee' age='7'><city>Bonn</city><zip>53111</zip></person>"
            "<person name='Bob'/></people>",
            "person name: Ann Lee, age: 7\ncity: Bonn\nzip: 53111\n\nperson name: Bob",
        ),
        ("<track><pt lat='1.5' lon='2'><ele>7</ele></pt></track>", "ele: 7"),
        ("<c xmlns:x='http://x' x:id='k' style='a'><x:port>80</x:port></c>", "c x:id: k\nport: 80"),
        ("<c><key>a <b>c</b> d</key></c>", "key: a c d"),
    ],
)
@BOTH_SIZES
def test_data_keeps_the_names_of_its_elements_and_attributes(document: str, seen: str, read_size: int) -> None:
    assert text(document, read_size) == seen


@pytest.mark.parametrize(
    "document",
    [
        "<book><title>B</title><chapter><info><title>C</title></info><section><title>S</title>"
        "<figure><title>F</title></figure><para>x</para></section></chapter></book>",
        "<TEI><teiHeader><titleStmt><title>B</title></titleStmt></teiHeader><text><body><div><head>C</head>"
        "<div><head>S</head><p>x <title>y</title></p></div></div></body></text></TEI>",
        "<article><front><article-meta><title-group><article-title>B</article-title></title-group>"
        "</article-meta></front><body><sec><title>C</title><sec><title>S</title><p>x</p></sec></sec></body></article>",
    ],
)
@BOTH_SIZES
def test_titles_of_sections_are_headings(document: str, read_size: int) -> None:
    (last,) = (p for p in pieces(document, read_size) if "x" in p.text)
    assert last.headings == ("B", "C", "S")


def test_links_go_with_their_text() -> None:
    found = pieces("<book xmlns:x='x'><para>see <link x:href='http://example.org'>here</link>.</para></book>")
    assert [(p.text, p.link) for p in found] == [("see", None), (" here", "http://example.org"), (".", None)]


def test_a_text_for_readers_says_what_it_is() -> None:
    found = pieces(
        "<rss xml:lang='en-GB'><channel><title>News</title><pubDate>Fri, 03 May 2024 00:00:00 GMT</pubDate>"
        "<item><title>First</title><author>Ann</author></item></channel></rss>"
    )
    assert found[0].facts == Facts(title="News", language="en", created_at=1_714_694_400.0)
    assert found[-1].headings == ("News", "First")
    assert all(p.facts is found[0].facts for p in found)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-2", "windows-1251", "gb18030", "shift_jis"])
def test_any_encoding_is_read(encoding: str) -> None:
    word = {
        "iso-8859-2": "Žluťoučký",
        "windows-1251": "Привет",
        "gb18030": "汉语",
        "shift_jis": "テキスト",
    }.get(encoding, "Grüße")
    assert text(f"<?xml version='1.0' encoding='{encoding}'?><book>{word}</book>".encode(encoding)) == word


@pytest.mark.parametrize(
    "broken", ["<a><b>text</a>", "<a>text", "<a b=c>text</a>", "text", "<a>text</a>more", "<a"]
)
@BOTH_SIZES
def test_broken_xml_is_read_as_it_stands_and_that_is_said(broken: str, read_size: int) -> None:
    notes: list[str] = []
    assert "".join(p.text for p in pieces(broken, read_size, notes)) == broken
    assert "plain text" in notes[0]


BOMB = "<!DOCTYPE a [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (f"{BOMB}]><a>&j;</a>", "entity"),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "entity"),
        ("<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://x/'> %x;]><a>b</a>", "entity"),
        ("<a>" * 501, "bounds.nesting"),
        ("<a " + " ".join(f"b{n}='c'" for n in range(1001)) + "/>", "bounds.attributes"),
        (
            "<!DOCTYPE a [<!ATTLIST a " + " ".join(f"b{n} CDATA 'c'" for n in range(1001)) + ">]><a/>",
            "bounds.attributes",
        ),
    ],
)
@BOTH_SIZES
def test_hostile_xml_is_rejected(document: str, reason: str, read_size: int) -> None:
    with pytest.raises(Rejected, match=reason):
        pieces(document, read_size)


def test_a_document_type_that_declares_no_entity_is_passed_over() -> None:
    assert (
        text("<!DOCTYPE book [<!ELEMENT book (#PCDATA)><!ATTLIST book a CDATA 'words'>]><book>b</book>") == "b"
    )


def test_more_names_than_can_be_remembered_are_read_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "_MOST_NAMES", 100)
    notes: list[str] = []
    pieces("<r>" + "".join(f"<n{n}/>" for n in range(101)) + "x</r>", notes=notes)
    assert "different names" in notes[0]


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"<?xml version='1.0'?><x/>", "a.gpx", "application/xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><x/>", "a", "application/xml"),
        (b"<!-- drawn --><svg width='1'>", "a.txt", "application/xml"),
        (b"<root xmlns='http://x'>", "a", "application/xml"),
        (b"<!DOCTYPE book PUBLIC 'x'>\n<book>", "a.dbk", "application/xml"),
        (b"<?xml version='1.0'?><?xml-stylesheet href='x'?><!DOCTYPE html><html>", "a", "text/html"),
        (b"<svg width='1'></svg>\n# Title", "README.md", "text/markdown"),
        (b"<stdio.h> is a header", "a.txt", "text/plain"),
        (b"<x> and <y>", "a", "text/plain"),
    ],
)
def test_xml_is_told_by_its_content(data: bytes, name: str, expected: str) -> None:
    assert media_type(io.BytesIO(data), name) == expected


PARTS = [
    "<p>",
    "</p>",
    "<b x='y z'>",
    "</b>",
    "<title>",
    "</title>",
    "<br/>",
    "text",
    " ",
    "\n",
    "&amp;",
    "&x;",
    "é",
]


@given(
    st.lists(st.sampled_from(PARTS), max_size=30).map("".join),
    st.sampled_from(["book", "data"]),
    st.integers(1, 9),
)
def test_no_read_size_changes_the_text_or_its_places(body: str, root: str, read_size: int) -> None:
    document = f"<{root}>x{body}</{root}>"
    small, large = pieces(document, read_size), pieces(document, 1 << 20)
    assert "".join(p.text for p in small) == "".join(p.text for p in large)
    assert [p.place for p in small for _ in p.text] == [p.place for p in large for _ in p.text]


def test_a_tag_without_an_end_in_sight_is_refused_and_not_read_as_text() -> None:
    with pytest.raises(Rejected, match="longer than 1 MB"):
        text(b"<svg><image href='" + b"QUJD" * 700_000 + b"'/></svg>")

"""HTML: what a reader sees of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract
from bouquetd.model import Facts, Piece


def text(page: str | bytes, read_size: int = 4096) -> str:
    data = page.encode() if isinstance(page, str) else page
    return "".join(p.text for p in extract(io.BytesIO(data), "text/html", Reading(read_size, 4096)))


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        ("<p>one</p>\n<p>two</p>", "one\n\ntwo"),
        ("<h1>Head</h1>text<div>more</div>", "Head\n\ntext\n\nmore"),
        ("one<br>two<br/>three<br><br>four", "one\ntwo\nthree\n\nfour"),
        ("<ul><li>a<li>b</ul>c", "a\nb\n\nc"),
        ("a <b>bold</b>, <i>i</i>talic  \n word", "a bold, italic word"),
        ("<table><tr><td>a<td><p>b</p></tr><tr><th>c</th><th>d</th></tr></table>e", "a\tb\nc\td\n\ne"),
        ("<pre>  def f():\n    pass</pre>x", "  def f():\n    pass\n\nx"),
        ("<title>T &amp; U</title><p>x", "T & U\n\nx"),
    ],
)
def test_structure_becomes_white_space(page: str, seen: str) -> None:
    assert text(page) == seen


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>if (a < b) '</p>x'</script>",
        "<SCRIPT type='a>b'>x</script >",
        "<style>p { color: red }</style>",
        "<noscript><p>switch it on</p></noscript>",
        "<template><p>{{x}}</p><template>y</template>z</template>",
        "<!-- a comment <p>x</p> -->",
        "<!-->",
        "<!doctype html>",
        "<?php echo 1 ?>",
        '<img title="a > b" src=x>',
        '<a href=\'it"s\' title = "x>y"></a>',
        "</>",
        "</ bogus>",
    ],
)
@pytest.mark.parametrize("read_size", [1, 2, 5, 4096])
def test_what_nobody_sees_is_left_out(hidden: str, read_size: int) -> None:
    assert text(f"before{hidden}after", read_size) == "beforeafter"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("caf&eacute; &#8364; &#x1F600; &lt;b&gt; &amp;amp;", "café € 😀 <b> &amp;"),
        ("a&nbsp;b", "a b"),
        ("AT&T &unknown; & co", "AT&T &unknown; & co"),
        ("&#xD800;&#0;x", "\ufffd\ufffdx"),
        ("1 < 2 and 2 <3", "1 < 2 and 2 <3"),
    ],
)
@pytest.mark.parametrize("read_size", [1, 3, 4096])
def test_character_references_are_decoded_and_strays_kept(source: str, seen: str, read_size: int) -> None:
    assert text(source, read_size) == seen


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="iso-8859-2">', "iso8859-2"),
        ("<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'>", "cp1251"),
        ('<?xml version="1.0" encoding="Shift_JIS"?><html>', "cp932"),
        ('<meta charset="utf-8">', "utf-8"),
        ('<meta charset="utf-16">', "utf-8"),
        ('<meta charset="rot13">', "utf-8"),
        ('<meta charset="iso-8859-1">', "utf-8"),
    ],
)
def test_the_page_tells_its_encoding_unless_its_bytes_contradict(head: str, encoding: str) -> None:
    word = {"iso8859-2": "Žluťoučký", "cp1251": "Привет", "cp932": "テキスト"}.get(encoding, "Grüße")
    assert text(f"{head}<p>{word}".encode(encoding)) == word


def pieces(page: str, read_size: int = 4096) -> list[Piece]:
    return list(extract(io.BytesIO(page.encode()), "text/html", Reading(read_size)))


NAVIGATION = [
    "<nav>menu <b>more</b> <nav>inner</nav> rest</nav>",
    "<div class=x role='navigation'>menu<div>more</div>x<script>'</div>'</script></div>",
]


@pytest.mark.parametrize("navigation", NAVIGATION)
@pytest.mark.parametrize("read_size", [1, 4096])
def test_navigation_is_left_out(navigation: str, read_size: int) -> None:
    assert text(f"<p>before{navigation}after", read_size) == "before\n\nafter"


@pytest.mark.parametrize("read_size", [1, 4096])
def test_navigation_is_read_where_there_is_nothing_else(read_size: int) -> None:
    page = "<title>Index</title><nav><a href=a.html>First</a></nav> <nav>Second</nav>"
    assert text(page, read_size) == "Index\n\nFirst\n\nSecond"


@pytest.mark.parametrize("read_size", [1, 4096])
def test_navigation_without_an_end_takes_nothing_with_it(read_size: int) -> None:
    assert text("<p>one</p><nav>a</nav><p>two</p><nav>menu<p>three", read_size) == "one\n\ntwo\n\nmenu\n\nthree"


@pytest.mark.parametrize("read_size", [1, 4096])
def test_headings_stand_above_what_follows_them(read_size: int) -> None:
    found = pieces("x<h1>A <b>b</b></h1>y<h3>C</h3>z<h2>D</h2>", read_size)
    assert [(p.text, p.headings) for p in found] == [
        ("x", ()),
        ("\n\nA b\n\ny", ("A b",)),
        ("\n\nC\n\nz", ("A b", "C")),
        ("\n\nD", ("A b", "D")),
    ]


@pytest.mark.parametrize(
    ("tag", "link"),
    [
        ("<a href='http://example.org/?a=1&amp;b=2'>", "http://example.org/?a=1&b=2"),
        ('<A title="href=x" class=c HREF = "b/c.html#d">', "b/c.html#d"),
        ("<a href=mailto:a@b>", "mailto:a@b"),
        ("<a href='#top'>", None),
        ("<a href='javascript:alert(1)'>", None),
        ("<a name=x>", None),
        (f"<a href='http://{'x' * 600}'>", None),
        (f"<a data-x='{'y' * 20_000}' href='b'>", None),
    ],
)
@pytest.mark.parametrize("read_size", [512, 65536])
def test_a_link_goes_with_its_text(tag: str, link: str | None, read_size: int) -> None:
    found = pieces(f"see {tag}here</a>.", read_size)
    assert [p.link for p in found if "here" in p.text] == [link]
    assert found[-1].link is None


@pytest.mark.parametrize("read_size", [1, 4096])
def test_a_page_says_what_it_is(read_size: int) -> None:
    found = pieces(
        "<!-- <title>No</title> --><html lang='de-AT'><head><title>T &amp;\n U</title>"
        "<meta name=Author content='Ann'><meta name='DC.creator' content='Bob'>"
        "<meta name=keywords content='a, b,a'><meta property='article:published_time' content='2024-05-03'>"
        "<meta http-equiv=last-modified content='Fri, 03 May 2024 00:00:00 GMT'></head><h1>x</h1>",
        read_size,
    )
    day = 1_714_694_400.0
    assert found[0].facts == Facts("T & U", "Ann", "de", day, day, ("a", "b"))
    assert all(p.facts is found[0].facts for p in found)


def test_a_picture_says_what_stands_for_it() -> None:
    assert text("a<img src=x alt='the &lt;tree&gt;'>b<img alt=''>c") == "a the <tree> bc"


def test_a_page_of_markup_only_has_no_text() -> None:
    with pytest.raises(Rejected, match="no text"):
        text("<html><body><img src=x><script>x</script></body></html>")


def test_an_empty_script_element_of_xhtml_swallows_nothing() -> None:
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script src="x"/><p>text</p></html>'
    assert text(page) == "text"


def test_nesting_has_no_limit() -> None:
    assert text("<div>" * 100_000 + "deep" + "</div>" * 100_000, 65536) == "deep"


@pytest.mark.parametrize("open_end", ["<p title='", "<!-- ", "<script>", "<p", "<p a=", "&am", "<"])
def test_a_page_that_breaks_off_keeps_its_text(open_end: str) -> None:
    assert text("text " + open_end).startswith("text")


PARTS = [
    "text",
    "<p>",
    "</p>",
    "<br>",
    "<td>",
    "<pre>",
    "</pre>",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<template>",
    "</template>",
    "&amp;",
    "&#233;",
    "&",
    ";",
    "<",
    ">",
    '"',
    "'",
    "=",
    "/",
    "</",
    "<!",
    "é",
    "<div/>",
    "<nav>",
    "</nav>",
    "<div role=navigation>",
    "</div>",
    "<h1>",
    "</h1>",
    "<a href=b>",
    "</a>",
    "<title>",
    "</title>",
    "<img alt=x>",
]
MARKUP = st.lists(st.sampled_from([*PARTS, " ", "\n", '<a b="c>d">', "<a b='", "<a "])).map("".join)


@given(MARKUP, st.integers(1, 9))
@example("</pre></pre></script>\u00e9<nav><img alt=x>", 8)  # a tag that the last read makes whole
def test_no_read_size_changes_the_text(page: str, read_size: int) -> None:
    page = "x" + page
    small, large = (pieces(page, size) for size in (read_size, 1 << 20))
    assert "".join(p.text for p in small) == "".join(p.text for p in large)
    assert [p.place for p in small for _ in p.text] == [p.place for p in large for _ in p.text]

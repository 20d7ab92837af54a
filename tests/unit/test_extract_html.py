"""HTML: what a reader sees of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract


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
        '<img alt="a > b" src=x>',
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
]
MARKUP = st.lists(st.sampled_from([*PARTS, " ", "\n", '<a b="c>d">', "<a b='", "<a "])).map("".join)


@given(MARKUP, st.integers(1, 9))
def test_no_read_size_changes_the_text(page: str, read_size: int) -> None:
    page = "x" + page
    assert text(page, read_size) == text(page, 1 << 20)

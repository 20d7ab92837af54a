"""EPUB: chapters, contents, and what the book says of itself."""

from __future__ import annotations

import io

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.model import Facts, Piece
from tests import samples

METADATA = (
    '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">'
    "<dc:title>The  Book</dc:title><dc:title>Part two</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bob"
    "</dc:creator><dc:language>eng</dc:language><dc:date>2024-05-03</dc:date><dc:subject>tea</dc:subject>"
    '<dc:subject>coffee</dc:subject><meta property="dcterms:modified">2024-05-04T00:00:00Z</meta></metadata>'
)
CONTENTS = "<html xmlns='http://www.w3.org/1999/xhtml'><body><nav><a href='c.xhtml'>One</a></nav></body></html>"
CHAPTER = (
    "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>Repeated</title></head><body><h1>One</h1>"
    "<p><a id='x'/>See <a href='http://example.org'>there</a>.</p></body></html>"
)


def book(order: str = "ncn", **files: str) -> bytes:
    refs = "".join(f'<itemref idref="{name}"/>' for name in order)
    kind = 'media-type="application/xhtml+xml"'
    return samples.zip_of({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": "<container><rootfile full-path='book.opf'/></container>",
        "book.opf": f'<package xmlns="http://www.idpf.org/2007/opf">{METADATA}<manifest>'
        f'<item id="n" href="n.xhtml" properties="nav" {kind}/><item id="c" href="c.xhtml" {kind}/></manifest>'
        f"<spine>{refs}</spine></package>",
        "n.xhtml": CONTENTS,
        "c.xhtml": CHAPTER,
        **files,
    })  # fmt: skip


def pieces(data: bytes) -> list[Piece]:
    file = io.BytesIO(data)
    return list(extract(file, media_type(file, "a"), Reading()))


def test_the_chapters_are_read_once_with_their_headings_and_links() -> None:
    found = [(p.text.strip(), p.headings, p.link) for p in pieces(book("nccn")) if p.text.strip()]
    assert found == [
        ("One\n\nSee", ("One",), None),
        ("there", ("One",), "http://example.org"),
        (".", ("One",), None),
    ]


def test_the_table_of_contents_is_read_where_there_is_nothing_else() -> None:
    assert next(p.text.strip() for p in pieces(book("n"))) == "One"


def test_the_book_says_what_it_is() -> None:
    found = pieces(book())
    day = 1_714_694_400.0
    assert found[0].facts == Facts("The Book", "Ann; Bob", "en", day, day + 86_400, ("tea", "coffee"))
    assert all(p.facts is found[0].facts for p in found)


def test_encrypted_fonts_are_no_obstacle_and_drm_is() -> None:
    assert pieces(book(**{"META-INF/encryption.xml": "<encryption/>"}))
    with pytest.raises(Rejected, match="DRM"):
        pieces(book(**{"META-INF/rights.xml": "<rights/>"}))

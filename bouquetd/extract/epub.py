"""EPUB: the chapters of an e-book, in the order in which they are read, and what its description says of it.

The table of contents is left out, as it only repeats the headings, unless the book has nothing else to read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import unquote

from bouquetd.extract import facts as said
from bouquetd.extract import html
from bouquetd.extract.package import Handler, opened
from bouquetd.extract.reading import Reading
from bouquetd.model import Facts, Piece

MAIN = "META-INF/container.xml"
_REPAIR = "Open it in an e-book reader; if it opens, export it as .pdf or .html, and drop that."
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_MOST_CHAPTERS = 100_000
_MOST_PARTS = 100  # of what a book says of one thing
_DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
_OPF = "http://www.idpf.org/2007/opf"


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The visible text of each chapter."""
    with opened(file, "EPUB", _REPAIR, reading) as package:
        container = _Container()
        for _ in package.parse(MAIN, container):
            pass
        if container.book is None:
            raise package.rejected("is damaged: it does not say where its book is")
        book = _Book()
        for _ in package.parse(container.book, book):
            if max(len(book.pages), len(book.order)) > _MOST_CHAPTERS:
                raise package.rejected(f"has more than {_MOST_CHAPTERS} chapters")
        folder = posixpath.dirname(container.book)
        if "META-INF/rights.xml" in package.names:
            raise package.rejected("is locked to its buyer's reader (DRM)")
        facts = book.facts()
        for id_ in [id_ for id_ in book.order if id_ not in book.contents] or book.order:
            chapter = posixpath.normpath(posixpath.join(folder, unquote(book.pages.get(id_, ""))))
            if chapter in package.names:
                with package.open(chapter) as stream:
                    yield from html.extract(stream, reading, facts=facts)
                yield Piece("\n\n", facts=facts)


class _Container(Handler):
    """Where the description of the book is."""

    def __init__(self) -> None:
        self.book: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] == "rootfile" and self.book is None:
            self.book = attributes.get("full-path")


class _Book(Handler):
    """The pages by id, their order, and what the book says of itself."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.order: dict[str, None] = {}
        self.contents: set[str] = set()
        self._said: dict[str, list[str]] = {}
        self._about = ""  # what the text to come is about
        self._parts: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if local == "item" and attributes.get("media-type") in _PAGES:
            id_ = attributes.get("id", "")
            self.pages[id_] = attributes.get("href", "")
            if "nav" in attributes.get("properties", "").split():
                self.contents.add(id_)
        elif local == "itemref":
            self.order[attributes.get("idref", "")] = None
        elif space == _DUBLIN_CORE:
            event = attributes.get(f"{_OPF} event", "")
            self._about = "modified" if local == "date" and event == "modification" else local
        elif local == "meta" and attributes.get("property") == "dcterms:modified":
            self._about = "modified"

    def text(self, text: str) -> None:
        if self._about and len(self._parts) < _MOST_PARTS:
            self._parts.append(text)

    def end(self, _name: str) -> None:
        if self._about:
            told = self._said.setdefault(self._about, [])
            if len(told) < _MOST_PARTS and (text := said.line("".join(self._parts))):
                told.append(text)
            self._about, self._parts = "", []

    def facts(self) -> Facts:
        """What the book says of itself."""

        def first(name: str) -> str:
            return "".join(self._said.get(name, [])[:1])

        return said.facts(
            title=first("title"),
            author="; ".join(self._said.get("creator", [])),
            language=first("language"),
            created=first("date"),
            modified=first("modified"),
            keywords=self._said.get("subject", []),
        )

"""EPUB: the chapters of an e-book, in the order in which they are read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import unquote

from bouquetd.extract import html
from bouquetd.extract.package import Handler, opened
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

MAIN = "META-INF/container.xml"
_REPAIR = "Open it in an e-book reader; if it opens, export it as .pdf or .html, and drop that."
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_MOST_CHAPTERS = 100_000


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
        for id_ in book.order:
            chapter = posixpath.normpath(posixpath.join(folder, unquote(book.pages.get(id_, ""))))
            if chapter in package.names:
                with package.open(chapter) as stream:
                    yield from html.extract(stream, reading)
                yield Piece("\n\n")


class _Container(Handler):
    """Where the description of the book is."""

    def __init__(self) -> None:
        self.book: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] == "rootfile" and self.book is None:
            self.book = attributes.get("full-path")


class _Book(Handler):
    """The pages by id, and their order."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.order: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "item" and attributes.get("media-type") in _PAGES:
            self.pages[attributes.get("id", "")] = attributes.get("href", "")
        elif local == "itemref":
            self.order.append(attributes.get("idref", ""))

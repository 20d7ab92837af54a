"""Real text to measure with, made from what a Debian machine has anyway.

Made-up constant text flatters by a factor of 1.6, so the paragraphs come from licences, Perl's manual pages,
the sources of Python's standard library, package documentation and, where `make findability` has fetched it,
the corpus, in this order, until ``POOL`` characters of distinct ones are at hand. A paragraph counts when it is
mostly letters, which leaves prose and comments and few lines of code; long ones are cut at line ends into parts
of some ``PART`` characters, shorter than a chunk. ``paragraphs`` shuffles the parts with a seed and goes on
through them again and again, each time in a new order: all that a chunk holds somebody wrote, but hardly two
chunks put the same parts together.
"""

from __future__ import annotations

import csv
import glob
import gzip
import html
import io
import json
import os
import random
import string
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from bouquetd.chunk import chunk
from bouquetd.model import Piece
from tests import samples
from tests.bench.process import ROOT
from tests.bench.report import Failed

POOL = 24_000_000
"""Characters of distinct text gathered at most."""

LEAST = 3_000_000
"""Characters of distinct text without which nothing is measured."""

PART = 400
"""Characters after which a paragraph is cut at the next line end."""

LEAST_LETTERS = 0.7
"""The share of letters from which a paragraph counts as text."""

PLACES = (
    "/usr/share/common-licenses/*",
    "/usr/share/perl*/**/*.pod",
    "/usr/share/perl*/**/*.pm",
    f"{sysconfig.get_path('stdlib')}/**/*.py",
    "/usr/share/doc/**/*",
    f"{ROOT}/.cache/corpus/readings/**/*.txt",
)
NOT_TEXT = (".css", ".html", ".js", ".json", ".pdf", ".png", ".svg", ".svgz", ".xml")
_LETTERS = string.ascii_letters.encode()

Writer = Callable[[Path, int, int], None]
"""Writes a file of a path, a size in bytes that it stays just under, and a seed."""


@cache
def pool() -> tuple[str, ...]:
    """The distinct parts there are, in the order in which they were found. Raises ``Failed`` for too few."""
    found: dict[str, None] = {}
    size = 0
    for place in PLACES:
        for path in sorted(glob.iglob(place, recursive=True)):
            if path.endswith(NOT_TEXT) or "-packages" in path or not os.path.isfile(path):
                continue
            for part in _parts(_read(path)):
                if part not in found:
                    found[part] = None
                    size += len(part)
            if size >= POOL:
                return tuple(found)
    if size < LEAST:
        raise Failed(f"only {size} characters of real text here; `make findability` fetches more")
    return tuple(found)


def paragraphs(seed: int) -> Iterator[str]:
    """Parts without end, in an order that the seed decides."""
    order, chance = list(pool()), random.Random(seed)
    while True:
        chance.shuffle(order)
        yield from order


def plain_files(folder: Path, chunks: int, sizes: Sequence[int], seed: int = 1) -> list[Path]:
    """Plain-text files that make at least so many chunks of the default size, their sizes in turn.

    Modified one after the other, so that the daemon takes them in the order of the list.
    """
    return _files(folder, chunks, sizes, seed, ("txt",))


def mixed_files(folder: Path, chunks: int, sizes: Sequence[int], seed: int = 1) -> list[Path]:
    """The same as plain text, Markdown and HTML in turn."""
    return _files(folder, chunks, sizes, seed, ("txt", "md", "html"))


def _files(folder: Path, chunks: int, sizes: Sequence[int], seed: int, kinds: Sequence[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    source, files, total = paragraphs(seed), list[Path](), 0
    while total < chunks:
        parts = list(_taken(source, sizes[len(files) // len(kinds) % len(sizes)]))
        kind = kinds[len(files) % len(kinds)]
        path = folder / f"{len(files):06}.{kind}"
        path.write_text(_SHAPES[kind](parts), encoding="utf-8")
        os.utime(path, (1_700_000_000 + len(files),) * 2)
        files.append(path)
        total += sum(1 for _ in chunk([Piece("\n\n".join(parts))]))
    return files


def plain(path: Path, size: int, seed: int) -> None:
    """Paragraphs of plain text."""
    _write(path, size, seed, "", lambda _, part: f"{part}\n\n", "")


def page(path: Path, size: int, seed: int) -> None:
    """One long HTML page of headings and paragraphs."""
    _write(path, size, seed, _PAGE_HEAD, _html, _PAGE_TAIL)


_PAGE_HEAD = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>A page</title></head><body>\n'
_PAGE_TAIL = "</body></html>\n"


def _html(number: int, part: str) -> str:
    heading = f"<h2>Section {number}</h2>\n" if number % 10 == 0 else ""
    return f"{heading}<p>{html.escape(part)}</p>\n"


def array(path: Path, size: int, seed: int) -> None:
    """One JSON array of objects with a number, a title and a text."""

    def one(number: int, part: str) -> str:
        item = {"number": number, "title": part.split("\n")[0][:60], "text": part}
        return ("," if number else "") + json.dumps(item, ensure_ascii=False) + "\n"

    _write(path, size, seed, "[", one, "]\n")


def table(path: Path, size: int, seed: int) -> None:
    """A CSV file with a header and a row a paragraph."""

    def one(number: int, part: str) -> str:
        row = io.StringIO()
        csv.writer(row).writerow([number, part.split("\n")[0][:60], part])
        return row.getvalue()

    _write(path, size, seed, "number,title,text\r\n", one, "")


def book(path: Path, size: int, seed: int) -> None:
    """A PDF of as many pages of about ``PDF_PAGE`` bytes as the size has room for, in lines of small print."""
    lines, pages = _lines(paragraphs(seed)), list[str]()
    for _ in range(size // PDF_PAGE):
        page, left = list[str](), PDF_PAGE - PDF_FRAME
        while left > 0:
            page.append(next(lines))
            left -= len(page[-1]) + PDF_LINE
        pages.append("\n".join(page))
    path.write_bytes(samples.pdf(pages, points=7))


PDF_PAGE, PDF_FRAME, PDF_LINE = 6_291, 370, 9
"""Bytes of a page, 5,000 of which are 30 MB; of what it has besides its lines; of a line besides its text."""


def _lines(source: Iterator[str]) -> Iterator[str]:
    for part in source:
        yield from textwrap.wrap(part, 110)


def note(source: Iterator[str], size: int) -> str:
    """A short text of so many characters."""
    text = ""
    while len(text) < size:
        text += next(source) + "\n\n"
    return text[:size]


KINDS: dict[str, Writer] = {"txt": plain, "html": page, "json": array, "csv": table}
"""Writers of large files by suffix."""


def _taken(source: Iterator[str], size: int) -> Iterator[str]:
    length = 0
    while length < size:
        part = next(source)
        length += len(part) + 2
        yield part


def _markdown(parts: Sequence[str]) -> str:
    return "\n\n".join(
        f"## Section {number}\n\n{part}" if number % 10 == 0 else part for number, part in enumerate(parts)
    )


_SHAPES: dict[str, Callable[[Sequence[str]], str]] = {
    "txt": "\n\n".join,
    "md": _markdown,
    "html": lambda parts: _PAGE_HEAD + "".join(map(_html, range(len(parts)), parts)) + _PAGE_TAIL,
}


def _write(path: Path, size: int, seed: int, head: str, one: Callable[[int, str], str], tail: str) -> None:
    left = size - len(head) - len(tail)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(head)
        for number, part in enumerate(paragraphs(seed)):
            text = one(number, part)
            left -= len(text.encode())
            if left <= 0:
                break
            file.write(text)
        file.write(tail)


def _read(path: str) -> str:
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            return file.read().decode().replace("\r", "")
    except (OSError, EOFError, UnicodeDecodeError):
        return ""


def _parts(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        part = ""
        for line in paragraph.split("\n"):
            part = f"{part}\n{line.rstrip()}" if part else line.rstrip()
            if len(part) >= PART:
                yield from _if_text(part)
                part = ""
        yield from _if_text(part)


def _if_text(part: str) -> Iterator[str]:
    raw = part.encode()
    letters = len(raw) - len(raw.translate(None, _LETTERS))
    if 80 <= len(raw) <= 3 * PART and letters >= LEAST_LETTERS * len(raw):
        yield part

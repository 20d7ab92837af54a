"""AsciiDoc and Org: read as they stand, with their headings known, and what their heads say as facts.

In both a heading is a line that begins with as many signs as its level is deep, and the head is a list of
names and values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.extract.encoding import decoded
from bouquetd.extract.facts import facts
from bouquetd.extract.lines import Sections, lines, peek
from bouquetd.extract.reading import Reading
from bouquetd.model import NOTHING, Facts, Piece

_HEAD = 8 * 1024  # characters within which the head stands

_EQUALS = re.compile(r"(={1,6}) +(\S[^\n]*)")
_LITERAL = re.compile(r"(-{4,}|\.{4,}|\+{4,}|/{4,}|`{3,})[^`\s]*[ \t]*$")  # opens and closes code or comments
_ATTRIBUTE = re.compile(r"^:([\w-]{1,40}):[ \t]+([^\n]*)$", re.M)
_END_OF_HEAD = re.compile(r"\n[ \t]*\n")
_BY = re.compile(r"[^\W\d_][\w.' -]*(?: <[^<>\s]+>)?$")

_STARS = re.compile(r"(\*+) +(\S[^\n]*)")
_TAGS = re.compile(r"\s:[\w@:]+:$")
_KEYWORD = re.compile(r"^#\+(\w{1,20}):[ \t]+([^\n]*)$", re.M)


def extract_asciidoc(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """AsciiDoc in sections."""
    head, text = peek(decoded(file, reading.read_size), _HEAD)
    out = Sections(_asciidoc_facts(head))
    literal = ""  # what opened the block we are in
    for line, whole in lines(text):
        mark = _LITERAL.match(line) if whole else None
        if literal:
            literal = "" if line.rstrip() == literal else literal
        elif mark:
            literal = mark[1]
        elif whole and (found := _EQUALS.match(line)):
            out.enter(len(found[1]), found[2])
        out.write(line)
        yield from out.pieces()
    yield from out.pieces(last=True)


def _asciidoc_facts(head: str) -> Facts:
    """The title of the first line, the author below it, and the attributes up to the first blank line."""
    head = _END_OF_HEAD.split(head.lstrip(), maxsplit=1)[0]
    values = {name.lower(): value for name, value in reversed(_ATTRIBUTE.findall(head))}
    title = _EQUALS.match(head)
    below = head.split("\n")[1:2] if title and len(title[1]) == 1 else []
    by = _BY.match(below[0]) if below else None
    return _some(
        facts(
            title=values.get("title") or (title[2] if title else ""),
            author=values.get("author") or (by[0] if by else ""),
            language=values.get("lang", ""),
            created=values.get("revdate", ""),
            keywords=[values.get("keywords", "")],
        )
    )


def extract_org(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Org in sections."""
    head, text = peek(decoded(file, reading.read_size), _HEAD)
    out = Sections(_org_facts(head))
    for line, whole in lines(text):
        if whole and (found := _STARS.match(line)):
            out.enter(len(found[1]), _TAGS.sub("", found[2].rstrip()))
        out.write(line)
        yield from out.pieces()
    yield from out.pieces(last=True)


def _org_facts(head: str) -> Facts:
    """The keywords anywhere in the head; the first of a name counts."""
    values = {name.lower(): value for name, value in reversed(_KEYWORD.findall(head))}
    return _some(
        facts(
            title=values.get("title", ""),
            author=values.get("author", ""),
            language=values.get("language", ""),
            created=values.get("date", "").strip("<>[] "),
            keywords=[values.get("keywords", ""), values.get("filetags", "").replace(":", ",")],
        )
    )


def _some(found: Facts) -> Facts:
    return NOTHING if found == NOTHING else found

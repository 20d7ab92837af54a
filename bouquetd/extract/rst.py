"""reStructuredText: read as it stands, with its headings known, and its bibliographic fields as facts.

Not by docutils, which builds a tree of the whole document and follows ``include`` directives. A title is a line
that is underlined, and perhaps overlined, by punctuation of one kind at least as long as itself; which kinds
mean which level, the document decides by the order in which they come.
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

_HEAD = 8 * 1024  # characters within which the fields stand
_RULE = re.compile(r"([!-/:-@\[-`{-~])\1*+[ \t]*+$")
_ROLE = re.compile(r":[\w:.-]{1,50}:`([^`]*)`|``?([^`]*)``?_{0,2}")

_TITLE = re.compile(
    r"(?:([!-/:-@\[-`{-~])\1*[ \t]*\n[ \t]*(\S[^\n]*)\n\1+[ \t]*\n|(\S[^\n]*)\n([!-/:-@\[-`{-~])\4+[ \t]*\n)"
)
_COMMENT = re.compile(r"\.\.(?:[ \t][^\n]*)?\n(?:[ \t][^\n]*\n)*")  # or a directive
_FIELD = re.compile(r":([A-Za-z][A-Za-z ]{0,40}):[ \t]+([^\n]*(?:\n[ \t]+\S[^\n]*)*)\n?")
_BLANK = re.compile(r"[ \t]*\n")


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text in sections."""
    head, text = peek(decoded(file, reading.read_size), _HEAD)
    yield from _sections(text, Sections(_facts(head)))


def _facts(head: str) -> Facts:
    """The title a document begins with and the fields behind it; comments between them are passed over."""
    at, title = 0, ""
    fields: dict[str, str] = {}
    while True:
        if skipped := _BLANK.match(head, at) or _COMMENT.match(head, at):
            at = skipped.end()
        elif not title and not fields and (found := _TITLE.match(head, at)):
            title, at = found[2] or found[3], found.end()
        elif found := _FIELD.match(head, at):
            fields.setdefault(found[1].lower(), found[2])
            at = found.end()
        else:
            break
    found_facts = facts(
        title=fields.get("title", title),
        author=fields.get("author") or fields.get("authors", ""),
        language=fields.get("language", ""),
        created=fields.get("date", ""),
        keywords=[fields.get("keywords", "")],
    )
    return NOTHING if found_facts == NOTHING else found_facts


def _sections(text: Iterator[str], out: Sections) -> Iterator[Piece]:
    styles: list[str] = []  # how titles of each level are marked, outermost first
    held: list[str] = []  # a title, if a rule follows: its overline, or nothing, and its line
    fresh = True  # whether a title may begin here
    for line, whole in lines(text):
        rule = line.rstrip() if whole and _RULE.match(line) else ""
        blank = whole and line.isspace()
        if held and len(held) == 2:  # the title is there, and this may be what underlines it
            over, title = held[0].rstrip(), held[1].strip()
            if rule and (over == rule or not over) and len(rule) >= min(len(title), 4):
                style = rule[0] * (2 if over else 1)
                if style not in styles:
                    styles.append(style)
                out.enter(styles.index(style) + 1, _ROLE.sub(r"\1\2", title))
                fresh = True
            else:
                fresh = blank
            for part in held:
                out.write(part)
            out.write(line)
            held = []
        elif held:  # an overline
            if whole and not blank and not rule:
                held.append(line)
            else:
                out.write(held.pop())
                out.write(line)
                fresh = blank
        elif fresh and whole and not blank and not line[0].isspace():
            held = [line] if rule else ["", line]
        else:
            out.write(line)
            fresh = blank
        yield from out.pieces()
    for part in held:
        out.write(part)
    yield from out.pieces(last=True)

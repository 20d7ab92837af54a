"""Markdown: read as it stands, with its headings and links known, and its front matter as facts.

Line by line and not by a parser of CommonMark, all of which want the whole text in memory: headings, fences and
links are told by a line and its neighbour.

Front matter is YAML between ``---`` or TOML between ``+++``. Its values are taken as the texts they are;
aliases, with which a few bytes become millions, are refused, and so is depth. What cannot be read stays a part
of the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any, BinaryIO

import yaml

from bouquetd.extract.encoding import decoded
from bouquetd.extract.facts import facts, link
from bouquetd.extract.lines import Sections, lines, peek
from bouquetd.extract.reading import Reading
from bouquetd.model import NOTHING, Facts, Piece

_FRONT = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_DEEPEST = 10  # containers within one another
_MOST = 50  # entries of one list

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(?:=++|-++)[ \t]*+$")
_PROSE = re.compile(r" {0,3}(?![-+*>|#=<]|\d+[.)]\s)\S")  # the beginning of a paragraph, of nothing else
_LINK = re.compile(
    r"""(?<!!)\[([^\[\]\n]{1,300})\]\(<?([^\s<>()]{1,500}(?:\([^\s<>()]{0,100}\))?)>?(?:\s+"[^"\n]{0,300}")?\)"""
)
_MARKS = re.compile(r"[`*]|\s\{#[^}]*\}$")


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text without its front matter, in sections."""
    head, text = peek(decoded(file, reading.read_size))
    told = NOTHING
    if (front := _FRONT.match(head)) and (values := _values(front[1], front[2])) is not None:
        told = _facts(values)
        text = _without(text, front.end())
    yield from _sections(text, Sections(told))


# -- front matter ----------------------------------------------------------------------------------------------


def _values(mark: str, source: str) -> dict[str, Any] | None:
    """The entries by name, in lower case; None when there are none to be had."""
    try:
        found = tomllib.loads(source) if mark == "+++" else _yaml(source)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    return {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else None


def _yaml(source: str) -> object:
    """Without tags and types: every plain value is the text it was written as."""
    depth = 0
    for event in yaml.parse(source, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError("too deep")
    return yaml.load(source, Loader=yaml.CBaseLoader)  # noqa: S506  makes nothing but text, lists and dicts


def _facts(values: dict[str, Any]) -> Facts:
    """What the usual generators of sites and documents call these things."""

    def first(*names: str) -> list[str]:
        return next((texts for name in names if (texts := _texts(values.get(name)))), [])

    found = facts(
        title=" ".join(first("title")[:1]),
        author=", ".join(first("author", "authors", "creator")),
        language=" ".join(first("lang", "language", "locale")[:1]),
        created=" ".join(first("date", "created", "published", "pubdate")[:1]),
        modified=" ".join(first("lastmod", "updated", "modified", "last_modified_at")[:1]),
        keywords=[*first("tags", "tag"), *first("keywords")],
    )
    return NOTHING if found == NOTHING else found


def _texts(value: object) -> list[str]:
    """The texts in a value: itself, the entries of a list, of an author with a mail address the name."""
    if isinstance(value, dict):
        return _texts(value.get("name"))
    if isinstance(value, list):
        return [text for entry in value[:_MOST] if not isinstance(entry, list) for text in _texts(entry)]
    return [value.isoformat() if isinstance(value, date) else str(value)] if value else []


def _without(text: Iterator[str], size: int) -> Iterator[str]:
    """All but the first ``size`` characters, which lie in the first block."""
    yield next(text)[size:]
    yield from text


# -- text ------------------------------------------------------------------------------------------------------


def _sections(text: Iterator[str], out: Sections) -> Iterator[Piece]:
    fence = ""  # what opened the code we are in
    fresh = True  # whether a paragraph may begin here
    held = ""  # the first line of a paragraph, which is a heading if it is underlined
    for line, whole in lines(text):
        if held:
            heading = whole and _UNDERLINE.match(line)
            if heading:
                out.enter(1 if "=" in line else 2, _plain(held))
            _write(out, held)
            held = ""
            if heading:
                out.write(line)
                fresh = True
                continue
        if not whole:
            out.write(line)
            fresh = False
        elif fence:
            out.write(line)
            bare = line.strip()
            if bare.startswith(fence) and not bare.strip(fence[0]):
                fence, fresh = "", True
        elif found := _FENCE.match(line):
            fence = found[1]
            out.write(line)
        elif level := _level(line):
            out.enter(level, _plain(line))
            _write(out, line)
            fresh = True
        elif fresh and _PROSE.match(line):
            held = line
            fresh = False
        else:
            _write(out, line)
            fresh = line.isspace()
        yield from out.pieces()
    _write(out, held)
    yield from out.pieces(last=True)


def _level(line: str) -> int:
    """The level of a heading that begins with number signs; 0 if it is none."""
    bare = line.lstrip(" ")
    if not bare.startswith("#") or len(line) - len(bare) > 3:
        return 0
    title = bare.lstrip("#")
    level = len(bare) - len(title)
    return level if level <= 6 and (not title or title[0].isspace()) else 0


def _plain(heading: str) -> str:
    """The title in the line of a heading."""
    title = heading.strip()
    if title.startswith("#"):
        title = title.lstrip("#")
        closed = title.rstrip("#")
        title = closed if closed.endswith((" ", "\t")) else title
    return _MARKS.sub("", _LINK.sub(r"\1", title)).strip()


def _write(out: Sections, line: str) -> None:
    """Write a line, and what its links link to."""
    done = 0
    if "](" in line:
        for found in _LINK.finditer(line):
            if target := link(found[2]):
                out.write(line[done : found.start()])
                out.follow(target)
                out.write(found[0])
                out.follow(None)
                done = found.end()
    out.write(line[done:])

"""DOCX: the paragraphs, tables and notes of a Word document, under its headings."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from bouquetd.extract.drawing import FALLBACK, drawn
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.links import link
from bouquetd.extract.package import Handler, Package, Relation, opened, related
from bouquetd.extract.properties import core
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

MAIN = re.compile(r"word/document\d*\.xml")
_NOTES = ("footnotes", "endnotes")
_WORD = frozenset((
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "http://purl.oclc.org/ooxml/officeDocument/math",
))  # fmt: skip
_SKIPPED = frozenset(("rPr", "tblPr", "trPr", "tcPr", "sectPr", "moveFrom", "rt"))
_BREAKS = {"p": Break.PARAGRAPH, "tc": Break.CELL, "tr": Break.ROW, "tbl": Break.TABLE}
_CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_REPAIR = "Open it in a word processor, save it anew as .docx, and drop it again."

_TITLE = 1  # the level of a document's title; a heading of level N is one of level N + 1 below it
_NAMED = re.compile(r"(title)|heading ?([1-9])", re.I)  # what Word calls these styles in any language
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+"([^"]*)"')
_MOST_STYLES = 20_000
_LONGEST_CODE = 2_000  # characters of a field's code
_MOST_OPEN = 100  # links and fields within one another


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The paragraphs and tables, then footnotes, endnotes, and what is drawn: charts and diagrams.

    What was deleted with tracking is left out.
    """
    with opened(file, "DOCX", _REPAIR, reading) as package:
        flow = Flow((yield from core(package)))
        main = next(filter(MAIN.fullmatch, package.names), "word/document.xml")
        relations = yield from package.relations(main)
        parts = {relation.kind: relation.target for relation in relations.values() if not relation.outside}
        levels = yield from _levels(package, parts.get("styles", "word/styles.xml"))
        notes = [parts.get(kind, f"word/{kind}.xml") for kind in _NOTES]
        for name in (main, *filter(package.has, notes)):
            links = relations if name == main else (yield from package.relations(name))
            for beat in package.parse(name, _Reader(flow, levels, links)):
                yield beat
                yield from flow.pieces()
            flow.leave()
        yield from drawn(package, relations, flow)
        yield from flow.pieces(last=True)


def _levels(package: Package, name: str) -> Generator[Piece, None, dict[str, int]]:
    styles = _Styles()
    if package.has(name):
        yield from package.parse_if_sound(name, styles)
    return styles.levels()


@dataclass(slots=True)
class _Style:
    """A style of paragraphs: its level in the outline, 0 for none, None for that of the style it rests on."""

    level: int | None = None
    base: str = ""


class _Styles(Handler):
    """Which styles make a paragraph a heading."""

    def __init__(self) -> None:
        self._styles: dict[str, _Style] = {}
        self._style = _Style()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "style":
            self._style = _Style()
            id_ = _attribute(attributes, "styleId")
            if _attribute(attributes, "type") == "paragraph" and len(self._styles) < _MOST_STYLES:
                self._styles[id_[:100]] = self._style
        elif local == "basedOn":
            self._style.base = _attribute(attributes, "val")[:100]
        elif local == "name":
            self._style.level = _named(_attribute(attributes, "val"))
        elif local == "outlineLvl" and self._style.level != _TITLE:
            self._style.level = _outline(attributes)

    def levels(self) -> dict[str, int]:
        """The level of each style, 0 for what is no heading."""
        return {id_: self._level(id_) for id_ in self._styles}

    def _level(self, id_: str) -> int:
        for _ in range(50):  # Word allows fewer; and a style may rest on itself
            style = self._styles.get(id_)
            if style is None:
                break
            if style.level is not None:
                return style.level
            id_ = style.base
        return 0


class _Reader(Handler):
    """Turns the events of the parser into text."""

    def __init__(self, flow: Flow, levels: Mapping[str, int], links: Mapping[str, Relation]) -> None:
        self._flow = flow
        self._levels = levels
        self._links = links
        self._depth = 0
        # The depths of the elements that are passed over, describe a paragraph, are a heading; 0 for none.
        self._skip_below = self._describing = self._heading = 0
        self._level = 0  # of the paragraph that is being described
        self._in_text = self._in_code = False
        self._code = ""
        self._open: list[str | None] = []  # where the links and fields that we are in lead to

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._skip_below:
            return
        namespace, _, local = name.rpartition(" ")
        if name == FALLBACK:
            self._skip_below = self._depth
        elif namespace not in _WORD:
            return
        elif self._describing:
            if self._depth == self._describing + 1:
                self._describe(local, attributes)
        elif local == "t":
            self._in_text = True
        elif local == "pPr":
            self._describing, self._level = self._depth, 0
        elif local in _SKIPPED:
            self._skip_below = self._depth
        elif by := _BREAKS.get(local):
            self._flow.separate(by)
        elif character := _CHARACTERS.get(local):
            self._flow.write(character)
        elif local == "hyperlink":
            relation = self._links.get(related(attributes))
            self._enter(relation.target if relation and relation.outside else None)
        elif local == "fldSimple":
            self._enter(_target(_attribute(attributes, "instr")))
        elif local == "fldChar":
            self._field(_attribute(attributes, "fldCharType"))
        elif local == "instrText":
            self._in_code = True

    def end(self, name: str) -> None:
        if self._skip_below == self._depth:
            self._skip_below = 0
        elif self._describing == self._depth:
            self._describing = 0
            if self._level and not self._heading:
                self._heading = self._depth - 1
                self._flow.heading(self._level)
        elif not self._skip_below and not self._describing:
            namespace, _, local = name.rpartition(" ")
            if namespace in _WORD:
                self._end(local)
        self._depth -= 1

    def _end(self, local: str) -> None:
        if local == "t":
            self._in_text = False
        elif by := _BREAKS.get(local):
            self._flow.separate(by)
            if local == "p":
                self._flow.follow(None)
                if self._heading == self._depth:
                    self._heading = 0
                    self._flow.heading_over()
        elif local in ("hyperlink", "fldSimple"):
            self._leave()
        elif local == "instrText":
            self._in_code = False

    def text(self, text: str) -> None:
        if self._skip_below:
            return
        if self._in_text:
            self._flow.write(text)
        elif self._in_code and len(self._code) < _LONGEST_CODE:
            self._code += text

    def _describe(self, local: str, attributes: dict[str, str]) -> None:
        if local == "pStyle":
            style = _attribute(attributes, "val")
            level = self._levels.get(style)
            self._level = (_named(style) or 0) if level is None else level
        elif local == "outlineLvl":
            self._level = _outline(attributes)

    def _field(self, step: str) -> None:
        if step == "begin":
            self._code = ""
            self._enter(None)
        elif step == "separate":
            self._leave()
            self._enter(_target(self._code))
        elif step == "end":
            self._leave()

    def _enter(self, target: str | None) -> None:
        if len(self._open) < _MOST_OPEN:
            self._open.append(link(target))
            self._flow.follow(self._innermost())

    def _leave(self) -> None:
        if self._open:
            self._open.pop()
            self._flow.follow(self._innermost())

    def _innermost(self) -> str | None:
        return next(filter(None, reversed(self._open)), None)


def _attribute(attributes: Mapping[str, str], local: str) -> str:
    return next((value for key, value in attributes.items() if key.rpartition(" ")[2] == local), "")


def _named(style: str) -> int | None:
    found = _NAMED.fullmatch(style)
    if not found:
        return None
    return _TITLE if found[1] else _TITLE + int(found[2])


def _outline(attributes: Mapping[str, str]) -> int:
    value = _attribute(attributes, "val")
    return _TITLE + 1 + int(value) if value in tuple("012345678") else 0


def _target(code: str) -> str | None:
    found = _HYPERLINK.match(code)
    return found[1] if found else None

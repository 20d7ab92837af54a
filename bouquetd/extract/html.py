"""HTML: the text a reader sees.

A small lexer of our own instead of a parser: parsers hold a tag, a comment or a text node whole (an image
inlined as ``data:`` is one attribute of many megabytes), keep a stack as deep as the nesting, and change what
they make of broken markup from version to version, which would move the chunks of documents already stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import BinaryIO

from bouquetd.extract.encoding import codec, decoded, head_text, read
from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.reading import Reading
from bouquetd.extract.scanner import Scanner
from bouquetd.model import Piece

_PARAGRAPHS = (
    "address", "article", "aside", "blockquote", "body", "caption", "center", "details", "dialog", "dir", "div",
    "dl", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "legend", "main", "menu", "nav", "ol", "p", "pre", "search", "section",
    "summary", "textarea", "title", "ul",
)  # fmt: skip
_BREAKS = {
    **dict.fromkeys(_PARAGRAPHS, Break.PARAGRAPH),
    **dict.fromkeys(("dd", "dt", "li", "option", "optgroup", "select"), Break.LINE),
    **dict.fromkeys(("td", "th"), Break.CELL),
    **dict.fromkeys(("tr", "thead", "tbody", "tfoot"), Break.ROW),
    "table": Break.TABLE,
}
_HIDDEN = frozenset(("script", "style", "noscript", "iframe", "noembed", "noframes"))
_VERBATIM = frozenset(("pre", "textarea"))

_NAME = re.compile(r"</?([A-Za-z][^\s/>]*)")
# A tag that is all in the window, quoted attributes included. Everything is possessive: no backtracking.
_TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s{0,64}+(?:"[^"]*+"|'[^']*+'|(?=[^\s"'])))*+)>""")
_ATTRIBUTE = re.compile(r"""(>)|=\s{0,64}+(["']?)""")
_DECLARED = re.compile(
    r"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)|^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)""", re.I
)
_REFERENCE = 40  # characters; the longest name of a character reference has 33
_LONGEST_NAME = 100


def extract(file: BinaryIO, reading: Reading, *, hint: str | None = None) -> Iterator[Piece]:
    """The visible text, with paragraphs, lines, and tables as tabs and lines.

    ``hint`` is the codec that what the file came in names; it counts more than what the file says.
    """
    file.seek(0)
    head = head_text(read(file, 4096))
    if hint is None and (declared := _DECLARED.search(head)):
        hint = codec(declared[1] or declared[2])
    lexer = _Lexer(Scanner(decoded(file, reading.read_size, hint)), xhtml="xhtml" in head.lower())
    while lexer.step():
        if lexer.flow.size >= FULL:
            yield Piece(lexer.flow.take())
    yield Piece(lexer.flow.take())


class _Lexer:
    """Follows https://html.spec.whatwg.org/multipage/parsing.html#tokenization as far as text goes."""

    def __init__(self, source: Scanner, *, xhtml: bool) -> None:
        self.flow = Flow()
        self._source = source
        self._xhtml = xhtml
        self._templates = 0
        self._verbatim = 0

    def step(self) -> bool:
        """Take the text up to the next tag, and the tag; false at the end of the document."""
        source = self._source
        text, pos = source.text, source.pos
        start = text.find("<", pos)
        if start < 0:
            return self._text_to_edge()
        if start > pos:
            self._text(text[pos:start])
        tag = _TAG.match(text, start)
        if tag:
            source.pos = tag.end()
            closing, name, attributes = tag.groups()
            empty = self._xhtml and attributes.endswith("/")
            self._tag(name.lower(), closing=bool(closing), empty=empty)
            return True
        source.pos = start
        self._markup()
        return True

    def _text_to_edge(self) -> bool:
        """Text without an end in sight; a character reference cut by the edge waits for its rest."""
        source = self._source
        text = source.text
        cut = text.rfind("&", max(source.pos, len(text) - _REFERENCE))
        if cut >= 0 and ";" not in text[cut:]:
            if cut > source.pos:
                self._text(text[source.pos : cut])
                source.pos = cut
        elif text:
            self._text(source.take())
        if source.more():
            return True
        if source.pos < len(source.text):
            self._text(source.take())
        return False

    def _text(self, text: str) -> None:
        if not text or self._templates:
            return
        if "&" in text:
            text = unescape(text)
        if self._verbatim:
            self.flow.write(text)
        else:
            self.flow.write_collapsed(text)

    def _markup(self) -> None:
        """Whatever begins with ``<`` and is no tag within the window."""
        source = self._source
        while len(source.text) - source.pos < 4 and source.more():
            pass
        text, pos = source.text, source.pos
        if text.startswith("<!--", pos):
            source.pos += 2  # "<!-->" is a whole comment
            source.skip_past("-->")
        elif text.startswith(("<!", "<?"), pos):
            source.skip_past(">")
        elif name := _NAME.match(text, pos):
            self._long_tag(name)
        elif text.startswith("</", pos) and len(text) > pos + 2:
            source.skip_past(">")
        else:
            self._text("<")
            source.pos += 1

    def _long_tag(self, name: re.Match[str]) -> None:
        """A tag that reaches over the edge of the window."""
        source = self._source
        if name.end() == len(source.text) and len(name[1]) < _LONGEST_NAME and source.more():
            return
        closing = source.text.startswith("</", source.pos)
        source.pos = name.end()
        if self._skip_attributes():
            empty = self._xhtml and source.text.endswith("/", 0, source.pos - 1)
            self._tag(name[1].lower(), closing=closing, empty=empty)

    def _skip_attributes(self) -> bool:
        source = self._source
        while True:
            found = _ATTRIBUTE.search(source.text, source.pos)
            if found is None:
                source.pos = len(source.text)
                if not source.more():
                    return False
            elif found[1]:
                source.pos = found.end()
                return True
            elif not found[2] and found.end() == len(source.text):
                source.pos = found.start()
                if not source.more():
                    source.pos = len(source.text)
                    return False
            else:
                source.pos = found.end()
                if found[2] and not source.skip_past(found[2]):
                    return False

    def _tag(self, name: str, *, closing: bool, empty: bool) -> None:
        if name in _HIDDEN:
            if not closing and not empty:
                self._skip_hidden(name)
        elif name == "template":
            self._templates = max(0, self._templates - 1) if closing else self._templates + (not empty)
        elif self._templates:
            return
        elif name == "br":
            self.flow.line_break()
        elif by := _BREAKS.get(name):
            self.flow.separate(by)
            if name in _VERBATIM and not empty:
                self._verbatim = max(0, self._verbatim + (-1 if closing else 1))

    def _skip_hidden(self, name: str) -> None:
        source = self._source
        end = re.compile(rf"</{name}(?=[\s/>])", re.I)
        keep = len(name) + 3
        while not (found := end.search(source.text, source.pos)):
            source.pos = max(source.pos, len(source.text) - keep)
            if not source.more():
                source.pos = len(source.text)
                return
        source.pos = found.start()

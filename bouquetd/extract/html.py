"""HTML: the text a reader sees, with its headings and links, and what the page says of itself.

Navigation is left out where the page marks it as such, unless there is nothing else. What is hidden until
somebody clicks is text too, and so is what stands for a picture.

A small lexer of our own instead of a parser: parsers hold a tag, a comment or a text node whole (an image
inlined as ``data:`` is one attribute of many megabytes), keep a stack as deep as the nesting, and change what
they make of broken markup from version to version, which would move the chunks of documents already stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import chain
from typing import BinaryIO

from bouquetd.extract import facts as said
from bouquetd.extract.encoding import SAMPLE, codec, decoded, head_text, read
from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.reading import Reading
from bouquetd.extract.scanner import Scanner
from bouquetd.model import NOTHING, Facts, Piece

_PARAGRAPHS = (
    "address", "article", "aside", "blockquote", "body", "caption", "center", "details", "dialog", "dir", "div",
    "dl", "fieldset", "figcaption", "figure", "footer", "form", "head",
    "header", "hgroup", "hr", "html", "legend", "main", "menu", "ol", "p", "search", "section", "summary", "ul",
)  # fmt: skip
_BREAKS = {
    **dict.fromkeys(_PARAGRAPHS, Break.PARAGRAPH),
    **dict.fromkeys(("dd", "dt", "li", "option", "optgroup", "select"), Break.LINE),
    **dict.fromkeys(("td", "th"), Break.CELL),
    **dict.fromkeys(("tr", "thead", "tbody", "tfoot"), Break.ROW),
    "table": Break.TABLE,
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = frozenset(("script", "style", "noscript", "iframe", "noembed", "noframes"))
_VERBATIM = frozenset(("pre", "textarea"))
_SPECIAL = frozenset(("a", "br", "img", "nav", "template", "title", *_HEADINGS, *_HIDDEN, *_VERBATIM))
_MAY_NAVIGATE = frozenset(("aside", "div", "dl", "footer", "header", "menu", "ol", "section", "table", "ul"))
_NAVIGATES = re.compile(r"""\brole\s*=\s*["']?navigation\b""")

_NAME = re.compile(r"</?([A-Za-z][^\s/>]*)")
# A tag that is all in the window, quoted attributes included. Everything is possessive: no backtracking.
_TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s{0,64}+(?:"[^"]*+"|'[^']*+'|(?=[^\s"'])))*+)>""")
_ATTRIBUTE = re.compile(r"""(>)|=\s{0,64}+(["']?)""")
_ATTRIBUTES = re.compile(r"""([^\s=/>"']++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?+""")
_DECLARED = re.compile(
    r"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)|^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)""", re.I
)
_REFERENCE = 40  # characters; the longest name of a character reference has 33
_LONGEST_NAME = 100
_MOST_DONE = 16  # pieces that are handed on together; each link makes two
_LONGEST_TAG = 16 * 1024  # characters of one whose attributes are looked at


def extract(
    file: BinaryIO, reading: Reading, *, hint: str | None = None, facts: Facts | None = None
) -> Iterator[Piece]:
    """The visible text, with paragraphs, lines, and tables as tabs and lines.

    ``hint`` is the codec that what the file came in names; it counts more than what the file says. ``facts``
    are those of a document of which this is only a part: its own title is left out then.
    """
    file.seek(0)
    head = head_text(read(file, 4096))
    if hint is None and (declared := _DECLARED.search(head)):
        hint = codec(declared[1] or declared[2])
    xhtml = "xhtml" in head.lower()
    blocks, begun = decoded(file, reading.read_size, hint), ""
    flow, titled = Flow(facts or NOTHING), facts is None
    if titled:
        while len(begun) < SAMPLE and (block := next(blocks, "")):
            begun += block
        flow.facts = _Head(Scanner([begun[:SAMPLE]]), xhtml=xhtml).facts()
    lexer = _Lexer(Scanner(chain([begun], blocks)), flow, xhtml=xhtml, titled=titled)
    yield from lexer.pieces()
    if (missing := lexer.missing()) is not None:
        flow.separate(Break.PARAGRAPH)
        rest = _from(missing, decoded(file, reading.read_size, hint))
        yield from _Lexer(Scanner(rest), flow, xhtml=xhtml, titled=titled, navigation=True).pieces()
    yield from flow.pieces(last=True)


def _from(position: int, blocks: Iterable[str]) -> Iterator[str]:
    """A text from the character of that number on."""
    for block in blocks:
        if position < len(block):
            yield block[position:]
        position = max(0, position - len(block))


class _Lexer:
    """Follows https://html.spec.whatwg.org/multipage/parsing.html#tokenization as far as text goes."""

    def __init__(
        self, source: Scanner, flow: Flow, *, xhtml: bool, titled: bool = True, navigation: bool = False
    ) -> None:
        self.flow = flow
        self._source = source
        self._xhtml = xhtml
        self._titled = titled
        self._navigation = navigation  # is to be read as well
        self._out = ""  # the element we are in that is left out
        self._within = 0  # elements of that name within each other
        self._skipped: int | None = None  # where the first navigation began
        self._begun: int | None = None  # where the one began that we are in
        self._in_title = False
        self._spoken = False  # there was text, and not only a title
        self._verbatim = 0

    def pieces(self) -> Iterator[Piece]:
        """The text to the end of the document, but for what is still in the flow then."""
        flow = self.flow
        while self.step():
            yield from flow.pieces()

    def missing(self) -> int | None:
        """Where, in characters, navigation begins that is to be read after all.

        It is all there is, or it has no end and may have taken everything else with it.
        """
        return self._begun if self._spoken else self._skipped

    def step(self) -> bool:
        """Take text and tags until pieces are done or the window ends; false at the end of the document."""
        source, flow = self._source, self.flow
        while flow.size < FULL and len(flow.done) < _MOST_DONE:
            text, pos = source.text, source.pos
            start = text.find("<", pos)
            if start < 0:
                return self._text_to_edge()
            if start > pos:
                self._text(text[pos:start])
            tag = _TAG.match(text, start)
            if tag is None:
                source.pos = start
                self._markup()
                return True
            source.pos = tag.end()
            closing, name, attributes = tag.groups()
            if len(attributes) > _LONGEST_TAG:
                attributes = attributes[-1]
            self._tag(name.lower(), attributes, closing)
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
        if not text or self._out:
            return
        if not self._spoken and not self._in_title and not text.isspace():
            self._spoken = True
        if "&" in text:
            text = unescape(text)
        if self._verbatim:
            self.flow.write(text)
        else:
            self.flow.write_collapsed(text)

    def _markup(self) -> None:
        """Whatever begins with ``<`` and is no tag within the window."""
        source = self._source
        if len(source.text) - source.pos < 4 and source.more():
            return  # it may be a whole tag by now
        text, pos = source.text, source.pos
        if len(text) - pos <= _LONGEST_TAG and _NAME.match(text, pos) and source.more():
            return
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
        closing = "/" * source.text.startswith("</", source.pos)
        source.pos = name.end()
        if self._skip_attributes():
            self._tag(name[1].lower(), source.text[source.pos - 2 : source.pos - 1], closing)

    def _skip_attributes(self) -> bool:
        source = self._source
        while True:
            found = _ATTRIBUTE.search(source.text, source.pos)
            if found is None:
                source.pos = max(source.pos, len(source.text) - 1)  # the slash of an empty element, perhaps
                if not source.more():
                    source.pos = len(source.text)
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

    def _tag(self, name: str, attributes: str, closing: str) -> None:
        by = _BREAKS.get(name)
        if by is None and name not in _SPECIAL:
            return
        if self._out:
            self._tag_left_out(name, attributes, closing)
        elif by is None or name in _SPECIAL:
            self._special_tag(name, attributes, closing)
        else:
            self.flow.separate(by)
            if "navigation" in attributes and name in _MAY_NAVIGATE and _NAVIGATES.search(attributes):
                self._navigation_begins(name)

    def _special_tag(self, name: str, attributes: str, closing: str) -> None:
        flow = self.flow
        empty = self._xhtml and attributes.endswith("/")
        if name == "a":
            if not empty:
                flow.follow(None if closing else said.link(_value(attributes, "href")))
        elif name == "br":
            flow.line_break()
        elif level := _HEADINGS.get(name):
            flow.heading_over()
            if not closing and not empty:
                flow.heading(level)
        elif name == "img":
            self._picture(_value(attributes, "alt"))
        elif name in _VERBATIM:
            flow.separate(Break.PARAGRAPH)
            if not empty:
                self._verbatim = max(0, self._verbatim + (-1 if closing else 1))
        elif name == "title":
            flow.separate(Break.PARAGRAPH)
            self._in_title = not closing and not empty
            if self._in_title and not self._titled:
                self._leave_out(name)
        elif closing or empty:
            flow.separate(Break.PARAGRAPH if name == "nav" else Break.NONE)
        elif name == "nav":
            flow.separate(Break.PARAGRAPH)
            self._navigation_begins(name)
        elif name == "template":
            self._leave_out(name)
        else:
            self._skip_hidden(name)

    def _tag_left_out(self, name: str, attributes: str, closing: str) -> None:
        if self._xhtml and attributes.endswith("/"):
            return
        if name == self._out:
            self._within += -1 if closing else 1
            if not self._within:
                self._out, self._begun = "", None
        elif name in _HIDDEN and not closing:
            self._skip_hidden(name)

    def _leave_out(self, name: str) -> None:
        self._out, self._within = name, 1

    def _navigation_begins(self, name: str) -> None:
        if not self._navigation:
            self._begun = self._source.position
            if self._skipped is None:
                self._skipped = self._begun
            self._leave_out(name)

    def _picture(self, words: str) -> None:
        if words and not words.isspace():
            self.flow.separate(Break.SPACE)
            self._text(words)
            self.flow.separate(Break.SPACE)

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


class _Head(_Lexer):
    """Reads what a page says of itself before its text begins."""

    def __init__(self, source: Scanner, *, xhtml: bool) -> None:
        super().__init__(source, Flow(), xhtml=xhtml)
        self._title = ""
        self._said: dict[str, list[str]] = {}
        self._over = False

    def facts(self) -> Facts:
        for _ in self.pieces():
            if self._over:
                break
        return said.facts(
            title=self._title or self._one("og:title", "dc.title", "dcterms.title"),
            author="; ".join(self._all("author", "article:author", "dc.creator", "dcterms.creator")),
            language=self._one("lang", "content-language", "dc.language", "dcterms.language"),
            created=self._one(
                "article:published_time",
                "dcterms.created",
                "dc.date",
                "dcterms.date",
                "dc.date.created",
                "date",
            ),
            modified=self._one("article:modified_time", "dcterms.modified", "og:updated_time", "last-modified"),
            keywords=self._all("keywords", "dc.subject", "dcterms.subject", "article:tag"),
        )

    def _all(self, *names: str) -> list[str]:
        return next((self._said[name] for name in names if name in self._said), [])

    def _one(self, *names: str) -> str:
        return next(iter(self._all(*names)), "")

    def _tag(self, name: str, attributes: str, closing: str) -> None:
        super()._tag(name, attributes, closing)
        if self._over:
            return
        if name == "title":
            text = self.flow.take()
            if closing and not self._title:
                self._title = text
        elif name == "html":
            self._note("lang", _value(attributes, "lang") or _value(attributes, "xml:lang"))
        elif name == "meta":
            names = (_value(attributes, key) for key in ("name", "property", "http-equiv"))
            self._note(next(filter(None, names), "").lower(), _value(attributes, "content"))
        elif name == "body" or (name == "head" and closing):
            self._over = True

    def _note(self, name: str, content: str) -> None:
        if name and content:
            self._said.setdefault(name, []).append(content)


def _value(attributes: str, wanted: str) -> str:
    """The value of an attribute of a tag, or nothing."""
    for found in _ATTRIBUTES.finditer(attributes):
        if found[1].lower() == wanted:
            value = found[2] or found[3] or found[4] or ""
            return unescape(value) if "&" in value else value
    return ""

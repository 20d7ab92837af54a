"""XML of any kind: its text in the order of the document, and what its attributes say.

Expat, of the standard library, reads it as a stream, twice: the first time to see whether it is whole and
harmless, so that what is broken can be read as the plain text that it is. A document type that declares
entities, with which everything harmful in XML begins, is refused; nothing that it names elsewhere is followed.

Documents for readers (DocBook, TEI, JATS, feeds, e-books, drawings) are told by their outermost element; their
elements become paragraphs, and their attributes are markup. Everything else is data, whose names matter: each
element and attribute is told with its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.entities import html5
from typing import BinaryIO
from xml.parsers import expat

from bouquetd.extract import facts as said
from bouquetd.extract.encoding import SAMPLE, codec, decoded, head_text, read
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.reading import Reading
from bouquetd.extract.xml_stream import Broken, Handler, check, parsed
from bouquetd.model import Facts, Piece

_SMALL_READ = 16 * 1024

_DECLARED = re.compile(r"""^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)""")
_WORD = re.compile(r"[^\W\d_]")

_FOR_READERS = frozenset((
    "appendix", "article", "bible", "bookmap", "book", "chapter", "concept", "dita", "dtbook", "feed",
    "fictionbook", "glossary", "glossentry", "ncx", "nitf", "osis", "para", "part", "play", "preface",
    "refentry", "rss", "sect1", "section", "set", "svg", "task", "tei", "tei.2", "teicorpus", "topic",
))  # fmt: skip
_PARAGRAPHS = frozenset((
    "p", "para", "simpara", "title", "subtitle", "head", "ab", "blockquote", "note", "section", "sec",
    "chapter", "div", "list", "itemizedlist", "orderedlist", "variablelist", "item", "listitem",
    "entry-title", "v", "verse", "stanza", "lg", "sp", "speech", "programlisting", "screen", "pre",
    "literallayout", "preformat", "eg", "synopsis", "description", "summary", "content", "article-title",
    "caption", "term", "definition", "footnote", "epigraph", "figure", "fig", "text", "desc", "abstract",
    "body",
))  # fmt: skip
_TABLES = frozenset(("table", "informaltable", "tgroup", "table-wrap"))
_LINES = frozenset(("l", "line", "li", "speaker", "tr", "row", "br", "lb", "stage", "member"))
_CELLS = frozenset(("td", "th", "cell", "entry"))
_TEXTS = frozenset((
    "p", "para", "simpara", "title", "subtitle", "head", "ab", "article-title", "l", "v", "td", "th",
    "cell", "term", "li", "line", "programlisting", "screen", "pre", "literallayout", "preformat", "eg",
    "synopsis", "text", "desc", "quote",
))  # fmt: skip
_VERBATIM = frozenset((
    "programlisting", "screen", "pre", "literallayout", "preformat", "eg", "synopsis", "screenco",
))  # fmt: skip
_LINKS = frozenset(("a", "link", "ulink", "ref", "ext-link"))
_LEFT_OUT = frozenset(("script", "style", "binary"))
_HEADINGS = frozenset(("title", "head", "article-title", "book-title"))
# A title in one of these is that of no section, and those of the second list do not count as levels.
_UNTITLED = frozenset((
    "table", "figure", "fig", "example", "note", "tip", "warning", "caution", "important", "formalpara",
    "equation", "procedure", "step", "blockquote", "itemizedlist", "orderedlist", "variablelist", "list",
    "biblioentry", "bibl", "biblstruct", "monogr", "analytic", "series", "ref", "mixed-citation",
    "element-citation", "table-wrap", "informalexample", "product", "related-article",
))  # fmt: skip
_WRAPPERS = re.compile(
    r".*info|title-group|article-meta|front|body|text|header|teiheader|filedesc|titlestmt|group|description|p"
)
_PLUMBING = re.compile(r"xmlns(:.*)?|xml:.*|xsi:.*|style|d|transform|points|viewBox", re.I)

_TITLES = ("title", "article-title", "book-title", "doctitle")
_LANGUAGES = ("language", "lang")
_CREATED = ("pubdate", "published", "date", "created", "issued")
_MODIFIED = ("updated", "modified", "lastbuilddate", "revdate")
_AUTHORS = ("author", "creator", "contrib")
_KEYWORDS = ("keyword", "kwd", "subject")
_TOLD = frozenset((*_TITLES, *_LANGUAGES, *_CREATED, *_MODIFIED, *_AUTHORS, *_KEYWORDS))
_NO_NAMES = frozenset(("xref", "aff", "affiliation", "email", "address", "uri", "contrib-id", "role", "bio"))
_BODIES = frozenset(
    ("item", "entry", "body", "text", "sec", "section", "sect1", "chapter", "part", "para", "g")
)


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text of the elements; that of a broken file tags and all, with a note of it."""
    file.seek(0)
    declared = _DECLARED.match(head_text(read(file, 4096)))
    hint = codec(declared[1]) if declared else None
    try:
        check(decoded(file, reading.read_size, hint), reading)
    except Broken as fault:
        reading.note(f"it is not valid XML ({fault}), so it was read as plain text, with its markup")
        for block in decoded(file, reading.read_size, hint):
            yield Piece(block)
        return
    handler = _Text(Flow(_facts(_first(decoded(file, _SMALL_READ, hint), SAMPLE))))
    for _ in parsed(decoded(file, reading.read_size, hint), handler):
        yield from handler.flow.pieces()
    yield from handler.flow.pieces(last=True)


def _first(blocks: Iterator[str], size: int) -> Iterator[str]:
    """A text up to that many characters."""
    for block in blocks:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return


@dataclass(slots=True)
class _Element:
    """An element we are in."""

    name: str  # without its prefix, in lower case
    inline: bool  # it is a part of a sentence
    level: int  # of a heading in it
    verbatim: bool
    mixed: bool = False  # it has text of its own
    written: bool = False  # there is text in it, or in what it holds
    heading: bool = False


class _Text(Handler):
    """Turns elements into paragraphs."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._open: list[_Element] = []
        self._data = False
        self._firm = 0  # the break before the next text, whatever
        self._loose = 0  # the one that was none if the text before turns out to be of the same sentence
        self._left_out = 0
        self._locals: dict[str, str] = {}

    def attach(self, parser: expat.XMLParserType) -> None:
        super().attach(parser)
        parser.CharacterDataHandler = self.text
        parser.SkippedEntityHandler = self._skipped

    def start(self, name: str, attributes: list[str]) -> None:
        if self._left_out:
            self._left_out += 1
            return
        local = self._locals.get(name) or self._locals.setdefault(name, name.rpartition(":")[2].lower())
        above = self._open[-1] if self._open else None
        if above is None:
            self._data = local not in _FOR_READERS
            element = _Element(local, inline=False, level=1, verbatim=False)
        else:
            known = local in _PARAGRAPHS or local in _LINES or local in _CELLS or local in _TABLES
            inline = not known and (above.inline or above.mixed or above.name in _TEXTS)
            level = above.level + (not _WRAPPERS.fullmatch(local))
            element = _Element(local, inline, level, above.verbatim or local in _VERBATIM)
        if local in _LEFT_OUT:
            self._left_out = 1
            return
        self._open.append(element)
        if not element.inline:
            self._separate(element)
            if local in _HEADINGS and above and not above.mixed and above.name not in _UNTITLED:
                element.heading = True
                self.flow.heading(above.level)
        self._links(element, attributes)
        if attributes and not element.inline and self._data:
            self._attributes(element, attributes)

    def end(self, _name: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        element = self._open.pop()
        if element.heading:
            self.flow.heading_over()
        if element.name in _LINKS:
            self.flow.follow(None)
        if not element.inline:
            self._separate(element, ends=True)

    def text(self, text: str) -> None:
        """Text between two tags, perhaps not all of it."""
        if self._left_out:
            return
        element = self._open[-1]
        if text.isspace():
            if element.verbatim:
                self.flow.write(text)
            else:
                self.flow.separate(Break.SPACE)
            return
        if element.written and not element.mixed and not self._firm:
            self._loose = 0  # what came before in this element was part of the sentence
        self._break()
        if self._data and not element.written and not element.inline and element.name not in _TEXTS:
            self.flow.write(f"{element.name}: ")
            text = text.lstrip()
        element.mixed = True
        self._written()
        if element.verbatim:
            self.flow.write(text)
        else:
            self.flow.write_collapsed(text)

    def _skipped(self, name: str, parameter: bool) -> None:  # noqa: FBT001
        """A reference to what at most a document type elsewhere defines; the names HTML has are known."""
        if not parameter:
            self.text(html5.get(f"{name};", f"&{name};"))

    def _separate(self, element: _Element, *, ends: bool = False) -> None:
        name = element.name
        if name in _CELLS and (name != "entry" or (len(self._open) > 1 - ends and self._within_row(ends=ends))):
            self._firm = max(self._firm, Break.CELL)
        elif name in ("tr", "row"):
            self._firm = max(self._firm, Break.ROW)
        elif name in _TABLES:
            self._firm = Break.TABLE
        elif name in _PARAGRAPHS:
            self._firm = max(self._firm, Break.PARAGRAPH)
        elif name in _LINES:
            self._firm = max(self._firm, Break.LINE)
        elif ends and element.written and not element.mixed:
            self._loose = max(self._loose, Break.PARAGRAPH)
        else:
            self._loose = max(self._loose, Break.LINE)

    def _within_row(self, *, ends: bool) -> bool:
        return self._open[-1 if ends else -2].name == "row"

    def _break(self) -> None:
        if self._firm or self._loose:
            self.flow.separate(max(self._firm, self._loose))
            self._firm = self._loose = 0

    def _written(self) -> None:
        for element in reversed(self._open):
            if element.written:
                break
            element.written = True

    def _links(self, element: _Element, attributes: list[str]) -> None:
        if element.name in _LINKS:
            for at in range(0, len(attributes), 2):
                if attributes[at].rpartition(":")[2] in ("href", "url", "target"):
                    self._break()
                    self.flow.follow(said.link(attributes[at + 1]))
                    return

    def _attributes(self, element: _Element, attributes: list[str]) -> None:
        shown = [
            f"{attributes[at]}: {' '.join(attributes[at + 1].split())}"
            for at in range(0, len(attributes), 2)
            if attributes[at + 1] and not _PLUMBING.fullmatch(attributes[at])
        ]
        if any(_WORD.search(attributes[at + 1]) for at in range(0, len(attributes), 2)) and shown:
            self._break()
            self.flow.write(f"{element.name} {', '.join(shown)}")
            self._written()
            self._firm = Break.LINE


class _Facts(Handler):
    """Collects what stands before the text of a document for readers."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}
        self._path: list[str] = []
        self._about = ""  # the element whose text is collected
        self._parts: list[str] = []
        self._over = False

    def attach(self, parser: expat.XMLParserType) -> None:
        super().attach(parser)
        parser.CharacterDataHandler = self.text

    def start(self, name: str, attributes: list[str]) -> None:
        local = name.rpartition(":")[2].lower()
        values = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if not self._path:
            self._over = local not in _FOR_READERS
            if language := values.get("xml:lang") or values.get("lang"):
                self.said["language"] = [language]
        self._path.append(local)
        self._over = self._over or (local in _BODIES and len(self._path) > 1)
        if not self._over and not self._about and local in _TOLD and self._path[-2:-1] != ["image"]:
            self._about = local
            self._parts = [values[key] for key in ("when", "iso-8601-date") if key in values]

    def end(self, _name: str) -> None:
        if self._path.pop() == self._about:
            text = said.line(" ".join(self._parts))
            if text and not self._over:
                self.said.setdefault(self._about, []).append(text)
            self._about = ""

    def text(self, text: str) -> None:
        """Text between two tags, perhaps not all of it."""
        if self._about and not text.isspace() and not _NO_NAMES.intersection(self._path):
            self._parts.append(text)


def _facts(head: Iterator[str]) -> Facts:
    handler = _Facts()
    with suppress(Broken):  # it is only the beginning
        for _ in parsed(head, handler):
            pass

    def told(names: tuple[str, ...]) -> list[str]:
        return next((handler.said[name] for name in names if name in handler.said), [])

    return said.facts(
        title="".join(told(_TITLES)[:1]),
        author="; ".join(dict.fromkeys(told(_AUTHORS))),
        language="".join(told(_LANGUAGES)[:1]),
        created="".join(told(_CREATED)[:1]),
        modified="".join(told(_MODIFIED)[:1]),
        keywords=told(_KEYWORDS),
    )

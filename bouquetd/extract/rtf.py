r"""RTF: control words, groups and characters of a dozen code pages, read as a stream.

Headings are told by their outline level, or by the name of their style; facts stand in the group ``\info``.

A lexer of our own: the one maintained library for it (striprtf) holds the file and its text whole, many times.
What is neither text nor known is passed over, as the specification asks: groups that begin with ``\*``, fonts,
styles, pictures, objects. Nothing that an object or a field holds is ever run or fetched.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract import facts as said
from bouquetd.extract.encoding import read
from bouquetd.extract.flow import FULL, Break, Flow
from bouquetd.extract.reading import Reading
from bouquetd.model import Facts, Piece

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)",
    re.S,
)
_LONGEST_TOKEN = 64
_MOST_FONTS = 5_000

_SKIPPED = frozenset((
    "author", "bkmkend", "bkmkstart", "blipuid", "colortbl", "comment", "company", "creatim", "datastore",
    "doccomm", "fldinst", "filetbl", "generator", "info", "keywords", "latentstyles", "listoverridetable",
    "listtable", "mmathPr", "objdata", "operator", "panose", "pict", "printim", "private", "revtbl", "revtim",
    "rsidtbl", "stylesheet", "subject", "tc", "template", "themedata", "title", "wgrffmtfilter", "xe",
    "xmlnstbl", "sp", "shprslt", "footer", "footerf", "footerl", "footerr", "header", "headerf", "headerl",
    "headerr",
))  # fmt: skip
_NOTED = frozenset(("author", "creatim", "fldinst", "keywords", "revtim", "stylesheet", "title"))  # as no text
_TIMES = ("yr", "mo", "dy", "hr", "min", "sec")
_LONGEST_NOTE = 2_000
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.I)
_HEADING = re.compile(r"\s*heading (\d)\s*;", re.I)
_BODY_TEXT = 9  # the outline level of what is no heading
_TAKEN = ("footnote", "shpinst", "shptxt", "nesttableprops")  # although older readers were to pass over them
_BREAKS = {
    "par": Break.PARAGRAPH, "sect": Break.PARAGRAPH, "page": Break.PARAGRAPH, "column": Break.PARAGRAPH,
    "line": Break.LINE, "softline": Break.LINE, "cell": Break.CELL, "nestcell": Break.CELL, "row": Break.ROW,
    "nestrow": Break.ROW, "footnote": Break.PARAGRAPH,
}  # fmt: skip
_CHARACTERS = {
    "tab": "\t", "bullet": "\u2022", "emdash": "\u2014", "endash": "\u2013", "emspace": " ", "enspace": " ",
    "qmspace": " ", "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}"}
# Of a font's \fcharset, by the specification.
_CHARSETS = {
    0: "cp1252", 2: "cp1252", 77: "mac-roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030",
    136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257",
    204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_REPAIR = "Open it in a word processor, save it as .docx or .txt, and drop that."


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The paragraphs and tables, without headers and footers."""
    file.seek(0)
    reader = _Reader(reading.bounds.nesting)
    window, ended = b"", False
    while not ended:
        block = read(file, max(reading.read_size, _LONGEST_TOKEN))
        ended = len(block) < max(reading.read_size, _LONGEST_TOKEN)
        window = reader.feed(window + block, ended=ended)
        yield from reader.flow.pieces()
    if reader.depth > 0:
        raise Rejected("the RTF is damaged: its end is missing", _REPAIR)
    yield from reader.flow.pieces(last=True)


@dataclass(slots=True)
class _Group:
    """What holds within a pair of braces and is forgotten at its end."""

    skipped: bool = False
    hidden: bool = False
    fonts: bool = False
    noted: str = ""  # what its text is about, which is no text of the document
    level: int = 0  # of the heading its paragraph is
    codec: str = "cp1252"
    unicode_skip: int = 1
    ends_with: int = Break.NONE
    info: bool = False
    link: bool = False


class _Reader:
    """Turns tokens into text."""

    def __init__(self, nesting: int) -> None:
        self.flow = Flow()
        self._nesting = nesting
        self._groups = [_Group()]
        self._default = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._bytes = bytearray()
        self._codec = "cp1252"
        self._skip = 0  # characters that stand for one that was given in Unicode
        self._surrogate = 0
        self._binary = 0
        self._star = False
        self._notes: dict[str, str] = {}
        self._style = 0
        self._levels: dict[int, int] = {}  # of headings, by the number of their style
        self._in_heading = False
        self._written = False

    @property
    def depth(self) -> int:
        """Groups that are open."""
        return len(self._groups) - 1

    def feed(self, window: bytes, *, ended: bool) -> bytes:
        """Take all tokens that are whole; returns the rest, which is to come again with what follows."""
        position, safe = 0, len(window) if ended else max(0, len(window) - _LONGEST_TOKEN)
        while position < len(window):
            if self._binary:
                taken = min(self._binary, len(window) - position)
                position += taken
                self._binary -= taken
                continue
            if position >= safe and not ended:
                break
            token = _TOKEN.match(window, position)
            if token is None:
                position += 1
                continue
            word, number, byte, symbol, brace, text = token.groups()
            position = token.end()
            if text is not None:
                self._text(text)
            elif word is not None:
                self._word(word.decode("ascii"), int(number) if number else None)
            elif byte is not None:
                self._byte(int(byte, 16))
            elif brace is not None:
                self._brace(brace)
            elif symbol is not None:
                self._symbol(symbol)
        if ended:
            self._flush()
        return window[position:]

    def _brace(self, brace: bytes) -> None:
        self._flush()
        self._star = False
        self._skip = 0
        if brace == b"{":
            if len(self._groups) > self._nesting:
                raise Rejected(
                    f"the RTF is damaged: groups nested more than {self._nesting} (bounds.nesting) deep",
                    _REPAIR,
                )
            self._groups.append(replace(self._groups[-1], ends_with=Break.NONE, info=False, link=False))
        elif len(self._groups) > 1:
            group = self._groups.pop()
            self._break(group.ends_with)
            if group.link:
                self.flow.follow(None)
            if group.info and not self._written:
                self.flow.facts = self._facts()

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._star = True
        elif symbol in (b"\n", b"\r"):
            self._break(Break.PARAGRAPH)
        elif character := _SYMBOLS.get(symbol):
            self._write(character)

    def _word(self, word: str, number: int | None) -> None:
        group = self._groups[-1]
        star, self._star = self._star, False
        if word == "bin":
            self._binary = max(0, number or 0)
        elif (star and word not in _TAKEN) or word in _SKIPPED:
            self._flush()
            group.skipped = True
            group.info = word == "info"
            group.noted = word if word in _NOTED else ""
            self._notes[group.noted] = ""
        elif group.noted and number is not None and self._noted(group.noted, word, number):
            pass
        elif word == "u":
            self._unicode(number or 0)
        elif word == "uc":
            group.unicode_skip = max(0, min(number or 0, 100))
        elif word == "fonttbl":
            group.fonts = True
        elif word == "f" and number is not None:
            self._font = number
            group.codec = self._fonts.get(number, self._default)
        elif word == "fcharset" and group.fonts and len(self._fonts) < _MOST_FONTS:
            self._fonts[self._font] = _CHARSETS.get(number or 0, self._default) if number else self._default
        elif word == "ansicpg":
            self._default = group.codec = _codepage(number or 1252)
        elif word in ("mac", "pc", "pca"):
            self._default = group.codec = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "plain":
            group.codec = self._default
            group.hidden = False
        elif word in ("v", "deleted"):
            group.hidden = number != 0
        elif word == "pard":
            group.level = 0
        elif word == "s":
            group.level = self._levels.get(number or 0, 0)
        elif word == "outlinelevel":
            group.level = _level(number)
        elif word == "fldrslt" and not group.skipped:
            self._flush()
            found = _HYPERLINK.match(self._notes.pop("fldinst", ""))
            self.flow.follow(said.link(found[1]) if found else None)
            group.link = True
        elif by := _BREAKS.get(word):
            self._break(by)
            if word == "footnote":
                group.ends_with = by
        elif character := _CHARACTERS.get(word):
            self._write(character)

    def _unicode(self, number: int) -> None:
        self._flush()
        code = number % 0x10000 if number < 0 or number > 0xFFFF else number
        if 0xD800 <= code < 0xDC00:
            self._surrogate = code
        else:
            if 0xDC00 <= code < 0xE000 and self._surrogate:
                code = 0x10000 + ((self._surrogate - 0xD800) << 10) + code - 0xDC00
            self._surrogate = 0
            self._put(chr(code))
        self._skip = self._groups[-1].unicode_skip

    def _byte(self, value: int) -> None:
        if self._skip:
            self._skip -= 1
        elif self._shown:
            if self._codec != self._groups[-1].codec:
                self._flush()
                self._codec = self._groups[-1].codec
            self._bytes.append(value)
            if len(self._bytes) >= FULL and not _lead(self._bytes, self._codec):
                self._flush()

    def _text(self, text: bytes) -> None:
        taken = min(self._skip, len(text))
        self._skip -= taken
        if not self._shown:
            return
        if text.isascii() and not self._bytes:
            self._put(text[taken:].decode("ascii"))
        else:
            for value in text[taken:]:
                self._byte(value)
            if text.isascii() and not _lead(self._bytes, self._codec):
                self._flush()

    def _write(self, character: str) -> None:
        if self._skip:
            self._skip -= 1
        else:
            self._flush()
            self._put(character)

    def _put(self, text: str) -> None:
        group = self._groups[-1]
        if group.noted:
            self._note(group.noted, text)
        elif text and self._shown:
            if group.level and not self._in_heading and not text.isspace():
                self._in_heading = True
                self.flow.heading(group.level)
            self._written = True
            self.flow.write(text)

    def _break(self, by: int) -> None:
        self._flush()
        if self._shown and not self._groups[-1].noted:
            if self._in_heading and by >= Break.PARAGRAPH:
                self._in_heading = False
                self.flow.heading_over()
            self.flow.separate(by)

    def _note(self, about: str, text: str) -> None:
        """Text that stands in one of the groups that are no text."""
        noted = self._notes.get(about, "")
        if len(noted) < _LONGEST_NOTE:
            noted += text[:_LONGEST_NOTE]
        if about == "stylesheet" and ";" in text:
            if (found := _HEADING.match(noted)) and len(self._levels) < _MOST_FONTS:
                self._levels.setdefault(self._style, int(found[1]))
            noted = ""
        self._notes[about] = noted

    def _noted(self, about: str, word: str, number: int) -> bool:
        """Whether a control word belongs to such a group, in which case it is done."""
        if about in ("creatim", "revtim") and word in _TIMES:
            self._note(about, f"{word}{number} ")
        elif about == "stylesheet" and word == "s":
            self._style = number
            self._notes[about] = ""
        elif about == "stylesheet" and word == "outlinelevel" and len(self._levels) < _MOST_FONTS:
            if level := _level(number):
                self._levels[self._style] = level
        else:
            return False
        return True

    def _facts(self) -> Facts:
        told = self._notes
        return said.facts(
            title=told.get("title", ""),
            author=told.get("author", ""),
            created=_date(told.get("creatim", "")),
            modified=_date(told.get("revtim", "")),
            keywords=[told.get("keywords", "")],
        )

    @property
    def _shown(self) -> bool:
        group = self._groups[-1]
        return bool(group.noted) or not (group.skipped or group.hidden or group.fonts)

    def _flush(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            self._put(data.decode(self._codec, "replace"))


def _level(outline: int | None) -> int:
    """The level of a heading, from 1, of an outline level, from 0; 0 for what is none."""
    return (outline or 0) + 1 if 0 <= (outline or 0) < _BODY_TEXT else 0


def _date(noted: str) -> str:
    parts = dict(re.findall(r"([a-z]+)(\d+)", noted))
    year, month, day, hour, minute, second = (int(parts.get(name, 0)) for name in _TIMES)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}" if year else ""


def _lead(data: bytearray, codec: str) -> bool:
    """Whether bytes end in the first half of a character."""
    if not data or not codec.startswith(("cp932", "cp949", "gb", "big5", "johab")):
        return False
    decoder = codecs.getincrementaldecoder(codec)("replace")
    decoder.decode(bytes(data))
    return bool(decoder.getstate()[0])


def _codepage(number: int) -> str:
    special = {65001: "utf-8", 936: "gb18030", 950: "big5", 10000: "mac-roman", 1361: "johab"}
    name = special.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"

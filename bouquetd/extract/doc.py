"""DOC: the paragraphs, tables, fields and notes of a Word document from before 2007.

A reader of our own over ``ole``: no maintained library reads the format, and antiword and catdoc, which Debian
has, know neither headings nor links and would have to be installed. The text lies in pieces, which a table puts
in order; both are read where they lie, and so are the pages of properties that tell a heading, the end of a row
and what is hidden. Fields are not computed: what the program that wrote the file last saw is what they say.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from bouquetd.errors import Rejected
from bouquetd.extract import ole
from bouquetd.extract.encoding import read
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.reading import Reading, beyond
from bouquetd.extract.word import Characters, Pages, Paragraph, characters_at, number_at, paragraph_at
from bouquetd.model import Piece

_REPAIR = "Open it in a word processor, save it as .docx or .pdf, and drop that."
_MAGICS = (0xA5EC, 0xA5DC, 0xA697, 0xA698, 0xA699)
_WORD_97 = 105  # the least number of a format that has its text in Unicode; below are Word 6 and 95
_COMPLEX, _ENCRYPTED, _SECOND_TABLE, _EXTENDED = 0x0004, 0x0100, 0x0200, 0x1000
_COMPRESSED = 0x4000_0000
_BLOCK = 32 * 1024  # characters of a piece that are read together

_MARKS = "\x07\x0c\x0d\x0e"  # the ends of cells, pages, paragraphs, columns
_SEPARATORS = re.compile("([\x07\x0b-\x0e\x13-\x15])")
# Characters that stand for pictures, notes and drawings; a soft hyphen; one that does not break.
_PLACEHOLDERS = dict.fromkeys((*range(9), *range(0x0F, 0x13), *range(0x16, 0x1E), 0x1F)) | {0x1E: "-"}
_LONGEST_INSTRUCTION = 4_000
_LINK = re.compile(r'\s*HYPERLINK\s+(?:\\[no]\s+)*(?:"([^"]*)"|([^\s"\\]+))', re.I)
_LONGEST_LINK = 500
_FOLLOWED = re.compile(r"(?:https?|mailto):|[^:\\]*\Z", re.I)
_MOST_STYLES = 4_094
_TITLE = 62  # the number that the style Title has in every language
_NO_BASE = 0xFFF
_MACINTOSH = 10_000
# Code pages of a document whose text is not in Unicode: by its language, without the country, and by its fonts.
_OF_LANGUAGES = {
    0x01: 1256, 0x02: 1251, 0x04: 936, 0x05: 1250, 0x08: 1253, 0x0D: 1255, 0x0E: 1250, 0x11: 932, 0x12: 949,
    0x15: 1250, 0x18: 1250, 0x19: 1251, 0x1A: 1250, 0x1B: 1250, 0x1E: 874, 0x1F: 1254, 0x22: 1251, 0x23: 1251,
    0x24: 1250, 0x25: 1257, 0x26: 1257, 0x27: 1257, 0x29: 1256,
}  # fmt: skip
_OF_FONTS = {
    128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 177: 1255, 178: 1256, 186: 1257, 204: 1251,
    222: 874, 238: 1250,
}  # fmt: skip
_LATIN = (1250, 1254, 1257)
_NOT_LATIN = re.compile(rb"[\x80-\xff]{3,}")


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The paragraphs and tables, then footnotes, endnotes and text boxes; no headers, footers and comments."""
    with ole.opened(file, "Word document", _REPAIR) as compound:
        document = _Document(compound)
        reader = _Reader(Flow(ole.facts(compound)), document.styles, reading.bounds.nesting)
        for start, end in document.stories:
            for run in document.runs(start, end):
                reader.take(run)
                yield from reader.flow.pieces()
            reader.over()
        yield from reader.flow.pieces(last=True)


class _Run(NamedTuple):
    """Text of one paragraph with characters of one kind."""

    text: str
    paragraph: Paragraph
    characters: Characters


class _Document:
    """Where everything lies, by the table at the beginning of the stream."""

    def __init__(self, compound: ole.Compound) -> None:
        streams = compound.children(compound.root)
        self._text = compound.stream(streams["worddocument"])
        head = read(self._text, 1024)
        magic, version, language, flags = struct.unpack_from("<HH2xH2xH", head)
        if magic not in _MAGICS:
            raise ole.Damaged("its text does not begin as one of Word's does")
        if flags & _ENCRYPTED:
            raise Rejected(
                "the Word document is protected by a password",
                "Open it in a word processor, save it without a password, and drop it again.",
            )
        self._codec = "cp1252"
        self._unicode = version >= _WORD_97
        self._all_wide = not self._unicode and bool(flags & _EXTENDED)
        self._pieces: tuple[int, int] | None = None
        self._begin = 0
        self.styles: list[int] = []
        paragraphs = characters = (0, 0)
        if self._unicode:
            self._table = compound.stream(streams["1table" if flags & _SECOND_TABLE else "0table"])
            lengths = struct.unpack_from("<8l", head, 0x4C)
            styles, characters, paragraphs, pieces = (
                struct.unpack_from("<LL", head, at) for at in (0xA2, 0xFA, 0x102, 0x1A2)
            )
            self._pieces = self._places(*pieces)
            self.styles = self._levels(*styles)
        else:
            self._table = self._text
            self._begin, end = struct.unpack_from("<LL", head, 0x18)
            page = _OF_LANGUAGES.get(language & 0x3FF) or self._page_of_fonts(
                end, *struct.unpack_from("<LL", head, 0xD0)
            )
            self._codec = ole.text_codec(_MACINTOSH if head[0x12] else page)
            lengths = struct.unpack_from("<8l", head, 0x34)
            if flags & _COMPLEX:
                self._pieces = self._places(*struct.unpack_from("<LL", head, 0x160))
        if any(length < 0 for length in lengths):
            raise ole.Damaged("the length of its text is negative")
        starts = [sum(lengths[:at]) for at in range(9)]
        if starts[-1] > self._text.seek(0, 2):
            raise ole.Damaged("its text is longer than the file")
        # Of the eight stories one is of headers, two are of macros and comments, the last is of headers' boxes.
        self.stories = [(starts[at], starts[at + 1]) for at in (0, 1, 5, 6)]
        self._paragraphs = Pages(self._text, self._table, paragraphs, 13, paragraph_at, Paragraph())
        self._characters = Pages(
            self._text, self._table, characters, 1, characters_at, Characters(special=not self._unicode)
        )

    def _page_of_fonts(self, end: int, start: int, size: int) -> int:
        """The code page of a text whose language tells none: that of a font, if the text looks like it."""
        self._text.seek(start)
        names = self._text.read(min(size, 1 << 16))
        pages = set()
        at = 2
        while at + 5 <= len(names) and names[at]:
            pages.add(_OF_FONTS.get(names[at + 4], 1252))
            at += 1 + names[at]
        self._text.seek(self._begin)
        sample = self._text.read(max(0, min(_BLOCK, end - self._begin)))
        foreign = len(sample.translate(None, bytes(range(128))))
        strange = 2 * sum(map(len, _NOT_LATIN.findall(sample))) > foreign
        return next((page for page in sorted(pages - {1252}) if strange != (page in _LATIN)), 1252)

    def _places(self, start: int, size: int) -> tuple[int, int]:
        """Where the table of pieces lies and how many it has, behind properties that nobody needs."""
        self._table.seek(start)
        left = size
        while left > 5:
            kind = self._table.read(1)
            if kind == b"\2":
                (length,) = struct.unpack("<L", self._table.read(4))
                count = (length - 4) // 12
                at = self._table.tell()
                if count < 1 or at + length > self._table.seek(0, 2):
                    break
                return at, count
            if kind != b"\1":
                break
            (length,) = struct.unpack("<H", self._table.read(2))
            self._table.seek(length, 1)
            left -= 3 + length
        raise ole.Damaged("the table of its pieces of text is not where it should be")

    def _levels(self, start: int, size: int) -> list[int]:
        """Of each style the level of heading that it is or is made from, 0 for none."""
        if size < 20:
            return []
        self._table.seek(start)
        data = self._table.read(min(size, 1 << 20))
        if len(data) < 6:
            return []
        head, count = struct.unpack_from("<HH", data)
        at = 2 + head
        found: list[tuple[int, int]] = []
        while at + 2 <= len(data) and len(found) < min(count, _MOST_STYLES):
            (length,) = struct.unpack_from("<H", data, at)
            if length >= 4 and at + 6 <= len(data):
                number, base = struct.unpack_from("<HH", data, at + 2)
                found.append((number & 0xFFF, base >> 4))
            else:
                found.append((_NO_BASE, _NO_BASE))
            at += 2 + length + length % 2
        levels = []
        for number, base in found:
            for _ in range(10):  # styles made from styles, if they are not made from one another
                if 1 <= number <= 9 or number == _TITLE or base >= len(found):
                    break
                number, base = found[base]
            levels.append(1 if number == _TITLE else number if 1 <= number <= 9 else 0)
        return levels

    def runs(self, start: int, end: int) -> Iterator[_Run]:
        """The text between two positions."""
        for offset, count, wide in self._parts(start, end):
            width = 2 if wide else 1
            name = "utf-16-le" if wide else self._codec
            stop = offset + count * width
            while offset < stop:
                paragraph, over = self._paragraphs.at(offset)
                characters, until = self._characters.at(offset)
                size = min(stop, over, until, offset + _BLOCK * width) - offset
                size = max(width, size // width * width)
                self._text.seek(offset)
                data = read(self._text, size)
                if len(data) < size:
                    raise ole.Damaged("its text ends before its end")
                if wide and size > 2 and 0xD8 <= data[-1] < 0xDC:  # half a character
                    data = data[:-2]
                offset += len(data)
                yield _Run(data.decode(name, "surrogatepass" if wide else "replace"), paragraph, characters)

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Where the text between two positions lies: offset, characters, and whether they have two bytes."""
        if self._pieces is None:
            width = 2 if self._all_wide else 1
            yield self._begin + start * width, end - start, self._all_wide
            return
        at, count = self._pieces
        bounds, places = ole.again(self._table), ole.again(self._table)
        bounds.seek(at)
        last = number_at(bounds)
        for number in range(count):
            first, last = last, number_at(bounds)
            if last <= first:
                raise ole.Damaged("its pieces of text are in no order")
            if last <= start:
                continue
            if first >= end:
                return
            places.seek(at + 4 * (count + 1) + 8 * number + 2)
            place = number_at(places)
            wide = self._all_wide or (self._unicode and not place & _COMPRESSED)
            if not wide and self._unicode:
                place = (place & ~_COMPRESSED) // 2
            skipped = max(0, start - first)
            yield place + skipped * (1 + wide), min(last, end) - first - skipped, wide


class _Reader:
    """Turns runs into text."""

    def __init__(self, flow: Flow, styles: list[int], nesting: int) -> None:
        self.flow = flow
        self._styles = styles
        self._nesting = nesting
        self._begins = True  # whether a paragraph does
        self._heading = self._in_table = False
        self._fields: list[_Field] = []
        self._instructions = 0  # fields whose result has not begun

    def over(self) -> None:
        """A story ends."""
        self._fields.clear()
        self._instructions = 0
        self.flow.follow(None)
        self._end()

    def take(self, run: _Run) -> None:
        """Text that follows on what came before."""
        for part in _SEPARATORS.split(run.text):
            if not part:
                continue
            if "\x13" <= part <= "\x15":
                if run.characters.special:
                    self._field(part)
            elif run.characters.hidden and part not in _MARKS:
                continue
            elif self._instructions:
                field = self._fields[-1]
                if len(field.instruction) < _LONGEST_INSTRUCTION:
                    field.instruction += part
            elif part == "\x0b":
                self.flow.line_break()
            elif part in _MARKS:
                self._mark(part, run.paragraph)
            elif text := part.translate(_PLACEHOLDERS):
                self._begin(run.paragraph)
                self.flow.write(text)

    def _begin(self, paragraph: Paragraph) -> None:
        if not self._begins:
            return
        self._begins = False
        if self._in_table and not paragraph.in_table:
            self.flow.separate(Break.TABLE)
        self._in_table = paragraph.in_table
        level = self._styles[paragraph.style] if paragraph.style < len(self._styles) else 0
        if level or paragraph.level <= 9:
            self._heading = True
            self.flow.heading(level or paragraph.level)

    def _mark(self, mark: str, paragraph: Paragraph) -> None:
        if mark == "\x07" or paragraph.cell_end or paragraph.row_end:
            self.flow.separate(Break.ROW if paragraph.row_end else Break.CELL)
        self._end()

    def _end(self) -> None:
        if self._heading:
            self.flow.heading_over()
            self._heading = False
        self.flow.separate(Break.PARAGRAPH)
        self._begins = True

    def _field(self, mark: str) -> None:
        """A field is an instruction, perhaps a mark and a result, and an end; in both there may be others."""
        if mark == "\x13":
            if len(self._fields) >= self._nesting:
                raise beyond(
                    f"its fields are nested more than {self._nesting} deep (bounds.nesting)", "nesting", _REPAIR
                )
            self._fields.append(_Field())
            self._instructions += 1
        elif self._fields and mark == "\x14":
            field = self._fields[-1]
            if not field.shown:
                field.shown = True
                self._instructions -= 1
                if found := _LINK.match(field.instruction):
                    field.link = _followed(found[1] or found[2])
                    self.flow.follow(field.link)
        elif self._fields:
            field = self._fields.pop()
            self._instructions -= not field.shown
            if field.link:
                self.flow.follow(next((f.link for f in reversed(self._fields) if f.link), None))


def _followed(link: str | None) -> str | None:
    """A link if it is one to the web, to a mailbox or to a file beside the document, and not too long."""
    return link if link and len(link) <= _LONGEST_LINK and _FOLLOWED.match(link) else None


@dataclass(slots=True)
class _Field:
    """A field that has not ended."""

    instruction: str = ""
    shown: bool = False  # what stands there is the result
    link: str | None = None

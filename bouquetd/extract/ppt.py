"""PPT: the slides of a PowerPoint presentation from before 2007 in their order, each with its notes.

A reader of our own over ``ole``: no maintained library reads the format, and catppt, which Debian has, knows
neither slides nor their order. A presentation is a tree of records; those of the slides are found by the
numbers under which they were last saved, and read where they lie.
"""

from __future__ import annotations

import codecs
import re
import struct
from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from bouquetd.errors import Rejected
from bouquetd.extract import ole
from bouquetd.extract.encoding import read
from bouquetd.extract.flow import Break, Flow
from bouquetd.extract.reading import Reading, beyond
from bouquetd.model import Piece

_REPAIR = "Open it in a presentation program, save it as .pptx or .pdf, and drop that."
_BLOCK = 32 * 1024  # bytes of a text that are read together; an even number
_MOST_SAVES = 10_000  # of one presentation, each of which only adds to it
_MOST_TEXTS = 10_000  # of a slide, in the list
_MOST_NUMBERS = 1 << 20  # as many as the format can tell apart
_NOWHERE = 0xFFFF_FFFF
_CONTAINER = 0xF
_PROTECTED = 0xF3D1_C4DF

# The kinds of records that matter.
_DOCUMENT, _SLIDE, _SLIDE_SAYS, _NOTES = 0x3E8, 0x3EE, 0x3EF, 0x3F0
_LIST, _LISTED, _SAVE, _NUMBERS = 0xFF0, 0x3F3, 0xFF5, 0x1772
_KIND_OF_TEXT, _WIDE_TEXT, _TEXT, _LISTED_TEXT = 0xF9F, 0xFA0, 0xFA8, 0xF9E
_SHAPE, _PLACEHOLDER = 0xF004, 0xBC3
_OF_SLIDES, _OF_NOTES = 0, 2  # what a list lists
_TITLES = (0, 6)
_REPEATED = (b"\7", b"\x08", b"\x09", b"\x0a")  # placeholders for date, number, footer and header
_BREAKS = re.compile("([\r\v])")
_MARK_OF_NUMBER = "*"  # stands for the number of the slide, the date


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The text of each slide, then that of its notes; ``Piece.page`` is the number of the slide, from 1."""
    with ole.opened(file, "PowerPoint presentation", _REPAIR) as compound:
        presentation = _Presentation(compound, reading.bounds.pages)
        facts = ole.facts(compound)
        for number, slide in enumerate(presentation.slides, start=1):
            flow = Flow(facts)  # a new one each time: a slide without a title has not that of the one before
            flow.page = number
            for _ in presentation.texts(slide, flow):
                yield from flow.pieces()
            flow.write("\n\n")
            yield from flow.pieces(last=True)


class _Record(NamedTuple):
    """Where a record lies: ``start`` and ``end`` of what is in it."""

    kind: int
    version: int
    instance: int
    start: int
    end: int


class _Slide(NamedTuple):
    """A slide as the list has it: its number, its name, and where the texts that the list has of it lie."""

    number: int
    id: int
    start: int
    end: int


class _Presentation:
    """Finds slides and notes, and the texts in them."""

    def __init__(self, compound: ole.Compound, most_slides: int) -> None:
        streams = compound.children(compound.root)
        self._stream = compound.stream(streams["powerpoint document"])
        self._size = self._stream.seek(0, 2)
        self._looks = 1_000 + self._size // 2  # at records, of which each is looked at a few times
        self._places = array("I")
        document = self._record(self._places_of(compound.stream(streams["current user"])))
        self._notes: dict[int, int] = {}
        self.slides: list[_Slide] = []
        for part in self._within(document.start, document.end):
            if part.kind == _LIST and part.instance in (_OF_SLIDES, _OF_NOTES):
                self._listed(part, most_slides)

    def _record(self, at: int) -> _Record:
        self._looks -= 1
        if self._looks < 0:
            raise ole.Damaged("its slides lie within one another")
        self._stream.seek(at)
        head = read(self._stream, 8)
        if len(head) < 8:
            raise ole.Damaged("it refers to records behind its end")
        first, kind, size = struct.unpack("<HHL", head)
        if at + 8 + size > self._size:
            raise ole.Damaged("a record is larger than what it is in")
        return _Record(kind, first & 0xF, first >> 4, at + 8, at + 8 + size)

    def _within(self, start: int, end: int) -> Iterator[_Record]:
        """The records side by side between two places."""
        while start + 8 <= end:
            record = self._record(start)
            if record.end > end:
                raise ole.Damaged("a record is larger than what it is in")
            yield record
            start = record.end

    def _places_of(self, user: BinaryIO) -> int:
        """Where the document lies; and where everything with a number does, as it was saved last."""
        head = user.read(20)
        if len(head) < 20:
            raise ole.Damaged("it does not say where it was saved last")
        mark, at = struct.unpack_from("<LL", head, 12)
        if mark == _PROTECTED:
            raise Rejected(
                "the PowerPoint presentation is protected by a password",
                "Open it in a presentation program, save it without a password, and drop it again.",
            )
        found = -1
        for _ in range(_MOST_SAVES):
            save = self._record(at)
            if save.kind != _SAVE or save.end - save.start < 20:
                raise ole.Damaged("it does not say where it was saved last")
            self._stream.seek(save.start + 8)
            before, numbers, document = struct.unpack("<LLL", self._stream.read(12))
            found = document if found < 0 else found
            self._number(self._record(numbers))
            if before >= at:
                self._number_all()
            if not 0 < before < at:
                return self._place(found)
            at = before
        raise ole.Damaged(f"it was saved more than {_MOST_SAVES} times")

    def _number_all(self) -> None:
        """Take the places of all saves, the latest first, where one does not say which was before it."""
        found: deque[int] = deque(maxlen=_MOST_SAVES)
        with suppress(ole.Damaged):
            found.extend(part.start - 8 for part in self._within(0, self._size) if part.kind == _NUMBERS)
        for at in reversed(found):
            self._number(self._record(at))

    def _number(self, record: _Record) -> None:
        """Take the places that were saved together, but for what has a later one."""
        if record.kind != _NUMBERS:
            raise ole.Damaged("the list of its parts is not where it should be")
        self._stream.seek(record.start)
        left = record.end - record.start
        while left >= 4:
            (what,) = struct.unpack("<L", read(self._stream, 4))
            first, count = what & 0xFFFFF, what >> 20
            left -= 4 + 4 * count
            if left < 0:
                raise ole.Damaged("the list of its parts is cut off")
            places = array("I", read(self._stream, 4 * count))
            if first + count > _MOST_NUMBERS:
                raise ole.Damaged("its parts have numbers that do not exist")
            self._places.extend([_NOWHERE] * (first + count - len(self._places)))
            for number, place in enumerate(places, start=first):
                if self._places[number] == _NOWHERE:
                    self._places[number] = place

    def _place(self, number: int) -> int:
        place = self._places[number] if 0 <= number < len(self._places) else _NOWHERE
        if place == _NOWHERE:
            raise ole.Damaged(f"its part {number} is missing")
        return place

    def _listed(self, part: _Record, most: int) -> None:
        for record in self._within(part.start, part.end):
            if record.kind != _LISTED:
                if part.instance == _OF_SLIDES and self.slides:
                    self.slides[-1] = self.slides[-1]._replace(end=record.end)
                continue
            self._stream.seek(record.start)
            number, _, _, id_ = struct.unpack("<LLLL", read(self._stream, 16))
            if part.instance == _OF_NOTES:
                self._notes[id_] = number
            else:
                self.slides.append(_Slide(number, id_, record.end, record.end))
            if max(len(self.slides), len(self._notes)) > most:
                raise beyond(f"it has more than the {most} slides that bounds.pages allows", "pages")

    def texts(self, slide: _Slide, flow: Flow) -> Iterator[None]:
        """Write the texts of a slide and its notes, stopping after each part of them."""
        listed = _Listed(self, slide)
        record = self._record(self._place(slide.number))
        if record.kind != _SLIDE:
            raise ole.Damaged("a slide is not where it should be")
        notes = 0
        for part in self._within(record.start, record.end):
            if part.kind == _SLIDE_SAYS and part.end - part.start >= 20:
                self._stream.seek(part.start + 16)
                notes = int.from_bytes(read(self._stream, 4), "little")
        yield from self._walk(record, flow, listed)
        yield from listed.rest(flow)
        if notes in self._notes:
            record = self._record(self._place(self._notes[notes]))
            if record.kind == _NOTES:
                yield from self._walk(record, flow, None)

    def _walk(self, record: _Record, flow: Flow, listed: _Listed | None) -> Iterator[None]:
        """Write the texts in a record and all that are in it."""
        at = record.start
        kind = -1
        passed_over = False
        while at + 8 <= record.end:
            part = self._record(at)
            at = part.start if part.version == _CONTAINER else part.end
            if part.kind == _SHAPE:
                kind, passed_over = -1, False
            elif part.kind == _PLACEHOLDER:
                self._stream.seek(part.start + 4)
                passed_over = self._stream.read(1)[:1] in _REPEATED
            elif part.kind == _KIND_OF_TEXT:
                kind = self.number(part)
            elif part.kind in (_TEXT, _WIDE_TEXT) and not passed_over:
                yield from self.write(part, flow, kind)
            elif part.kind == _LISTED_TEXT and listed is not None and not passed_over:
                yield from listed.write(self.number(part), flow)

    def listed(self, slide: _Slide) -> list[tuple[int, list[_Record]]]:
        """The texts that the list has of a slide, each with its kind."""
        found: list[tuple[int, list[_Record]]] = []
        for part in self._within(slide.start, slide.end):
            if part.kind == _KIND_OF_TEXT:
                if len(found) >= _MOST_TEXTS:
                    raise ole.Damaged(f"a slide has more than {_MOST_TEXTS} texts")
                found.append((self.number(part), []))
            elif part.kind in (_TEXT, _WIDE_TEXT) and found and not found[-1][1]:
                found[-1][1].append(part)
        return found

    def number(self, record: _Record) -> int:
        """The number with which a record begins."""
        self._stream.seek(record.start)
        return int.from_bytes(read(self._stream, 4), "little")

    def write(self, record: _Record, flow: Flow, kind: int) -> Iterator[None]:
        """Write a text, as a heading if it is a title."""
        if kind in _TITLES:
            flow.heading(1)
        flow.separate(Break.PARAGRAPH)
        wide = record.kind == _WIDE_TEXT
        decoder = codecs.getincrementaldecoder("utf-16-le" if wide else "latin-1")("replace")
        at = record.start
        while at < record.end:
            self._stream.seek(at)
            data = read(self._stream, min(_BLOCK, record.end - at))
            at += len(data)
            for part in _BREAKS.split(decoder.decode(data, final=at == record.end)):
                if part == "\r":
                    flow.separate(Break.PARAGRAPH)
                elif part == "\v":
                    flow.line_break()
                elif part and (part != _MARK_OF_NUMBER or record.end - record.start > 2):
                    flow.write(part)
            yield
        flow.heading_over()
        flow.separate(Break.PARAGRAPH)


class _Listed:
    """The texts that the list of slides has of one; the slide itself says where they stand."""

    def __init__(self, presentation: _Presentation, slide: _Slide) -> None:
        self._presentation = presentation
        self._texts = presentation.listed(slide)

    def write(self, number: int, flow: Flow) -> Iterator[None]:
        """Write one of them, which is over then."""
        if number < len(self._texts):
            kind, records = self._texts[number]
            while records:
                yield from self._presentation.write(records.pop(), flow, kind)

    def rest(self, flow: Flow) -> Iterator[None]:
        """Write those that stand nowhere."""
        for number in range(len(self._texts)):
            yield from self.write(number, flow)

"""MSG: a message as Outlook saves it: headers, text and the names of what is attached.

A reader of our own over ``ole``: python-oxmsg, the maintained library whose licence fits, takes the message and
all that is attached into memory. The text lies there as plain text, as HTML or as packed RTF; the first of
these is taken. Where the headers are kept with which it came through the Internet, those are told: Outlook's
own fields often lack the addresses. What an attached message says follows its outer one.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from itertools import islice
from typing import BinaryIO, cast

from bouquetd.errors import Rejected
from bouquetd.extract import html, mail_headers, ole, rtf
from bouquetd.extract.encoding import decoded, read
from bouquetd.extract.packed import Member
from bouquetd.extract.reading import Reading, beyond
from bouquetd.extract.scratch import Scratch, scratch
from bouquetd.model import Facts, Piece

_REPAIR = "Open it in a mail program, save it as .eml or .txt, and drop that."
_LONGEST = 1 << 16  # bytes of a header
_MAX_DEPTH = 20
_NAMES_SHOWN = 100
_RECIPIENTS = 1_000

# The numbers of the properties that matter.
_SUBJECT, _SENDER, _SENDER_ADDRESS, _SENDER_SMTP = 0x0037, 0x0C1A, 0x0C1F, 0x5D01
_TO, _CC, _SENT, _DELIVERED, _CREATED, _HEADERS = 0x0E04, 0x0E03, 0x0039, 0x0E06, 0x3007, 0x007D
_BODY, _RTF, _HTML = 0x1000, 0x1009, 0x1013
_CODE_PAGE, _HTML_CODE_PAGE = 0x3FFD, 0x3FDE
_NAME, _ADDRESS, _SMTP, _RECIPIENT_KIND = 0x3001, 0x3003, 0x39FE, 0x0C15
_TO_KIND, _CC_KIND = 1, 2
_DATA, _LONG_FILE_NAME, _FILE_NAME = 0x3701, 0x3707, 0x3704

_NO_HEADER = re.compile(r"\A[^:\n]*\n")  # what Outlook may put before them: of which version they are

_PACKED, _UNPACKED = 0x75465A4C, 0x414C454D
# What the window of a packed RTF holds at first, as everybody agreed on.
_WINDOW = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The message, then those attached to it."""
    with ole.opened(file, "Outlook message", _REPAIR) as compound:
        message = _Message(compound, compound.root, 32)
        yield from _told(message, message.facts(), reading, 0)


def members(file: BinaryIO, reading: Reading) -> Iterator[Member]:  # noqa: ARG001
    """The name and the content of each file that is attached, of a message within the message too."""
    with ole.opened(file, "Outlook message", _REPAIR) as compound:
        yield from _members(_Message(compound, compound.root, 32), 0)


def _members(message: _Message, depth: int) -> Iterator[Member]:
    for attached in message.attached():
        if (data := attached.stream(_DATA)) is not None:
            yield Member(attached.file_name(), partial(_whole, data))
        elif depth < _MAX_DEPTH and (inner := attached.enclosed()) is not None:
            yield from _members(inner, depth + 1)


def _whole(data: BinaryIO) -> BinaryIO:
    data.seek(0)
    return data


def _told(message: _Message, facts: Facts, reading: Reading, depth: int) -> Iterator[Piece]:
    if depth > _MAX_DEPTH:
        raise Rejected(
            f"messages are nested in it more than {_MAX_DEPTH} deep",
            "Take out what is attached, and drop that.",
        )
    yield Piece("".join(f"{name}: {value}\n" for name, value in message.headers().items()) + "\n", facts=facts)
    for piece in message.body(reading):
        yield piece._replace(facts=facts)
    yield Piece("\n\n", facts=facts)
    names: list[str] = []
    for number, attached in enumerate(message.attached(), start=1):
        if number > reading.bounds.members:
            raise beyond(
                f"it has more than the {reading.bounds.members} attachments that bounds.members allows",
                "members",
            )
        if attached.enclosed() is None and len(names) <= _NAMES_SHOWN:
            names.append(attached.file_name())
    if names:
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        yield Piece(f"Attached: {', '.join(names[:_NAMES_SHOWN])}{more}\n\n", facts=facts)
    for attached in message.attached():
        if (inner := attached.enclosed()) is not None:
            yield from _told(inner, facts, reading, depth + 1)


class _Properties:
    """A storage with properties: a message, somebody who gets it, or what is attached to it.

    Short properties stand in a list that begins with ``head`` bytes of something else, each long one is a
    stream.
    """

    def __init__(self, compound: ole.Compound, entry: ole.Entry, head: int, page: int = 0) -> None:
        self._compound = compound
        self._streams = compound.children(entry)
        self._short: dict[int, bytes] = {}
        if (listed := self._streams.get("__properties_version1.0")) is not None:
            data = compound.stream(listed).read(_LONGEST)
            for at in range(head, len(data) - 15, 16):
                (number,) = struct.unpack_from("<H", data, at + 2)
                self._short[number] = data[at + 8 : at + 16]
        self.page = self.number(_CODE_PAGE) or self.number(_HTML_CODE_PAGE) or page

    def number(self, number: int) -> int:
        """A property that is a number, 0 if there is none."""
        return int.from_bytes(self._short.get(number, b"")[:4], "little")

    def stream(self, number: int, kinds: tuple[int, ...] = (0x102,)) -> BinaryIO | None:
        """A long property of one of some types, as a file; None if there is none."""
        for kind in kinds:
            entry = self._streams.get(f"__substg1.0_{number:04x}{kind:04x}")
            if entry is not None and entry.size:
                return self._compound.stream(entry)
        return None

    def text(self, number: int) -> str:
        """A property that is a text, in one line; empty if there is none or it is damaged."""
        return " ".join(self.lines(number).split())

    def lines(self, number: int) -> str:
        """A property that is a text, as it is."""
        try:
            if (data := self.stream(number, (0x1F,))) is not None:
                text = data.read(_LONGEST).decode("utf-16-le", "replace")
            elif (data := self.stream(number, (0x1E,))) is not None:
                text = data.read(_LONGEST).decode(ole.text_codec(self.page), "replace")
            else:
                return ""
        except ole.Damaged:
            return ""
        return text.replace("\0", " ")

    def file_name(self) -> str:
        """The name of an attached file, of which only the last part may matter to anybody."""
        name = self.text(_LONG_FILE_NAME) or self.text(_FILE_NAME) or self.text(_NAME) or "attached"
        return name[:200]

    def enclosed(self) -> _Message | None:
        """The message that is attached, if one is."""
        entry = self._streams.get(f"__substg1.0_{_DATA:04x}000d")
        if entry is None or "__properties_version1.0" not in self._compound.children(entry):
            return None
        return _Message(self._compound, entry, 24, self.page)


class _Message(_Properties):
    """A message, the outermost or one that is attached."""

    def attached(self) -> Iterator[_Properties]:
        """What is attached."""
        for entry in self._storages("__attach_version1.0_#"):
            yield _Properties(self._compound, entry, 8, self.page)

    def _storages(self, prefix: str) -> Iterator[ole.Entry]:
        for name in sorted(self._streams):
            if name.startswith(prefix):
                yield self._streams[name]

    def sent(self) -> float | None:
        """When it was sent, or else when it arrived, or was begun."""
        for number in (_SENT, _DELIVERED, _CREATED):
            if data := self._short.get(number):
                return ole.moment(int.from_bytes(data, "little"))
        return None

    def headers(self) -> dict[str, str]:
        """What stands above the text, as far as it is known."""
        sent = self.sent()
        own = {
            "From": _person(self.text(_SENDER), self.text(_SENDER_SMTP) or self.text(_SENDER_ADDRESS)),
            "To": self._addressed(_TO_KIND) or self.text(_TO),
            "Cc": self._addressed(_CC_KIND) or self.text(_CC),
            "Date": f"{datetime.fromtimestamp(sent, UTC):%a, %d %b %Y %H:%M:%S +0000}"
            if sent is not None
            else "",
            "Subject": self.text(_SUBJECT),
        }
        told = own | dict(mail_headers.shown(self._as_it_came()))
        return {name: value for name, value in told.items() if value}

    def _as_it_came(self) -> EmailMessage:
        """Its headers in the Internet; none if it never was there."""
        lines = self.lines(_HEADERS)
        return mail_headers.parsed(_NO_HEADER.sub("", lines).encode("utf-8", "replace"))

    def _recipients(self) -> Iterator[tuple[int, str, str]]:
        """How each is addressed, name and address."""
        for entry in islice(self._storages("__recip_version1.0_#"), _RECIPIENTS):
            who = _Properties(self._compound, entry, 8, self.page)
            yield who.number(_RECIPIENT_KIND), who.text(_NAME), who.text(_SMTP) or who.text(_ADDRESS)

    def _addressed(self, kind: int) -> str:
        """All who are addressed in a way, each as a mail program shows them."""
        return ", ".join(filter(None, (_person(n, a) for how, n, a in self._recipients() if how == kind)))

    def facts(self) -> Facts:
        """Subject, sender, recipients and date."""
        told, known = self.headers(), mail_headers.facts(self._as_it_came()).recipients
        own = (ole.one_line(address if "@" in address else name) for _, name, address in self._recipients())
        return Facts(
            title=ole.one_line(told.get("Subject", "")),
            author=ole.one_line(told.get("From", "")),
            created_at=self.sent(),
            recipients=known or tuple(dict.fromkeys(filter(None, own))),
        )

    def body(self, reading: Reading) -> Iterator[Piece]:
        """The text in the simplest form there is."""
        wide, narrow = self.stream(_BODY, (0x1F,)), self.stream(_BODY, (0x1E,))
        if wide is not None and not _blank(wide):
            for text in _wide(wide, reading.read_size):
                yield Piece(text)
        elif narrow is not None and not _blank(narrow):
            for text in decoded(narrow, reading.read_size, ole.text_codec(self.page)):
                yield Piece(text)
        elif (data := self.stream(_HTML, (0x102, 0x1E))) is not None:
            yield from html.extract(
                data, reading, hint=ole.text_codec(self.number(_HTML_CODE_PAGE) or self.page)
            )
        elif (data := self.stream(_RTF)) is not None:
            with scratch() as unpacked:
                _unpack(data, unpacked)
                if unpacked.tell():
                    yield from rtf.extract(cast("BinaryIO", unpacked), reading)


def _person(name: str, address: str) -> str:
    """Somebody with the address, if it is one of the Internet and not the name once more."""
    if "@" not in address or address.startswith("/") or address == name:
        return name or address
    return f"{name} <{address}>" if name else address


def _blank(data: BinaryIO) -> bool:
    """Whether a text begins with nothing but white space, and leaves it where it begins."""
    blank = not data.read(1000).strip(b" \t\r\n\0")
    data.seek(0)
    return blank


def _wide(data: BinaryIO, size: int) -> Iterator[str]:
    """A text in UTF-16 without a mark."""
    decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
    while block := read(data, size):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _unpack(packed: BinaryIO, into: Scratch) -> None:
    """Unpack an RTF: bytes, and references to what came up to 4,096 bytes before."""
    head = read(packed, 16)
    if len(head) < 16:
        raise ole.Damaged("its text is cut off")
    _, size, kind = struct.unpack_from("<LLL", head)
    if kind == _UNPACKED:
        while size and (block := read(packed, min(size, 1 << 16))):
            into.write(block)
            size -= len(block)
        return
    if kind != _PACKED:
        raise ole.Damaged("its text is packed in an unknown way")
    window = bytearray(_WINDOW.ljust(4096))
    at = len(_WINDOW)
    while control := packed.read(1):
        found = bytearray()
        for bit in range(8):
            token = packed.read(2 if control[0] >> bit & 1 else 1)
            if control[0] >> bit & 1:
                reference = int.from_bytes(token, "big")
                place, length = reference >> 4, (reference & 15) + 2
                if len(token) < 2 or place == at:  # the end
                    into.write(found)
                    return
                for _ in range(length):
                    window[at] = window[place]
                    found.append(window[at])
                    at, place = (at + 1) % 4096, (place + 1) % 4096
            elif token:
                window[at] = token[0]
                found += token
                at = (at + 1) % 4096
        into.write(found)

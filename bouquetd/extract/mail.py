"""E-mail: headers, text and attachments, of one message or of a whole mailbox.

Read line by line: the standard library's parser holds a message whole, several times. Here it only parses the
headers. The texts lie in a temporary file, which is in memory while it is small, until it is known which of
several forms of the same text is wanted.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import BinaryIO, cast

from bouquetd.errors import Rejected
from bouquetd.extract import html, mail_headers
from bouquetd.extract.encoding import codec, decoded
from bouquetd.extract.packed import Member
from bouquetd.extract.reading import Reading
from bouquetd.extract.scratch import Scratch, scratch
from bouquetd.model import Piece

_LINE = 64 * 1024  # bytes of a line that are looked at together
_HEADERS = 256 * 1024  # bytes of all headers of a part
_MAX_DEPTH = 20
_ENVELOPE = re.compile(rb"From \S+ .*\d{4}")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_NAMES_SHOWN = 100
_MOST_PARTS = 10_000


_HEADER = re.compile(rb"([!-9;-~]{1,76}):[^\n]{0,998}\n(?:[ \t][^\n]*\n)*")
_LIKE_HEADER = re.compile(rb"[!-9;-~]+\s*:|[ \t]|From |[^\n]*\Z")  # a part of a long line too
_TELLING = frozenset((
    b"from", b"to", b"subject", b"date", b"received", b"message-id", b"mime-version", b"return-path",
    b"delivered-to", b"content-type", b"cc", b"reply-to", b"sender", b"x-mailer", b"user-agent",
))  # fmt: skip


def is_mail(head: bytes) -> bool:
    """Whether a file begins with the headers of a message, three or more that tell, and nothing else."""
    head = head.replace(b"\r\n", b"\n")
    told: set[bytes] = set()
    at = 0
    while found := _HEADER.match(head, at):
        told.add(found[1].lower() if found[1].lower() in _TELLING else b"")
        at = found.end()
    longer = len(head) > 10_000 and at >= len(head) - 1000  # than what was looked at
    ended = at == len(head) or head.startswith(b"\n", at) or longer
    return ended and len(told - {b""}) >= 3 and bool(told & {b"from", b"received", b"return-path", b"sender"})


def begins_with_header(head: bytes) -> bool:
    """Whether a file begins with anything like the header of a message."""
    return bool(_HEADER.match(head.replace(b"\r\n", b"\n")))


def is_mailbox(head: bytes) -> bool:
    """Whether a file begins with the line that stands before each message of a mailbox."""
    first, _, rest = head.replace(b"\r\n", b"\n").partition(b"\n")
    return bool(_ENVELOPE.match(first)) and bool(_HEADER.match(rest))


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """One message."""
    file.seek(0)
    with scratch() as heap:
        yield from _told(_Reader(file, mailbox=False).message(heap), reading, None)


def members(file: BinaryIO, reading: Reading) -> Iterator[Member]:  # noqa: ARG001
    """What is attached to one message and to those it encloses, but for pictures within its text."""
    file.seek(0)
    with scratch() as heap:
        yield from _attached(_Reader(file, mailbox=False, attachments=True).message(heap))


def members_of_mailbox(file: BinaryIO, reading: Reading) -> Iterator[Member]:  # noqa: ARG001
    """What is attached to the messages of a mailbox; the number of the message stands before each name."""
    file.seek(0)
    number = 0
    reader = _Reader(file, mailbox=True, attachments=True)
    while not reader.over:
        number += 1
        with scratch() as heap:
            for member in _attached(reader.message(heap)):
                yield Member(f"{number}/{member.name}", member.open)


def extract_mailbox(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """The messages of a mailbox in order; ``Piece.row`` is the number of the message, from 1."""
    file.seek(0)
    number = 0
    reader = _Reader(file, mailbox=True)
    while not reader.over:
        number += 1
        with scratch() as heap:
            yield from _told(reader.message(heap), reading, number)


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, whole: Scratch, start: int) -> None:
        self._whole = whole
        self._start = start
        self._at = 0
        self.size = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.size - self._at)
        self._whole.seek(self._start + self._at)
        data = self._whole.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def append(self, data: bytes) -> None:
        """Write at its end, which is that of the whole."""
        self._whole.seek(self._start + self.size)
        self._whole.write(data)
        self.size += len(data)


@dataclass(slots=True)
class _Text:
    """A text within a message: its bytes and how to read them."""

    kind: str
    charset: str | None
    data: _Slice


@dataclass(slots=True)
class _Message:
    """What a message, or a part of it, says."""

    headers: EmailMessage
    texts: list[_Text] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    files: list[tuple[str, _Slice]] = field(default_factory=list)
    enclosed: list[_Message] = field(default_factory=list)


def _attached(message: _Message) -> Iterator[Member]:
    for name, data in message.files:
        yield Member(name, partial(_opened, data))
    for inner in message.enclosed:
        yield from _attached(inner)


def _opened(data: _Slice) -> BinaryIO:
    data.seek(0)
    return cast("BinaryIO", data)


def _told(message: _Message, reading: Reading, row: int | None) -> Iterator[Piece]:
    facts = mail_headers.facts(message.headers)
    if told := "".join(f"{name}: {value}\n" for name, value in mail_headers.shown(message.headers)):
        yield Piece(f"{told}\n", row=row, facts=facts)
    for text in message.texts:
        data = cast("BinaryIO", text.data)
        if text.kind == "text/html":
            for piece in html.extract(data, reading, hint=codec(text.charset or "")):
                yield piece._replace(row=row, facts=facts)
        else:
            data.seek(0)
            for block in decoded(data, reading.read_size, codec(text.charset or "")):
                yield Piece(block, row=row, facts=facts)
        yield Piece("\n\n", row=row, facts=facts)
    if message.attached:
        more = ", ..." if len(message.attached) > _NAMES_SHOWN else ""
        yield Piece(f"Attached: {', '.join(message.attached[:_NAMES_SHOWN])}{more}\n\n", row=row, facts=facts)
    for inner in message.enclosed:
        yield from _told(inner, reading, row)


class _Reader:
    """Takes messages apart, line by line: keeps their texts, or else their attachments."""

    def __init__(self, file: BinaryIO, *, mailbox: bool, attachments: bool = False) -> None:
        self.over = False
        self._file = file
        self._heap: Scratch | None = None
        self._end = self._count = 0
        self._mailbox = mailbox
        self._attachments = attachments
        self._boundaries: list[bytes] = []
        self._pushed: bytes | None = None
        self._starts = True  # whether the next line begins one
        self._blank = True  # whether the line before was blank, as it is before each message of a mailbox
        if mailbox:
            self._line()

    def message(self, heap: Scratch) -> _Message:
        """The next message, whose texts are put into a file."""
        found = _Message(EmailMessage())
        self._heap, self._end, self._count = heap, 0, 0
        self._part(found, 0, outermost=True)
        return found

    def _line(self) -> bytes | None:
        """The next line or part of a long one; None at the end of the message."""
        if self._pushed is not None:
            line, self._pushed = self._pushed, None
            return line
        line = self._file.readline(_LINE)
        if not line:
            self.over = True
            return None
        starts, self._starts = self._starts, line.endswith(b"\n")
        if self._mailbox and starts:
            if self._blank and line.startswith(b"From ") and _ENVELOPE.match(line):
                self._blank = False
                return None
            self._blank = line in (b"\n", b"\r\n")
            if line.startswith(b">From "):
                line = line[1:]
        return line

    def _part(
        self, message: _Message, depth: int, *, outermost: bool, default: str = "text/plain"
    ) -> bytes | None:
        """A part with its headers; returns the boundary that ended it, or None at the end of the message."""
        if depth > _MAX_DEPTH:
            raise Rejected(
                f"its parts are nested more than {_MAX_DEPTH} deep", "Take out what is attached, and drop that."
            )
        headers, end = self._headers()
        headers.set_default_type(default)
        if outermost:
            message.headers = headers
        if end is not None:
            return end
        kind = headers.get_content_type()
        if kind.startswith("multipart/") and (boundary := headers.get_boundary()):
            return self._parts(message, kind, boundary, depth)
        name = mail_headers.file_name(headers)
        attached = headers.get_content_disposition() == "attachment" or (name and not kind.startswith("text/"))
        if kind == "message/rfc822":
            inner = _Message(EmailMessage())
            message.enclosed.append(inner)
            return self._part(inner, depth + 1, outermost=True)
        if attached or not kind.startswith(("text/", "message/")):
            if name:
                message.attached.append(name)
            of_the_text = kind.startswith("image/") and "Content-ID" in headers
            if not self._attachments or of_the_text:
                return self._body(None, "")
            data, end = self._kept(headers)
            message.files.append((name, data))
            return end
        if self._attachments:
            return self._body(None, "")
        data, end = self._kept(headers)
        message.texts.append(_Text(kind, headers.get_content_charset(), data))
        return end

    def _kept(self, headers: EmailMessage) -> tuple[_Slice, bytes | None]:
        """The body that comes next, put away; and the boundary behind it."""
        self._count += 1
        if self._count > _MOST_PARTS:
            raise Rejected(f"it has more than {_MOST_PARTS} parts", "Take it apart, and drop the parts.")
        data = _Slice(cast("Scratch", self._heap), self._end)
        end = self._body(data, mail_headers.value(headers, "Content-Transfer-Encoding").lower())
        self._end += data.size
        return data, end

    def _headers(self) -> tuple[EmailMessage, bytes | None]:
        lines: list[bytes] = []
        size, end = 0, None
        while (line := self._line()) is not None and line.strip(b"\r\n"):
            if (end := self._boundary(line)) is not None:
                break
            if not _LIKE_HEADER.match(line):  # somebody forgot the blank line
                self._pushed = line
                break
            size += len(line)
            if size <= _HEADERS:
                lines.append(line)
        return mail_headers.parsed(b"".join(lines)), end

    def _parts(self, message: _Message, kind: str, boundary: str, depth: int) -> bytes | None:
        own = b"--" + boundary.encode("utf-8", "surrogateescape")
        self._boundaries.append(own)
        before = len(message.texts)
        end = self._body(None, "")  # what stands before the first part is for nobody
        while end == own:
            default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            end = self._part(message, depth + 1, outermost=False, default=default)
        self._boundaries.pop()
        if kind == "multipart/alternative":
            message.texts[before:] = _best(message.texts[before:])
        if end == own + b"--":
            end = self._body(None, "")  # and so is what stands behind the last
        return end

    def _boundary(self, line: bytes) -> bytes | None:
        if not line.startswith(b"--"):
            return None
        line = line.rstrip()
        for own in reversed(self._boundaries):
            if line in (own, own + b"--"):
                return line
        return None

    def _body(self, data: _Slice | None, encoding: str) -> bytes | None:
        """Decode a body into a file, if there is one; returns the boundary behind it."""
        rest = newline = b""
        while True:
            starts = self._starts
            line = self._line()
            end = self._boundary(line) if line is not None and starts else None
            if line is None or end is not None:
                if data is not None and rest:
                    data.append(_base64(rest))
                return end
            if data is None:
                continue
            if encoding == "base64":
                rest += _NOT_BASE64.sub(b"", line)
                whole = len(rest) - len(rest) % 4
                data.append(_base64(rest[:whole]))
                rest = rest[whole:]
            elif encoding == "quoted-printable":
                data.append(binascii.a2b_qp(line))
            else:
                data.append(newline + line.rstrip(b"\r\n"))
                newline = line[len(line.rstrip(b"\r\n")) :]


def _best(forms: list[_Text]) -> list[_Text]:
    """Of several forms of one text the plain one, if it says anything."""
    for kind in ("text/plain", "text/html"):
        for text in forms:
            if text.kind == kind and text.data.size:
                return [text]
    return forms[:1]


def _base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        return b""

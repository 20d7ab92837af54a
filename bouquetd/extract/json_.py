"""JSON and JSON Lines, rendered as lines of ``path.to.key: value``.

A lexer of our own, since a parser holds a string whole before it hands it out (ijson: 96 MB for a string of
50) and knows numbers only as numbers, of which Python refuses those with more than 4,300 digits.

Rendering: every value on a line of its own behind its path; the plain values of an array together on one line;
each object of an array as a paragraph. Nulls and empty containers say nothing and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from json import loads
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import decoded
from bouquetd.extract.flow import FULL
from bouquetd.extract.scanner import Scanner
from bouquetd.model import Piece

MAX_DEPTH = 500
"""Containers within containers; real data has some ten."""
_LONGEST_TOKEN = 64 * 1024  # characters of one key or number; strings have no limit
_LONGEST_PATH = 256  # characters; of a longer one the end is shown

_SPACE = re.compile(r"[ \t\n\r]*+")
_VALUE = re.compile(
    r'[ \t\n\r]*+(?:"([^"\\\n]*+)"'
    r"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity)"
    r"(?=[ \t\n\r,\]}])"
    r"|([\[{]))"
)
_KEY = re.compile(r'[ \t\n\r]*+"((?:[^"\\\n]|\\.)*+)"[ \t\n\r]*+:')
_NEXT = re.compile(r"[ \t\n\r]*+([,\]}])")
_STRING = re.compile(r'[^"\\\n]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n]*+)*+')
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_REMEDY = "Correct it (a JSON validator shows the place), or rename it to .txt to have it read as text."


class _Fault(Exception):
    """What is wrong with the JSON, and where."""


def json(file: BinaryIO, *, read_size: int) -> Iterator[Piece]:
    """One JSON value, or several one after the other."""
    source = Scanner(chain(decoded(file, read_size), "\n"))
    try:
        for text in _Lexer(source).render():
            yield Piece(text)
    except _Fault as fault:
        raise Rejected(f"it is not valid JSON: {fault} at {source.where()}", _REMEDY) from None


def jsonl(file: BinaryIO, *, read_size: int) -> Iterator[Piece]:
    """One JSON value on each line; ``Piece.row`` is the number of the line. Blank lines are passed over."""
    lines = Scanner(decoded(file, read_size))
    row = 0
    while lines.rest():
        row += 1
        lexer = _Lexer(Scanner(chain(_line(lines), "\n")), single=True)
        try:
            for text in lexer.render():
                yield Piece(text, row=row)
        except _Fault as fault:
            raise Rejected(f"line {row} is not valid JSON: {fault}", _REMEDY) from None
        if lexer.written:
            yield Piece("\n\n", row=row)


def _line(lines: Scanner) -> Iterator[str]:
    """The parts of one line, without its end."""
    while (end := lines.text.find("\n", lines.pos)) < 0:
        yield lines.take()
        if not lines.more():
            return
    part = lines.text[lines.pos : end]
    lines.pos = end + 1
    yield part


class _Lexer:
    """Turns JSON into text. ``render`` raises _Fault at the first thing that is not JSON."""

    def __init__(self, source: Scanner, *, single: bool = False) -> None:
        self._source = source
        self._single = single
        self._outer: list[tuple[bool, str]] = []  # for each open container: what it lies in
        self._in_object = False
        self._base = ""  # the path of the container we are in
        self._path = ""  # the path of the value that comes next
        self._gap = ""  # what separates the next value from the one before
        self._in_run = False  # whether the last thing was a plain value of the same array

    @property
    def written(self) -> bool:
        """Whether there was any value to show."""
        return bool(self._gap)

    def render(self) -> Iterator[str]:
        """The text, in parts of about FULL characters, or as long as a block where a string is."""
        source = self._source
        parts: list[str] = []
        size = 0
        values = 0
        while self._outer or self._another(values):
            match = _VALUE.match(source.text, source.pos)
            if match is None:
                if self._string_begins():
                    parts.append(self._lead())
                    yield "".join(parts)
                    parts, size = [], 0
                    yield from self._long_string()
                elif self._more():
                    continue
                else:
                    raise _Fault(self._unexpected("a value"))
            elif match.lastindex == 3:
                source.pos = match.end()
                self._open(match[3])
                if not self._close_empty():
                    continue
            else:
                source.pos = match.end()
                value = match[match.lastindex or 0]
                if match.lastindex == 1 or value != "null":
                    parts += (self._lead(), value)
                    size += len(value) + len(self._path)
                    if size >= FULL:
                        yield "".join(parts)
                        parts, size = [], 0
            self._after_value()
            if not self._outer:
                values += 1
        yield "".join(parts)

    def _another(self, values: int) -> bool:
        """Whether one more value begins at the top level."""
        source = self._source
        while True:
            self._skip_space()
            if source.pos < len(source.text):
                break
            if not source.more():
                return False
        if values and self._single:
            raise _Fault("more than one value on the line")
        return True

    def _open(self, bracket: str) -> None:
        if len(self._outer) == MAX_DEPTH:
            raise _Fault(f"containers nested more than {MAX_DEPTH} deep")
        self._outer.append((self._in_object, self._base))
        if bracket == "{" and not self._in_object and self._gap:
            self._gap = "\n\n"
        self._in_object = bracket == "{"
        self._base = self._path
        self._in_run = False

    def _close_empty(self) -> bool:
        """Right behind an opening bracket: close it at once if it is empty, else read an object's first key."""
        source = self._source
        while True:
            self._skip_space()
            if source.pos < len(source.text) or not source.more():
                break
        if source.text.startswith("}" if self._in_object else "]", source.pos):
            source.pos += 1
            self._leave()
            return True
        if self._in_object:
            self._key()
        return False

    def _leave(self) -> None:
        was_object = self._in_object
        self._in_object, self._base = self._outer.pop()
        self._path = self._base
        self._in_run = False
        if self._gap and (not self._outer or (was_object and not self._in_object)):
            self._gap = "\n\n"

    def _after_value(self) -> None:
        """Take the brackets that close behind a value, and the comma and key that lead to the next."""
        source = self._source
        while self._outer:
            match = _NEXT.match(source.text, source.pos)
            if match is None:
                if self._more():
                    continue
                raise _Fault(self._unexpected("a comma or a closing bracket"))
            if match[1] == ",":
                source.pos = match.end()
                if self._in_object:
                    self._key()
                return
            if match[1] != ("}" if self._in_object else "]"):
                raise _Fault(f"{match[1]!r} where {'}' if self._in_object else ']'!r} should be")
            source.pos = match.end()
            self._leave()
        if self._gap:
            self._gap = "\n\n"
        self._in_run = False

    def _key(self) -> None:
        source = self._source
        while (match := _KEY.match(source.text, source.pos)) is None:
            if not self._more():
                raise _Fault(self._unexpected("a key in double quotes and a colon"))
        source.pos = match.end()
        key = self._unescaped(match[1])
        path = f"{self._base}.{key}" if self._base else key
        self._path = path if len(path) <= _LONGEST_PATH else "\u2026" + path[1 - _LONGEST_PATH :]

    def _lead(self) -> str:
        """What stands before a plain value."""
        if self._in_run:
            return ", " if self._path else "\n"
        lead = f"{self._gap}{self._path}: " if self._path else self._gap
        self._gap = "\n"
        self._in_run = not self._in_object
        return lead

    def _string_begins(self) -> bool:
        source = self._source
        self._skip_space()
        return source.text.startswith('"', source.pos)

    def _long_string(self) -> Iterator[str]:
        """A string that has escapes or no end within the window, part by part."""
        source = self._source
        source.pos += 1
        while True:
            match = _STRING.match(source.text, source.pos)
            end = match.end() if match else source.pos
            at_edge = len(source.text) - end < 6  # an escape may be cut in half
            part = source.text[source.pos : end]
            if not source.text.startswith('"', end) and (half := _HALF_PAIR.search(part)):
                part = part[: half.start()]
            if part:
                yield self._unescaped(part)
                source.pos += len(part)
            if source.text.startswith('"', end):
                source.pos = end + 1
                return
            if source.text.startswith("\n", end):
                source.pos = end
                raise _Fault("a string without its closing quote")
            if not at_edge or not source.more():
                source.pos = min(end, len(source.text))
                raise _Fault("a backslash that escapes nothing in a string")

    def _unescaped(self, text: str) -> str:
        if "\\" not in text:
            return text
        try:
            return str(loads(f'"{text}"', strict=False))
        except ValueError:
            raise _Fault("a backslash that escapes nothing in a string") from None

    def _skip_space(self) -> None:
        if match := _SPACE.match(self._source.text, self._source.pos):
            self._source.pos = match.end()

    def _more(self) -> bool:
        """Get more text for a token that may be cut by the edge of the window."""
        source = self._source
        self._skip_space()
        return len(source.text) - source.pos <= _LONGEST_TOKEN and source.more()

    def _unexpected(self, wanted: str) -> str:
        source = self._source
        self._skip_space()
        if source.pos >= len(source.text):
            return f"it ends where {wanted} should be"
        return f"{source.text[source.pos : source.pos + 10]!r} where {wanted} should be"

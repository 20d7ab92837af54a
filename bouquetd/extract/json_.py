"""JSON and JSON Lines, rendered as lines of ``path.to.key: value``.

A lexer of our own, since a parser holds a string whole before it hands it out (ijson: 96 MB for a string of
50) and knows numbers only as numbers, of which Python refuses those with more than 4,300 digits.

Rendering: every value on a line of its own behind its path; the plain values of an array together on one line;
each object of an array as a paragraph. Nulls and empty containers say nothing and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from itertools import chain
from json import loads
from typing import BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract.encoding import decoded
from bouquetd.extract.flow import FULL
from bouquetd.extract.reading import Reading
from bouquetd.extract.scanner import Scanner
from bouquetd.model import Piece

_LONGEST_TOKEN = 64 * 1024  # characters of one key or number; strings have no limit
_LONGEST_PATH = 256  # characters; of a longer one the end is shown

_SPACE = re.compile(r"[ \t\n\r]*+")
_CHARACTERS = r'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
# A whole step at once: a key if there is one; a string, a plain value or an opening bracket; a comma.
_STEP = re.compile(
    rf'[ \t\n\r]*+(?:"({_CHARACTERS})"[ \t\n\r]*+:[ \t\n\r]*+)?+(?:"({_CHARACTERS})"'
    r"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity)"
    r"(?=[ \t\n\r,\]}])"
    r"|([\[{]))[ \t\n\r]*+(,)?+"
)
_KEY = re.compile(rf'[ \t\n\r]*+"({_CHARACTERS})"[ \t\n\r]*+:')
_AFTER = re.compile(r"[ \t\n\r]*+([,\]}])")
_STRING = re.compile(r'[^"\\\n]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n]*+)*+')
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_REMEDY = "Correct it (a JSON validator shows the place), or rename it to .txt to have it read as text."


class _Fault(Exception):
    """What is wrong with the JSON, and where."""


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """One JSON value, or several one after the other."""
    source = Scanner(chain(decoded(file, reading.read_size), "\n"))
    try:
        for text in _Lexer(source, reading.bounds.nesting).render():
            yield Piece(text)
    except _Fault as fault:
        raise Rejected(f"it is not valid JSON: {fault} at {source.where()}", _REMEDY) from None


def extract_lines(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """One JSON value on each line; ``Piece.row`` is the number of the line. Blank lines are passed over."""
    lines = Scanner(decoded(file, reading.read_size))
    row = 0
    while lines.rest():
        row += 1
        lexer = _Lexer(Scanner(chain(_line(lines), "\n")), reading.bounds.nesting, single=True)
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


class _Next(Enum):
    """What may come next within a container."""

    FIRST = "a value or a closing bracket"  # right behind an opening bracket
    ENTRY = "a value"  # behind a comma; in an object, key and value
    VALUE = "a value "  # behind a key
    AFTER = "a comma or a closing bracket"


class _Lexer:
    """Turns JSON into text. ``render`` raises _Fault at the first thing that is not JSON."""

    def __init__(self, source: Scanner, nesting: int, *, single: bool = False) -> None:
        self._source = source
        self._nesting = nesting
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
        state = _Next.ENTRY
        while True:
            if not self._outer and not self._another(state):
                break
            if state is _Next.AFTER and self._outer:
                state = self._after()
                continue
            step = _STEP.match(source.text, source.pos)
            keyed = self._in_object and state is not _Next.VALUE
            if step is None or (step[1] is not None) is not keyed:
                if state is _Next.FIRST and self._closes():
                    state = _Next.AFTER
                elif keyed:
                    state = self._lone_key()
                elif self._string_begins():
                    parts.append(self._lead())
                    yield "".join(parts)
                    parts, size = [], 0
                    yield from self._long_string()
                    state = _Next.AFTER
                elif not self._more():
                    raise self._unexpected(_Next.VALUE)
                continue
            key, string, plain, bracket, comma = step.groups()
            if bracket:  # what follows it is not looked at yet, a comma there is a fault
                source.pos = step.end(4)
            else:
                source.pos = step.end() if self._outer else step.end() - bool(comma)
            if key is not None:
                self._path = self._below(key)
            if bracket:
                self._open(bracket)
                state = _Next.FIRST
                continue
            if plain != "null":
                value = plain or self._unescaped(string)
                parts += (self._lead(), value)
                size += len(value) + len(self._path)
                if size >= FULL:
                    yield "".join(parts)
                    parts, size = [], 0
            state = _Next.ENTRY if comma and self._outer else _Next.AFTER
        yield "".join(parts)

    def _another(self, state: _Next) -> bool:
        """Whether one more value begins at the top level."""
        source = self._source
        if state is _Next.AFTER:
            self._in_run = False
            self._gap = self._gap and "\n\n"
        self._skip_space()
        while source.pos == len(source.text):
            if not source.more():
                return False
            self._skip_space()
        if state is _Next.AFTER and self._single:
            raise _Fault("more than one value on the line")
        return True

    def _open(self, bracket: str) -> None:
        if len(self._outer) == self._nesting:
            raise _Fault(f"its lists and objects are nested more than {self._nesting} deep (bounds.nesting)")
        self._outer.append((self._in_object, self._base))
        if bracket == "{" and not self._in_object and self._gap:
            self._gap = "\n\n"
        self._in_object = bracket == "{"
        self._base = self._path
        self._in_run = False

    def _after(self) -> _Next:
        """Take the comma or the closing bracket behind a value."""
        source = self._source
        while (match := _AFTER.match(source.text, source.pos)) is None:
            if not self._more():
                raise self._unexpected(_Next.AFTER)
        if match[1] == ",":
            source.pos = match.end()
            return _Next.ENTRY
        if not self._closes():
            raise self._unexpected(_Next.AFTER)
        return _Next.AFTER

    def _closes(self) -> bool:
        """Take the closing bracket of the container we are in, if that comes next."""
        source = self._source
        self._skip_space()
        while source.pos == len(source.text) and source.more():
            self._skip_space()
        was_object = self._in_object
        if not source.text.startswith("}" if was_object else "]", source.pos):
            return False
        source.pos += 1
        self._in_object, self._base = self._outer.pop()
        self._path = self._base
        self._in_run = False
        if was_object and not self._in_object:
            self._gap = self._gap and "\n\n"
        return True

    def _lone_key(self) -> _Next:
        """A key whose value is not in the window as a whole."""
        source = self._source
        while (match := _KEY.match(source.text, source.pos)) is None:
            if not self._more():
                raise self._unexpected(_Next.ENTRY)
        source.pos = match.end()
        self._path = self._below(match[1])
        return _Next.VALUE

    def _below(self, key: str) -> str:
        """The path of an object's member."""
        key = self._unescaped(key)
        path = f"{self._base}.{key}" if self._base else key
        return path if len(path) <= _LONGEST_PATH else "\u2026" + path[1 - _LONGEST_PATH :]

    def _lead(self) -> str:
        """What stands before a plain value."""
        if self._in_run:
            return ", " if self._path else "\n"
        lead = f"{self._gap}{self._path}: " if self._path else self._gap
        self._gap = "\n"
        self._in_run = not self._in_object
        return lead

    def _string_begins(self) -> bool:
        self._skip_space()
        return self._source.text.startswith('"', self._source.pos)

    def _long_string(self) -> Iterator[str]:
        """A string that has no end within the window, part by part."""
        source = self._source
        source.pos += 1
        while True:
            match = _STRING.match(source.text, source.pos)
            end = match.end() if match else source.pos
            at_edge = len(source.text) - end < 6  # an escape may be cut in half
            part = source.text[source.pos : end]
            closed = source.text.startswith('"', end)
            if not closed and (half := _HALF_PAIR.search(part)):
                part = part[: half.start()]
            if part:
                yield self._unescaped(part)
                source.pos += len(part)
            if closed:
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

    def _unexpected(self, wanted: _Next) -> _Fault:
        source = self._source
        self._skip_space()
        expected = "a key in double quotes and a colon" if wanted is _Next.ENTRY else wanted.value.strip()
        found = source.text[source.pos : source.pos + 10].split("\n")[0]
        return _Fault(
            f"{found!r} where {expected} should be" if found else f"it ends where {expected} should be"
        )

"""Running heads: the title, the chapter, the number that a document repeats at the edge of each page.

A line is one when it stands on most of the pages around as well, word for word but for one number that goes up
with the pages. That number tells a page number from a table of figures, whose lines would all look the same
with their digits masked.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Generic, TypeVar

AHEAD = 4
"""Pages that are held back to be compared with, and looked back at."""

HELD = 256 * 1024
"""Characters of text that are held back at most, and one page more."""

_LINES = 4
"""Lines at the top or the bottom of a page that may be running heads; where more of them repeat, it is the text
that does."""

_LONGEST = 200  # characters; nobody sets a longer head
_FEWEST_PAGES = 4
_OFTEN = 3  # of five pages
_NEIGHBOURS = (range(-2, 3), range(-4, 5, 2))  # next to one another, and left or right pages alone

_NUMBER = re.compile(r"[0-9]{1,6}|(?<![^\W_])[ivxlc]{1,8}(?![^\W_])")
_MOST_NUMBERS = 6
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

T = TypeVar("T")


@dataclass(slots=True)
class _Page(Generic[T]):
    """A page: where its lines that are not blank lie, what identifies those at its edges (outermost first)."""

    item: T
    lines: list[str]
    filled: list[int]
    top: list[frozenset[str]]
    bottom: list[frozenset[str]]
    edges: frozenset[str]
    size: int


def without_running_heads(pages: Iterable[tuple[T, str]]) -> Iterator[tuple[T, str]]:
    """The pages in their order, each text without its running heads.

    What comes with a text is passed on. Four pages are looked ahead, fewer where they are long. A document of
    fewer than four pages has no running heads, and none is left out that is all that a page says.
    """
    window: deque[_Page[T]] = deque()  # the one in question has those before it on its left
    before = size = 0
    for number, (item, text) in enumerate(pages):
        window.append(_page(item, text, number))
        size += len(text)
        while len(window) - before > AHEAD or (size > HELD and len(window) > before):
            size -= window[before].size
            yield window[before].item, _stripped(window, before)
            before += 1
            if before > AHEAD:
                window.popleft()
                before -= 1
    while before < len(window):
        yield window[before].item, _stripped(window, before)
        before += 1


def _stripped(window: deque[_Page[T]], at: int) -> str:
    """The text of a page of the window without its running heads."""
    page = window[at]
    lines, filled = page.lines, page.filled
    if len(window) >= _FEWEST_PAGES:
        repeated = _repeated(window, at)
        top, bottom = _run(page.top, repeated), _run(page.bottom, repeated)
        if top + bottom < len(filled):
            lines = lines[filled[top - 1] + 1 if top else 0 : filled[-bottom] if bottom else len(lines)]
    return "\n".join(lines)


def _run(edge: list[frozenset[str]], repeated: set[str]) -> int:
    """How many lines at an edge are running heads."""
    run = sum(1 for _ in takewhile(lambda keys: not keys.isdisjoint(repeated), edge))
    return run if run <= _LINES else 0


def _repeated(window: deque[_Page[T]], at: int) -> set[str]:
    """What identifies lines at the edges of enough pages around."""
    found: set[str] = set()
    for steps in _NEIGHBOURS:
        around = [at + step for step in steps if 0 <= at + step < len(window)]
        seen = Counter(key for other in around for key in window[other].edges)
        found |= {key for key, count in seen.items() if count >= _OFTEN}
    return found


def _page(item: T, text: str, number: int) -> _Page[T]:
    lines = text.splitlines()
    filled = [at for at, line in enumerate(lines) if line and not line.isspace()]
    top = [_Line(lines[at], number) for at in filled[: _LINES + 1]]
    bottom = [_Line(lines[at], number) for at in reversed(filled[-_LINES - 1 :])]
    edges = frozenset(key for line in (*top, *bottom) for key in line.says)
    return _Page(item, lines, filled, [x.keys for x in top], [x.keys for x in bottom], edges, len(text))


class _Line:
    """What a line has in common with the running heads of other pages, whose number is made relative.

    ``keys`` is what makes it one where they repeat; it ``says`` a little more: with a number at one of its ends
    it bears witness to a page number that stands alone elsewhere, as below the first page of a chapter.
    """

    __slots__ = ("keys", "says")

    def __init__(self, line: str, page: int) -> None:
        self.keys = self.says = frozenset[str]()
        line = " ".join(line[: 2 * _LONGEST].split())
        if len(line) > _LONGEST:
            return
        keys, ends = {line}, set()
        for match in list(_NUMBER.finditer(line))[:_MOST_NUMBERS]:
            before, relative, after = line[: match.start()], _value(match[0]) - page, line[match.end() :]
            keys.add(f"{before}\0{relative}\0{after}")
            if not before or not after:
                ends.add(f"\0{relative}\0")
        self.keys = frozenset(keys)
        self.says = self.keys | ends


def _value(number: str) -> int:
    if number.isdecimal():
        return int(number)
    values = [_ROMAN[digit] for digit in number]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))

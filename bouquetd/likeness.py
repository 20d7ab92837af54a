"""Whether two documents say the same in other formats or encodings: the digest of a normalised text.

Letters, their marks and digits alone count, in order, without case and in Unicode's compatible form (NFKD):
line ends, bullets, quotes of another shape and hyphens do not. Numbers are told apart: between two digits
counts what stands there, 1.5 is not 15 nor 1 5, and so does a sign before one. Running heads and notes that
only one of two formats has do count, so that what is called the same is the same.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import combining, decimal, normalize

import numpy as np
from numpy.typing import NDArray

_MARKS = bytes(code for code in range(128) if not chr(code).isalnum())

# Beyond ASCII: white space, punctuation of Europe and East Asia, symbols, the private signs that are bullets in
# some fonts; not \W, which the vowels of Hindi and Thai are. One character, not a run of them, for which a text
# is scanned several times as fast.
_OTHER = re.compile(r"[\x80-\xbf\u1680\u2000-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3020\ue000-\uf8ff]")
_NUMERAL = re.compile(r"(?![0-9])\d")
_DASH = re.compile(r"[\u2010-\u2015\u2212]")

_SPACE, _MARK, _LETTER, _DIGIT = range(4)
_KIND = bytearray([_LETTER] * 256)
"""Of each byte of UTF-8; those beyond ASCII are letters."""
for _some, _kind in ((_MARKS, _MARK), (b" \t\n\r\f\v", _SPACE), (b"0123456789", _DIGIT)):
    for _code in _some:
        _KIND[_code] = _kind

AT_ONCE = 32_768
"""Characters that are normalised in one go: a small file has a piece for each of its chunks."""

_REACH = 1000
"""Marks on one letter that are put in order over the edge of a piece; no writing has so many."""

_OF_NOTHING = hashlib.sha256().digest()


class Likeness:
    """Takes a text in pieces, however it is cut."""

    __slots__ = ("_at_once", "_last", "_pieces", "_sha", "_waiting")

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """``at_once`` is how many characters are gathered before they are looked at."""
        self._at_once = at_once
        self._pieces: list[str] = []
        self._waiting = 0
        self._sha = hashlib.sha256()
        self._last = b""  # of what was normalised: the last letter or digit, and what tells of the rest

    def add(self, text: str) -> None:
        """The next piece."""
        self._pieces.append(text)
        self._waiting += len(text)
        if self._waiting < self._at_once:
            return
        text = "".join(self._pieces)
        end = len(text) - 1  # the last letter waits for marks that may come
        while end > 0 and combining(normalize("NFKD", text[end])[0]) and len(text) - end < _REACH:
            end -= 1
        self._take(text[:end])
        self._pieces, self._waiting = [text[end:]], 0

    def digest(self) -> str:
        """Of all that was added, 32 hex digits; empty for a text of which nothing counts."""
        self._take("".join(self._pieces))
        self._sha.update(self._last.translate(None, _MARKS))
        self._pieces, self._waiting, self._last = [], 0, b""
        return "" if self._sha.digest() == _OF_NOTHING else self._sha.hexdigest()[:32]

    def _take(self, text: str) -> None:
        # Line by line, as few lines of most texts have anything beyond ASCII.
        text = text if text.isascii() else "\n".join(map(_folded, text.split("\n")))
        data = self._last + text.encode().lower()
        end = len(data.rstrip(_MARKS))
        # The last letter or digit waits for what comes: only with that it is known what counts.
        self._last = data[max(0, end - 1) : end] + _shortened(data[end:])
        if end:
            self._sha.update(_counted(data[:end])[:-1])


def _folded(line: str) -> str:
    """A line of which all that is no letter, mark or digit is ASCII."""
    if line.isascii():
        return line
    folded = _NUMERAL.sub(lambda match: str(decimal(match[0])), normalize("NFKD", line).casefold())
    return _OTHER.sub("'", _DASH.sub("-", folded))


def _counted(data: bytes) -> bytes:
    """Letters, digits, and what counts of that which stands between and before digits."""
    kind = np.frombuffer(data.translate(_KIND), np.uint8)
    mark, digit = kind < _LETTER, kind == _DIGIT
    text = np.frombuffer(data, np.uint8)
    gaps, signs = _gaps(mark, digit), _signs(text, mark, digit)
    if not (len(gaps) or len(signs)):
        return data.translate(None, _MARKS)
    text, kept = text.copy(), ~mark
    kept[gaps[:, 0]] = kept[signs] = True
    if len(gaps):
        spaced = np.minimum.reduceat(kind, gaps.ravel())[::2] == _SPACE
        text[gaps[spaced, 0]] = ord(" ")
    return text[kept].tobytes()


def _gaps(mark: NDArray[np.bool_], digit: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where marks alone stand between two digits: the place of the first, and of the digit behind them."""
    begins = np.flatnonzero(digit[:-1] & mark[1:]) + 1
    if not len(begins):
        return np.empty((0, 2), np.intp)
    ends = np.flatnonzero(mark[:-1] & ~mark[1:]) + 1
    behind = ends[np.searchsorted(ends, begins, "right")]  # no text ends in a mark here
    between = digit[behind]
    return np.stack([begins[between], behind[between]], axis=1)


def _signs(text: NDArray[np.uint8], mark: NDArray[np.bool_], digit: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The places of signs that stand before a digit and behind no letter or digit."""
    before = np.flatnonzero(mark[:-1] & digit[1:])
    sign = text[before]
    signs = before[(sign == ord("+")) | (sign == ord("-"))]
    found: NDArray[np.intp] = signs[(signs == 0) | mark[signs - 1]]
    return found


def _shortened(gap: bytes) -> bytes:
    """A space where white space is within, else the first mark; and the last one."""
    if len(gap) < 2:
        return gap
    return (b" " if _SPACE in gap.translate(_KIND) else gap[:1]) + gap[-1:]

"""Whether two documents say the same in other formats or encodings: the digest of a normalised text.

Letters, their marks and digits alone count, in order, without case and in Unicode's compatible form (NFKD):
line ends, bullets, quotes of another shape and hyphens do not. Numbers are told apart: between two digits
counts what stands there, 1.5 is not 15 nor 1 5, and so does a sign before one. Running heads and notes that
only one of two formats has do count, so that what is called the same is the same.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import combining, normalize

_REST = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_DELETED = _REST.encode()

# Beyond ASCII: white space, punctuation of Europe and East Asia, symbols, the private signs that are bullets in
# some fonts; not \W, which the vowels of Hindi and Thai are. One character, not a run of them, for which a text
# is scanned several times as fast.
_OTHER = re.compile(r"[\x80-\xbf\u1680\u2000-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3020\ue000-\uf8ff]")
_DASH = re.compile(r"[\u2010-\u2015\u2212]")

# Each begins with one of a class: such a pattern is scanned fast.
_GAP = re.compile(rf"(\d[{re.escape(_REST)}]++)(?=\d)")
_SIGN = re.compile(rf"[-+](?<![^{re.escape(_REST)}][-+])(?=\d)")

_COUNTED = {mark: chr(0xE000 + ord(" " if mark.isspace() else mark)) for mark in _REST}
"""Marks that count, as private characters, of which no text has any left; white space is all one."""

_REACH = 1000
"""Marks on one letter that are put in order over the edge of a piece; no writing has so many."""

_OF_NOTHING = hashlib.sha256().digest()


class Likeness:
    """Takes a text in pieces, however it is cut."""

    __slots__ = ("_last", "_sha", "_tail")

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._tail = ""
        self._last = ""  # of what was normalised: the last letter or digit, and what tells of the rest

    def add(self, text: str) -> None:
        """The next piece."""
        text = self._tail + text
        end = len(text) - 1  # the last letter waits for marks that may come
        while end > 0 and combining(normalize("NFKD", text[end])[0]) and len(text) - end < _REACH:
            end -= 1
        self._take(text[:end])
        self._tail = text[end:]

    def digest(self) -> str:
        """Of all that was added, 32 hex digits; empty for a text of which nothing counts."""
        self._take(self._tail)
        self._hash(self._last)
        self._tail = self._last = ""
        return "" if self._sha.digest() == _OF_NOTHING else self._sha.hexdigest()[:32]

    def _take(self, text: str) -> None:
        # Line by line, as few lines of most texts have anything beyond ASCII.
        text = self._last + (text if text.isascii() else "\n".join(map(_folded, text.split("\n"))))
        end = len(text.rstrip(_REST))
        # The last letter or digit waits for what comes: only with that it is known what counts.
        self._last = text[max(0, end - 1) : end] + _shortened(text[end:])
        if end:
            self._hash(_marked(text[:end])[:-1])

    def _hash(self, text: str) -> None:
        self._sha.update(text.encode().lower().translate(None, _DELETED))


def _folded(line: str) -> str:
    """A line of which all that is no letter, mark or digit is ASCII."""
    if line.isascii():
        return line
    return _OTHER.sub("'", _DASH.sub("-", normalize("NFKD", line).casefold()))


def _marked(text: str) -> str:
    """A text in which what counts beside digits is put in private characters."""
    parts = _GAP.split(text)  # to substitute by a function takes three times as long
    parts[1::2] = [part[0] + _COUNTED[part[1]] if len(part) == 2 else _gap(part) for part in parts[1::2]]
    return _SIGN.sub(lambda match: _COUNTED[match[0]], "".join(parts))


def _gap(part: str) -> str:
    """A digit, and what counts of what stands behind it: white space, else how that begins; and a sign."""
    gap = _shortened(part[1:])
    sign = gap[1:] if gap[1:] in ("+", "-") else ""
    return part[0] + "".join(_COUNTED[mark] for mark in gap[0] + sign)


def _shortened(gap: str) -> str:
    """A space where white space is within, else the first character; and the last one."""
    if len(gap) < 2:
        return gap
    return (" " if any(map(str.isspace, gap)) else gap[0]) + gap[-1]

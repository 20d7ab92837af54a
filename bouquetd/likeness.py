"""Whether two documents say the same in other formats or encodings: the digest of a normalised text.

Letters, their marks and digits alone count, in order, without case and in Unicode's compatible form (NFKD):
line ends, bullets, quotes of another shape and hyphens do not. Running heads and notes that only one of two
formats has do, so that what is called the same is the same.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import combining, normalize

_REST = bytes(code for code in range(128) if not chr(code).isalnum())

# Beyond ASCII: white space, punctuation of Europe and East Asia, symbols, the private signs that are bullets in
# some fonts; not \W, which the vowels of Hindi and Thai are. One character, not a run of them, for which a text
# is scanned several times as fast.
_OTHER = re.compile(r"[\x80-\xbf\u1680\u2000-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3020\ue000-\uf8ff]")

_REACH = 1000
"""Marks on one letter that are put in order over the edge of a piece; no writing has so many."""


class Likeness:
    """Takes a text in pieces, however it is cut."""

    __slots__ = ("_sha", "_tail")

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._tail = ""

    def add(self, text: str) -> None:
        """The next piece."""
        text = self._tail + text
        end = len(text) - 1  # the last letter waits for marks that may come
        while end > 0 and combining(normalize("NFKD", text[end])[0]) and len(text) - end < _REACH:
            end -= 1
        self._take(text[:end])
        self._tail = text[end:]

    def digest(self) -> str:
        """Of all that was added, 32 hex digits."""
        self._take(self._tail)
        self._tail = ""
        return self._sha.hexdigest()[:32]

    def _take(self, text: str) -> None:
        # Line by line, as few lines of most texts have anything beyond ASCII.
        lines = [text] if text.isascii() else [_folded(line) for line in text.split("\n")]
        self._sha.update("".join(lines).encode().lower().translate(None, _REST))


def _folded(line: str) -> str:
    return line if line.isascii() else _OTHER.sub("", normalize("NFKD", line).casefold())

"""Whether two documents say the same in other formats or encodings: the digest of a normalised text.

Letters and digits alone count, in order, without case and in Unicode's compatible form (NFKC): line ends,
bullets, quotes of another shape and hyphens do not. Running heads and notes that only one of two formats has
do, so that what is called the same is the same.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import normalize

_REST = bytes(code for code in range(128) if not chr(code).isalnum())
_OTHER = re.compile(r"[\W_]+")


class Likeness:
    """Takes a text in pieces, cut where no character changes another."""

    __slots__ = ("_sha",)

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, text: str) -> None:
        """The next piece."""
        if text.isascii():
            self._sha.update(text.lower().encode().translate(None, _REST))
        else:
            self._sha.update(_OTHER.sub("", normalize("NFKC", text).casefold()).encode())

    def digest(self) -> str:
        """Of all that was added, 32 hex digits."""
        return self._sha.hexdigest()[:32]

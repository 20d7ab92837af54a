"""The operator's own rules: globs of sources that are not taken from the inbox. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

MOST = 200
"""Rules that are kept."""

LONGEST = 1000
"""Characters of one."""


class Rules:
    """Tells of a source by which rule it is ignored.

    A glob is held against the whole source, and ``*`` goes past ``/``; a folder's name is a rule for all in it,
    and any name for itself, brackets and all.
    """

    def __init__(self, globs: Sequence[str] = ()) -> None:
        self._globs = tuple(globs)
        patterns = list(map(_pattern, globs))
        self._any = re.compile("|".join(patterns)).match
        self._matches = [re.compile(pattern).match for pattern in patterns]

    def __call__(self, source: str) -> str | None:
        """The first rule that ignores it, or None."""
        if not self._globs or self._any(source) is None:
            return None
        return next((g for g, match in zip(self._globs, self._matches, strict=True) if match(source)), None)


def _pattern(glob: str) -> str:
    return rf"{re.escape(glob)}(?:/|\Z)|{translate(glob)}|{translate(glob + '/*')}"

"""Why a file failed, in one of a few words: what metrics may count by, since sentences have no end of variants.

Judged by the words of the sentences themselves, of which the names of options are the firmest.
"""

from __future__ import annotations

import re

OTHER = "other"

_MARKS: tuple[tuple[str, str], ...] = (
    ("died", "daemon was killed"),
    ("encrypted", "password|encrypted|DRM"),
    ("too_large", r"inbox\.max_file_size"),
    ("bound", r"bounds\.[a-z]+"),
    ("admission", r"memory\.limit"),
    ("no_text", "no text|is empty|are blank|has no pages|no file with anything in it"),
    ("unsupported", "does not read|looks binary|of an unknown program|there is no text recognition"),
    ("unreadable", "damaged|not valid|cannot be read|incomplete|broken"),
)

REASONS = (*(name for name, _ in _MARKS), OTHER)
"""All there are."""


def category(reason: str, remedy: str) -> str:
    """The first of ``REASONS`` whose mark stands in the two sentences of a failed file."""
    text = f"{reason} {remedy}"
    return next((name for name, mark in _MARKS if re.search(mark, text)), OTHER)

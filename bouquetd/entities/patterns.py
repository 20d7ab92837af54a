"""Entities found by patterns: what has a grammar, as e-mail addresses, URLs, ISO dates, DOIs, CVEs and RFCs."""

from __future__ import annotations

import re

MOST = 32
"""Entities kept of one chunk: a page of links must not make metadata larger than its text."""

_PATTERN = re.compile(
    r"""
      (?P<email> [\w.+-]{1,64} @ (?:[\w-]{1,63}\.){1,8} [A-Za-z]{2,24} )
    | (?P<url>   https?://[^\s<>"'()\[\]{}]{3,500} )
    | (?P<doi>   \b10\.\d{4,9}/[^\s<>"'()\[\]{}]{2,200} )
    | (?P<cve>   \bCVE-\d{4}-\d{4,7}\b )
    | (?P<rfc>   \bRFC[ -]?\d{1,5}\b )
    | (?P<date>  \b(?:1[5-9]|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b )
    """,
    re.VERBOSE | re.ASCII,
)
_HINT = re.compile(r"@|://|10\.\d|CVE-|RFC|\d-\d")


def patterns(text: str) -> list[str]:
    """The entities of a text as ``kind:value``, each once, in order of appearance, at most ``MOST``."""
    if not _HINT.search(text):  # most prose has none, and this scan costs a tenth
        return []
    found: dict[str, None] = {}
    for match in _PATTERN.finditer(text):
        kind = match.lastgroup or ""
        value = match.group().rstrip(".,;:!?")
        if kind == "email":
            value = value.lower()
        elif kind == "rfc":
            value = "".join(c for c in value if c.isdigit())
        found[f"{kind}:{value}"] = None
        if len(found) == MOST:
            break
    return list(found)

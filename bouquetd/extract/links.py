"""Which links of a document are kept beside its text. None is ever followed."""

from __future__ import annotations

import re

_LONGEST = 500  # characters
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_KEPT = ("http:", "https:", "mailto:")


def link(target: str | None) -> str | None:
    """A link to the web, to a mail address or to a file beside the document; None for any other target.

    Left out are places in the document itself, scripts, paths of another machine, and what is too long to be
    a link.
    """
    target = (target or "").strip()
    if not target or len(target) > _LONGEST or target.startswith(("#", "\\")) or not target.isprintable():
        return None
    scheme = _SCHEME.match(target)
    return None if scheme and scheme[0].lower() not in _KEPT else target

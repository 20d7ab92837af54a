"""What documents say of themselves, in one form whatever their format: dates, languages, links."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bouquetd.model import Facts

LONGEST_LINK = 500
"""Characters of a link; a longer one is data or a search, and would outweigh the text."""

_LONGEST = 300  # characters of a title or a name
_MOST_KEYWORDS = 30

_DATE = re.compile(
    r"\s*(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?\s*"
    r"(Z|[+-]\d{2}:?\d{2})?)?)?)?\s*",
    re.I,
)
_LINK = re.compile(rf"(?:https?:|mailto:|(?!#|[a-z][a-z0-9+.-]*:))[^\s\x00-\x1f]{{1,{LONGEST_LINK}}}", re.I)
_BETWEEN = re.compile(r"\s*[,;]\s*")

# Of the codes of three letters, those of the languages that have one of two and many books.
_SHORT = {
    "ara": "ar", "bul": "bg", "cat": "ca", "ces": "cs", "chi": "zh", "cze": "cs", "dan": "da", "deu": "de",
    "dut": "nl", "ell": "el", "eng": "en", "epo": "eo", "est": "et", "eus": "eu", "fas": "fa", "fin": "fi",
    "fra": "fr", "fre": "fr", "ger": "de", "gle": "ga", "glg": "gl", "gre": "el", "heb": "he", "hin": "hi",
    "hrv": "hr", "hun": "hu", "ice": "is", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kor": "ko",
    "lat": "la", "lav": "lv", "lit": "lt", "nld": "nl", "nno": "nn", "nob": "nb", "nor": "no", "per": "fa",
    "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl",
    "spa": "es", "srp": "sr", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "urd": "ur", "vie": "vi",
    "zho": "zh",
}  # fmt: skip


def facts(
    *,
    title: str = "",
    author: str = "",
    language: str = "",
    created: str = "",
    modified: str = "",
    keywords: Iterable[str] = (),
) -> Facts:
    """The facts in what a document says: white space made one, the endless cut, the unreadable left out."""
    words = (word for listed in keywords for word in _BETWEEN.split(line(listed)))
    return Facts(
        title=line(title) or None,
        author=line(author) or None,
        language=language_code(language),
        created_at=seconds(created),
        modified_at=seconds(modified),
        keywords=tuple(dict.fromkeys(word for word in words if word))[:_MOST_KEYWORDS],
    )


def line(text: str) -> str:
    """A text on one line, of a length that a title or a name has."""
    return " ".join(text[: 2 * _LONGEST].split())[:_LONGEST]


def language_code(tag: str) -> str | None:
    """The code of ISO 639-1 in a language tag: ``de`` of ``de-AT``, ``de_DE.UTF-8`` and ``deu``."""
    code = re.split("[-_.]", tag.strip().lower(), maxsplit=1)[0]
    code = _SHORT.get(code, code)
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None


def seconds(date: str) -> float | None:
    """Seconds since the epoch of a date as ISO 8601 or a mail writes it; UTC unless it says otherwise."""
    date = date[:100].strip()
    try:
        if found := _DATE.fullmatch(date):
            year, month, day, hour, minute, second = (int(part or "0") for part in found.groups()[:6])
            moment = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=UTC)
            return moment.timestamp() - _offset(found[7])
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _offset(zone: str | None) -> int:
    if not zone or zone in "Zz":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return 60 * minutes * (-1 if zone[0] == "-" else 1)


def link(target: str) -> str | None:
    """A link worth keeping: to the web, to a mailbox, or to a file beside the document."""
    target = target.strip()
    return target if _LINK.fullmatch(target) else None

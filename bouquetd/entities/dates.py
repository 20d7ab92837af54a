"""Dates with a year of four digits, in figures or with the month written out, as ISO 8601 writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from types import MappingProxyType

_NAMES = """
January Januar Jänner janvier enero gennaio januari janeiro Jan
February Februar février febrero febbraio februari fevereiro Feb
March März mars marzo maart março Mar Mär
April avril abril aprile Apr
May Mai mayo maggio mei maio
June Juni juin junio giugno junho Jun
July Juli juillet julio luglio julho Jul
August août agosto augustus Aug
September septembre septiembre settembre setembro Sept Sep
October Oktober octobre octubre ottobre outubro Oct Okt
November novembre noviembre novembro Nov
December Dezember décembre diciembre dicembre dezembro Dec Dez
"""
MONTHS = MappingProxyType(
    {
        name.lower(): number
        for number, line in enumerate(_NAMES.strip().splitlines(), start=1)
        for name in line.split()
    }
)
"""Number of a month by its name: English, German, French, Spanish, Italian, Dutch, Portuguese."""

_MONTH = r"[^\W\d_]{3,10}"  # any word: to look it up is quicker than a pattern of all names
_SPACE = r"[ \u00a0\n]"

# All written dates end with the year, and years are found at little cost: what stands before is looked at then.
_YEAR = re.compile(r"[12]\d{3}(?!\d)")
_REACH = 40
_GAP = re.compile(r"[\s\u00a0-]+")
_DAY_MONTH = re.compile(
    rf"(?<![\w.,/-])(\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?(?:{_SPACE}|-)?(?:(?:day{_SPACE})?(?:of|de){_SPACE})?"
    rf"({_MONTH})\.?,?(?:{_SPACE}|-|{_SPACE}?(?:de|del|of){_SPACE})$",
)
_MONTH_DAY = re.compile(rf"(?<!\w)({_MONTH})\.?{_SPACE}(?:the{_SPACE})?(\d{{1,2}})(?:st|nd|rd|th)?,?{_SPACE}$")
_MONTH_ALONE = re.compile(rf"(?<!\w)({_MONTH})\.?,?(?:{_SPACE}|{_SPACE}of{_SPACE})$")
_FIGURES = re.compile(r"(?<![\w.,/-])(\d{1,2})([./-])(\d{1,2})\2$")
_ISO = re.compile(r"([-/.])(\d{1,2})\1(\d{1,2})(?![\d-]|[./]\d)")
_EAST = re.compile(r" ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")


def dates(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each date begins and ends, and the date; days that no calendar has are left out."""
    for year in _YEAR.finditer(text):
        start, end = year.span()
        if start and text[start - 1].isdigit():
            continue
        if found := _after(text, int(year.group()), start, end) or _before(text, int(year.group()), start, end):
            yield found


def _after(text: str, year: int, start: int, end: int) -> tuple[int, int, str] | None:
    if (start and text[start - 1] in "-./_") or not text[end : end + 1]:
        return None
    if match := _ISO.match(text, end):
        value = _day(year, int(match[2]), int(match[3]))
    elif match := _EAST.match(text, end):
        value = _day(year, int(match[1]), int(match[2]))
    else:
        return None
    return (start, match.end(), value) if value else None


def _before(text: str, year: int, start: int, end: int) -> tuple[int, int, str] | None:
    if text[end : end + 1].isalpha():
        return None
    if text[end : end + 1] in (".", "-", "/") and text[end + 1 : end + 2].isalnum():
        return None
    low = max(0, start - _REACH)
    before = text[low:start]
    if before[-1:] in ("/", ".", "-") and (match := _FIGURES.search(before)):
        value = _figures(year, int(match[1]), match[2], int(match[3]))
    elif not any(_month(word.strip(".,")) for word in _GAP.split(before)[-5:]):
        return None
    elif (match := _DAY_MONTH.search(before)) and (month := _month(match[2])):
        value = _day(year, month, int(match[1]))
    elif (match := _MONTH_DAY.search(before)) and (month := _month(match[1])):
        value = _day(year, month, int(match[2]))
    elif (match := _MONTH_ALONE.search(before)) and match[1][0].isupper() and (month := _month(match[1])):
        value = f"{year}-{month:02}"
    else:
        return None
    return (low + match.start(), end, value) if value else None


def _month(word: str) -> int | None:
    return MONTHS.get(word.lower())


def _figures(year: int, one: int, mark: str, other: int) -> str:
    """With dots the day comes first; with slashes or dashes only where one of the two can be no month."""
    if mark == "." or one > 12 or one == other:
        return _day(year, other, one)
    return _day(year, one, other) if other > 12 else ""


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""

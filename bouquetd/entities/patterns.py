"""Entities that have a grammar, each found by a pattern, checked, and written in one way.

kind   | checked by                          | written as
------ | ----------------------------------- | ------------------------------------------
url    | http, https or www                  | as it stands, without the stop behind it
email  |                                     | lower case
doi    |                                     | lower case, without https://doi.org/
iban   | check digits, length by country     | without spaces
isbn   | check digit                         | 13 digits
issn   | check digit, "ISSN" before it       | ``0378-5955``
orcid  | check digit                         | ``0000-0002-1825-0097``
cve    |                                     | ``CVE-2014-0160``
rfc    |                                     | the number
date   | the calendar                        | ``2024-02-29``, ``2024-02`` for a month
money  | symbol, code or name of a currency  | ``EUR 12.50``
phone  | the numbering plan of its country   | E.164: ``+493012345678``
ip     | IPv4 or IPv6                        | the shortest form

Dates are those with a year of four digits; 03/04/2024 is left out, as nobody can say which month that is.
``$`` stands for USD, where nothing else is said. Phone numbers begin with ``+``, or are those of the
``region``.

Measured on a busy machine, CPU: 13 us for 770 characters of prose without a digit (what was here before,
which knew six kinds, took 29), 100 for the licences, manuals and sources that the benchmarks read, 400 for a
phone number. In a daemon RSS grows by 0.5 MB with the first chunk, by as much with the first phone number
(phonenumbers) and by 1.1 with the first check digits (python-stdnum), both imported then; a document full of
names takes 0.4 more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address

from bouquetd.entities.dates import dates
from bouquetd.entities.money import money
from bouquetd.model import Chunk

MOST = 32
"""Entities kept of one chunk: a page of links must not make metadata larger than its text."""

Span = tuple[int, int, str]
"""Where something begins and ends in a text, and its value."""

_URL = re.compile(r"""(?:https?://|www\.)[^\s<>"{}|\\^`\u201c\u201d\u00ab\u00bb]{3,500}""", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}", re.ASCII)
_DOI = re.compile(r"10\.\d{4,9}/[^\s<>\"{}|\\^`]{2,200}")
_DOI_URL = re.compile(r"https?://(?:dx\.)?doi\.org/(10\.\d{4,9}/.+)", re.IGNORECASE)
_ORCID_URL = re.compile(r"https?://orcid\.org/([\d-]{18}[\dX])")
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?![A-Za-z\d])")
_ISBN = re.compile(r"(?:ISBN(?:-1[03])?:? ?|(?=97[89]))(?<![\d-])(\d(?:[ -]?\d){8,11}[ -]?[\dXx])(?![\d-])")
_ISSN = re.compile(r"ISSN(?:\s?\([a-z]+\))?:?\s?(\d{4}-?\d{3}[\dXx])(?!\w)")
_ORCID = re.compile(r"0000-000\d-\d{4}-\d{3}[\dX](?!\w)")
_CVE = re.compile(r"CVE-\d{4}-\d{4,7}(?!\d)", re.IGNORECASE)
_RFC = re.compile(r"RFC[ -]?\d{1,5}(?!\w)")
_RFCS = re.compile(r"RFCs \d{1,5}(?:(?:,? (?:and|or|&) |, ?)\d{1,5}(?!\w))*(?!\w)")
_PHONE = re.compile(r"\+ ?\d[\d ()./\u00a0\u2010\u2011-]{5,22}\d(?!\w)")
_NATIONAL = re.compile(r"\(?\d[\d ()./\u00a0\u2010\u2011-]{5,20}\d(?!\w)")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
# What begins with a fixed character is found quickly, and most texts need not be searched for a whole address.
_DOTTED = re.compile(r"\.\d{1,3}\.\d{1,3}\.\d")
_COLONS = re.compile(r"::(?:[0-9A-Fa-f]{1,4}(?!\w)|(?<=[0-9A-Fa-f]::)(?!\w))")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d{1,5}")
_ENDS = ".,;:!?'\u2019\u2026*_"
_PAIRS = {")": "(", "]": "["}


def patterns(region: str = "") -> Callable[[str], list[str]]:
    """The provider behind ``entities.provider: patterns``: the entities of a text as ``kind:value``.

    Each once, in order of appearance, at most ``MOST``. Phone numbers without a country are taken for those of
    ``region`` (``DE``), where that is said.
    """

    def found(text: str) -> list[str]:
        digits = _DIGIT.search(text) is not None
        if not (digits or "@" in text or "://" in text or "www." in text):
            return []  # as most prose
        taken: list[tuple[int, int, str]] = []
        for kind, spans in _all(text, region, digits=digits):
            for start, end, value in spans:
                if all(end <= begin or stop <= start for begin, stop, _ in taken):
                    taken.append((start, end, f"{kind}:{value}"))
            if len(taken) > 4 * MOST:
                break
        return list(dict.fromkeys(entity for _, _, entity in sorted(taken)))[:MOST]

    return found


def grammatical(region: str) -> Callable[[Iterable[Chunk], int], Iterator[Chunk]]:
    """What adds these entities to a document's chunks from a number on, beside what a model finds."""
    find = patterns(region)

    def found(chunks: Iterable[Chunk], first: int) -> Iterator[Chunk]:
        for chunk in chunks:
            yield replace(chunk, names=tuple(find(chunk.text))) if chunk.number >= first else chunk

    return found


def _all(text: str, region: str, *, digits: bool) -> Iterator[tuple[str, Iterator[Span]]]:
    """By kind: what comes first has the text, and no other kind is looked for in it."""
    if "://" in text or "www." in text:
        yield from _urls(text)
    if "@" in text:
        yield "email", ((m.start(), m.end(), m.group().lower()) for m in _EMAIL.finditer(text))
    if not digits:
        return
    if "10." in text:
        yield "doi", _dois(text)
    yield "iban", _checked(_IBAN, text, _iban)
    if "ISBN" in text or "978" in text or "979" in text:
        yield "isbn", _checked(_ISBN, text, _isbn)
    if "ISSN" in text:
        yield "issn", _checked(_ISSN, text, _issn)
    if "0000-000" in text:
        yield "orcid", _checked(_ORCID, text, _orcid)
    if "CVE-" in text or "cve-" in text:
        yield "cve", ((m.start(), m.end(), m.group().upper()) for m in _words(_CVE, text))
    if "RFC" in text:
        yield "rfc", _rfcs(text)
    yield "date", dates(text)
    yield "money", money(text)
    if "+" in text or region:
        yield "phone", _checked(_NATIONAL if region else _PHONE, text, lambda found: _phone(found, region))
        if region:
            yield "phone", _checked(_PHONE, text, lambda found: _phone(found, ""))
    if _DOTTED.search(text):
        yield "ip", _checked(_IPV4, text, _ip)
    if _COLONS.search(text) or text.count(":") > 6:
        yield "ip", _checked(_IPV6, text, _ip)


def _words(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches before which no word goes on. Looked at afterwards: a pattern that begins so is slow to scan."""
    for match in pattern.finditer(text):
        start = match.start()
        if not start or not (text[start - 1].isalnum() or text[start - 1] in "_.+/#-"):
            yield match


def _checked(
    pattern: re.Pattern[str], text: str, valid: Callable[[str], tuple[str, int] | None]
) -> Iterator[Span]:
    """Matches that are valid, as the check writes them, and as many characters of each as it says."""
    for match in _words(pattern, text):
        group = 1 if pattern.groups else 0
        if result := valid(match[group]):
            yield match.start(), match.start(group) + result[1], result[0]


def _trimmed(text: str) -> str:
    """A link without the stop behind it, and without a bracket that was opened before it."""
    while text:
        if text[-1] in _ENDS or (text[-1] in _PAIRS and text.count(text[-1]) > text.count(_PAIRS[text[-1]])):
            text = text[:-1]
        else:
            break
    return text


def _urls(text: str) -> Iterator[tuple[str, Iterator[Span]]]:
    for match in _URL.finditer(text):
        value, start = _trimmed(match.group()), match.start()
        if start and text[start - 1].isalnum():
            continue
        span = start, start + len(value)
        if doi := _DOI_URL.fullmatch(value):
            yield "doi", iter([(*span, doi[1].lower())])
        elif (orcid := _ORCID_URL.fullmatch(value)) and _orcid(orcid[1]):
            yield "orcid", iter([(*span, orcid[1])])
        elif "." in value or "://" in value:
            yield "url", iter([(*span, value)])


def _dois(text: str) -> Iterator[Span]:
    for match in _words(_DOI, text.replace("doi:10.", "doi 10.").replace("DOI:10.", "DOI 10.")):
        value = _trimmed(match.group())
        yield match.start(), match.start() + len(value), value.lower()


def _rfcs(text: str) -> Iterator[Span]:
    for match in _words(_RFC, text):
        yield match.start(), match.end(), _NUMBER.findall(match.group())[0].lstrip("0")
    for match in _words(_RFCS, text):
        for number in _NUMBER.finditer(match.group()):
            start = match.start() + number.start()
            yield start, match.start() + number.end(), number.group().lstrip("0")


def _iban(found: str) -> tuple[str, int] | None:
    from stdnum import iban

    for _ in range(4):  # it may have taken words in capitals behind it along
        compact = found.replace(" ", "")
        if iban.is_valid(compact, check_country=False):
            return compact, len(found)
        found, space, _rest = found.rpartition(" ")
        if not space:
            break
    return None


def _isbn(found: str) -> tuple[str, int] | None:
    from stdnum import isbn

    return (isbn.compact(isbn.to_isbn13(found)), len(found)) if isbn.is_valid(found) else None


def _issn(found: str) -> tuple[str, int] | None:
    from stdnum import issn

    return (issn.format(found), len(found)) if issn.is_valid(found) else None


def _orcid(found: str) -> tuple[str, int] | None:
    from stdnum import isni

    return (found, len(found)) if isni.is_valid(found) else None


def _phone(found: str, region: str) -> tuple[str, int] | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(found, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), len(found)


def _ip(found: str) -> tuple[str, int] | None:
    if not any(c.isdigit() for c in found) or (":" in found and len(found) < 5):
        return None
    if "." in found and not re.search(r"\d\d", found) and len(set(found.split("."))) > 2:
        return None  # more likely the number of a section
    try:
        return str(ip_address(found)), len(found)
    except ValueError:
        return None

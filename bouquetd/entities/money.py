"""Sums of money: a number with the symbol, ISO code or name of a currency, written as ``EUR 12.50``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType

_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KWD MAD"
    " MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
).split()
_CURRENCIES = MappingProxyType(
    {
        "$": "USD", "us$": "USD", "a$": "AUD", "c$": "CAD", "hk$": "HKD", "nz$": "NZD", "€": "EUR", "£": "GBP",
        "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS",
        "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pounds sterling": "GBP",
        "yen": "JPY", "swiss francs": "CHF", "franken": "CHF", "rupees": "INR",
        **{code.lower(): code for code in _CODES},
    }
)  # fmt: skip
_SCALES = MappingProxyType(
    {
        "thousand": 3, "tausend": 3, "k": 3, "million": 6, "millions": 6, "millionen": 6, "mio": 6, "mn": 6,
        "m": 6,
        "billion": 9, "milliarden": 9, "mrd": 9, "bn": 9, "b": 9, "trillion": 12, "tn": 12,
    }
)  # fmt: skip
_WORDS = ("ollar", "uro", "sterling", "yen", "rancs", "Franken", "rupees")
# Begins with a class of characters, which is quick to scan for.
_NEAR = re.compile(r"\d(?:(?<=[A-Z]{3}.)|(?<=[A-Z]{3}[ \u00a0].)|[ \u00a0]?[A-Z]{3}(?![A-Za-z]))")

_SYMBOL = r"(?:US|HK|NZ|A|C)?\$|[€£¥₹₩₽₺₴₪]"
_COUNTRY = re.compile("(?:US|HK|NZ|A|C)$")
_SIGNS = re.compile("[€£¥₹₩₽₺₴₪]")
_NAME = r"(?i:dollars?|euros?|pounds sterling|yen|Swiss francs|Franken|rupees)"
_AMOUNT = (
    r"(?P<amount>\d{1,3}(?P<mark>[,.' \u00a0\u202f\u2019])\d{3}(?:(?P=mark)\d{3})*(?:[.,]\d{1,2})?(?![.,]?\d)"
    r"|\d{1,15}(?:[.,]\d{1,6})?(?![.,]?\d))"
    r"(?:[ \u00a0-]?(?P<word>(?i:thousand|tausend|millions?|Millionen|Mio|mn|billion|Milliarden|Mrd|bn|trillion"
    r"|tn))\b\.?|(?P<letter>[kKmMbB])\b)?"
)
_SIGN_BEFORE = re.compile(rf"(?P<currency>[$€£¥₹₩₽₺₴₪])[ \u00a0]?{_AMOUNT}")
_CODE_BEFORE = re.compile(rf"(?P<currency>[A-Z]{{3}})[ \u00a0]?{_AMOUNT}")
_AFTER = re.compile(rf"{_AMOUNT}[ \u00a0-]?(?P<currency>{_SYMBOL}|(?:[A-Z]{{3}}|{_NAME})(?!\w))")


def money(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each sum begins and ends, and the sum: at least two decimals where there are any."""
    signs = "$" in text or (not text.isascii() and _SIGNS.search(text) is not None)
    codes = _NEAR.search(text) is not None
    if signs:
        yield from _found(_SIGN_BEFORE, text)
    if codes:
        yield from _found(_CODE_BEFORE, text)
    if signs or codes or any(word in text for word in _WORDS):
        yield from _found(_AFTER, text)


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int, str]]:
    for match in pattern.finditer(text):
        start, sign = match.start(), match["currency"].lower()
        if (
            pattern is _SIGN_BEFORE
            and sign == "$"
            and (country := _COUNTRY.search(text[max(0, start - 3) : start]))
        ):
            start, sign = start - len(country[0]), f"{country[0].lower()}$"
        if (currency := _CURRENCIES.get(sign)) is None:
            continue
        if start and (text[start - 1].isalnum() or (text[start - 1] in ".,$" and pattern is _AFTER)):
            continue
        scale = _SCALES.get((match["word"] or match["letter"] or "").lower(), 0)
        yield start, match.end(), f"{currency} {_written(match['amount'], scale)}"


def _written(amount: str, scale: int) -> str:
    """The number in plain figures: ``1.234,56`` and ``1,234.56`` are both ``1234.56``.

    One mark with three digits behind it parts thousands.
    """
    whole, fraction = amount, ""
    last = max(amount.rfind("."), amount.rfind(","))
    if last >= 0 and (len(amount) - last - 1 != 3 or scale):
        whole, fraction = amount[:last], amount[last + 1 :]
    digits = "".join(c for c in whole if c.isdigit())
    value = Decimal(f"{digits}.{fraction or 0}") * 10**scale
    if scale or not fraction:
        return f"{value.normalize():f}"
    return f"{value:.{max(2, len(fraction))}f}"

"""Where a text without spaces may be cut: between two words where they can be told, else between two signs.

Words of Thai, Japanese and Chinese are told by BudouX (Google, Apache-2.0, pure Python): models of 60 KB that
look at three characters to each side, 1 MB of RSS all in all. The dictionaries of ICU do Lao, Khmer and Burmese
too, but PyICU has no wheels and takes 40 MB. Signs, of one character or several, are the grapheme clusters of
Unicode, told by ``regex`` (Apache-2.0, wheels for x86-64 and arm64, 2 MB). Both are loaded when first needed:
text with spaces never asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

_LOOK = 60  # characters before the limit in which words are told
_AHEAD = 2  # characters behind it that tell where one ends

_THAI = re.compile("[\u0e01-\u0e4e]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_TRADITIONAL = re.compile("[這個們說為會來時國對學過還後經現沒樣]")
_NEVER_FIRST = frozenset("、。，．；：！？…」』）］｝】〉》〕”’々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ")  # noqa: RUF001

# Characters that are a sign of their own beside one another: most of Latin, kana, the common ideographs.
_SIMPLE = re.compile("[\0-\u02ff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]{2}")


def last(text: str, start: int, low: int, high: int) -> int:
    """The last good place from ``low`` to ``high`` to cut a text that begins, as a sign does, at ``start``.

    It depends on ``text[start : high + 2]`` alone. Where one sign is all of that, it is cut at ``high``.
    """
    tail = max(start, high - _LOOK)
    words = _words(text[tail : high + _AHEAD])
    if not words and _SIMPLE.match(text, high - 1):
        return high
    signs = [end for end in _ends(start, _sign().findall(text, start, high + 1)) if low <= end <= high]
    ends = set(signs)
    for end in reversed(list(_ends(tail, words))):
        if end in ends and text[end] not in _NEVER_FIRST and not _latin(text, end):
            return end
    return signs[-1] if signs else high


def _ends(start: int, parts: list[str]) -> Iterator[int]:
    """Where each of the parts ends, of which the first begins at ``start``."""
    return accumulate(map(len, parts[1:]), initial=start + len(parts[0])) if parts else iter(())


def _words(text: str) -> list[str]:
    """Its words, with the spaces and signs behind them; nothing for scripts whose words nobody tells."""
    if _THAI.search(text):
        return _parser("thai")(text)
    if _KANA.search(text):
        return _parser("japanese")(text)
    if _HAN.search(text):
        return _parser("traditional_chinese" if _TRADITIONAL.search(text) else "simplified_chinese")(text)
    return []


def _latin(text: str, at: int) -> bool:
    """Whether a place lies within a word or a number of ASCII."""
    around = text[at - 1 : at + 1]
    return around.isascii() and around.isalnum()


@cache
def _parser(name: str) -> Callable[[str], list[str]]:
    import budoux

    parse: Callable[[str], list[str]] = getattr(budoux, f"load_default_{name}_parser")().parse
    return parse


@cache
def _sign() -> regex.Pattern[str]:
    import regex

    return regex.compile(r"\X")

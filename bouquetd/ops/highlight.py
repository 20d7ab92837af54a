"""Which words of a passage are the question's: to be marked, to be told of, and to be shown first.

Words are compared without regard to capitals and to the common endings of English, so that ``layers`` is found
in ``layer``; words of scripts that have no spaces by pairs of characters. The ranking may know more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""Where a word begins and ends, in characters."""

MOST_TOLD = 8
"""Words and phrases that are told of a passage."""

FUNCTION_WORDS = frozenset(
    # English, German, French, Spanish, Italian: what stands in nearly each sentence.
    "a about an and are as at be been but by can could did do does for from had has have how i if in into is it"
    " its me my no not of on or our should so some than that the their them then there these they this those to"
    " was we were what when where which who whom whose why will with would you your"
    " aber als am auch auf aus bei bin bis das dass dem den der des die durch ein eine einem einen einer eines"
    " er es für hat hatte ich ihr im ist kann mit nach nicht noch nur oder sich sie sind so und uns vom von vor"
    " war warum was welche welcher wer wie wird wir wo zu zum zur über"
    " au aux avec ce ces cette comment dans de del della di du elle en est et il la le les leur lui mais ne où"
    " ou par pas pour que qui quoi sa se ses son sont sur un une"
    " como con cual cuando del donde el ella este esta ha las lo los más muy para pero por porque que quien se"
    " si sin sobre su sus una y"
    " al che chi come cosa da dal dove gli ho il io nel nella non per perché più quale sono tra uno".split()
)
"""Words of a question that say nothing of what is looked for."""

_WORD = re.compile(r"\w+")
_GAP = re.compile(r"[\s-]+")
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
_Y = re.compile(r"(?<=[a-z]{2})(?:ie[sd]|y)$")
_ENDING = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s)$")
_VOWEL = re.compile(r"[aeiouy]")


def terms(question: str) -> frozenset[str]:
    """What of a question is looked for in texts: its words but for function words, unless it has no others."""
    words = [match.group().casefold() for match in _WORD.finditer(question)]
    telling = [word for word in words if word not in FUNCTION_WORDS] or words
    return frozenset(term for word in telling for _, term in _terms(word))


def stem(word: str) -> str:
    """A word in small letters without the ending of English that it may have."""
    if not word.isascii() or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return word[:-1] if word.endswith("ss") and word.isascii() else word
    short = _ENDING.sub("", word) if not _Y.search(word) else _Y.sub("i", word)
    if short != word and not _VOWEL.search(short):
        return word
    if len(short) > 3 and short.endswith("e"):
        short = short[:-1]
    return short[:-1] if len(short) > 2 and short[-1] == short[-2] else short


def spans(wanted: frozenset[str], text: str) -> list[Span]:
    """Where the question's words stand in a text, in order, none over another."""
    return [(start, end) for start, end, _ in _found(wanted, text)]


def told(wanted: frozenset[str], text: str) -> tuple[str, ...]:
    """The question's words that a text has, as it writes them, longest phrases first, each word once."""
    runs: dict[frozenset[str], str] = {}
    run: list[tuple[int, int, str]] = []
    for found in [*_found(wanted, text), (len(text) + 2, len(text) + 2, "")]:
        if run and not _GAP.fullmatch(text[run[-1][1] : found[0]]):
            said = " ".join(text[run[0][0] : run[-1][1]].casefold().split())
            runs.setdefault(frozenset(term for _, _, term in run), said)
            run = []
        run.append(found)
    chosen: list[str] = []
    covered: frozenset[str] = frozenset()
    for own, said in sorted(runs.items(), key=lambda item: -len(item[0])):
        if not own <= covered and len(chosen) < MOST_TOLD:
            chosen.append(said)
            covered |= own
    return tuple(chosen)


def window(wanted: frozenset[str], text: str, size: int) -> Span:
    """The part of a text, of at most ``size`` characters, that has the most of the question's words.

    It begins and ends between words where it can.
    """
    if len(text) <= size:
        return 0, len(text)
    start = _best(_found(wanted, text), size)
    start = max(0, min(start - size // 6, len(text) - size))
    if start and (space := text.find(" ", start - 1, start + size // 6)) >= 0:
        start = space + 1
    end = min(len(text), start + size)
    if end < len(text) and (space := text.rfind(" ", end - size // 6, end + 1)) > start:
        end = space
    return start, end


def _best(found: Sequence[tuple[int, int, str]], size: int) -> int:
    """Where the words begin of which the most different ones, then the most, lie close together."""
    best, at, last = (0, 0), 0, 0
    reach = size - size // 3
    counts: dict[str, int] = {}
    for start, _, term in found:
        while last < len(found) and found[last][1] <= start + reach:
            counts[found[last][2]] = counts.get(found[last][2], 0) + 1
            last += 1
        worth = (len(counts), sum(counts.values()))
        if worth > best:
            best, at = worth, start
        if counts.get(term, 0) > 1:
            counts[term] -= 1
        else:
            counts.pop(term, None)
    return at


def _found(wanted: frozenset[str], text: str) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if not _UNSPACED.search(word):
            if (term := stem(word.casefold())) in wanted:
                found.append((match.start(), match.end(), term))
            continue
        for at, term in _terms(word):
            start = match.start() + at
            if term in wanted:
                begin = max(start, found[-1][1]) if found else start
                found.append((begin, start + len(term), term))
    return found


def _terms(word: str) -> Iterator[tuple[int, str]]:
    """What a word is compared by, with its place in it."""
    if not _UNSPACED.search(word):
        yield 0, stem(word)
    elif len(word) < 3:
        yield 0, word
    else:
        yield from ((at, word[at : at + 2]) for at in range(len(word) - 1))

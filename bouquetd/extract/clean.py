"""What every extractor's text goes through: clean characters, in pieces of bounded size.

The text is the same however it was cut before, since a cut is only made where no character on its right can
change one on its left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from bouquetd.model import HEARTBEAT, Piece, Place

_REPLACED = {
    "\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n",
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
    "\ufb05": "st", "\ufb06": "st",
}  # fmt: skip
# Control characters; soft hyphens, spaces without width, word joiners, with which nobody searches (what joins
# and parts letters stays: it makes other words); stray byte order marks, code points that are no characters;
# ligatures, which are two letters to everybody but a typesetter.
_SPECIAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u2028\u2029\u2060\ud800-\udfff\ufb00-\ufb06\ufeff\ufffe\uffff]"
)

# Sorting a run of combining marks takes quadratic time; https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format
# puts the limit of what anybody writes at 30. Begins with one of a class, for which a text is scanned quickly.
_MARKS = "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.combining(c))
_LONG_RUN = re.compile(f"([{_MARKS}][{_MARKS}]{{30,}})")
_REACH = 1000  # characters to go back for a safe cut; nothing that composes is longer


def clean(pieces: Iterable[Piece], buffer_size: int) -> Iterator[Piece]:
    r"""Join and cut pieces into clean ones of at most ``buffer_size`` bytes of UTF-8.

    Line ends become ``\n``, control characters go, lone surrogates become U+FFFD, the text is in NFC.
    Pieces of different places are never joined. None is empty but heartbeats, which pass at once.
    """
    limit = max(1, buffer_size // 4)  # characters: UTF-8 needs 4 bytes at most
    parts: list[str] = []
    size = 0
    place = Place()
    for piece in pieces:
        if piece is HEARTBEAT:
            yield piece
            continue
        if piece[1:] != place:
            if parts:
                yield from _cut(_polish("".join(parts)), limit, place)
            parts, size = [], 0
            place = piece.place
        parts.append(piece.text)
        size += len(piece.text)
        if size >= limit:
            text = "".join(parts)
            end = _safe_cut(text)
            yield from _cut(_polish(text[:end]), limit, place)
            parts, size = [text[end:]], len(text) - end
    yield from _cut(_polish("".join(parts)), limit, place)


def _cut(text: str, limit: int, place: Place) -> Iterator[Piece]:
    for start in range(0, len(text), limit):
        yield Piece(text[start : start + limit], *place)


def _polish(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SPECIAL.sub(_replace, text)
    if text.isascii():
        return text
    if _LONG_RUN.search(text):
        runs = _LONG_RUN.split(text)
        return "".join(run if i % 2 else unicodedata.normalize("NFC", run) for i, run in enumerate(runs))
    return unicodedata.normalize("NFC", text)


def _replace(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return _REPLACED.get(character, "")


def _safe_cut(text: str) -> int:
    """The last place in the text that no character to come can reach over."""
    for i in range(len(text) - 1, max(-1, len(text) - 1 - _REACH), -1):
        if _never_composes(text[i]):
            return i - 1 if text[i] == "\n" and i and text[i - 1] == "\r" else i
    return len(text) if len(text) > _REACH else 0


def _never_composes(character: str) -> bool:
    if character < "\u0300":
        return not _SPECIAL.match(character)
    if "\u1160" <= character <= "\u11ff":  # the second and third parts of a Hangul syllable
        return False
    return unicodedata.category(character)[0] != "M" and not _SPECIAL.match(character)

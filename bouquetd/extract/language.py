"""The language of a document, told by the first page or so of its text.

CLD3, the classifier of Chromium, as packaged in cld3-py: Apache-2.0, wheels for x86-64 and arm64, 3 MB of RSS
once it is used, 0.2 ms a document, and right in paragraphs of 200 characters of 38 languages out of 38. Looked
at as well: py3langid (all right, 0.5 ms, but 75 MB), langdetect (65 MB, 7 ms), lingua (wheels of 100 MB),
pycld2 (as good, 8 MB, no wheels for arm64), eldc (22 MB), whatlang's and breeze's (no wheels for arm64, or none
for Linux), fastText's (models under other terms, or to be fetched).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache

from bouquetd.model import NOTHING, Piece

SAMPLE = 2_000
"""Characters by which a document is judged."""

_ENOUGH = 200  # characters that are looked at: the last ones, as titles and names stand at the beginning
_LETTERS = 40  # fewer say nothing

# Codes of CLD3's that ISO 639-1 writes otherwise.
_ISO = {"iw": "he", "fil": "tl"}


def language(text: str) -> str | None:
    """The language of a text by its code of ISO 639-1; None when it is too short or like no known one."""
    sample = text[:SAMPLE][-_ENOUGH:]
    if sum(map(str.isalpha, sample)) < _LETTERS:
        return None
    code = _classifier()(sample)
    code = _ISO.get(code, code)
    return code if len(code) == 2 else None


def told(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces, each with the language of the whole document unless its facts name one already."""
    pieces = iter(pieces)
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        if not piece.text:  # a heartbeat
            yield piece
            continue
        held.append(piece)
        size += len(piece.text)
        if piece.facts.language or size >= SAMPLE:
            break
    found = None if any(p.facts.language for p in held) else language("".join(p.text for p in held))
    if found is None:
        yield from held
        yield from pieces
        return
    before, with_language = NOTHING, replace(NOTHING, language=found)
    for more in (held, pieces):
        for piece in more:
            facts = piece.facts
            if facts is not before:
                before = facts
                with_language = facts if facts.language else replace(facts, language=found)
            yield Piece(piece.text, piece.page, piece.row, piece.headings, piece.link, with_language)


@cache
def _classifier() -> Callable[[str], str]:
    import gcld3

    identifier = gcld3.NNetLanguageIdentifier(0, _ENOUGH)

    def classify(text: str) -> str:
        found = identifier.FindLanguage(text)
        return found.language if found.is_reliable else ""

    return classify

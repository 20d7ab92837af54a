"""What typesetting does to a text, undone: words cut at the ends of lines, ligatures."""

from __future__ import annotations

import re

_MOST_COMPOUNDS = 5_000

_LIGATURES = str.maketrans({
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st",
    "\ufb06": "st",
})  # fmt: skip

_LETTER = r"[^\W\d_]"
_COMPOUND = re.compile(rf"\b{_LETTER}++(?:-{_LETTER}++)+")
# PDFium has a character of its own for a hyphen at the end of a line and leaves the line end out; to a hyphen
# proper (U+2010) it does neither.
_CUT = re.compile(rf"(?:[\x02\ufffe]|(?<={_LETTER})[\u2010\xad] ?\r?\n(?={_LETTER}))(?P<after>\w*)")
_LONGEST_PART = 60  # characters of a word before its hyphen
_BACKWARDS = re.compile(r"[\w-]*")


class Typeset:
    """Mends the text of a document page by page, and remembers which words it writes with a hyphen."""

    def __init__(self) -> None:
        self._compounds: set[str] = set()

    def mend(self, text: str) -> str:
        """A page as its author wrote it.

        A word that goes on with a small letter in the next line was cut there, unless it occurs with that
        hyphen elsewhere, up to here.
        """
        text = text.translate(_LIGATURES)
        if len(self._compounds) < _MOST_COMPOUNDS:
            self._compounds.update(word.lower() for word in _COMPOUND.findall(text))
        return _CUT.sub(self._joined, text)

    def _joined(self, cut: re.Match[str]) -> str:
        after = cut["after"]
        if after[:1].islower():
            start = cut.start()
            backwards = cut.string[max(0, start - _LONGEST_PART) : start][::-1]
            before = _BACKWARDS.match(backwards)
            if before and f"{before[0][::-1]}-{after}".lower() not in self._compounds:
                return after
        return f"-{after}"

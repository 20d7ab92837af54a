"""Names of people, organisations and places, by capitals, cues and repetition within the document.

No model: a run of capitalised words counts as a name when something says of what. A title (``Dr.``) or a
common given name before it: a person; ``Ltd``, ``University``, ``Ministry of``: an organisation; a known
country or city, ``Street``, ``Lake``: a place. Weaker cues (``in X``, ``X said``, a given name alone) count
from their second time in the document on, and only in English or where the language is not known. Once a
person's full name was read, the surname alone is that person, until another has the same. An abbreviation in
brackets behind an organisation is that organisation.

What this cannot do: names without any cue, names that are ordinary words (``Apple``), languages that write
nouns with capitals or have none; a place named after a person, a ship named after a place. Whoever needs more
takes ``spacy`` or ``openai``.

A chunk's names depend on the text of the document, or of the stretch of ``STRETCH`` chunks it is in, up to its
end, and on nothing else: not on batches, nor on where a killed run went on, which reads its stretch again from
the first chunk. Memory is bounded by ``REMEMBERED`` names.

Measured on a busy machine: 75 us of CPU for 770 characters of a novel's dialogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bouquetd.entities.lists import given_names, places
from bouquetd.model import Chunk

MOST = 32
"""Names kept of one chunk."""

REMEMBERED = 2_000
"""Names remembered of one document, the latest; some 400 KB."""

STRETCH = 2_000
"""Chunks, two novels, after which a document is read as if another began: what a killed run reads again, a
seventh of a second, must not grow with it."""

LONGEST = 80
"""Characters of a name; a longer run of capitalised words is a heading."""

_UPPER = "".join(c for c in map(chr, range(0x41, 0x530)) if c.isupper())
_TITLES = frozenset(
    "Mr Mrs Ms Miss Dr Prof Professor Doctor Sir Lady Lord Dame Madame Mme Monsieur Herr Frau Captain "
    "Capt Colonel Col General Gen Lieutenant Lt Sergeant Sgt Major Admiral Rev Reverend President "
    "Senator Governor Judge Justice Chancellor Ambassador Emperor Empress King Queen Prince Princess "
    "Pope Bishop Archbishop Cardinal Saint Father Sister Uncle Aunt Count Countess Duke Duchess Earl "
    "Baron Baroness Representative Congressman Congresswoman Inspector Detective Secretary".split()
)
_STOPPED = "Mr Mrs Ms Dr Prof Capt Col Gen Lt Sgt Rev St Jr Sr".split()
_STOP = "|".join([rf"(?<=\b[{_UPPER}]\.)", *(rf"(?<=\b{word}\.)" for word in _STOPPED)])
# Begins with a class of characters, for which a text is scanned six times as fast as for alternatives.
_TOKEN = rf"[{_UPPER}][\w\u2019'-]*(?:\.(?:{_STOP})(?:[{_UPPER}]\.)*)?"
_JOIN = (
    r"(?:of the|of|de la|de|du|des|del|della|da|di|von der|von|van der|van den|van|der|den|la|le|for|and|the|&)"
)
_RUN = re.compile(rf"{_TOKEN}(?:[ \n](?:{_JOIN}[ \n])?{_TOKEN}){{0,7}}")
_ACRONYM = re.compile(r"\s?\(([A-Z][A-Za-z&]{1,9})\)")
_FUNCTION = frozenset(
    "The A An In On At Of For To From By With Without And Or But If When While As Since After Before "
    "During Until Although Though Because So Then Thus Hence However Yet Nor Not No Yes He She It "
    "They We You I His Her Its Their Our My Your This That These Those There Here What Which Who Whom "
    "Whose Why How Where Dear Both Either Neither Each Every Some Any All Most Many Few Such Let "
    "Under Over Upon Between Among Against Through Into About Only Even Also Still Now Today "
    "Yesterday Tomorrow Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February "
    "March April May June July August September October November December Chapter Section Part Figure "
    "Table Act Article Is Was Are Were Be Has Have Had Do Does Did Will Would Can Could Should May "
    "Please See Contact Ask Call Write Send Visit Der Die Das Ein Eine Le La Les El Los Il".split()
)
_COMPANY = frozenset(
    "Inc Inc. Ltd Ltd. LLC GmbH AG SE KG PLC plc Corp Corp. Co Co. SA S.A. NV Oy AB SpA BV "
    "Incorporated Limited Corporation Company Holdings Group Partners Industries Brothers Railway "
    "Railroad Airlines".split()
)
_BODY = frozenset(
    "University College Institute School Academy Ministry Department Bureau Office Agency "
    "Administration Commission Committee Council Court Parliament Congress Senate Society Association "
    "Federation Foundation Union Party Bank Museum Hospital Library Observatory Laboratory "
    "Laboratories Board Authority Service Force Consortium Task Organization Organisation League "
    "Alliance Trust Fund Press Times Post Gazette Church Navy Army Treasury Universität Institut "
    "Ministerium Gesellschaft Verein Université Universidad Università".split()
)
_OF = frozenset(
    "University Institute Ministry Department Bureau Office Bank Court House College Museum Academy "
    "Society Board Church Library Council School League Organization Federation Union".split()
)
_PLACE_LAST = frozenset(
    "Street Road Avenue Square Lane Boulevard River Lake Sea Ocean Bay Gulf Island Islands Valley "
    "Mountains Hills Mountain Park Forest County City Township Peninsula Canal Desert Strait Straße "
    "Platz Coast Creek Falls Harbour Harbor Castle Palace Bridge Airport".split()
)
_PLACE_FIRST = frozenset("Mount Mt Lake Cape Port Fort River Gulf Isle".split())
_COMMA = re.compile(rf", ([{_UPPER}][\w'-]+(?: [{_UPPER}][\w'-]+)?)")
_IN = (" in ", " near ", " at ")
_SPEECH = frozenset(
    "said asked replied cried answered exclaimed thought whispered shouted wrote smiled nodded".split()
)
_NEXT = re.compile(r" ([a-z]+)")

_ORDINARY = frozenset(
    "Mark Grace Rose Guy Bill Don Angel Christian Dean Dale Glen Mason Carter Hunter Norman Robin "
    "Hazel Holly Heather Rob Pat Nick Jean Max Till Will Kent Gene Sandy Van".split()
)

_GIVEN = given_names()
_PLACES = places()


def named(chunks: Iterable[Chunk], first: int = 0) -> Iterator[Chunk]:
    """The chunks of one document with the names that stand in each, as ``kind:value``.

    Those before chunk ``first`` may be given as they came.
    """
    document, end = Names(), 0
    for chunk in chunks:
        if chunk.number % STRETCH == 0:
            document, end = Names(), 0
        if chunk.number < first - first % STRETCH:
            yield chunk
            continue
        language = chunk.place.facts.language
        found = document.read(chunk.text, max(0, end - chunk.start), weak=language in (None, "en"))
        end = chunk.end
        yield replace(chunk, names=tuple(found)) if found else chunk


class Names:
    """What is known of one document's names so far."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}  # a name, or part of one: its entity; None where two share it
        self._votes: dict[str, int] = {}

    def read(self, text: str, read_before: int = 0, *, weak: bool = True) -> list[str]:
        """The names in a text, each once, at most ``MOST``.

        Its first ``read_before`` characters were counted with the text before.
        """
        found: dict[str, None] = {}
        for match in _RUN.finditer(text):
            run, start = match.group(), match.start()
            if run in _FUNCTION or len(run) < 2 or (start and text[start - 1].isalnum()):
                continue
            if " " in run or "\n" in run:
                entities = self._several(run.split(), text, match.end())
            else:
                entities = self._single(run, text, start, match.end(), weak=weak and start >= read_before)
            for entity in entities:
                found[entity] = None
            if len(found) >= MOST:
                break
        return list(found)[:MOST]

    def _several(self, words: list[str], text: str, end: int) -> list[str]:
        while words and (words[0] in _FUNCTION or words[0].islower()) and " ".join(words) not in _PLACES:
            del words[0]
        if not words or sum(map(len, words)) > LONGEST:
            return []
        words[-1] = _plain(words[-1])
        parts = _parted(words)
        return [entity for part in parts for entity in self._one(part, text, end)]

    def _one(self, words: list[str], text: str, end: int) -> list[str]:
        name = " ".join(words)
        if entity := self._known.get(name):
            return [entity]
        kind = _kind(words) or ("place" if len(words) < 3 and _before_a_place(text, end) else None)
        if kind is None:
            return self._within(words, text, end)
        if kind == "person":
            words = _without_titles(words)
            words = words[: words.index("of")] if "of" in words else words
            return [self._person(words)] if words and words[0] not in _FUNCTION else []
        entity = f"{kind}:{name}"
        if kind == "organisation" and (acronym := _ACRONYM.match(text, end)):
            self._remember(acronym[1], entity)
        self._remember(name, entity)
        return [entity]

    def _within(self, words: list[str], text: str, end: int) -> list[str]:
        """The names in a run that is none itself: ``Governor of New York``, ``Left Munich``."""
        joints = [n for n, word in enumerate(words) if word in ("of", "of the", "for", "the")]
        if joints and joints[-1] < len(words) - 1:
            parts = [words[: joints[0]], words[joints[-1] + 1 :]]
            return [entity for part in parts if part for entity in self._one(part, text, end)]
        return self._one(words[1:], text, end) if len(words) > 1 else []

    def _person(self, words: list[str]) -> str:
        name = " ".join(words)
        known = self._known.get(name)
        if known is not None:
            return known
        entity = f"person:{name}"
        self._remember(name, entity)
        if len(words) > 1 and (surname := words[-1]) not in _PLACES:
            other = self._known.get(surname, entity)
            # ``Mr. Darcy`` and, later on, ``Fitzwilliam Darcy``: two for all we know.
            self._remember(surname, entity if other == entity else None)
        return entity

    def _single(self, run: str, text: str, start: int, end: int, *, weak: bool) -> list[str]:
        name = _plain(run)
        if entity := self._known.get(name):
            return [entity]
        if name in _PLACES or (text[end : end + 1] == "," and _before_a_place(text, end)):
            return [f"place:{name}"]
        if not weak or name.isupper() or name in _TITLES:
            return []
        kind = "person" if name in _GIVEN and name not in _ORDINARY else ""
        if not kind and text[max(0, start - 6) : start].lower().endswith(_IN):
            kind = "place"
        elif (after := _NEXT.match(text, end)) and after[1] in _SPEECH:
            kind = "person"
        if not kind:
            return []
        entity = f"{kind}:{name}"
        votes = self._votes[entity] = self._votes.pop(entity, 0) + 1
        _bound(self._votes)
        if votes < 2:
            return []
        self._remember(name, entity)
        return [entity]

    def _remember(self, name: str, entity: str | None) -> None:
        self._known.pop(name, None)
        self._known[name] = entity
        _bound(self._known)


def _bound(names: dict[str, object] | dict[str, int] | dict[str, str | None]) -> None:
    if len(names) > REMEMBERED:
        del names[next(iter(names))]


def _plain(word: str) -> str:
    """A word without what marks the genitive, and without the stop of a sentence."""
    if "'" not in word and "\u2019" not in word:
        return word
    for mark in ("'s", "\u2019s", "'", "\u2019"):
        if word.endswith(mark):
            return word[: -len(mark)]
    return word


def _before_a_place(text: str, end: int) -> bool:
    """Whether a place stands behind a name, as in ``Gettysburg, Pennsylvania``."""
    match = _COMMA.match(text, end)
    return match is not None and (match[1] in _PLACES or match[1].split()[0] in _PLACES)


def _parted(words: list[str]) -> list[list[str]]:
    """The names in a run: ``Elizabeth Bennet and Charles Bingley`` are two, ``Trinidad and Tobago`` is one."""
    for number, word in enumerate(words):
        if word not in ("and", "for") or " ".join(words) in _PLACES:
            continue
        before, behind = words[:number], words[number + 1 :]
        if before[0] in _OF and "of" in before and not _initials(behind[0]) and _kind(behind) != "person":
            continue  # Department of Health and Human Services
        if word == "for" and before[-1] in _BODY:
            continue  # Society for Psychical Research
        return [before, *_parted(behind)]
    return [words]


def _kind(words: list[str]) -> str | None:
    """What a run of several words is the name of; None where nothing says so."""
    name = " ".join(words)
    first, last = words[0], words[-1].rstrip(".")
    if name in _PLACES:
        return "place"
    if len(words) == 1:
        return None
    if name.isupper() and len(name) > 8:
        return None  # a heading
    if first.rstrip(".") in _TITLES and len(words) <= 5 and (first in _TITLES or first.endswith(".")):
        return None if words[1] in ("of", "for", "and") or words[1] in _BODY else "person"
    if last in _COMPANY or last in _BODY or "&" in words:
        return "organisation"
    if "of" in words and (words[words.index("of") - 1] in _OF):
        return "organisation"
    if last in _PLACE_LAST or (first in _PLACE_FIRST and len(words) <= 3):
        return "place"
    if first in _GIVEN and len(words) <= 5:
        return "person"
    if len(words) == 3 and len(words[1]) == 2 and words[1][1] == ".":
        return "person"  # Quincey P. Morris
    if _initials(first) and len(words) <= 4 and not _initials(words[-1]):
        return "person"
    return None


def _initials(word: str) -> bool:
    return word.endswith(".") and all(len(part) == 1 for part in word.split(".")[:-1])


def _without_titles(words: list[str]) -> list[str]:
    while words and words[0].rstrip(".") in _TITLES:
        words = words[1:]
    return words

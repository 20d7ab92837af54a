"""What a search is narrowed to, in a person's words, made into one ``Filter`` for Chroma.

All conditions must hold. Of several sources or kinds one must; several entities and texts must all be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from bouquetd import mentions
from bouquetd.errors import Rejected
from bouquetd.extract import picture, sniff, suffixes
from bouquetd.model import PACKED, Filter

MOST_SOURCES = 2000
"""Sources that a glob may stand for, or leave out, whichever are fewer: Chroma's filter has to name each. Of
1,000 a shard of 5,000 chunks is asked in 0.1 s, of 5,000 in 0.2 s, with 4 MB more."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "text": (sniff.TEXT,),
    "markdown": (sniff.MARKDOWN, sniff.RST, sniff.ASCIIDOC, sniff.ORG),
    "html": (sniff.HTML,),
    "pdf": (sniff.PDF,),
    "word": (sniff.DOCX, sniff.DOC, sniff.ODT, sniff.FODT, sniff.RTF),
    "sheet": (sniff.XLSX, sniff.XLS, sniff.ODS, sniff.FODS, sniff.CSV, sniff.TSV),
    "slides": (sniff.PPTX, sniff.PPT, sniff.ODP, sniff.FODP),
    "mail": (sniff.MAIL, sniff.MAILBOX, sniff.MSG),
    "book": (sniff.EPUB,),
    "picture": (*picture.KINDS, sniff.ODG),
    "notebook": (sniff.NOTEBOOK,),
    "json": (sniff.JSON, sniff.JSONL),
    "xml": (sniff.XML,),
    "code": tuple(sorted({*suffixes.CODE.values()})),
    "settings": tuple(sorted({*suffixes.SETTINGS.values()})),
    "log": (suffixes.LOG,),
    "tex": (suffixes.TEX,),
}
"""Media types by the name that a person has for them."""

_LANGUAGE = re.compile(r"([a-z]{2,3})([-_].*)?", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
_WRITTEN: Mapping[str, Callable[[str], str]] = {
    "email": str.lower,
    "doi": str.lower,
    "cve": str.upper,
    "iban": lambda value: value.replace(" ", "").upper(),
    "rfc": lambda value: re.sub(r"(?i)^rfc[ -]?", "", value),
}
"""How entities of a kind are stored, where that is not as a person may write them."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a search is narrowed to. ``since`` in seconds since the epoch, ``where`` as Chroma takes it."""

    where: Mapping[str, Any] | None = None
    containing: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    since: float | None = None
    entity: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    language: str | None = None


ANYTHING = Conditions()
"""No condition at all."""


def parts(conditions: Conditions, sources: Callable[[], Iterable[str]]) -> list[tuple[str, Filter]]:
    """Each condition as the command names it, with its filter.

    ``sources`` gives what a glob is held against, as it is printed. Raises ``Rejected`` for a condition that
    cannot be asked.
    """
    found: list[tuple[str, Filter]] = []
    if conditions.source:
        label = " ".join(f"--source '{pattern}'" for pattern in conditions.source)
        found.append((label, Filter(within(conditions.source, sources()))))
    if conditions.since is not None:
        found.append(("--since", Filter({"ingested_at": {"$gte": float(conditions.since)}})))
    found += [(f"--entity '{wanted}'", Filter(entity(wanted))) for wanted in conditions.entity]
    if conditions.kind:
        types = dict.fromkeys(media_type for name in conditions.kind for media_type in media_types(name))
        label = " ".join(f"--kind {name}" for name in conditions.kind)
        found.append((label, Filter({"media_type": {"$in": list(types)}})))
    if conditions.language is not None:
        code = language(conditions.language)
        found.append((f"--language {code}", Filter({"language": code})))
    if conditions.where:
        found.append(("--where", Filter(conditions.where)))
    return found + [(f"--containing '{text}'", Filter(None, (text,))) for text in conditions.containing]


def joined(filters: Iterable[Filter]) -> Filter:
    """The filter that is met where all of these are."""
    wheres: list[Mapping[str, Any]] = []
    texts: tuple[str, ...] = ()
    for one in filters:
        wheres += [one.where] if one.where else []
        texts += one.texts
    return Filter({"$and": wheres} if len(wheres) > 1 else wheres[0] if wheres else None, texts)


def within(patterns: Iterable[str], sources: Iterable[str]) -> Mapping[str, Any] | None:
    """The filter for sources that fit a glob, or lie in a folder or in a file that does; None where all do.

    Raises ``Rejected`` where Chroma would have to be told too many names.
    """
    asked = list(patterns)
    fits = _glob(asked)
    inside: set[str] = set()
    outside: set[str] = set()
    for source in sources:
        kept = inside if fits(source) else outside
        if len(kept) <= MOST_SOURCES:
            kept.add(source)
    if not inside:
        return {"source": ""}
    if not outside:
        return None
    if min(len(inside), len(outside)) > MOST_SOURCES:
        raise Rejected(
            f"more than {MOST_SOURCES:,} documents fit {' or '.join(map(repr, asked))}, and as many do not",
            "name a smaller part of the inbox",
        )
    if len(inside) <= MOST_SOURCES:
        return {"source": {"$in": sorted(inside)}}
    return {"source": {"$nin": sorted(outside)}}


def _glob(patterns: Iterable[str]) -> Callable[[str], bool]:
    """``*`` goes past ``/``, as in the shell commands' patterns; a plain name fits itself, brackets and all."""
    plain = {pattern.rstrip("/") for pattern in patterns}
    below = tuple(name + end for name in plain for end in ("/", PACKED))
    globs = [name + end for name in plain for end in ("", "/*", PACKED + "*")]
    pattern = re.compile("|".join(map(translate, globs)))
    return lambda source: source in plain or source.startswith(below) or bool(pattern.match(source))


def entity(text: str) -> Mapping[str, Any]:
    """The filter for an entity given as ``kind:value``, or as its value, of whatever kind.

    Raises ``Rejected`` for an empty one.
    """
    kind, colon, value = text.partition(":")
    kinds: tuple[str, ...] = (kind.strip().lower(),)
    if not colon or kinds[0] not in mentions.KINDS:
        kinds, value = mentions.KINDS, text
    value = value.strip()
    if not value:
        raise Rejected(f"the entity {text!r} is empty", "write for instance 'email:ada@example.org'")
    names = [f"{kind}:{_WRITTEN.get(kind, str)(value)}" for kind in kinds]
    found = [{"entities": {"$contains": name}} for name in names]
    return {"$or": found} if len(found) > 1 else found[0]


def media_types(kind: str) -> tuple[str, ...]:
    """The media types of a kind; one that is given as a media type is that. Raises ``Rejected`` for others."""
    name = kind.strip().lower()
    if found := KINDS.get(name) or KINDS.get(name.removesuffix("s")):
        return found
    if _MEDIA_TYPE.fullmatch(name):
        return (name,)
    raise Rejected(
        f"there is no kind {kind!r}",
        f"take a media type, as application/pdf, or one of: {', '.join(KINDS)}",
    )


def language(text: str) -> str:
    """The code of a language as it is stored: ``de`` of ``de-AT``. Raises ``Rejected`` for what is none."""
    if found := _LANGUAGE.fullmatch(text.strip()):
        return found[1].lower()
    raise Rejected(f"{text!r} is no code of a language", "write it in two letters, as de or en")

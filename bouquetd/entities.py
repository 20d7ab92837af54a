"""The entities stage: what a text names, found by patterns, at most ``entities.max_concurrent`` at a time.

Only what has a grammar: e-mail addresses, URLs, ISO dates, DOIs, CVE and RFC numbers. Stored with the chunk as
``kind:value``, so that Chroma's ``where={"entities": {"$contains": "email:ada@example.org"}}`` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

Provider = Callable[[str], list[str]]
"""Finds the entities of one text."""

MOST = 32
"""Entities kept of one chunk: a page of links must not make metadata larger than its text."""

_PATTERN = re.compile(
    r"""
      (?P<email> [\w.+-]{1,64} @ (?:[\w-]{1,63}\.){1,8} [A-Za-z]{2,24} )
    | (?P<url>   https?://[^\s<>"'()\[\]{}]{3,500} )
    | (?P<doi>   \b10\.\d{4,9}/[^\s<>"'()\[\]{}]{2,200} )
    | (?P<cve>   \bCVE-\d{4}-\d{4,7}\b )
    | (?P<rfc>   \bRFC[ -]?\d{1,5}\b )
    | (?P<date>  \b(?:1[5-9]|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b )
    """,
    re.VERBOSE | re.ASCII,
)
_HINT = re.compile(r"@|://|10\.\d|CVE-|RFC|\d-\d")


def patterns(text: str) -> list[str]:
    """The entities of a text as ``kind:value``, each once, in order of appearance, at most ``MOST``."""
    if not _HINT.search(text):  # most prose has none, and this scan costs a tenth
        return []
    found: dict[str, None] = {}
    for match in _PATTERN.finditer(text):
        kind = match.lastgroup or ""
        value = match.group().rstrip(".,;:!?")
        if kind == "email":
            value = value.lower()
        elif kind == "rfc":
            value = "".join(c for c in value if c.isdigit())
        found[f"{kind}:{value}"] = None
        if len(found) == MOST:
            break
    return list(found)


def nothing(_text: str) -> list[str]:
    """The provider behind ``entities.provider: none``."""
    return []


PROVIDERS: dict[str, Provider] = {"patterns": patterns, "none": nothing}


class Entities:
    """Runs a provider over batches, at most ``max_concurrent`` texts at a time."""

    def __init__(self, provider: Provider, max_concurrent: int) -> None:
        self._provider = provider
        self._width = max_concurrent
        self._pool = ThreadPoolExecutor(max_concurrent, thread_name_prefix="entities")

    def __call__(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Begin at once; the entities of each text, in the order of the texts, are waited for when taken."""
        # One task a worker and batch instead of one a text: handing over costs more than a pattern does.
        slices = self._pool.map(self._run, [texts[i :: self._width] for i in range(self._width)])
        return _woven(slices)

    def _run(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._provider(text) for text in texts]

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _woven(slices: Iterable[list[list[str]]]) -> Iterator[list[str]]:
    """One of each slice in turn, until the longest has ended."""
    for row in zip_longest(*slices):
        yield from (entities for entities in row if entities is not None)

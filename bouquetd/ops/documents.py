"""What the operator does to documents: list them, try failed ones again, forget them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from bouquetd.errors import Rejected, Unavailable
from bouquetd.inbox.archive import put_back
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import State, printable

LOST = "its chunks are incomplete and no copy of the file was kept; drop it again"


def matching(ledger: Ledger, patterns: Iterable[str], *states: State) -> Iterator[Entry]:
    """Documents in these states whose source matches one of the globs; a plain name matches itself."""
    wanted = list(patterns)
    for entry in ledger.entries(*states):
        source = entry.document.source
        if any(source == p or printable(source) == p or fnmatchcase(source, p) for p in wanted):
            yield entry


def retry(
    ledger: Ledger, failed: Path, inbox: Path, entries: Iterable[Entry]
) -> Iterator[tuple[str, str | None]]:
    """Put failed files back into the inbox; yields each source and, where it could not be done, why."""
    for entry in list(entries):
        source = entry.document.source
        try:
            if entry.destination is None:
                raise Unavailable("it is still in the inbox", "it is tried by itself")
            put_back(failed, entry.destination, inbox, source)
            ledger.drop(entry.document.id)
        except (Unavailable, Rejected) as error:
            yield source, error.told
        else:
            yield source, None


def requeue(ledger: Ledger, archive: Path, inbox: Path, entry: Entry) -> str:
    """Put the file of a document that lost chunks back in line; says in words what was done."""
    ledger.abandon(entry.document.id)
    if entry.destination is None:
        if os.path.lexists(inbox / entry.document.source):
            return "ingested anew from the inbox"
        return LOST
    if entry.destination == "":
        return LOST
    try:
        put_back(archive, entry.destination, inbox, entry.document.source)
    except (Unavailable, Rejected) as error:
        return f"cannot be ingested anew. {error.told}"
    return "put back from the archive, to be ingested anew"

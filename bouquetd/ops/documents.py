"""What the operator does to documents: list them, try failed ones again, forget them.

``LIGHT`` are the commands for which the ledger is enough: the daemon answers them over its socket, and where
none runs a command opens the ledger itself. Answers are plain values that JSON can say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

from bouquetd.config import Paths
from bouquetd.errors import Rejected, Unavailable
from bouquetd.inbox.archive import put_back
from bouquetd.inbox.scan import Ignore, Skipped, scan
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import State, printable
from bouquetd.ops.entities import entities
from bouquetd.ops.overview import NOTHING, overview

MOST_IGNORED = 1000
"""Ignored names that are listed."""

LOST = "its chunks are incomplete and no copy of the file was kept; drop it again"


def matching(ledger: Ledger, patterns: Iterable[str], *states: State) -> Iterator[Entry]:
    """Documents in these states whose source matches one of the globs; a plain name matches itself."""
    wanted = list(patterns)
    for entry in ledger.entries(*states):
        source = entry.document.source
        if any(source == p or printable(source) == p or fnmatchcase(source, p) for p in wanted):
            yield entry


def retry(ledger: Ledger, paths: Paths, entries: Iterable[Entry]) -> Iterator[tuple[str, str | None]]:
    """Put failed files back into the inbox; yields each source and, where it could not be done, why.

    Of a file that is packed in another, that one is put back.
    """
    for entry in list(entries):
        source = entry.document.source
        try:
            if entry.document.parent is not None:
                _read_again(ledger, paths.archive, paths.inbox, entry)
                yield source, None
                continue
            if entry.destination is None:
                raise Unavailable("it is still in the inbox", "it is tried by itself")
            put_back(paths.failed, entry.destination, paths.inbox, source)
            ledger.drop(entry.document.id)
        except (Unavailable, Rejected) as error:
            yield source, error.told
        else:
            yield source, None


def _read_again(ledger: Ledger, archive: Path, inbox: Path, entry: Entry) -> None:
    """Have the file in which a document is packed read again; only what is not stored of it is."""
    around = ledger.outermost(entry.document)
    if around is None or around.destination == "":
        raise Unavailable("the file it is packed in was not kept", "drop that again")
    ledger.reopen(entry.document)
    if around.state is State.FILED and around.destination is not None:
        put_back(archive, around.destination, inbox, around.document.source)


def requeue(ledger: Ledger, archive: Path, inbox: Path, entry: Entry) -> str:
    """Put the file of a document that lost chunks back in line; says in words what was done."""
    ledger.abandon(entry.document.id)
    if entry.document.parent is not None:
        try:
            _read_again(ledger, archive, inbox, entry)
        except (Unavailable, Rejected) as error:
            return f"cannot be ingested anew. {error.told}"
        return "ingested anew, from the file it is packed in"
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


def _files(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The documents that changed last, and what will never be read."""
    states = [State(name) for name in arguments["states"]]
    return {
        "documents": [_shown(entry, ledger) for entry in ledger.recent(*states, limit=int(arguments["limit"]))],
        "left_alone": []
        if states
        else [{"source": printable(source), "reason": reason} for source, reason in ledger.left_alone()],
    }


def _ignored(_ledger: Ledger | None, paths: Paths, arguments: Mapping[str, Any]) -> list[dict[str, str]]:
    """What lies in the inbox and is ignored for its name, with the rule; a thousand at most."""
    found = scan(paths.inbox, Ignore(list(map(str, arguments["patterns"]))), ignored=True)
    names = (item for item in found if isinstance(item, Skipped) and item.ignored)
    return [{"source": printable(item.source), "reason": item.reason} for item in islice(names, MOST_IGNORED)]


def _retry(ledger: Ledger, paths: Paths, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Put failed files back; each source and, where it could not be done, why."""
    chosen = matching(ledger, list(arguments["patterns"]), State.FAILED)
    return [{"source": printable(source), "error": error} for source, error in retry(ledger, paths, chosen)]


LIGHT: Mapping[str, Callable[[Ledger, Paths, Mapping[str, Any]], Any]] = {
    "entities": entities,
    "files": _files,
    "ignored": _ignored,
    "overview": overview,
    "retry": _retry,
}

_NOTHING: Mapping[str, Any] = {
    "entities": [],
    "files": {"documents": [], "left_alone": []},
    "ignored": [],
    "overview": NOTHING,
    "retry": [],
}


def without_ledger(op: str, paths: Paths, arguments: Mapping[str, Any]) -> Any:
    """What such a command answers where there is no ledger yet; the inbox can be looked at, if it is there."""
    if op == "ignored" and paths.inbox.is_dir():
        return _ignored(None, paths, arguments)
    return _NOTHING[op]


def _shown(entry: Entry, ledger: Ledger) -> dict[str, Any]:
    document = entry.document
    like = ledger.same_text(document.text_digest, document.source) if document.text_digest else None
    return {
        "source": printable(document.source),
        "state": str(entry.state),
        "chunks": entry.chunks,
        "size": document.size,
        "media_type": document.media_type,
        "attempts": document.attempts,
        "updated": entry.updated,
        "document": document.id,
        "digest": document.digest,
        "destination": None if entry.destination is None else printable(entry.destination),
        "reason": entry.reason,
        "remedy": entry.remedy,
        "note": entry.note,
        "parent": None if document.parent is None else printable(document.parent),
        "same_text_as": None if like is None else printable(like.document.source),
    }

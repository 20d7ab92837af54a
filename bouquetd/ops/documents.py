"""What the operator does to documents: list them, try failed ones again, forget them.

``LIGHT`` are the commands for which the ledger is enough: the daemon answers them over its socket, and where
none runs a command opens the ledger itself. Answers are plain values that JSON can say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from bouquetd.config import Paths
from bouquetd.errors import Rejected, Unavailable
from bouquetd.inbox.archive import put_back
from bouquetd.inbox.rules import LONGEST, MOST, Rules
from bouquetd.inbox.scan import Found, Ignore, Skipped, scan
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import State, printable
from bouquetd.ops.consistency import consistency
from bouquetd.ops.entities import entities
from bouquetd.ops.explain import explain
from bouquetd.ops.overview import NOTHING, overview
from bouquetd.selection import Selection, Sort

MOST_IGNORED = 1000
"""Ignored names that are listed."""

SHOWN = 20
"""Sources that a preview lists."""

ROUND = 10_000
"""Documents that one request does something to; the command asks on behind the last."""

AFFECTED: Mapping[str, tuple[State, ...]] = {
    "retry": (State.FAILED,),
    "forget": (State.CLAIMED, State.STORING, State.COMPLETE, State.FILED, State.DUPLICATE),
}
"""The states of the documents that a command does something to."""

LOST = "its chunks are incomplete and no copy of the file was kept; drop it again"


class Round:
    """The first ``ROUND`` of some documents; ``after`` is the last one's id, None where there are no more."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.after: str | None = None

    def __iter__(self) -> Iterator[Entry]:
        for number, entry in enumerate(islice(self._entries, ROUND), 1):
            yield entry
            if number == ROUND:
                self.after = entry.document.id


def chosen(arguments: Mapping[str, Any], *states: State) -> Selection:
    """The documents in these states that the arguments of a command mean."""
    kinds = arguments.get("kinds") or ()
    if kinds:
        from bouquetd.ops.filters import media_types  # it knows all formats, and takes its time to load
    since, globs = arguments.get("since"), tuple(map(str, arguments.get("patterns") or ()))
    return Selection(
        globs=() if "*" in globs else globs,
        states=states,
        since=None if since is None else float(since),
        media_types=tuple(kind for name in kinds for kind in media_types(name)),
        larger=int(arguments.get("larger") or 0),
        reason=str(arguments.get("reason") or ""),
    )


def retry(ledger: Ledger, paths: Paths, entries: Iterable[Entry]) -> Iterator[tuple[str, str | None]]:
    """Put failed files back into the inbox; yields each source and, where it could not be done, why.

    Of a file that is packed in another, that one is put back.
    """
    for entry in entries:
        source = entry.document.source
        try:
            if entry.document.parent is not None:
                _read_again(ledger, paths.archive, paths.inbox, entry)
                yield source, None
                continue
            if entry.destination is None:
                raise Unavailable("it is still in the inbox", "it is tried by itself")
            put_back(paths.failed, entry.destination, paths.inbox, source)
            ledger.put_back(entry.document.id)
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
    """A page of documents, how many there are in all, and on the first page of all what will never be read."""
    wanted = chosen(arguments, *map(State, arguments["states"]))
    limit, offset = int(arguments["limit"]), int(arguments["offset"])
    page = ledger.listed(
        wanted, Sort(arguments["sort"]), descending=bool(arguments["descending"]), limit=limit, offset=offset
    )
    alone = ledger.left_alone() if wanted.everything and not offset else []
    return {
        "documents": [_shown(entry, ledger) for entry in page],
        "total": ledger.number(wanted),
        "left_alone": [{"source": printable(source), "reason": reason} for source, reason in alone],
    }


def _ignored(ledger: Ledger | None, paths: Paths, arguments: Mapping[str, Any]) -> list[dict[str, str]]:
    """What lies in the inbox and is ignored, with the rule; a thousand at most."""
    rules = Rules(ledger.rules() if ledger else ())

    def found() -> Iterator[dict[str, str]]:
        for item in scan(paths.inbox, Ignore(list(map(str, arguments["patterns"]))), ignored=True):
            if isinstance(item, Skipped) and item.ignored:
                yield {"source": printable(item.source), "reason": item.reason}
            elif isinstance(item, Found) and (rule := rules(item.source)):
                yield {"source": printable(item.source), "reason": f"the operator's rule {printable(rule)}"}

    return list(islice(found(), MOST_IGNORED))


def _retry(ledger: Ledger, paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Put failed files back, ``ROUND`` at most; each source and, where it could not be done, why."""
    failed = Round(ledger.select(chosen(arguments, State.FAILED), str(arguments.get("after", ""))))
    done = [{"source": printable(source), "error": error} for source, error in retry(ledger, paths, failed)]
    return {"done": done, "after": failed.after}


def _preview(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a command would do something to: the first by name, and how many."""
    wanted = chosen(arguments, *AFFECTED[arguments["command"]])
    first = ledger.listed(wanted, Sort.NAME, descending=False, limit=SHOWN)
    return {
        "sources": [printable(entry.document.source) for entry in first],
        "number": ledger.number(wanted),
    }


def _waiting(ledger: Ledger | None, paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What lies in the inbox, fits some globs and is yet to be taken: the first that are found, how many."""
    fits, ignored = Rules(arguments["patterns"]), Rules(ledger.rules() if ledger else ())
    first: list[str] = []
    number = 0
    for item in scan(paths.inbox, Ignore(list(map(str, arguments["ignore"])))) if paths.inbox.is_dir() else ():
        if (
            isinstance(item, Found)
            and fits(item.source)
            and not ignored(item.source)
            and not (ledger and ledger.knows(item.source, item.fingerprint))
        ):
            number += 1
            if len(first) < SHOWN:
                first.append(printable(item.source))
    return {"sources": sorted(first), "number": number}


def _ignore(ledger: Ledger, _paths: Paths, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Add rules to the operator's, or remove some; those there are then, and those that were not known."""
    globs = [glob.rstrip("/") for glob in map(str, arguments["add"])]
    if bad := [glob for glob in globs if not glob or len(glob) > LONGEST or glob in ("*", "**")]:
        raise Rejected(
            f"{bad[0][:40]!r} is no rule", "name a part of the inbox; to take nothing at all: bouquetd pause"
        )
    ledger.add_rules(globs, MOST)
    unknown = [glob for glob in arguments["remove"] if not ledger.drop_rule(glob)]
    return {"rules": list(map(printable, ledger.rules())), "unknown": list(map(printable, unknown))}


LIGHT: Mapping[str, Callable[[Ledger, Paths, Mapping[str, Any]], Any]] = {
    "consistency": consistency,
    "entities": entities,
    "explain": explain,
    "files": _files,
    "ignore": _ignore,
    "ignored": _ignored,
    "overview": overview,
    "preview": _preview,
    "retry": _retry,
    "waiting": _waiting,
}

_NOTHING: Mapping[str, Any] = {
    "entities": [],
    "files": {"documents": [], "total": 0, "left_alone": []},
    "ignore": {"rules": [], "unknown": []},
    "ignored": [],
    "overview": NOTHING,
    "preview": {"sources": [], "number": 0},
    "retry": {"done": [], "after": None},
}


def without_ledger(op: str, paths: Paths, arguments: Mapping[str, Any]) -> Any:
    """What such a command answers where there is no ledger yet; the inbox can be looked at, if it is there."""
    if op == "ignored" and paths.inbox.is_dir():
        return _ignored(None, paths, arguments)
    if op == "explain":
        return explain(None, paths, arguments)
    if op == "waiting":
        return _waiting(None, paths, arguments)
    if op == "ignore" and arguments["add"]:
        raise Unavailable("nothing was ever ingested, so there is no ledger to keep a rule in", "bouquetd run")
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

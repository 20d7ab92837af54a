"""The whole story of one file, from the ledger, the disk and, where a daemon runs, what it has in hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bouquetd.config import Paths
from bouquetd.errors import sentence
from bouquetd.inbox.opening import kind
from bouquetd.inbox.rules import Rules
from bouquetd.inbox.scan import Ignore
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import MB, PACKED, UNREAD, State, pasted, printable, quoted
from bouquetd.selection import MAGIC, Selection
from bouquetd.trail import Outcome, Step, is_first

MOST = 20
"""Sources that are listed where several fit."""

Look = Callable[[str], Mapping[str, Any]]
"""What a running daemon has to say of a source; see ``Worker.look``."""

_NOTE = ".error"
"""Behind the name of a failed file, the file beside it that says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and the settings that decide: ``path`` is it as an absolute path of the disk."""

    file: str
    path: str
    ignore: tuple[str, ...]
    max_file_size: int


def explain(
    ledger: Ledger | None, paths: Paths, arguments: Mapping[str, Any], look: Look | None = None
) -> dict[str, Any]:
    """A ``story``, or where a glob fits several the first ``sources`` and how many there are.

    Without a ledger nothing was ever ingested; without ``look`` no daemon runs.
    """
    asked = Asked(
        str(arguments["file"]),
        str(arguments["path"]),
        tuple(arguments["ignore"]),
        int(arguments["max_file_size"]),
    )
    source = _source(ledger, paths, asked)
    if source is None and ledger is not None:
        chosen = Selection(globs=(asked.file,))
        found = ledger.listed(chosen, limit=MOST)
        sources = list(dict.fromkeys(entry.document.source for entry in found))
        if len(sources) > 1:
            return {"sources": list(map(printable, sources)), "number": ledger.number(chosen)}
        source = sources[0] if sources else None
    return {"story": _story(ledger, paths, asked, source or _unknown(paths, asked), look)}


def _source(ledger: Ledger | None, paths: Paths, asked: Asked) -> str | None:
    """The source that a name means, where it means one at once: its own, or the path of a file of its."""
    if ledger is not None and ledger.by_source(asked.file):
        return asked.file
    if (inside := _below(paths.inbox, asked.path)) is not None:
        return inside
    for root, failed in ((paths.failed, True), (paths.archive, False)):
        inside = _below(root, asked.path)
        if ledger is not None and inside is not None:
            inside, _, packed = inside.partition(PACKED)
            entry = ledger.at(inside, failed=failed) or ledger.at(inside.removesuffix(_NOTE), failed=failed)
            if entry is not None:
                return entry.document.source + (PACKED + packed if packed else "")
            return None
    if os.path.lexists(paths.inbox / asked.file) and not MAGIC.search(asked.file):
        return asked.file
    return None


def _unknown(paths: Paths, asked: Asked) -> str:
    return _below(paths.inbox, asked.path) or asked.file.lstrip("/")


def _below(root: Path, path: str) -> str | None:
    """A path relative to a folder that it lies in, both as written and with links followed; else None."""
    folder, name = os.path.split(path)
    for above, below in ((str(root), path), (os.path.realpath(root), f"{os.path.realpath(folder)}/{name}")):
        if below.startswith(above + "/"):
            return below[len(above) + 1 :]
    return None


def _story(ledger: Ledger | None, paths: Paths, asked: Asked, source: str, look: Look | None) -> dict[str, Any]:
    now = look(source) if look else None
    entries = ledger.by_source(source) if ledger is not None else []
    story: dict[str, Any] = {
        "source": printable(source),
        "daemon": look is not None,
        "now": dict(now) if now else None,
        "documents": [_document(ledger, paths, entry) for entry in entries] if ledger else [],
        "trail": _trail(ledger, source, entries, now) if ledger else [],
        "inbox": None,
    }
    if all(entry.destination is not None for entry in entries):
        inbox = _in_inbox(ledger, paths, asked, source)
        story["inbox"] = inbox if inbox["there"] or not entries else None
    story["state"], story["to_do"] = _verdict(story)
    return story


def _document(ledger: Ledger, paths: Paths, entry: Entry) -> dict[str, Any]:
    document = entry.document
    twin = ledger.find(entry.twin) if entry.twin else None
    like = ledger.same_text(document.text_digest, document.source) if document.text_digest else None
    path, there = _lies(ledger, paths, entry)
    return {
        "document": document.id,
        "state": str(entry.state),
        "first_seen": document.since,
        "updated": entry.updated,
        "size": document.size,
        "digest": None if document.digest == UNREAD else document.digest,
        "media_type": document.media_type,
        "attempts": document.attempts,
        "chunks": entry.chunks,
        "whole": entry.whole,
        "shards": [
            {"shard": s, "first": first, "last": last} for s, first, last in ledger.placements(document.id)
        ],
        "entities": ledger.named(document.id),
        "duplicate_of": twin and printable(twin.document.source),
        "same_text_as": like and printable(like.document.source),
        "note": entry.note,
        "reason": entry.reason,
        "remedy": entry.remedy,
        "packed_in": None if document.parent is None else printable(document.parent),
        "packed": ledger.packed(document.source),
        "path": path,
        "there": there,
    }


def _lies(ledger: Ledger, paths: Paths, entry: Entry) -> tuple[str | None, bool | None]:
    """Where the file of a document lies, that of one that is packed around it; and whether it does.

    None where nobody kept it, and where it cannot be looked at.
    """
    around = ledger.outermost(entry.document) if entry.document.parent is not None else entry
    if around is None or around.destination == "":
        return None, None
    if around.destination is None:
        path = paths.inbox / around.document.source
    else:
        path = (paths.failed if around.state is State.FAILED else paths.archive) / around.destination
    return printable(str(path)), _there(path)


def _there(path: Path) -> bool | None:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True


def _trail(
    ledger: Ledger, source: str, entries: list[Entry], now: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """What happened, with the attempt that is under way, or that the daemon died in."""
    steps = ledger.trail(source)
    last = steps[-1].ended if steps else None
    for entry in entries:
        document = entry.document
        if is_first(str(entry.state), document.attempts, document.since, last) and not (steps and last is None):
            steps.append(Step(document.since, None, document.attempts, None, None, 1))
    told = [asdict(step) for step in steps]
    for n, step in enumerate(told):
        under_way = n == len(told) - 1 and now is not None and now["state"] in ("in hand", "read")
        if step["outcome"] is None and not under_way:
            step["outcome"] = str(Outcome.DIED)
    return told


def _in_inbox(ledger: Ledger | None, paths: Paths, asked: Asked, source: str) -> dict[str, Any]:
    """What is to be said of a path of the inbox that the ledger does not answer for."""
    path = paths.inbox / source
    seen: dict[str, Any] = {
        "path": printable(str(path)),
        "there": False,
        "why": None,
        "remedy": None,
        "size": None,
    }
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return seen
    except OSError as error:
        return seen | {"there": None, "why": f"it cannot be looked at: {error.strerror}"}
    seen |= {"there": True, "size": status.st_size}
    ignore = Ignore(asked.ignore)
    what = kind(status.st_mode)
    if hidden := next((part for part in source.split("/") if ignore(part)), None):
        seen["why"] = f"it is ignored: {ignore.rule(hidden)}"
        seen["remedy"] = "give it another name, or change inbox.ignore and reload"
    elif ledger is not None and (rule := Rules(ledger.rules())(source)):
        seen["why"] = f"it is ignored by the operator's rule {printable(rule)}"
        seen["remedy"] = f"to have it taken: bouquetd ignore --remove {quoted(rule)}"
    elif what == "a folder":
        seen["why"] = "it is a folder"
        seen["remedy"] = f"ask for what is in it: bouquetd files {pasted(f'{source}/*')}"
    elif what is not None:
        seen["why"] = f"it is left alone: it is {what}, and only regular files are taken"
        seen["remedy"] = "put the file itself in its place"
    elif ledger is not None and (reason := ledger.why_left_alone(source)):
        seen["why"] = f"it is left alone: {reason}"
    elif status.st_size > asked.max_file_size:
        seen["why"] = (
            f"it is too large and will be refused: {status.st_size / MB:.1f} MB, inbox.max_file_size is"
            f" {asked.max_file_size / MB:g} MB"
        )
        seen["remedy"] = "split it, or raise inbox.max_file_size and reload"
    return seen


def _verdict(story: Mapping[str, Any]) -> tuple[str, str]:
    """What it comes to, in a few words, and what to do."""
    now, inbox = story["now"] or {"state": "", "held": None}, story["inbox"]
    document = story["documents"][0] if story["documents"] else None
    if now["state"] in ("in hand", "read"):
        return ("in hand" if now["state"] == "in hand" else "read, on its way into the store"), "wait a moment"
    if inbox and inbox["why"]:
        return "in the inbox, not taken", inbox["remedy"] or "see that the daemon's user may read and move it"
    if now["state"] == "queued":
        return "waiting in the inbox", now["held"] or "wait: it is taken when its turn comes"
    if document is None:
        return _unheard_of(story)
    if inbox:
        return f"{document['state']}; a newer file of that name is in the inbox", _unheard_of(story)[1]
    return document["state"], _about(story, document, now)


def _unheard_of(story: Mapping[str, Any]) -> tuple[str, str]:
    inbox, source = story["inbox"], story["source"]
    if inbox["there"] is False:
        around = source.rpartition(PACKED)[0]
        if around:
            see = f"see bouquetd explain {pasted(around)}"
            return "unknown", f"nothing of that name was found in {around}; {see}"
        return "not there", f"drop it: copy it to {inbox['path']}"
    if not story["daemon"]:
        return "in the inbox", "no daemon runs; start it: bouquetd run, or systemctl start bouquetd"
    return "in the inbox", "wait: the next look at the inbox finds it (inbox.rescan)"


def _about(story: Mapping[str, Any], document: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    source = story["source"]
    match document["state"]:
        case "filed" | "complete":
            gone = document["there"] is False
            return "nothing: it can be found" + (
                "; only its file is no longer where it was put" if gone else ""
            )
        case "duplicate":
            first = document["duplicate_of"]
            return (
                f"nothing: it can be found as {first}" if first else "drop it again: what it was like is gone"
            )
        case "failed":
            remedy = sentence(document["remedy"] or "")
            by_itself = any(word in remedy.lower() for word in ("bouquetd retry", "drop "))
            return remedy if by_itself else f"{remedy} Then: bouquetd retry {pasted(source)}"
        case "forgotten":
            return "nothing; to have it stored again, drop it again"
    if now["held"]:
        return str(now["held"])
    if document["there"] is False:
        return "its file went away half-way; the next start drops what was read of it. Drop it again"
    if not story["daemon"]:
        return "start the daemon: it goes on by itself"
    return "wait: it goes on by itself"

"""The story of one file."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask_ledger, load, print_json
from bouquetd.errors import sentence


@app.command()
def explain(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A source as `files` shows it, a path, 'a.zip!/b' for what is packed, or a glob.",
        ),
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell the whole story of one file. What happened to it, where it is now, what to do.

    Exit status 1 when it is not known, or several are meant.
    """
    loaded = load(config)
    inbox = loaded.settings.inbox
    found = ask_ledger(
        loaded,
        "explain",
        file=file,
        path=os.path.abspath(file),
        ignore=list(inbox.ignore),
        max_file_size=inbox.max_file_size,
    )
    story = found.get("story")
    if as_json:
        print_json(found)
    elif story is None:
        print("\n".join(found["sources"]))
        print(f"{found['number']:,} documents fit; name one of them.")
    else:
        print("\n".join(told(story)))
    sys.exit(OK if story and story["state"] not in ("not there", "unknown") else FAILED)


def told(story: Mapping[str, Any]) -> Iterator[str]:
    """The story in lines."""
    yield f"{story['source']}: {story['state']}"
    for document in story["documents"]:
        yield from _document(document)
    for step in story["trail"]:
        label = "happened" if step["attempt"] is None else f"attempt {step['attempt']}"
        yield f"  {label:<11} {_step(step)}"
    if story["now"]:
        yield from _now(story["now"])
    inbox = story["inbox"]
    if inbox and inbox["why"]:
        yield f"  why         {sentence(inbox['why'])}"
    if inbox and inbox["there"]:
        yield f"  lies in     {inbox['path']}"
    yield f"  what to do  {sentence(story['to_do'])}"


def _document(document: Mapping[str, Any]) -> Iterator[str]:
    from bouquetd.ops.figures import count, size

    what = ", ".join(filter(None, (size(document["size"]), document["media_type"])))
    state = f"{document['state']} {_when(document['updated'])}"
    yield f"  first seen  {_when(document['first_seen'])}; {what}; {state}"
    if document["chunks"]:
        shards = ", ".join(f"{s['shard']} ({s['first']}-{s['last']})" for s in document["shards"])
        named = f"; {count(document['entities'], 'entity').replace('entitys', 'entities')}"
        so_far = "" if document["whole"] else " so far"
        yield f"  chunks      {document['chunks']:,}{so_far}, in shard {shards}{named}"
    for label, key in (
        ("duplicate", "duplicate_of"),
        ("same text", "same_text_as"),
        ("packed in", "packed_in"),
    ):
        if document[key]:
            yield f"  {label:<11} {'of ' * (key == 'duplicate_of')}{document[key]}"
    if document["packed"]:
        states = ", ".join(f"{number:,} {state}" for state, number in document["packed"].items())
        yield f"  packed      in it: {states}"
    for label in ("reason", "note"):
        if document[label]:
            yield f"  {label:<11} {sentence(document[label])}"
    if document["path"]:
        there = {True: "", False: ", but it is not there", None: ", which cannot be looked at"}[
            document["there"]
        ]
        yield f"  lies in     {document['path']}{there}"


def _step(step: Mapping[str, Any]) -> str:
    outcome, detail = step["outcome"], step["detail"]
    how = {
        None: "under way",
        "died": "the process died in it (killed, or the machine went down)",
        "stopped": "given back: the daemon was stopped",
        "held up": f"given back: held up, {detail}",
        "abandoned": "dropped: its file changed or went away, or its chunks were lost",
        "failed": f"failed: {detail}",
        "duplicate": f"a duplicate of {detail or 'another'}: not stored again",
        "seen again": "it came again, unchanged: not stored again",
        "put back": "put back into the inbox (bouquetd retry)",
        "forgotten": "taken out of the store (bouquetd forget)",
    }.get(outcome, outcome)
    times, began, ended = step["times"], step["began"], step["ended"]
    if times > 1:
        return f"{_when(began)}, {times} times until {_when(ended)}: {how}"
    took = f" for {ended - began:.1f} s" if step["attempt"] and ended and outcome not in ("died", None) else ""
    return f"{_when(began)}{took}: {how}"


def _now(now: Mapping[str, Any]) -> Iterator[str]:
    from bouquetd.ops.figures import lasting, percent

    match now["state"]:
        case "in hand":
            stage = f", {now['stage']}" if now.get("stage") else ""
            yield f"  now         {percent(now['share'])} read, {now['chunks']:,} chunks{stage}"
        case "read":
            yield "  now         read to its end; its last chunks are being embedded and stored"
        case "queued":
            settling = f", taken in {lasting(now['due'])} at the earliest" if now["due"] else ""
            tried = f", tried {now['tries']} times" if now["tries"] else ""
            yield (
                f"  now         {now['place']:,} of {now['files']:,} in the queue, quiet for"
                f" {lasting(now['quiet'])}{settling}{tried}"
            )


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))

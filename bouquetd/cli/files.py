"""Documents: list them, try them again, forget them, compare them with the store."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask, ask_ledger, load, print_json
from bouquetd.errors import sentence
from bouquetd.model import State


@app.command()
def files(
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only these; may be given more than once.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 100,
    ignored: Annotated[
        bool,
        typer.Option(
            "--ignored", help="What lies in the inbox and is ignored for its name, and by which rule."
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List documents with their states, the ones that changed last first."""
    if ignored:
        loaded = load(config)
        names = ask_ledger(loaded, "ignored", patterns=list(loaded.settings.inbox.ignore))
        if as_json:
            print_json(names)
        else:
            for item in names:
                print(f"{item['source']}: {item['reason']}")
            print(f"{len(names)} ignored." if names else "Nothing in the inbox is ignored.")
        return
    found = ask_ledger(load(config), "files", states=[str(s) for s in state or ()], limit=limit)
    if as_json:
        print_json(found)
        return
    rows, alone = found["documents"], found["left_alone"]
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["updated"]))
        why = f"  {sentence(row['reason'])} {sentence(row['remedy'])}" if row["reason"] else ""
        why = f"  {sentence(row['note'])}" if row["note"] and not why else why
        why += f"  Its text is that of {row['same_text_as']}." if row["same_text_as"] else ""
        print(f"{when}  {row['state']:<9} {row['chunks']:>6} chunks  {row['source']}{why}")
    for item in alone:
        print(f"{'':16}  left alone               {item['source']}  {item['reason']}")
    if not rows and not alone:
        print("No documents" + (" in that state." if state else " yet. Drop files into the inbox."))


@app.command()
def retry(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources or globs, as `files` shows them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All failed files.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put failed files back into the inbox for a new try."""
    if not sources and not every:
        raise typer.BadParameter(
            "name files or globs, or say --all; `bouquetd files --state failed` lists them"
        )
    done = ask_ledger(load(config), "retry", patterns=["*"] if every else sources)
    if as_json:
        print_json(done)
    else:
        for item in done:
            print(f"{item['source']}: {item['error'] or 'put back into the inbox'}")
        if not done:
            print("No failed file of that name; `bouquetd files --state failed` lists them.")
    sys.exit(FAILED if not done or any(item["error"] for item in done) else OK)


@app.command()
def forget(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources or globs, as `files` shows them.")
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="With inbox.after: keep, all whose files are gone from the inbox.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Remove the chunks of documents from the store; their files stay where they are."""
    if not sources and not missing:
        raise typer.BadParameter("name files or globs, or say --missing; `bouquetd files` lists them")
    gone = ask(load(config), "forget", patterns=sources or [], missing=missing)
    if as_json:
        print_json(gone)
    else:
        for source in gone:
            print(f"{source}: forgotten")
        if not gone:
            print("No document of that name in the store; `bouquetd files` lists them.")
    sys.exit(OK if gone else FAILED)


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is wrong.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare ledger and store chunk by chunk; exit status 1 when they differ.

    What the index of words lacks is counted too; the daemon mends that by itself.
    """
    report = ask(load(config), "verify", repair=repair)
    if as_json:
        print_json(report)
    else:
        for line in report["repaired"]:
            print(f"Repaired: {line}")
        for finding in report["findings"]:
            where = f"Shard {finding['shard']}: " if finding["shard"] else ""
            print(f"{where}{finding['source']}: {finding['problem']}")
        words = report["words"]
        if words["missing"] or words["stray"]:
            print(
                f"The index of words lacks {words['missing']} chunks; {words['stray']} are of no document."
                + (" The daemon mends that when it has nothing else to do." if words["mendable"] else "")
            )
        print(
            f"{report['documents']} documents, {report['chunks']} chunks in {report['shards']} shards: "
            + ("all there, none too many." if not report["faults"] else f"{report['faults']} faults."
               + ("" if repair else " Put them right with: bouquetd verify --repair"))
        )  # fmt: skip
    sys.exit(FAILED if report["faults"] else OK)

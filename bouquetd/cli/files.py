"""Documents: list them, try them again, forget them, compare them with the store."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask, ask_ledger, load, print_json
from bouquetd.cli.preview import DryRunOption, SinceOption, YesOption, agreed, valid, when
from bouquetd.errors import sentence
from bouquetd.model import State, pasted, printable
from bouquetd.selection import Sort

if TYPE_CHECKING:
    from bouquetd.config import Config


@app.command()
def files(
    globs: Annotated[
        list[str] | None,
        typer.Argument(metavar="GLOB...", help="Only sources that fit one of these; * goes past /."),
    ] = None,
    state: Annotated[
        list[State] | None,
        typer.Option(
            "--state", metavar="STATE", help=f"Only these of {', '.join(State)}; may be given more than once."
        ),
    ] = None,
    since: SinceOption = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Kinds of files, pdf, mail and so on, or a media type."),
    ] = None,
    larger: Annotated[
        str | None, typer.Option("--larger", metavar="SIZE", help="Files of at least that: 10MB.")
    ] = None,
    sort: Annotated[
        Sort, typer.Option("--sort", help="The newest, largest, most first; names from A on.")
    ] = Sort.UPDATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="So many a page.")] = 100,
    page: Annotated[int, typer.Option("--page", metavar="N", min=1, help="Which page.")] = 1,
    ignored: Annotated[
        bool,
        typer.Option("--ignored", help="What lies in the inbox and is ignored, and by which rule."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List documents with their states, the last changed first."""
    loaded = load(config)
    if ignored:
        _print_ignored(
            ask_ledger(loaded, "ignored", patterns=list(loaded.settings.inbox.ignore)), as_json=as_json
        )
        return
    found = ask_ledger(
        loaded,
        "files",
        patterns=globs or [],
        states=[str(s) for s in state or ()],
        since=when(since),
        kinds=list(map(_kind, kind or ())),
        larger=_bytes(larger),
        sort=str(sort),
        descending=(sort is not Sort.NAME) is not reverse,
        limit=limit,
        offset=(page - 1) * limit,
    )
    if as_json:
        print_json(found)
        return
    rows, alone, total = found["documents"], found["left_alone"], found["total"]
    for row in rows:
        _print_row(row)
    for item in alone:
        print(f"{'':16}  left alone                          {item['source']}  {item['reason']}")
    if not rows and not alone:
        narrowed = globs or state or since or kind or larger
        print("No documents" + (" like that." if narrowed or total else " yet. Drop files into the inbox."))
    elif total > len(rows):
        first = (page - 1) * limit
        more = f"; next: --page {page + 1}" if first + len(rows) < total else ""
        print(f"shown {first + 1:,}-{first + len(rows):,} of {total:,}{more}")


def _print_row(row: Mapping[str, Any]) -> None:
    from bouquetd.ops.figures import moment, size

    when = moment(row["updated"])
    why = f"  {sentence(row['reason'])} {sentence(row['remedy'])}" if row["reason"] else ""
    why = f"  {sentence(row['note'])}" if row["note"] and not why else why
    why += f"  Its text is that of {row['same_text_as']}." if row["same_text_as"] else ""
    print(f"{when}  {row['state']:<9} {row['chunks']:>6} chunks {size(row['size']):>10}  {row['source']}{why}")


def _print_ignored(names: Sequence[Mapping[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json(list(names))
        return
    for item in names:
        print(f"{item['source']}: {item['reason']}")
    print(f"{len(names)} ignored." if names else "Nothing in the inbox is ignored.")


@app.command()
def retry(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="GLOB...", help="Sources or globs, as `files` shows them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All failed files.")] = False,
    since: SinceOption = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Only those with that in their reason.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put failed files back into the inbox for a new try.

    On a terminal it asks before it touches many.
    """
    if not (sources or every or since or reason):
        raise typer.BadParameter(
            "name files or globs, or say --all; `bouquetd files --state failed` lists them"
        )
    loaded = load(config)
    meant: dict[str, Any] = {"patterns": sources or [], "since": when(since), "reason": reason}
    found = ask_ledger(loaded, "preview", command="retry", **meant)
    if not agreed("put back into the inbox", found, sources, dry_run, yes, as_json):
        return
    done = _rounds(partial(ask_ledger, loaded, "retry", **meant))
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
        list[str] | None, typer.Argument(metavar="GLOB...", help="Sources or globs, as `files` shows them.")
    ] = None,
    since: SinceOption = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="With inbox.after: keep, all whose files are gone from the inbox.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Remove the chunks of documents from the store. Their files stay where they are.

    On a terminal it asks before it touches many. What still waits in the inbox is named.
    """
    if not (sources or since or missing):
        raise typer.BadParameter(
            "name files or globs, or say --since or --missing; `bouquetd files` lists them"
        )
    if missing and (sources or since):
        raise typer.BadParameter("--missing is for all whose files are gone; name files, or say --missing")
    loaded = load(config)
    meant: dict[str, Any] = {"patterns": sources or [], "since": when(since)}
    found = ask(loaded, "missing") if missing else ask_ledger(loaded, "preview", command="forget", **meant)
    if not agreed("forgotten", found, sources, dry_run, yes, as_json):
        return
    gone = _rounds(partial(ask, loaded, "forget", **meant, missing=missing))
    if as_json:
        print_json(gone)
    else:
        for source in gone:
            print(f"{source}: forgotten")
        if not gone:
            print("No document of that name in the store; `bouquetd files` lists them.")
        if sources:
            _print_waiting(loaded, sources)
    sys.exit(OK if gone else FAILED)


def _rounds(asked: Callable[..., dict[str, Any]]) -> list[Any]:
    """What was done in all, asked for a number of documents at a time."""
    done: list[Any] = []
    after: str | None = ""
    while after is not None:
        answer = asked(after=after)
        done += answer["done"]
        after = answer["after"]
    return done


def _print_waiting(config: "Config", globs: list[str]) -> None:
    """What of these still waits in the inbox, and would be stored after all."""
    from bouquetd.ops.figures import count

    settings = config.settings
    waiting = ask_ledger(config, "waiting", patterns=globs, ignore=list(settings.inbox.ignore))
    if not waiting["number"]:
        return
    shown = ", ".join(waiting["sources"][:3]) + ", ..." * (waiting["number"] > 3)
    print(
        f"{count(waiting['number'], 'file')} still in the inbox would be stored all the same: {shown}\n"
        f"  To prevent that, move them out of {printable(str(settings.paths.inbox))}, or: bouquetd ignore"
        f" {pasted(*globs)}"
    )


def _kind(name: str) -> str:
    from bouquetd.ops.filters import media_types

    valid("--kind", media_types, name)
    return name


def _bytes(larger: str | None) -> int:
    from bouquetd.config.units import read_size

    try:
        return 0 if larger is None else read_size(larger)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--larger") from None


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is wrong.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare ledger and store chunk by chunk. Exit status 1 when they differ.

    What the index of words and the kept records lack is counted too; the daemon mends that by itself.
    """
    from bouquetd.ops.figures import count

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
        if report["unkept"]:
            print(
                f"Of full shards {count(report['unkept'], 'record')} are not kept as they must be."
                " The daemon mends that when it has nothing else to do."
            )
        print(
            f"{count(report['documents'], 'document')}, {count(report['chunks'], 'chunk')} in"
            f" {count(report['shards'], 'shard')}: "
            + ("all there, none too many." if not report["faults"] else f"{report['faults']} faults."
               + ("" if repair else " Put them right with: bouquetd verify --repair"))
        )  # fmt: skip
    sys.exit(FAILED if report["faults"] else OK)

"""Entities: the most frequent, and where one occurs."""

import sys
from itertools import groupby
from typing import Annotated

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask_ledger, load, print_json
from bouquetd.mentions import KINDS


@app.command()
def entities(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Part of a name or a glob; capitals make no difference."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help=f"Only these of {', '.join(KINDS)}; may be given more than once."
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", min=1, max=10_000, help="At most so many; without NAME, of each kind."
        ),
    ] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List who and what documents name most; with NAME, where. People, places, dates, addresses, numbers."""
    if unknown := [k for k in kind or () if k not in KINDS]:
        raise typer.BadParameter(f"no kind is called {unknown[0]}; there are {', '.join(KINDS)}")
    rows = ask_ledger(load(config), "entities", name=name, kinds=kind or [], limit=limit)
    if as_json:
        print_json(rows)
    elif name:
        for row in rows:
            print(f"{row['chunks']:>6} chunks  {row['kind']}:{row['value']}  {row['source']}")
        if len(rows) == limit:
            print(f"The first {limit}; --limit shows more.")
    else:
        for of_kind, group in groupby(rows, key=lambda row: row["kind"]):
            print(of_kind)
            for row in group:
                print(f"{row['documents']:>6} documents  {row['chunks']:>6} chunks  {row['value']}")
    if not rows and not as_json:
        print("No such entity is known." if name or kind else "No entities are known yet.")
    sys.exit(OK if rows or not (name or kind) else FAILED)

"""Find passages."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask, load, print_json
from bouquetd.errors import sentence

_NO_OPTION = re.compile(r"-+[^-a-zA-Z]|(?!--[a-z-]+=)-.*\s", re.DOTALL)


class Search(TyperCommand):
    """Takes a sentence that begins with a dash, as a number below zero does, for what it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put sentences where no option is looked for."""
        if "--" not in args:
            texts = [arg for arg in args if _NO_OPTION.match(arg)]
            args = [*(arg for arg in args if not _NO_OPTION.match(arg)), "--", *texts] if texts else args
        return super().parse_args(ctx, args)


@app.command(cls=Search)
def search(
    text: Annotated[str, typer.Argument(help="What you look for, in your own words.")],
    n: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many passages.")] = 5,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only passages whose metadata fit: 'media_type = \"application/pdf\" and page <= 3'.",
        ),
    ] = None,
    containing: Annotated[
        list[str] | None,
        typer.Option(
            "--containing",
            metavar="TEXT",
            help="Only passages in which this stands, capitals and all; may be given more than once.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find passages by meaning and by words; sees what was stored a moment ago."""
    from bouquetd.ops.where import parse

    try:
        condition = parse(where) if where is not None else None
    except ValueError as error:
        raise typer.BadParameter(
            f"{sentence(str(error))} Write for instance --where 'name = \"a.pdf\" and page <= 3'",
            param_hint="--where",
        ) from None
    hits = ask(load(config), "search", text=text, n=n, where=condition, texts=containing or [])
    if as_json:
        print_json(hits)
    else:
        for rank, hit in enumerate(hits, start=1):
            _print_hit(rank, hit)
        if not hits and (where or containing):
            print("Nothing found that fits --where and --containing.")
        elif not hits:
            print("Nothing found: the store is empty. Drop files into the inbox; see `bouquetd status`.")
    sys.exit(OK if hits else FAILED)


def _print_hit(rank: int, hit: dict[str, Any]) -> None:
    place = next((f", {key} {hit[key]}" for key in ("page", "row") if hit.get(key)), "")
    section = f", {' > '.join(hit['headings'])}" if hit.get("headings") else ""
    print(f"{rank}. {hit['source']}{place}{section}  (chunk {hit['chunk']}, distance {hit['distance']:.3f})")
    print("   " + " ".join(hit["text"].split())[:300] + "\n")

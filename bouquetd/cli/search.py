"""Find passages."""

import re
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask, load, print_json
from bouquetd.errors import Rejected, sentence

_NO_OPTION = re.compile(r"-+[^-a-zA-Z]|(?!--[a-z-]+=)-.*\s", re.DOTALL)


class Search(TyperCommand):
    """Takes a sentence that begins with a dash, as a number below zero does, for what it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put sentences where no option is looked for, but for those that are the value of one."""
        if "--" not in args:
            options = (param for param in self.params if isinstance(param, TyperOption))
            valued = {name for option in options if not option.is_flag for name in option.opts}
            texts: list[str] = []
            others: list[str] = []
            for before, arg in pairwise(["", *args]):
                (texts if _NO_OPTION.match(arg) and before not in valued else others).append(arg)
            args = [*others, "--", *texts] if texts else args
        return super().parse_args(ctx, args)


@app.command(cls=Search)
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you look for, in your own words.")],
    n: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1000, help="How many passages.")] = 5,
    context: Annotated[
        int,
        typer.Option(
            "--context", metavar="N", min=0, max=20,
            help="Show the whole passages, each with N chunks before and behind it.",
        ),
    ] = 0,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source", metavar="GLOB",
            help="Files, folders and what is packed in them: 'reports/*', 'mail.eml!/*'. One of several.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="WHEN",
            help="What was ingested since a date, 2026-01-31, or for so long: 30m, 12h, 7d, 2w.",
        ),
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            "--entity", metavar="NAME",
            help="What is named there, 'Ada Lovelace' or 'email:ada@example.org'. All of several.",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND",
            help="Kinds of files, pdf, mail, sheet and so on, or a media type. One of several.",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="CODE",
            help="The language of the document, as de or en.",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="CONDITION",
            help="What is stored beside the text: 'media_type = \"application/pdf\" and page <= 3'.",
        ),
    ] = None,
    containing: Annotated[
        list[str] | None,
        typer.Option(
            "--containing", metavar="TEXT",
            help="What must stand in the text, capitals and all. All of several.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:  # fmt: skip
    """Find passages by meaning and by words. It sees what was stored a moment ago."""
    from bouquetd.ops import filters
    from bouquetd.ops.filters import Conditions
    from bouquetd.ops.since import since as begin

    conditions = Conditions(
        where=_valid("--where", _parsed, where),
        containing=tuple(containing or ()),
        source=tuple(source or ()),
        since=_valid("--since", begin, since, time.time()),
        entity=tuple(entity or ()),
        kind=tuple(kind or ()),
        language=None if language is None else _valid("--language", filters.language, language),
    )
    for name in conditions.kind:
        _valid("--kind", filters.media_types, name)
    for name in conditions.entity:
        _valid("--entity", filters.entity, name)
    asked = {"question": text, "n": n, "conditions": asdict(conditions), "context": context, "merged": True}
    answer = ask(load(config), "search", **asked)
    passages = answer["passages"]
    if as_json:
        print_json(list(map(_plain, passages)))
    elif passages:
        from bouquetd.cli.passages import show

        show(text, passages, whole=context > 0)
    else:
        _print_searched(answer["searched"])
    sys.exit(OK if passages else FAILED)


def _valid(option: str, check: Any, *values: Any) -> Any:
    try:
        return check(*values)
    except Rejected as error:
        raise typer.BadParameter(error.told, param_hint=option) from None


def _parsed(where: str | None) -> Any:
    from bouquetd.ops.where import parse

    try:
        return parse(where) if where is not None else None
    except ValueError as error:
        raise Rejected(
            sentence(str(error)), "write for instance --where 'name = \"a.pdf\" and page <= 3'"
        ) from None


def _plain(passage: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in passage.items() if key != "metadata"}
    return {**known, "distance": round(passage["distance"], 4)}


def _print_searched(searched: dict[str, Any]) -> None:
    documents, chunks, fitting = searched["documents"], searched["chunks"], searched["fitting"]
    if not chunks:
        print("Nothing found: the store is empty. Drop files into the inbox; see `bouquetd status`.")
        return
    print(f"Nothing found. Searched: {_counted(documents, 'document')}, {_counted(chunks, 'chunk')}.")
    for label, count in fitting:
        print(f"   {label}: {_counted(count, 'chunk') if count else 'no chunk'}")
    none = [label.split(" ")[0] for label, count in fitting if not count]
    if none:
        print(f"Try it without {' and '.join(dict.fromkeys(none))}. {_hint(none)}".rstrip())
    else:
        print("Each fits some, all together none: leave one out.")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_HINTS = {
    "--source": "`bouquetd files` lists the sources.",
    "--kind": "`bouquetd files --json` has the media type of each document.",
    "--containing": "Capitals count in --containing.",
    "--entity": "An entity fits as it is stored; `bouquetd entities` lists them.",
    "--language": "Not every document says its language.",
    "--where": "`bouquetd search --json` shows what there is to compare with.",
}


def _hint(options: list[str]) -> str:
    return " ".join(_HINTS[option] for option in dict.fromkeys(options) if option in _HINTS)

"""What a command is about to do to many documents, shown first, and asked about where somebody sits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from bouquetd.cli.app import print_json
from bouquetd.selection import MAGIC

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Only say what would be done, and to how many.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def agreed(
    what: str,
    found: Mapping[str, Any],
    globs: Sequence[str] | None,
    dry_run: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> bool:
    """Whether to go on. ``found`` are the first ``sources`` and their ``number``, ``globs`` what named them.

    Shown in a dry run, and on a terminal before more than one is touched that was not named by itself. There it
    is asked about, and ends the command when the answer is no.
    """
    many = found["number"] > 1 and (not globs or any(map(MAGIC.search, globs)))
    ask = many and not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    if dry_run and as_json:
        print_json(dict(found))
    elif dry_run or ask:
        for source in found["sources"]:
            print(source)
        if (more := found["number"] - len(found["sources"])) > 0:
            print(f"... and {more:,} more")
        print(f"{found['number']:,} would be {what}.")
    if ask and not dry_run:
        typer.confirm("Go on?", abort=True)
    return not dry_run

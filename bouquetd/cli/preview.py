"""Many documents at once: since when, and what is about to be done to them, shown and asked about first."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast

import typer

from bouquetd.cli.app import print_json
from bouquetd.errors import Rejected
from bouquetd.selection import MAGIC

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Only say what would be done, and to how many.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", help="What changed since a date, 2026-01-31, or for so long: 1h, 7d."
    ),
]


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


def when(since: str | None) -> float | None:
    """Seconds since the epoch of ``--since``."""
    from bouquetd.ops.since import since as begin

    return cast("float | None", valid("--since", begin, since, time.time()))


def valid(option: str, check: Callable[..., Any], *values: Any) -> Any:
    """What ``check`` makes of the values of an option. Raises ``BadParameter`` where it refuses them."""
    try:
        return check(*values)
    except Rejected as error:
        raise typer.BadParameter(error.told, param_hint=option) from None

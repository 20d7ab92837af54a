"""The intake: pause it, let it go on, wait until the inbox is empty."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import ConfigOption, app, load
from bouquetd.errors import sentence

if TYPE_CHECKING:
    from bouquetd.config import Config


@app.command()
def pause(
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks at the status.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take no more files until `bouquetd resume`; searches go on.

    The batch in hand is finished; the file that it is of goes on there afterwards. It outlives restarts, and
    holds for `bouquetd once` too.
    """
    from bouquetd.pause import Pause

    loaded = load(config)
    asked, told = _ask(loaded, "pause", reason=reason)
    if not asked:
        told = Pause(loaded.settings.paths.state).begin(reason).told
    print(told if asked else f"{told} No daemon runs; the next one starts paused.")


@app.command()
def resume(config: ConfigOption = None) -> None:
    """End the pause: go on with the files in the inbox."""
    from bouquetd.pause import Pause

    loaded = load(config)
    asked, was = _ask(loaded, "resume")
    if not asked:
        was = Pause(loaded.settings.paths.state).end()
    ended = "the intake goes on" if asked else "the pause is over; no daemon runs (bouquetd run starts one)"
    print(sentence(ended if was else "nothing to do: the intake was not paused"))


def _ask(config: Config, op: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether a daemon runs, and what it answers."""
    from bouquetd.control import NoDaemon, request
    from bouquetd.running import SOCKET

    with suppress(NoDaemon):
        return True, request(config.settings.paths.runtime / SOCKET, op, 10.0, **arguments)
    return False, None

"""The daemon at work, live, on the whole terminal."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import ConfigOption, app, ask_ledger, load
from bouquetd.cli.daemon import look
from bouquetd.errors import Unavailable

if TYPE_CHECKING:
    from bouquetd.config import Config
    from bouquetd.memory.recorded import Recorded

RECENT = 40
"""Documents that the largest screen has room for."""


@app.command()
def top(
    once: Annotated[
        bool, typer.Option("--once", help="Draw one screen and leave; also where the output is no terminal.")
    ] = False,
    every: Annotated[
        float,
        typer.Option("--every", metavar="SECONDS", min=0.5, max=60.0, help="From one screen to the next."),
    ] = 1.0,
    config: ConfigOption = None,
) -> None:
    """Show the daemon at work on the whole terminal, live. q leaves."""
    draw = _drawing(load(config))
    if once or not sys.stdout.isatty():
        print("\n".join(draw()))
        return
    with _screen() as show:
        while True:
            show(draw())
            if _quit(every):
                return


def _drawing(loaded: "Config") -> Callable[[], list[str]]:
    """Draws the next screen."""
    from shutil import get_terminal_size

    from bouquetd.ops.top import screen, shares, with_now

    before: dict[str, Any] | None = None
    taken: dict[str, float] = {}
    plain = "utf" not in (sys.stdout.encoding or "").lower()

    def draw() -> list[str]:
        nonlocal before, taken
        shown = look(loaded)
        if "stages" in shown and (before is None or before["at"] != shown["at"]):
            taken, before = shares(before, shown), shown
        silent = bool(shown.get("silent"))
        recorded = with_now(_history(loaded, silent=silent), shown)
        files = [] if silent else _latest(loaded)
        columns, rows = get_terminal_size()
        return screen(shown, files, recorded, taken, columns=columns, rows=rows, plain=plain)

    return draw


def _latest(loaded: "Config") -> list[dict[str, Any]]:
    asked: dict[str, Any] = {"states": [], "sort": "updated", "descending": True, "limit": RECENT, "offset": 0}
    listed: list[dict[str, Any]] = ask_ledger(loaded, "files", **asked)["documents"]
    return listed


def _history(loaded: "Config", *, silent: bool) -> "Recorded":
    """Nothing where the daemon is ``silent`` or the file is damaged."""
    from dataclasses import replace

    from bouquetd.cli.memory import history
    from bouquetd.memory.recorded import NOTHING, parsed
    from bouquetd.ops.top import SPAN

    now = time.time()
    with suppress(Unavailable):
        if not silent:
            return parsed(history(loaded.settings.paths, now - SPAN))
    return replace(NOTHING, since=now - SPAN, until=now)


@contextmanager
def _screen() -> Iterator[Callable[[list[str]], None]]:
    """The other screen of the terminal, keys without Enter, and all as it was afterwards."""
    import termios
    import tty

    keys = sys.stdin.fileno() if sys.stdin.isatty() else None
    before = termios.tcgetattr(keys) if keys is not None else None
    if keys is not None:
        tty.setcbreak(keys)
    sys.stdout.write("\x1b[?1049h\x1b[?25l")

    def show(lines: list[str]) -> None:
        # Each line cleared to its end, then what is below: no flicker.
        sys.stdout.write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
        sys.stdout.flush()

    try:
        yield show
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        if keys is not None and before is not None:
            termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _quit(seconds: float) -> bool:
    """Wait that long; whether q was pressed meanwhile."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b"")

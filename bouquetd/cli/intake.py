"""The intake: pause it, let it go on, leave files out of it, wait until the inbox is empty."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask_ledger, load, print_json
from bouquetd.cli.daemon import starting
from bouquetd.cli.preview import DryRunOption, YesOption, agreed, when
from bouquetd.errors import sentence
from bouquetd.model import quoted

if TYPE_CHECKING:
    from bouquetd.config import Config

ANSWER = 60.0
"""Seconds that the daemon may take to answer."""

LOOK = 0.2
"""Seconds between two looks while waiting."""

NAMED = 20
"""Failed files that are named."""


@app.command()
def pause(
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks at the status.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take no more files until `bouquetd resume`. Searches go on.

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


@app.command()
def ignore(
    globs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GLOB...",
            help="Files of the inbox, as 'wrong/*'; * goes past /, a folder's name is all in it.",
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="The rules that there are.")] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="GLOB", help="Drop this rule; the files are taken then."),
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take no files of the inbox that fit a glob, from now on. What is stored already stays.

    `bouquetd files --ignored` lists what lies in the inbox and is ignored, and by which rule.
    """
    if not globs and not remove and not listed:
        raise typer.BadParameter("name files or globs, or say --list or --remove GLOB")
    loaded = load(config)
    asked = [_of_inbox(loaded, glob) for glob in globs or ()]
    gone = [_of_inbox(loaded, glob) for glob in remove or ()]
    if asked:
        hidden = list(loaded.settings.inbox.ignore)
        waiting = ask_ledger(loaded, "waiting", patterns=asked, ignore=hidden)
        if not agreed("ignored, of what waits in the inbox", waiting, asked, dry_run, yes, as_json):
            return
    done = ask_ledger(loaded, "ignore", add=asked, remove=gone)
    if as_json:
        print_json(done)
    elif listed:
        print("\n".join(done["rules"]) if done["rules"] else "There are no rules; inbox.ignore is in the YAML.")
    else:
        for glob in gone:
            known = glob not in done["unknown"]
            print(f"{glob}: {'no rule any more; its files are taken' if known else 'there is no such rule'}")
        for glob in asked:
            print(f"{glob}: ignored from now on; `bouquetd ignore --remove {quoted(glob)}` takes that back")
        if asked:
            _elsewhere(loaded, asked)
    sys.exit(FAILED if done["unknown"] else OK)


def _of_inbox(config: "Config", glob: str) -> str:
    """A glob that is a whole path, relative to the inbox. Raises ``BadParameter`` for one of elsewhere."""
    inbox = f"{config.settings.paths.inbox}/"
    if glob.startswith("/") and not glob.startswith(inbox):
        raise typer.BadParameter(f"{glob} is not in the inbox, which is {inbox}")
    return glob.removeprefix(inbox)


def _elsewhere(config: "Config", globs: list[str]) -> None:
    """What fits and is no longer in the inbox."""
    from bouquetd.ops.figures import count

    failed = ask_ledger(config, "preview", command="retry", patterns=globs)["number"]
    stored = ask_ledger(config, "preview", command="forget", patterns=globs)["number"]
    if failed:
        print(f"In failed/, and to stay there: {count(failed, 'file')}.")
    if stored:
        them = "it" if stored == 1 else "them"
        print(
            f"In the store, and to stay there: {count(stored, 'document')}; `bouquetd forget` takes {them} out."
        )


@app.command()
def drain(
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Wait no longer than that: 90s, 10m, 2h.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Name what failed since then too: 10m, 2h, a time."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Wait until all that lies in the inbox now is done, for scripts.

    Exit status 1 when a file failed meanwhile or time ran out, 69 when no daemon runs or it is paused.
    """
    from bouquetd.config.units import read_duration
    from bouquetd.control import SOCKET, request
    from bouquetd.errors import Unavailable

    try:
        until = None if timeout is None else time.monotonic() + read_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None
    before = when(since)
    loaded = load(config)
    socket = loaded.settings.paths.runtime / SOCKET
    while starting(loaded) and (until is None or time.monotonic() < until):
        time.sleep(LOOK)
    seen = request(socket, "drain", ANSWER)
    began, number = seen["at"] if before is None else before, seen["number"]
    with _bar() as show:
        while not seen["done"]:
            if seen["paused"]:
                raise Unavailable(seen["paused"].removesuffix("."), "then drain again")
            if until is not None and time.monotonic() >= until:
                print(f"bouquetd: Not empty after {timeout}: {_waits_for(seen)}.", file=sys.stderr)
                _failures(loaded, began)
                sys.exit(FAILED)
            show(seen)
            time.sleep(LOOK)
            seen = request(socket, "drain", ANSWER, number=number)
    sys.exit(FAILED if _failures(loaded, began) else OK)


def _waits_for(seen: dict[str, Any]) -> str:
    """What is not done yet, in words."""
    from bouquetd.ops.figures import count

    in_hand = f", {seen['current']} in hand" if seen["current"] else ""
    held = f". Held up: {seen['held'].rstrip('.')}" if seen["held"] else ""
    return f"{count(seen['files'], 'file')} to go{in_hand}{held}"


def _failures(config: "Config", since: float) -> int:
    """Name the files that failed since then; how many they are."""
    failed = ask_ledger(
        config, "files", states=["failed"], since=since, sort="updated", descending=False, limit=NAMED, offset=0
    )
    for row in failed["documents"]:
        print(f"bouquetd: {row['source']} failed: {sentence(row['reason'] or '')}", file=sys.stderr)
    if failed["total"] > NAMED:
        print(f"bouquetd: and {failed['total'] - NAMED:,} more; bouquetd files --state failed", file=sys.stderr)
    return int(failed["total"])


@contextmanager
def _bar() -> Iterator[Callable[[dict[str, Any]], None]]:
    """A progress bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, most = bar.add_task("looking", total=None), 0

        def show(seen: dict[str, Any]) -> None:
            nonlocal most
            most = max(most, seen["files"])
            about = seen["held"] or seen["current"] or ""
            bar.update(task, completed=most - seen["files"], total=most, description=about)

        yield show


def _ask(config: "Config", op: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether a daemon runs, and what it answers."""
    from bouquetd.control import SOCKET, NoDaemon, request

    with suppress(NoDaemon):
        return True, request(config.settings.paths.runtime / SOCKET, op, 10.0, **arguments)
    return False, None

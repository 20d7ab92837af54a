"""Another embedder or chunker for a store that is filled."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer

from bouquetd.cli.app import ConfigOption, app, load


@app.command()
def reindex(
    abandon: Annotated[bool, typer.Option("--abandon", help="Drop a reindexing that is half done.")] = False,
    config: ConfigOption = None,
) -> None:
    """Move the store to the embedder and chunker of the settings. It is made anew from its own texts.

    No daemon may run meanwhile; search, status and files are answered all the same, by the store as it was.
    Killed or stopped, the next call goes on where it was. A server that is away is waited for.
    """
    from bouquetd import reindexing

    loaded = load(config)
    if abandon:
        there = reindexing.abandon(loaded)
        print("Dropped what was half done." if there else "No reindexing is half done.")
        return
    sys.exit(reindexing.reindex(loaded, partial(print, flush=True), _shown))


@contextmanager
def _shown() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, else a line for each tenth."""
    if not sys.stderr.isatty():
        said = -1

        def line(share: float) -> None:
            nonlocal said
            if (tenth := int(share * 10)) > said:
                said = tenth
                print(f"{tenth * 10} %", flush=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reindexing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reindexing", total=1.0)
        yield lambda share: bar.update(task, completed=share)

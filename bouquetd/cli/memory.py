"""The history of memory: how much was taken, when, and by which file."""

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, load, print_json
from bouquetd.errors import Rejected, Unavailable
from bouquetd.model import printable

if TYPE_CHECKING:
    from bouquetd.config import Paths

SINCE = "24h"
"""How far back it looks unless told otherwise: last night's run is in it."""

WIDEST = 160
"""Columns of the curve on a wider terminal."""


@app.command()
def memory(
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="WHEN", help="From a date, 2026-01-31, or for so long: 30m, 12h, 7d, 2w."
        ),
    ] = SINCE,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write the curve as SVG.")] = None,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write the curve as PNG.")] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page: curve, peaks by file, pauses, restarts."),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Have the daemon write a memory report now, to hunt a leak with."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:  # fmt: skip
    """Show how much memory was taken when, and what took most. Pauses and restarts are told with their causes.

    A day is kept to 10 seconds, a month to 5 minutes. It needs no running daemon.
    """
    from bouquetd.memory.recorded import parsed, plain
    from bouquetd.ops import curve
    from bouquetd.ops.memory import sentences, summary

    paths = load(config).settings.paths
    if report:
        _report(paths, as_json=as_json)
        return
    stretch = parsed(history(paths, _since(since)))
    if as_json:
        from dataclasses import asdict

        print_json(plain(stretch) | {"summary": asdict(summary(stretch))})
    else:
        if stretch.samples and not (svg or png or html):
            print("\n".join(_curve(stretch)), end="\n\n")
        print("\n".join(sentences(stretch)))
    if svg:
        _write(svg, curve.svg(stretch).encode())
    if png:
        _write(png, curve.png(stretch))
    if html:
        from bouquetd.ops.memory_page import page

        _write(html, page(stretch).encode())
    sys.exit(OK if stretch.samples else FAILED)


def history(paths: "Paths", since: float) -> Any:
    """The daemon's answer, for whoever may reach it but not the file; without one, the file's own."""
    from bouquetd.control import SOCKET, NoDaemon, request
    from bouquetd.ops.memory import told

    with suppress(NoDaemon):
        return request(paths.runtime / SOCKET, "memory", 60.0, since=since)
    return told(paths, {"since": since})


def _report(paths: "Paths", *, as_json: bool) -> None:
    from bouquetd.control import SOCKET, NoDaemon, request

    try:
        written = request(paths.runtime / SOCKET, "report", 90.0)
    except NoDaemon:
        raise Unavailable(
            "no daemon runs, and a memory report is about a process",
            "start it with: bouquetd run, or systemctl start bouquetd",
        ) from None
    if as_json:
        print_json(written)
    else:
        print("\n".join(written["summary"]))
        print(f"Written: {printable(written['path'])}")


def _since(text: str) -> float:
    from bouquetd.ops.since import since

    try:
        found = since(text, time.time())
    except Rejected as error:
        raise typer.BadParameter(error.told, param_hint="--since") from None
    return found or 0.0


def _curve(stretch: Any) -> list[str]:
    from bouquetd.ops.curve import COLUMNS, ROWS, terminal

    columns = min(shutil.get_terminal_size((COLUMNS, ROWS)).columns, WIDEST)
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return terminal(stretch, columns=max(columns, 40), plain=not unicode or os.environ.get("TERM") == "dumb")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Unavailable(
            f"{printable(str(path))} cannot be written: {error.strerror}", "name a file in a folder of yours"
        ) from error
    print(f"Written: {printable(str(path))}", file=sys.stderr)

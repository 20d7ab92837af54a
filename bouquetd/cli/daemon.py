"""The daemon: run it, or once, and ask what it is doing."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask_ledger, load, print_json
from bouquetd.errors import Unavailable

if TYPE_CHECKING:
    from bouquetd.config import Config

HUNG = 3.0
"""Seconds that a daemon which makes no progress may take to answer."""


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground. This is what systemd starts.

    SIGTERM stops it after the batch in hand, SIGHUP reads the configuration again, SIGUSR1 writes a memory
    report.
    """
    # structlog, chromadb and others would load it, for tables and tracebacks that no daemon draws: 3 MB.
    sys.modules["rich"] = None  # type: ignore[assignment]

    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until it can be answered: left alone it ends a process
    loaded = load(config)
    if loaded.settings.memory.trace:  # before anything else is loaded
        import tracemalloc

        tracemalloc.start()

    from bouquetd.running import serve

    sys.exit(serve(loaded))


@app.command()
def once(config: ConfigOption = None) -> None:
    """Ingest what is in the inbox and leave. Exit status 1 when a file failed."""
    from bouquetd.running import drain

    loaded = load(config)
    sys.exit(drain(loaded))


@app.command()
def status(
    as_json: JsonOption = False,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="For monitors: say nothing, and end with 1 when somebody should look."),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Say what the daemon is doing. Exit status 1 when none runs or it is held up."""
    from bouquetd.ops.status import page

    loaded = load(config)
    if probe:
        sys.exit(FAILED if _trouble(loaded) else OK)
    shown = look(loaded)
    if as_json:
        print_json(shown)
    else:
        print("\n".join(page(shown, time.time())))
    sys.exit(OK if shown["running"] and shown["state"] not in ("holding", "paused", "hung") else FAILED)


def look(loaded: "Config") -> dict[str, Any]:
    """What the daemon says of itself, and its ledger; where none runs, its state is ``stopped``."""
    from bouquetd.ledger import FILE, NEXT
    from bouquetd.ops.overview import NOTHING
    from bouquetd.ops.status import AFRESH, hung, read
    from bouquetd.pause import Pause

    paths = loaded.settings.paths
    found = read(paths.runtime)
    running = found is not None and alive(found)
    shown: dict[str, Any] = {**(found or {}), "running": running, "mode": loaded.settings.store.mode}
    if not running:
        shown["state"] = "stopped"
        with suppress(PermissionError):  # who may not look in there is told below
            shown["half_reindexed"] = (paths.state / NEXT / FILE).exists()
            shown["paused"] = paused.told if (paused := Pause(paths.state).now) else None
    elif found and (why := hung(found, time.time())) is not None:
        shown |= {"state": "hung", "why": why, "remedy": AFRESH}
    try:
        shown |= ask_ledger(loaded, "overview", patience=HUNG if shown["state"] == "hung" else 60.0)
    except Unavailable:
        if shown["state"] != "hung":
            raise
        shown |= {**NOTHING, "silent": True}
    return shown


def starting(loaded: "Config") -> bool:
    """Whether a daemon is on its way up, and cannot be asked yet."""
    from bouquetd.ops.status import hung, read

    found = read(loaded.settings.paths.runtime)
    return bool(found and found["state"] == "starting" and alive(found) and not hung(found, time.time()))


def _trouble(loaded: "Config") -> str | None:
    """What is wrong with it, as ``/healthz`` judges, from the status alone."""
    from bouquetd.ops.status import read
    from bouquetd.ops.wellness import trouble

    found = read(loaded.settings.paths.runtime)
    return trouble(found if found and alive(found) else None, time.time())


def alive(seen: Mapping[str, Any]) -> bool:
    """Whether the process that said this still runs, whoever owns it."""
    try:
        os.kill(seen["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        stat = Path(f"/proc/{seen['pid']}/stat").read_text()
    except OSError:  # of others' processes no more may be known
        return True
    fields = stat.rpartition(")")[2].split()  # proc(5): its state first, its start in ticks of the machine's
    ticks = int(fields[19])
    if fields[0] == "Z":  # dead, and not yet buried
        return False
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return bool(time.time() - age <= seen["at"] + 1)  # a younger one has its number, and is another

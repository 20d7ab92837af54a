"""The daemon: run it, or once, and ask what it is doing."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, ask_ledger, load, print_json


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground; this is what systemd starts.

    SIGTERM stops it after the batch in hand, SIGHUP reads the configuration again.
    """
    # structlog, chromadb and others would load it, for tables and tracebacks that no daemon draws: 3 MB.
    sys.modules["rich"] = None  # type: ignore[assignment]

    from bouquetd.running import serve

    loaded = load(config)
    sys.exit(serve(loaded))


@app.command()
def once(config: ConfigOption = None) -> None:
    """Ingest what is in the inbox and leave; exit status 1 when a file failed."""
    from bouquetd.running import drain

    loaded = load(config)
    sys.exit(drain(loaded))


@app.command()
def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Say what the daemon is doing; exit status 1 when none runs or it is held up."""
    from bouquetd.ops.status import read
    from bouquetd.recovery import LEDGER, NEXT

    loaded = load(config)
    now, found = time.time(), read(loaded.settings.paths.runtime)
    running = found is not None and now - found["at"] < 10 and _alive(found["pid"])
    shown: dict[str, Any] = {
        **(found or {}), "running": running, "states": ask_ledger(loaded, "counts")
    }  # fmt: skip
    if not running:
        shown["state"] = "stopped"
        shown["half_reindexed"] = (loaded.settings.paths.state / NEXT / LEDGER).exists()
    if as_json:
        print_json(shown)
    else:
        _print_status(shown)
    sys.exit(OK if running and shown["state"] not in ("holding", "paused") else FAILED)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _print_status(shown: dict[str, Any]) -> None:
    why = f": {shown['why']}" if shown.get("why") else ""
    if "share" in shown and shown["running"]:
        why = f", {shown['share']:.0%}; files in the inbox wait until that is done".replace("%", " %")
    print(f"bouquetd is {shown['state']}{why}")
    if shown["running"]:
        rss, limit, peak = (f"{shown[key]:.0f} MB" for key in ("rss_mb", "limit_mb", "peak_mb"))
        print(f"  memory   {rss} RSS of {limit}, peak {peak}, VSZ {shown['vsz_mb']:.0f} MB")
        if "queue" in shown:
            print(f"  inbox    {shown['queue']['files']} waiting, watched by {shown['watch']}")
        if current := shown.get("current"):
            print(
                f"  now      {current['source']}, {current['share']:.0%} read, {current['chunks']} chunks,"
                f" {shown['chunks_per_second']:.0f} a second"
            )
    else:
        print("  start it with: bouquetd run, or systemctl start bouquetd")
        if shown["half_reindexed"]:
            print("  a reindexing is half done; bouquetd reindex goes on with it")
    states = ", ".join(f"{n} {state}" for state, n in shown["states"].items() if n)
    print(f"  ledger   {states or 'no documents yet'}")

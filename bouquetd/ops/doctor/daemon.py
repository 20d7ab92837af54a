"""Is the daemon at work: does it run, does it tick, what holds it up, which files failed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bouquetd import __version__
from bouquetd.errors import sentence
from bouquetd.ops.consistency import MOST
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import FRESH, NoRights, Surroundings

PAUSED = "paused.json"
"""In the state directory, while the operator has the intake paused."""


def runs(around: Surroundings) -> Iterator[Finding]:
    """There is a daemon, and its main thread still turns."""
    seen = around.status(around.settings)
    alive = seen is not None and around.alive(int(seen["pid"]))
    if seen is None or not alive:
        asked_for = around.service is not None and around.service.facts.get("UnitFileState") == "enabled"
        say = failed if asked_for else warned
        yield say("No daemon runs: files in the inbox wait.", around.start)
    elif (old := around.now - float(seen["at"])) > FRESH:
        yield failed(
            f"The daemon (pid {seen['pid']}) has not said anything for {old:.0f} s: it hangs.", around.restart
        )
    else:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(seen.get("since", seen["at"]))))
        yield passed(f"The daemon runs since {since} (pid {seen['pid']}).")


def works(around: Surroundings) -> Iterator[Finding]:
    """Nothing holds it up."""
    by_operator = _paused(around)
    if by_operator:
        yield warned("The intake was paused by hand: files in the inbox wait.", around.ours("resume"))
    seen = around.daemon
    if seen is None or by_operator:
        return
    if seen.get("version", __version__) != __version__:
        yield warned(
            f"The daemon is still of version {seen['version']}, and {__version__} is installed.", around.restart
        )
    state, why, queue = seen["state"], seen.get("why") or "", seen.get("queue") or {}
    told = f"It is {state}{f': {why}' if why else ''}"
    if state == "holding":
        remedy = seen.get("remedy")
        more = f" {sentence(str(remedy))}" if remedy else ""
        yield failed(f"{told}.{more}", around.ours("status"))
    elif state in ("paused", "throttled"):
        yield warned(
            f"{told}; {seen['rss_mb']:.0f} MB of {seen['limit_mb']:.0f} MB are in use.", around.ours("tune")
        )
    else:
        yield passed(f"It is {state}; {queue.get('files', 0)} files wait.")


def failures(around: Surroundings) -> Iterator[Finding]:
    """No file failed in the last day."""
    seen = around.seen()
    if seen is None:
        return
    if seen.failed:
        many = (
            "1 file" if seen.failed == 1 else f"{seen.failed}{' or more' if seen.failed >= MOST else ''} files"
        )
        yield warned(f"{many} failed in the last day.", around.ours("files --state failed"))
    else:
        yield passed("No file failed in the last day.")


def _paused(around: Surroundings) -> bool:
    try:
        return around.read(str(around.settings.paths.state / PAUSED)) is not None
    except NoRights:
        return False  # the status says it too

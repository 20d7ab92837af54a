"""Is the daemon at work: does it run, does it tick, what holds it up, which files failed."""

from __future__ import annotations

from collections.abc import Iterator

from bouquetd import __version__, pause
from bouquetd.errors import sentence
from bouquetd.ops.consistency import MOST
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import NoRights, Surroundings
from bouquetd.ops.figures import moment
from bouquetd.ops.status import hung


def runs(around: Surroundings) -> Iterator[Finding]:
    """There is a daemon, and its main thread still turns."""
    seen = around.status(around.settings)
    alive = seen is not None and around.alive(seen)
    if seen is None or not alive:
        asked_for = around.service is not None and around.service.facts.get("UnitFileState") == "enabled"
        say = failed if asked_for else warned
        yield say("No daemon runs: files in the inbox wait.", around.start)
    elif (why := hung(seen, around.now)) is not None:
        yield failed(f"The daemon (pid {seen['pid']}) hangs: {why}.", _afresh(around, int(seen["pid"])))
    elif seen["state"] == "starting":
        yield warned(f"The daemon (pid {seen['pid']}) is starting: {seen['why']}.", around.ours("status"))
    else:
        since = moment(float(seen.get("since", seen["at"])))
        yield passed(f"The daemon runs since {since} (pid {seen['pid']}).")


def works(around: Surroundings) -> Iterator[Finding]:
    """Nothing holds it up."""
    seen, paused = around.daemon, _paused(around)
    if seen is not None and seen["state"] == "paused" and not str(seen.get("why")).startswith("memory"):
        paused = str(seen.get("why"))
    if paused is not None:
        yield warned(f"The intake is paused {paused}: files in the inbox wait.", around.ours("resume"))
    if seen is None or paused is not None or seen["state"] == "hung":  # of which ``runs`` tells
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


def _afresh(around: Surroundings, pid: int) -> str:
    """The command that ends one that hangs and starts another."""
    if around.service is not None and around.service.active:
        return around.restart
    return f"{'' if around.uid in (0, around.account.uid) else 'sudo '}kill -9 {pid} && {around.own('run')}"


def _paused(around: Surroundings) -> str | None:
    """Who paused the intake and since when, in words; None where nobody did."""
    try:
        text = around.read(str(around.settings.paths.state / pause.FILE))
        return None if text is None else pause.Note.of(text).told
    except NoRights:
        return None  # the status says it too
    except ValueError:
        return "by the operator"

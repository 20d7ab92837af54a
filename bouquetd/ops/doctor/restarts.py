"""How did the daemon end in the last days, if not by a stop: as systemd wrote it down, or the daemon did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bouquetd.errors import Explained
from bouquetd.model import printable
from bouquetd.ops.doctor.finding import Finding, passed, warned
from bouquetd.ops.doctor.surroundings import NoRights, Service, Surroundings
from bouquetd.ops.figures import moment

LINES = 200
"""Lines of the journal that are looked at, the last ones."""

SHOWN = 3
"""Deaths that are told one by one."""

DAYS = 7

CAUSES = (
    ("killed by the OOM killer", "the kernel killed it for its memory", "tune"),
    ("Watchdog timeout", "the watchdog ended it: no progress for a minute", "status"),
    ("Failed with result 'oom-kill'", "the kernel killed it for its memory", "tune"),
    ("status=75/", "memory stayed short, so it started afresh", "tune"),
    ("status=78/", "configuration or machine do not fit", "check"),
    ("code=killed, status=9/KILL", "it was killed (SIGKILL)", "status"),
    ("code=dumped", "it crashed", "status"),
    ("Main process exited", "it ended by itself", "status"),
)
"""What systemd says, what that means, and the command of ours that helps; the first that fits counts."""


def deaths(around: Surroundings) -> Iterator[Finding]:
    """What ended the daemon in the last days, if not a person."""
    service = around.service
    if service is None or not service.loaded:
        yield from _recorded(around)
        return
    said = around.run(_journal(service))
    restarts = service.facts.get("NRestarts", "0")
    if said.status != 0:
        yield warned(f"The journal cannot be read: {printable(said.err)[:200] or said.status}.", around.again)
        return
    found = list(_deaths(said.out))
    if not found and "not seeing messages" in said.err:
        yield warned("The journal of the system is not yours to read.", around.again)
    elif not found:
        again = f"; {restarts} restarts since it was started" if restarts != "0" else ""
        yield passed(f"In the last {DAYS} days nothing ended it but a stop{again}.")
    else:
        for when, why, helps in found[-SHOWN:]:
            yield warned(f"{when}: {why}.", around.ours(helps))
        if len(found) > SHOWN:
            unit = "--user-unit" if service.user else "-u"
            yield warned(
                f"It ended so {len(found)} times in the last {DAYS} days.",
                f"{around.sudo}journalctl {unit} {service.name} -p warning --since -{DAYS}d",
            )


def _recorded(around: Surroundings) -> Iterator[Finding]:
    """What the daemon itself took down of those before it, where there is no unit and so no journal of it."""
    try:
        found = around.ends(around.settings, around.now - DAYS * 86_400)
    except (Explained, NoRights):
        return  # the state is not ours to see, which the rights say
    for at, why in found[-SHOWN:]:
        yield warned(f"{moment(at)}: the daemon died, {why}.", around.ours(f"memory --since {DAYS}d"))
    if not found:
        yield passed(f"In the last {DAYS} days no daemon died.")


def _journal(service: Service) -> list[str]:
    matches = ["--user", f"USER_UNIT={service.name}"] if service.user else ["_PID=1", f"UNIT={service.name}"]
    return ["journalctl", *matches, "-o", "json", "-n", str(LINES), "--since", f"-{DAYS}d", "--no-pager"]


def _deaths(lines: str) -> Iterator[tuple[str, str, str]]:
    """When, why, and what helps; of several lines about one death the one that says most."""
    last, rank = None, len(CAUSES)
    for line in lines.splitlines():
        entry = _entry(line)
        message = entry.get("MESSAGE")
        if not isinstance(message, str) or "code=exited, status=0/" in message:
            continue
        known = [n for n, (words, _, _) in enumerate(CAUSES) if words in message]
        if message.startswith(("Started ", "Starting ", "Stopped ")) or "Scheduled restart" in message:
            if last:
                yield last
            last, rank = None, len(CAUSES)
        elif known and known[0] < rank:
            rank = known[0]
            _, why, helps = CAUSES[rank]
            seconds = int(str(entry.get("__REALTIME_TIMESTAMP", "0"))) / 1e6
            last = moment(seconds), why, helps
    if last:
        yield last


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}

"""Is the unit installed, enabled, running, and the one that came with bouquetd."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from bouquetd.model import printable
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.installation import package
from bouquetd.ops.doctor.surroundings import NotKnown, Surroundings

ENABLED = ("enabled", "enabled-runtime", "linked", "static", "alias")


def installed(around: Surroundings) -> Iterator[Finding]:
    """There is a unit for this configuration, and it is to start at boot."""
    service = around.service
    if around.config_file is None:
        raise NotKnown
    if service is None:
        yield passed("No unit runs this configuration: it is for the foreground (bouquetd run).")
        return
    if not around.systemd:
        yield warned(f"systemd does not run here, so {service.name} cannot.", around.own("run"))
        return
    if not service.facts:
        yield warned(f"systemd does not answer, so nothing is known of {service.name}.", around.again)
        return
    if not service.loaded:
        mend = f"{around.program} install --user" if service.user else package(around)
        yield failed(f"{service.name} is not installed ({service.facts.get('LoadState')}).", mend)
        return
    state = service.facts.get("UnitFileState", "")
    if state not in ENABLED:
        yield warned(
            f"{service.name} is {state or 'not enabled'}, so it does not start at boot.",
            f"{around.systemctl} enable {service.name}",
        )
    else:
        yield passed(f"{service.name} is installed and {state}.")


def active(around: Surroundings) -> Iterator[Finding]:
    """It runs, and systemd knows what its file says now."""
    service = around.service
    if service is None or not service.loaded:
        return
    state = f"{service.facts.get('ActiveState')} ({service.facts.get('SubState')})"
    if not service.active:
        yield failed(
            f"{service.name} is {state}; the last run ended with {service.facts.get('Result')},"
            f" status {service.facts.get('ExecMainStatus')}.",
            f"{around.systemctl} start {service.name}",
        )
    else:
        yield passed(f"{service.name} is {state}.")
    if service.facts.get("NeedDaemonReload") == "yes":
        yield warned(
            f"The files of {service.name} were changed and systemd does not know yet.",
            f"{around.systemctl} daemon-reload && {around.systemctl} restart {service.name}",
        )
    if service.facts.get("WatchdogUSec") in ("0", "infinity", ""):
        yield warned(
            f"{service.name} has no watchdog: a daemon that hangs would hang for good.",
            around.drop_in("watchdog", {"WatchdogSec": "1min"}),
        )


def shipped(around: Surroundings) -> Iterator[Finding]:
    """Its file is the one that came with bouquetd; drop-ins are named, they are the operator's."""
    service = around.service
    if service is None or not service.loaded:
        return
    path = service.facts.get("FragmentPath", "")
    ours, theirs = around.shipped(service.file), around.read(path)
    if ours is None or theirs is None:
        yield warned(
            f"{path or service.name} cannot be compared with the one that came with bouquetd.", around.again
        )
    elif _plain(theirs) != _plain(ours):
        shadows = path.startswith("/etc/systemd/system/") and any(
            around.read(f"{root}/systemd/system/{service.file}") is not None for root in ("/usr/lib", "/lib")
        )
        again = f"{around.program} install --user" if service.user else f"{around.systemctl} cat {service.name}"
        yield warned(
            f"{printable(path)} differs from the unit that came with bouquetd; put changes into a drop-in"
            f" (systemctl edit {service.name}).",
            f"{around.systemctl} revert {service.name}" if shadows else again,
        )
    else:
        yield passed(f"{printable(path)} is the one that came with bouquetd.")
    if changed := service.facts.get("DropInPaths", "").split():
        names = " and ".join(printable(name) for name in changed)
        yield passed(f"Changed by {names}.", f"cat {' '.join(map(shlex.quote, changed))}")


def _plain(text: str) -> str:
    """A unit without what installing it changes: the path of the program."""
    return re.sub(r'^(Exec\w+)="[^"\n]*(?:\\"[^"\n]*)*"', r'\1="@BOUQUETD@"', text, flags=re.MULTILINE)

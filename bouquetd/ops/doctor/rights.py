"""May the daemon's user read and write its folders, and does the unit's sandbox let it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from bouquetd.model import printable
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import Service, Surroundings

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""


def folders(around: Surroundings) -> Iterator[Finding]:
    """Each folder that is there may be used by whom the daemon runs as."""
    name, sudo = around.account.name, "" if around.root else "sudo "
    unknown, wrong = [], False
    for key, path, writes in around.places:
        if not _there(path):
            continue
        shown, quoted = printable(str(path)), shlex.quote(str(path))
        allowed = around.may(path, "rwx" if writes else "rx")
        if allowed is None:
            unknown.append(key)
        elif not allowed:
            wrong = True
            shut = next((each for each in reversed(path.parents) if around.may(each, "x") is False), None)
            if shut is not None:
                way = printable(str(shut))
                told = f"The daemon's user {name} may not enter {way}, on the way to {shown} ({key})."
                yield failed(told, f"{sudo}chmod o+x {shlex.quote(str(shut))}")
                continue
            yield failed(
                f"The daemon's user {name} may not {'read and write' if writes else 'read'} {shown} ({key}).",
                f"{sudo}chown {name} {quoted} && {sudo}chmod u+rwx {quoted}",
            )
    if unknown:
        yield warned(
            f"Whether the daemon's user {name} may use {' and '.join(unknown)} is not yours to see.",
            around.again,
        )
    elif not wrong:
        yield passed(f"The daemon's user {name} may use its folders.")


def sandbox(around: Surroundings) -> Iterator[Finding]:
    """The unit lets the daemon see and write the folders that the configuration names."""
    service = around.service
    if service is None or not service.loaded:
        return
    hidden = [
        path
        for _, path, _ in around.places
        if service.facts.get("ProtectHome") in ("yes", "tmpfs") and any(_below(path, home) for home in HOMES)
    ]
    if hidden:
        yield failed(
            f"{service.name} hides {printable(str(hidden[0]))} from the daemon (ProtectHome=).",
            around.drop_in("home", {"ProtectHome": "no"}),
        )
    open_ = _writable(service)
    shut = [
        path
        for _, path, writes in around.places
        if writes and service.facts.get("ProtectSystem") == "strict"
        if not any(_below(path, each) for each in open_)
    ]
    if shut:
        named = " ".join(str(path) for path in shut)
        yield failed(
            f"{service.name} does not let the daemon write {' and '.join(printable(str(p)) for p in shut)}.",
            around.drop_in("paths", {"ReadWritePaths": named}),
        )
    if not hidden and not shut:
        yield passed(f"{service.name} lets the daemon write where the configuration says.")


def _writable(service: Service) -> list[Path]:
    places = [Path(word.lstrip("-+")) for word in service.facts.get("ReadWritePaths", "").split()]
    for key, root in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
        places += [Path(root, word) for word in service.facts.get(key, "").split()]
    return places


def _below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True

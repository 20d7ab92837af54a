"""May the daemon's user read and write its folders, and does the unit's sandbox let it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bouquetd.model import printable
from bouquetd.ops import systemd
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
    strict = service.facts.get("ProtectSystem") == "strict"
    places = [path for _, path, writes in around.places if writes and strict]
    shut = _outside(places, _writable(around, service))
    if shut:
        # The drop-in is written anew, so it has what an earlier one opened, too.
        wanted = [path for path in places if path in {*shut, *_outside(places, _as_shipped(around, service))}]
        made = [around.made(path) for path in wanted if not _there(path)]
        named = " ".join(systemd.word(str(path)) for path in wanted)
        yield failed(
            f"{service.name} does not let the daemon write {' and '.join(printable(str(p)) for p in shut)}.",
            " && ".join([*made, around.drop_in("paths", {"ReadWritePaths": named})]),
        )
    if not hidden and not shut:
        yield passed(f"{service.name} lets the daemon write where the configuration says.")


def _writable(around: Surroundings, service: Service) -> list[Path]:
    """Where the unit lets the daemon write; a path with a space, which systemctl keeps out, is in a drop-in."""
    words = service.facts.get("ReadWritePaths", "").split()
    for name in service.facts.get("DropInPaths", "").split():
        for line in re.findall(r"^ReadWritePaths=(.*)", around.read(name) or "", re.MULTILINE):
            words += systemd.words(line)
    return _opened(service.facts, words)


def _as_shipped(around: Surroundings, service: Service) -> list[Path]:
    """Where it would as it came with bouquetd."""
    instance = service.name.partition("@")[2].removesuffix(".service")
    text = (around.shipped(service.file) or "").replace("%i", instance)
    options = dict(re.findall(r"^(\w+)=(.*)", text, re.MULTILINE))
    return _opened(options, options.get("ReadWritePaths", "").split())


def _opened(options: Mapping[str, str], words: Iterable[str]) -> list[Path]:
    places = [Path(word.lstrip("-+")) for word in words]
    for key, root in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
        places += [Path(root, word) for word in options.get(key, "").split()]
    return places


def _outside(places: Iterable[Path], open_: Sequence[Path]) -> list[Path]:
    return [path for path in places if not any(_below(path, each) for each in open_)]


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

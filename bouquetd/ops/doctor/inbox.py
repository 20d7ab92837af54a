"""Will new files be noticed: the inbox itself, its file system, the kernel's watches, its files' times."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator

from bouquetd.inbox.watcher import SILENT
from bouquetd.inbox.watches import ENOUGH, tightest
from bouquetd.model import printable
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings, Tree
from bouquetd.ops.figures import count

CONFIGURED = "/etc/sysctl.d/60-bouquetd.conf"

ROOM = 1.25
"""Watches there should be for each folder that there is."""

INSTANCES, EVENTS = 512, 65_536
"""What to raise the limits to: plenty."""

LEAST_INSTANCES, LEAST_EVENTS = 32, 4096
"""Below these others on the machine may leave none, and a burst of files is lost until the next rescan."""


def there(around: Surroundings) -> Iterator[Finding]:
    """There is an inbox."""
    inbox = around.settings.paths.inbox
    name = printable(str(inbox))
    if os.path.isdir(inbox):
        yield passed(f"Files arrive in {name}.")
    elif around.may(inbox.parent, "rx") is None:
        yield warned(f"Whether {name} is there is not yours to see.", around.again)
    elif around.status(around.settings) is None and not os.path.lexists(inbox):
        yield passed(f"{name} is made when the daemon starts for the first time.")
    else:
        yield failed(
            f"The inbox {name} is not there: the daemon holds until it is made, or mounted.",
            around.made(inbox),
        )


def noticed(around: Surroundings) -> Iterator[Finding]:
    """Files that others put there are seen: by events, or by polling where the kernel sends none."""
    settings = around.settings.inbox
    kind = around.room(around.settings.paths.inbox).kind
    silent = bool(SILENT.fullmatch(kind))
    if silent and settings.watch == "native":
        yield warned(
            f"The inbox lies on {kind}, where files of other machines send no events: only rescans find them;"
            " set inbox.watch: auto.",
            around.edit,
        )
    elif silent or settings.watch == "polling":
        yield passed(f"The inbox lies on {kind}: it is looked at each {settings.poll:g} s.")
    else:
        yield passed(f"The inbox lies on {kind or 'a local file system'}: the kernel tells of new files.")


def watches(around: Surroundings) -> Iterator[Finding]:
    """The kernel's limits of inotify against the folders of the inbox: one watch for each."""
    inbox = around.settings.paths.inbox
    if around.settings.inbox.watch == "polling" or SILENT.fullmatch(around.room(inbox).kind):
        return
    tree = around.walk(inbox)
    name, most = tightest(around.read) or ("", sys.maxsize)
    running = around.daemon
    full = running and running.get("watches_full")
    if full or tree.folders * ROOM > most:
        why = "all watches are in use" if full else f"{most} watches are allowed"
        yield failed(
            f"The inbox has {_folders(tree)} and {why}: new files in the rest are found by rescans only.",
            _raise(around, full or name, ENOUGH),
        )
    elif name:
        yield passed(f"{_folders(tree).capitalize()} in the inbox, {most} watches allowed.")
    for name, least, better in (
        ("fs.inotify.max_user_instances", LEAST_INSTANCES, INSTANCES),
        ("fs.inotify.max_queued_events", LEAST_EVENTS, EVENTS),
    ):
        text = (around.read(f"/proc/sys/{name.replace('.', '/')}") or "").strip()
        if text.isdecimal() and int(text) < least:
            yield warned(
                f"{name} is {text}: other programs, or a burst of files, can use it up.",
                _raise(around, name, better),
            )


def times(around: Surroundings) -> Iterator[Finding]:
    """No file of the inbox claims to come from the future."""
    tree = around.walk(around.settings.paths.inbox)
    if tree.ahead:
        inbox = around.settings.paths.inbox
        yield warned(
            f"Files in the inbox have times in the future, {printable(tree.ahead[0])} among them: the clock of"
            " this machine, or of the sender, is wrong.",
            f"find {shlex.quote(str(inbox))} -newermt now -exec touch {{}} +",
        )
    elif not tree.whole:
        yield passed(f"None of the first {tree.files} files in the inbox has a time in the future.")
    else:
        yield passed("No file in the inbox has a time in the future.")


def _raise(around: Surroundings, name: str, value: int) -> str:
    setting = f"{name}={value}"
    sudo = "" if around.root else "sudo "
    return f"echo {setting} | {sudo}tee -a {CONFIGURED} && {sudo}sysctl {setting} && {around.restart}"


def _folders(tree: Tree) -> str:
    more = "" if tree.whole else " or more"
    return f"{count(tree.folders, 'folder')}{more}"

"""What the checks look at, handed to them: a configuration, a unit, and readers of the machine.

The checks ask nobody else, so a test can put any machine before them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bouquetd.config import Config, Settings
from bouquetd.errors import Explained
from bouquetd.ops import systemd
from bouquetd.ops.status import STALE
from bouquetd.recipe import Recipe

PATIENCE = 5.0
"""Seconds that another program, or a server, may take to answer."""

MOST_READ = 256 * 1024
"""Bytes of a small file, and of what a program says, that are looked at."""

NOT_THERE, TOO_LATE = 127, 124
"""Exit statuses of a program that is not installed, and of one that was not waited for (timeout(1))."""

PROPERTIES = (
    "LoadState", "FragmentPath", "DropInPaths", "UnitFileState", "ActiveState", "SubState", "NeedDaemonReload",
    "WatchdogUSec", "User", "Slice", "MemoryHigh", "MemoryMax", "MemorySwapMax", "NRestarts", "Result",
    "ExecMainStatus", "ProtectSystem", "ProtectHome", "ReadWritePaths", "StateDirectory", "RuntimeDirectory",
    "IPAddressDeny", "IPAddressAllow",
)  # fmt: skip
"""What is asked of the unit, all at once."""


class NotKnown(Exception):
    """A check needs something that the surroundings do not have: it is left out."""


class SaidElsewhere(Exception):
    """What a check needs is missing, and another check says so."""


class NoRights(Exception):
    """Whoever asks may not see it; the check is to be run by another."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a program answered."""

    status: int
    out: str = ""
    err: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the daemon."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """The unit that runs the configuration; ``facts`` are what systemd shows of it, empty where it is mute."""

    name: str
    user: bool
    facts: Mapping[str, str]

    @property
    def loaded(self) -> bool:
        """Whether systemd knows such a unit."""
        return self.facts.get("LoadState") == "loaded"

    @property
    def file(self) -> str:
        """The name of the file that it is made from: ``bouquetd@.service`` of an instance."""
        name = re.sub(r"@[^.]*\.", "@.", self.name)
        return f"user/{name}" if self.user else name

    @property
    def active(self) -> bool:
        """Whether it runs, or is about to."""
        return self.facts.get("ActiveState") in ("active", "activating", "reloading")


@dataclass(frozen=True, slots=True)
class Room:
    """A file system: an id that two places on it share, its type, and what is free, in bytes and in files.

    ``inodes`` is 0 where files are not counted.
    """

    device: int
    kind: str
    size: int
    free: int
    inodes: int
    free_inodes: int


@dataclass(frozen=True, slots=True)
class Tree:
    """What a bounded walk through the inbox saw; ``whole`` unless it was cut short."""

    folders: int
    files: int
    ahead: tuple[str, ...]
    """Some of the files whose time of change lies in the future."""
    whole: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the machine, in bytes; ``ceiling`` is the least of RAM and what the control groups above us allow."""

    ram: int
    available: int
    ceiling: int
    swap: int


@dataclass(frozen=True, slots=True)
class Packages:
    """What is installed: ``requirements`` of bouquetd as its package states them, versions by name."""

    python: str
    requirements: tuple[str, ...]
    version: Callable[[str], str | None]
    sqlite: str
    full_text: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ledger knows of the store, see ``ops.consistency``; ``running`` when the daemon itself said so.

    ``recipe`` is what the store was filled with, None where that is not recorded.
    """

    running: bool
    shards: int
    dirty: int
    chunks: int
    failed: int
    filled: bool
    recipe: Recipe | None
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it. A reader raises ``NoRights`` where whoever asks may not look."""

    config_file: Path | None
    named: bool
    """Whether the file was named on the command line, and is to be named in remedies."""
    config: Config | None
    problems: tuple[str, ...] = ()
    """Why there is no configuration, one line each."""

    program: str = "bouquetd"
    """What to type for bouquetd."""
    interpreter: str
    """The Python that runs it, which lies where it is installed."""
    uid: int
    account: Account
    home: Path
    now: float
    systemd: bool
    """Whether systemd runs this machine."""
    service: Service | None

    packages: Packages
    memory: Memory
    run: Callable[[Sequence[str]], Said]
    read: Callable[[str], str | None]
    """The text of a small file, None where there is none."""
    room: Callable[[Path], Room]
    """Of the file system that a place is on, or would be made on."""
    may: Callable[[Path, str], bool | None]
    """Whether the account may do all of "rwx" with a folder; None where that cannot be found out."""
    walk: Callable[[Path], Tree]
    shipped: Callable[[str], str | None]
    """The text of a unit as it comes with bouquetd."""

    status: Callable[[Settings], Mapping[str, Any] | None]
    """What the daemon last said of itself."""
    alive: Callable[[Mapping[str, Any]], bool]
    """Whether the process that said it still runs."""
    ledger: Callable[[Settings], Seen | None]
    """What the ledger says of the store, by the daemon or by itself; None where there is none yet."""
    prove: Callable[[Settings], bool]
    """Reads the ledger through; raises ``Corrupt`` where it is damaged, false where it is too large."""
    ends: Callable[[Settings, float], Sequence[tuple[float, str]]]
    """When daemons died since a time, and why, as the next one took it down; seconds since the epoch."""
    words: Callable[[Settings, int], bool]
    """Whether the index of words of a generation is there."""
    asked: Callable[[Settings], Recipe]
    """How the settings would fill a store."""
    reach: Callable[[Settings], None]
    """Raises ``Unavailable`` unless the Chroma server lets us in."""
    connect: Callable[[str, int], None]
    """Raises ``OSError`` unless somebody listens at a host and port."""
    resolve: Callable[[str], Sequence[str]]
    """The addresses of a host, none where it is not known."""

    @property
    def settings(self) -> Settings:
        """The settings; raises ``NotKnown`` where the configuration is broken."""
        if self.config is None:
            raise NotKnown
        return self.config.settings

    @property
    def root(self) -> bool:
        """Whether root asks."""
        return self.uid == 0

    @property
    def sudo(self) -> str:
        """What stands before a command that root must run."""
        return "" if self.root or (self.service is not None and self.service.user) else "sudo "

    @property
    def systemctl(self) -> str:
        """How whoever asks calls systemctl for the unit."""
        return "systemctl --user" if self.service is not None and self.service.user else f"{self.sudo}systemctl"

    @property
    def again(self) -> str:
        """The command that sees what whoever asks may not: the same as root."""
        return f"sudo {self.ours('doctor')}"

    def ours(self, arguments: str) -> str:
        """A command of bouquetd's about this configuration."""
        name = f" -c {shlex.quote(str(self.config_file))}" if self.named and self.config_file else ""
        return f"{self.program} {arguments}{name}"

    def own(self, arguments: str) -> str:
        """The same as the daemon's user, where it touches the daemon's files."""
        if self.uid == self.account.uid:
            return self.ours(arguments)
        how = f"runuser -u {self.account.name} --" if self.root else f"sudo -u {self.account.name}"
        return f"{how} {self.ours(arguments)}"

    @property
    def start(self) -> str:
        """The command that starts the daemon."""
        if self.service is not None and self.service.loaded:
            return f"{self.systemctl} start {self.service.name}"
        return self.own("run")

    @property
    def restart(self) -> str:
        """The command that starts it afresh."""
        if self.service is not None and self.service.loaded:
            return f"{self.systemctl} restart {self.service.name}"
        return self.own("run")

    @property
    def edit(self) -> str:
        """The command that opens the configuration."""
        name = shlex.quote(str(self.config_file))
        return f"sudoedit {name}" if self.sudo and self.service is not None else f"${{EDITOR:-vi}} {name}"

    def made(self, folder: Path) -> str:
        """The command that makes one of the folders, for the daemon's user."""
        who, paths, name = self.account, self.settings.paths, shlex.quote(str(folder))
        if who.uid == self.uid:
            return f"mkdir -p {name}"
        mode = {paths.inbox: "2770", paths.state: "0700", paths.store: "0700"}.get(folder, "2750")
        return f"{self.sudo}install -d -o {who.name} -g {who.gid} -m {mode} {name}"

    def drop_in(self, topic: str, options: Mapping[str, str]) -> str:
        """The command that sets options of the unit and puts them in force; "" where there is no unit."""
        if self.service is None:
            return ""
        path = systemd.drop_in(self.service.name, topic, user=self.service.user, home=self.home)
        written = systemd.pasteable(path, options, sudo=self.sudo)
        return f"{written} && {self.systemctl} daemon-reload && {self.systemctl} restart {self.service.name}"

    @property
    def places(self) -> Iterator[tuple[str, Path, bool]]:
        """The folders by name, and whether the daemon writes there; without those not in use."""
        settings = self.settings
        keep = settings.inbox.after == "keep"
        yield "inbox", settings.paths.inbox, not keep
        if settings.inbox.after == "archive":
            yield "archive", settings.paths.archive, True
        yield "failed", settings.paths.failed, True
        yield "state", settings.paths.state, True
        if settings.store.mode == "embedded":
            yield "store", settings.paths.store, True

    @property
    def daemon(self) -> Mapping[str, Any] | None:
        """What a daemon that is at work said of itself a moment ago; None where there is none."""
        try:
            seen = self.status(self.settings)
        except NoRights:
            return None  # ``daemon.runs`` says so
        if seen is None or seen["state"] == "starting" or not self.alive(seen):
            return None
        return None if self.now - float(seen["at"]) > STALE else seen

    def seen(self) -> Seen | None:
        """What the ledger says; raises ``SaidElsewhere`` where it cannot be read: ``store.ledger`` tells."""
        try:
            return self.ledger(self.settings)
        except (Explained, NoRights):
            raise SaidElsewhere from None


def run(command: Sequence[str]) -> Said:
    """Run a program, for ``PATIENCE`` seconds at most, with nothing to read and its words in English."""
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            list(command), capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
            env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Said(TOO_LATE, err=f"{command[0]} did not answer within {PATIENCE:g} s")
    except OSError as error:
        return Said(NOT_THERE, err=f"{command[0]}: {error.strerror}")
    out, err = (text[:MOST_READ].decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Said(done.returncode, out, err.strip())

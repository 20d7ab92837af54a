"""Everything is measured in a process of its own: a daemon as people run it, or a module of this package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from bouquetd.config import load
from bouquetd.config.settings import Paths
from bouquetd.ops import status
from bouquetd.recovery import LEDGER
from tests.bench.report import Failed

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).with_name("bouquetd"))

LOOK = 0.2
"""Seconds between two looks at a daemon."""

PATIENCE = 600.0
"""Seconds without any progress after which a run has failed."""

GLANCE = 0.02
"""Seconds between two looks where a moment is to be caught."""


def say(text: str) -> None:
    """A line for whoever watches a long measurement."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement is given: whether to be short, and a folder that is its own."""

    short: bool
    folder: Path

    def pick(self, short: int, full: int) -> int:
        """One of two sizes."""
        return short if self.short else full


@dataclass(frozen=True, slots=True)
class Home:
    """A configuration as ``bouquetd init`` writes it, with the folders beside it."""

    config: Path

    @classmethod
    def fresh(cls, folder: Path, **changes: Mapping[str, object]) -> Self:
        """``changes`` are options by section; all others are as shipped, but for the embedder: ``static``.

        What is measured with it is the path around the embedder, of which ``embedders`` measures each.
        """
        folder.mkdir(parents=True)
        config = folder / "bouquetd.yaml"
        subprocess.run([COMMAND, "init", config], check=True, stdout=subprocess.DEVNULL)
        values = yaml.safe_load(config.read_text())
        for section, options in ({"embed": {"provider": "static"}} | changes).items():
            values[section].update(options)
        config.write_text(yaml.safe_dump(values))
        return cls(config)

    def __getattr__(self, name: str) -> Path:
        """``inbox``, ``archive`` and so on: the configured folder, which is made when it is not there."""
        folder: Path = getattr(_paths(self.config), name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop(self, files: Sequence[Path]) -> None:
        """Copy files into the inbox, their times with them."""
        inbox = self.inbox
        for file in files:
            shutil.copy2(file, inbox)

    def ask(self, *command: str) -> Any:
        """What a command of ours answers in JSON."""
        done = subprocess.run(
            [COMMAND, *command, "--json", "-c", self.config], capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise Failed(f"bouquetd {command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
        return json.loads(done.stdout)

    def ledger(self, sql: str) -> tuple[Any, ...] | None:
        """The first row of an answer of the ledger, read beside its daemon; None while it gives none."""
        path = self.state / LEDGER
        with suppress(sqlite3.OperationalError):
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as db:
                row: tuple[Any, ...] | None = db.execute(sql).fetchone()
                return row
        return None

    def count(self, sql: str) -> int:
        """The number that the ledger answers; 0 while it gives none."""
        return int((self.ledger(sql) or (0,))[0] or 0)

    def prove(self, files: int) -> int:
        """Fail unless every file lies in the archive and every chunk in Chroma; returns the chunks."""
        found = self.ask("verify")
        archived = sum(1 for path in self.archive.rglob("*") if path.is_file())
        if found["faults"] or found["documents"] != files or archived != files or any(self.failed.iterdir()):
            raise Failed(
                f"{files} files were dropped: {archived} in the archive, {found['documents']} documents in the"
                f" store, {found['faults']} faults, in failed/: {[p.name for p in self.failed.iterdir()][:5]}"
            )
        return int(found["chunks"])


@cache
def _paths(config: Path) -> Paths:
    """Read once: whoever waits for a moment asks often, and must not take the daemon's time."""
    return load(config).settings.paths


class Daemon:
    """A real ``bouquetd run``, from READY to a clean stop, or from ``start`` to its death by ``kill``."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._runtime = home.runtime
        self._log = home.config.with_suffix(".log")

    def __enter__(self) -> Self:
        self.start()
        self.ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        code = self.stop()
        if code and kind is None and not self._killed:
            raise Failed(f"the daemon ended with {code}; its log: {self._tail()}")

    def start(self) -> None:
        """Begin the process; ``born`` is when, in seconds since the epoch."""
        self.born, self._killed = time.time(), False
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([COMMAND, "run", "-c", self.home.config], stderr=log)
        self.pid = self._process.pid

    def ready(self) -> float:
        """Return when it says READY: the seconds that its start took, by its own clock."""
        while (since := self.since) is None:
            time.sleep(LOOK)
        return since - self.born

    @property
    def since(self) -> float | None:
        """When it said READY, in seconds since the epoch; None as long as it did not."""
        seen = self._seen() or {}
        return float(seen["since"]) if seen.get("pid") == self.pid else None

    @property
    def code(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.poll()

    def stop(self) -> int:
        """SIGTERM, as an operator stops it; returns how it ended."""
        if self.code is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def freeze(self) -> None:
        """Stop every thread where it is, so that a look and the death after it see the same moment."""
        self._process.send_signal(signal.SIGSTOP)
        self.until(self._frozen, "its standstill")

    def _frozen(self) -> bool:
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        try:
            return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)
        except FileNotFoundError:  # a thread that has just ended
            return False

    def kill(self) -> None:
        """SIGKILL, as the kernel sends it when memory is short."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Return as soon as a condition is true; fails when the daemon ends or loses patience before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self._seen()
            if time.monotonic() > end:
                raise Failed(f"{what} never came; the daemon's log: {self._tail()}")
            time.sleep(GLANCE)

    def status(self) -> dict[str, Any]:
        """What the daemon said of itself within the last second."""
        seen = self._seen()
        if seen is None:
            raise Failed("the daemon's status went away")
        return seen

    def filed(self, documents: int, look: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
        """Return when so many documents were filed since the start; ``look`` sees every status on the way."""

        def judge(seen: dict[str, Any]) -> None:
            look(seen)
            if seen["failed"] or seen["duplicates"]:
                raise Failed(f"{seen['failed']} files failed, {seen['duplicates']} were duplicates")

        self.dealt_with(documents, judge)

    def dealt_with(self, files: int, look: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
        """Return when so many files were filed or refused since the start, whichever; ``look`` as ``filed``."""
        moved, progress = time.monotonic(), (-1, -1)
        while (seen := self.status())["documents"] + seen["failed"] < files:
            look(seen)
            if progress != (seen["documents"], seen["chunks"]):
                moved, progress = time.monotonic(), (seen["documents"], seen["chunks"])
            if time.monotonic() - moved > PATIENCE:
                raise Failed(f"no progress for {PATIENCE:.0f} s; the daemon's log: {self._tail()}")
            time.sleep(LOOK)
        look(seen)

    def _seen(self) -> dict[str, Any] | None:
        if self._process.poll() is not None:
            raise Failed(f"the daemon ended with {self._process.returncode}; its log: {self._tail()}")
        seen = status.read(self._runtime)
        return None if seen is None or seen["state"] == "starting" else seen

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]


def child(
    module: str, *arguments: object, log: Path, python: Path | str = sys.executable, **environment: str
) -> dict[str, Any]:
    """Run a module of this package in a fresh process; returns what it prints as JSON.

    ``python`` may be that of another virtual environment; ``environment`` is added to this process's own.
    """
    with open(log, "ab") as errors:
        done = subprocess.run(
            [python, "-m", f"tests.bench.{module}", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            check=False,
        )
    if done.returncode:
        raise Failed(
            f"tests.bench.{module} ended with {done.returncode}; {log.read_text(errors='replace')[-1000:]}"
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

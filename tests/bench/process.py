"""Everything is measured in a process of its own: a daemon as people run it, or a module of this package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from bouquetd.config import load
from bouquetd.ops import status
from tests.bench.report import Failed

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).with_name("bouquetd"))

LOOK = 0.2
"""Seconds between two looks at a daemon."""

PATIENCE = 600.0
"""Seconds without any progress after which a run has failed."""


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
        """``changes`` are options by section; all others are as shipped."""
        folder.mkdir(parents=True)
        config = folder / "bouquetd.yaml"
        subprocess.run([COMMAND, "init", config], check=True, stdout=subprocess.DEVNULL)
        if changes:
            values = yaml.safe_load(config.read_text())
            for section, options in changes.items():
                values[section].update(options)
            config.write_text(yaml.safe_dump(values))
        return cls(config)

    def __getattr__(self, name: str) -> Path:
        """``inbox``, ``archive`` and so on: the configured folder, which is made when it is not there."""
        folder: Path = getattr(load(self.config).settings.paths, name)
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


class Daemon:
    """A real ``bouquetd run``, from READY to a clean stop."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._log = home.config.with_suffix(".log")

    def __enter__(self) -> Self:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([COMMAND, "run", "-c", self.home.config], stderr=log)
        self.pid = self._process.pid
        self._runtime = self.home.runtime
        while (self._seen() or {}).get("pid") != self.pid:
            time.sleep(LOOK)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        if code and kind is None:
            raise Failed(f"the daemon ended with {code}; its log: {self._tail()}")

    def status(self) -> dict[str, Any]:
        """What the daemon said of itself within the last second."""
        seen = self._seen()
        if seen is None:
            raise Failed("the daemon's status went away")
        return seen

    def filed(self, documents: int, look: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
        """Return when so many documents were filed since the start; ``look`` sees every status on the way."""
        moved, progress = time.monotonic(), (-1, -1)
        while (seen := self.status())["documents"] < documents:
            look(seen)
            if seen["failed"] or seen["duplicates"]:
                raise Failed(f"{seen['failed']} files failed, {seen['duplicates']} were duplicates")
            if progress != (seen["documents"], seen["chunks"]):
                moved, progress = time.monotonic(), (seen["documents"], seen["chunks"])
            if time.monotonic() - moved > PATIENCE:
                raise Failed(f"no progress for {PATIENCE:.0f} s; the daemon's log: {self._tail()}")
            time.sleep(LOOK)
        look(seen)

    def _seen(self) -> dict[str, Any] | None:
        if self._process.poll() is not None:
            raise Failed(f"the daemon ended with {self._process.returncode}; its log: {self._tail()}")
        return status.read(self._runtime)

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]


def child(module: str, *arguments: object, log: Path) -> dict[str, Any]:
    """Run a module of this package in a fresh process; returns what it prints as JSON."""
    with open(log, "ab") as errors:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    if done.returncode:
        raise Failed(
            f"tests.bench.{module} ended with {done.returncode}; {log.read_text(errors='replace')[-1000:]}"
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

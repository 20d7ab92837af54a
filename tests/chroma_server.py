"""A real Chroma server of a test's own, on loopback, that can be killed and comes back on the same port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil
import yaml

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "chroma.yaml"
PROGRAM = str(Path(sys.executable).with_name("chroma"))

PATIENCE = 60.0
"""Seconds after which a server that does not answer counts as broken."""


class ChromaServer:
    """``chroma run`` on a folder, configured as shipped; use it in a ``with``."""

    def __init__(self, folder: Path, *, wrap: Sequence[str] = ()) -> None:
        """``wrap`` stands before the command."""
        self.folder = folder
        self._wrap = wrap
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        values = yaml.safe_load(SHIPPED.read_text()) | {"persist_path": str(folder / "data"), "port": self.port}
        (folder / "chroma.yaml").write_text(yaml.safe_dump(values))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Run it, and wait until it answers."""
        with open(self.folder / "chroma.log", "ab") as log:
            self._process = subprocess.Popen(
                [*self._wrap, PROGRAM, "run", str(self.folder / "chroma.yaml")],
                cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "ANONYMIZED_TELEMETRY": "FALSE"},
            )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while not self.answers():
            assert self._process.poll() is None, (self.folder / "chroma.log").read_text()
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether somebody is there."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Of the process that serves now."""
        assert self._process is not None
        return self._process.pid

    def indexes(self) -> set[Path]:
        """The folders of the indexes that it has in memory: it keeps their files open."""
        files = (Path(file.path) for file in psutil.Process(self.pid).open_files())
        return {file.parent for file in files if file.suffix == ".bin"}

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

"""A bouquetd of a test's own: a folder with its YAML, commands run on it, and real daemons in processes."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from unittest import mock

from bouquetd.assembly import Engine, engine
from bouquetd.cli import main
from bouquetd.config import Config, load
from bouquetd.ledger import Entry, Ledger
from bouquetd.model import Record
from bouquetd.recovery import LEDGER
from bouquetd.store.embedded import Embedded

T = TypeVar("T")

PROGRAM = str(Path(sys.executable).with_name("bouquetd"))

QUICK: dict[str, dict[str, object]] = {
    "inbox": {"settle": "50ms", "rescan": "1s"},
    # How short of memory the machine is must not decide a test, nor what the process that runs it has taken.
    "memory": {"pressure": "0%", "limit": "4GB"},
    "logging": {"format": "console"},
    "ocr": {"mode": "never"},  # nor what is installed on it
    "embed": {"provider": "static"},  # a hundred times as fast as the default, which some tests ask for
}

WAIT = 150.0
"""Seconds after which a condition counts as never to be met; no test expects to need them."""

AS_NOBODY_SPECIAL = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all") if os.geteuid() == 0 else ()
)
"""Put before a command, it makes file permissions bind even for root."""

OWN_MOUNTS = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-Urm")
"""Put before a command, it gives it mounts that nobody else sees and that vanish with it."""

WORDS = [
    "river",
    "stone",
    "lantern",
    "market",
    "winter",
    "engine",
    "garden",
    "letter",
    "silver",
    "window",
    "harbour",
    "candle",
    "forest",
    "mirror",
]


def prose(size: int, seed: int = 0) -> str:
    """About ``size`` characters of sentences, the same for the same seed."""
    sentences, length, number = [], 0, seed * 7919
    while length < size:
        picked = [WORDS[(number * (k + 3) + k * k + number // 14) % len(WORDS)] for k in range(9)]
        sentences.append(f"Sentence {seed}-{number} has {' '.join(picked)}.")
        length += len(sentences[-1]) + 1
        number += 1
    return " ".join(sentences)


def until(condition: Callable[[], T], what: str, details: Callable[[], str] = str) -> T:
    """Wait until a condition is true and return its value; fails with ``what`` when it never is."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"never: {what}\n{details()}")


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``one`` with the values of ``other``, section by section."""
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in one.items()}
    for key, value in other.items():
        result[key] = {**result.get(key, {}), **value} if isinstance(value, Mapping) else value
    return result


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Home:
    """A folder with a configuration, and all its folders beside it."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.configure(**self.options)
        for folder in (self.inbox, self.archive, self.failed):
            folder.mkdir(exist_ok=True)

    def configure(self, **sections: Any) -> None:
        """Write the YAML anew: quick options, and these above them."""
        self.options = sections
        self.yaml.write_text(json.dumps(merged(QUICK, sections)))  # JSON is YAML too

    @property
    def yaml(self) -> Path:
        return self.root / "bouquetd.yaml"

    @property
    def config(self) -> Config:
        return load(self.yaml)

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def failed(self) -> Path:
        return self.root / "failed"

    @property
    def runtime(self) -> Path:
        return self.root / "state" / "run"

    def put(self, source: str, content: str | bytes) -> Path:
        """Move a finished file into the inbox, as a careful sender does."""
        path = self.inbox / source
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.root / f"sending-{threading.get_ident()}"
        aside.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(aside, path)
        return path

    def note(self, source: str) -> str:
        """The ``.error`` beside a failed file."""
        return (self.failed / f"{source}.error").read_text()

    def seen_by(self, daemon: Daemon) -> Home:
        """The same home with the file systems that are mounted for that daemon only."""
        inside = copy.copy(self)
        inside.root = Path(f"/proc/{daemon.process.pid}/root{self.root}")
        return inside

    # -- commands -----------------------------------------------------------------------------------------

    def cli(self, *arguments: str) -> Outcome:
        """Run a command within this process, as ``bouquetd ARGUMENTS -c YAML``."""
        out, err, here = io.StringIO(), io.StringIO(), os.getcwd()
        command = ["bouquetd", *arguments, "-c", str(self.yaml)]
        status: int | str | None = 0
        with mock.patch.object(sys, "argv", command):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                except SystemExit as end:
                    status = end.code
                finally:
                    os.chdir(here)
        return Outcome(status if isinstance(status, int) else 0, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, wrap: Sequence[str] = (), **options: Any) -> Outcome:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [*wrap, PROGRAM, *arguments, "-c", str(self.yaml)],
            capture_output=True, text=True, errors="replace", timeout=2 * WAIT, **options,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    def once(self) -> Outcome:
        """Drain the inbox within this process."""
        return self.cli("once")

    # -- what is there ------------------------------------------------------------------------------------

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, beside whoever else has it open."""
        ledger = Ledger(self.root / "state" / LEDGER, check=False)
        try:
            yield ledger
        finally:
            ledger.close()

    def entries(self) -> dict[str, Entry]:
        """What the ledger says of each source, the newest first where there are several."""
        if not (self.root / "state" / LEDGER).exists():
            return {}
        with self.ledger() as ledger:
            found = sorted(ledger.entries(), key=lambda entry: entry.updated)
        return {entry.document.source: entry for entry in found}

    def states(self) -> dict[str, str]:
        """The state of each source."""
        return {source: str(entry.state) for source, entry in self.entries().items()}

    def stored(self) -> dict[str, Record]:
        """Everything in Chroma by chunk id. Only while no daemon runs."""
        chroma = Embedded(self.root / "store")
        found: dict[str, Record] = {}
        try:
            for name in sorted(n for n in chroma.names() if n.startswith("bouquet-")):
                records = chroma.get(name, sorted(chroma.ids(name)))
                assert not found.keys() & records.keys(), "a chunk lies in two shards"
                found |= records
        finally:
            chroma.close()
        return found

    def texts(self) -> dict[str, str]:
        """The stored text of each source, its chunks in order, one a line. Only while no daemon runs."""
        rows = sorted(self.stored().values(), key=lambda r: (str(r.metadata["source"]), r.metadata["chunk"]))
        texts: dict[str, str] = {}
        for row in rows:
            source = str(row.metadata["source"])
            texts[source] = texts.get(source, "") + row.text + "\n"
        return texts

    @contextmanager
    def daemon(self, **options: Any) -> Iterator[Daemon]:
        """A daemon that is ready; stopped at the end, if it still runs."""
        with Daemon(self, **options) as daemon:
            daemon.ready()
            yield daemon

    @contextmanager
    def engine(self) -> Iterator[tuple[Engine, Recorder]]:
        """All parts within this process, and what they log."""
        log = Recorder()
        with engine(self.config.settings, log, stopping=threading.Event()) as parts:  # type: ignore[arg-type]
            yield parts, log


class Daemon:
    """``bouquetd run`` in a process of its own, its log in a file."""

    def __init__(
        self,
        home: Home,
        *,
        wrap: Sequence[str] = (),
        patch: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """``wrap`` stands before the command; ``patch`` is Python that runs before the daemon does."""
        self.home = home
        self._log = home.root / f"daemon-{time.monotonic_ns()}.log"
        program = (
            [sys.executable, "-c", f"{patch}\nfrom bouquetd.cli import main\nmain()"] if patch else [PROGRAM]
        )
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [*wrap, *program, "run", "-c", str(home.yaml)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(env or {})},
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def ready(self) -> None:
        self.until(lambda: "Ready: watching" in self.log, "the daemon is ready")

    def until(self, condition: Callable[[], T], what: str) -> T:
        """Wait for a condition; fails at once when the daemon ends before it is true."""

        def met() -> T | None:
            ended = self.process.poll() is not None
            value = condition()
            if ended and not value:
                raise AssertionError(f"ended with {self.process.returncode} before: {what}\n{self.log[-3000:]}")
            return value

        value = until(met, what, lambda: self.log[-3000:])
        assert value is not None
        return value

    def says(self, text: str, times: int = 1) -> None:
        """Wait until the log has a text, so many times."""
        self.until(lambda: self.log.count(text) >= times, f"the log says {text!r}")

    def reaches(self, states: Mapping[str, str]) -> None:
        """Wait until the ledger has exactly these sources in these states."""
        try:
            self.until(lambda: self.home.states() == states, f"the states {dict(states)}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe states are {self.home.states()}") from None

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home.runtime / "status.json").read_text())
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop; returns its exit status."""
        self.process.terminate()
        return self.process.wait(WAIT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Recorder:
    """A logger that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def _say(self, level: str) -> Callable[..., None]:
        return lambda text, **_fields: self.lines.append((level, text))

    def __getattr__(self, level: str) -> Callable[..., None]:
        if level not in ("debug", "info", "warning", "error", "exception"):
            raise AttributeError(level)
        return self._say(level)

    @property
    def text(self) -> str:
        return "\n".join(f"{level}: {text}" for level, text in self.lines)


def work(parts: Engine) -> None:
    """Step the worker until it has nothing more to do."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        wait = parts.worker.step()
        assert parts.worker.trouble is None, parts.worker.trouble
        if parts.worker.idle:
            return
        time.sleep(min(wait, 0.02))
    raise AssertionError("the worker never comes to an end")

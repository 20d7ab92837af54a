"""A bouquetd in a folder of its own, to feed, to start, to kill, and to compare with another."""

import hashlib
import json
import os
import random
import shlex
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from tests.faults import documents
from tests.faults.launch import begin
from tests.faults.snapshot import snapshot

BATCH = 20
"""``pipeline.batch_size`` of the default profile: what a kill may cost."""

LONGEST = 600.0
"""Seconds any single thing may take before the test calls it hung."""

IDLE = 15.0
"""Seconds without anything to do after which a step will not come any more."""

HIT_TOLERANCE = 0.02
"""How much rarer a vector may find itself than in the undisturbed store, as a share of all. The index is
approximate and depends on the order it was filled in, so two good ones differ by fractions of a percent."""

CONFIG = """
inbox: {{settle: 50ms, rescan: 1s, after: {after}}}
# Documents are killed more often here than a poisoned file would be; that limit has a test of its own.
pipeline: {{max_attempts: 100}}
chunk: {{size: {size}, overlap: {overlap}}}
store: {{shard_chunks: {shard_chunks}, batch_size: {store_batch}}}
paths: {{archive: {archive}}}
embed: {{provider: static}}
"""

STARTED: list[BaseProcess] = []
"""Every process there was; ``conftest`` sees that none outlives its test."""


@dataclass(frozen=True)
class Moment:
    """What the ledger and the counts say while the daemon is stopped, just before its death.

    ``active`` chunks lie in the shard being written. ``storing``: a document is half-way, and this life has
    embedded. ``replacing``: new content of a source is being stored, or its old chunks are still to go.
    ``changing``: a sealed shard is being changed and will be rebuilt.
    """

    active: int = 0
    storing: bool = False
    replacing: bool = False
    changing: bool = False


@dataclass
class World:
    """``offered`` are all contents that were dropped, ``latest`` the newest of each source."""

    root: Path
    shard_chunks: int = 20_000
    store_batch: int = 200
    after: str = "archive"
    archive: Path = Path("archive")
    lives: int = 0
    rest: int = 0
    offered: list[tuple[str, bytes]] = field(default_factory=list)
    latest: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("inbox", "counts", "wings"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            CONFIG.format(
                shard_chunks=self.shard_chunks,
                store_batch=self.store_batch,
                after=self.after,
                archive=self.archive,
                size=documents.SIZE,
                overlap=documents.OVERLAP,
            )
        )

    @property
    def config(self) -> Path:
        return self.root / "bouquetd.yaml"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def out(self) -> Path:
        return self.root / "out"

    # -- files --------------------------------------------------------------------------------------------

    def offer(self, source: str, data: bytes) -> None:
        """Drop a file, whole at once, younger than the one before, so that it is taken after it.

        By more than the two seconds within which a file of the same content passes for the very same.
        """
        number = len(self.offered)
        waiting = self.root / "wings" / str(number)
        waiting.write_bytes(data)
        when = time.time_ns() - 10**14 + number * 4 * 10**9
        os.utime(waiting, ns=(when, when))
        while True:
            (self.inbox / source).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(waiting, self.inbox / source)
                break
            except FileNotFoundError:  # the daemon has just removed the empty folder
                continue
        self.offered.append((source, data))
        self.latest[source] = data

    def waiting(self, source: str) -> bool:
        """Whether a file still lies in the inbox."""
        return os.path.lexists(self.inbox / source)

    def in_inbox(self) -> list[Path]:
        return _files(self.inbox)

    def put_away(self) -> Counter[str]:
        """Digests of all files that lie in the archive and among the failed ones."""
        kept = _files(self.root / self.archive) + [
            path for path in _files(self.root / "failed") if path.suffix != ".error"
        ]
        return Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in kept)

    # -- lives --------------------------------------------------------------------------------------------

    def start(self, *commands: str, die: tuple | None = None) -> "Life":
        """Run commands of bouquetd, one after the other, or the daemon, in a process group of their own."""
        self.lives += 1
        counts = self.root / "counts" / str(self.lives)
        dying = ["--die", *map(str, die)] if die else []
        words = [str(counts), *dying, "--", *self._words(commands or ("run",))]
        process = begin(words, self.out, self.log)
        STARTED.append(process)
        return Life(self, process, counts)

    def _words(self, commands: tuple[str, ...]) -> list[str]:
        words = [[*shlex.split(command), "-c", str(self.config)] for command in commands]
        return [word for command in words for word in ("then", *command)][1:]

    def run(self, *commands: str) -> tuple[int, str]:
        """Run commands undisturbed to the end; returns the last exit status and what was printed."""
        self.out.unlink(missing_ok=True)
        process = self.start(*commands).process
        process.join(LONGEST)
        assert process.exitcode is not None, f"hung:\n{self.tail()}"
        return process.exitcode, self.out.read_text()

    def drain(self) -> None:
        """Ingest all that waits; files that fail are no news here."""
        status, _ = self.run("once")
        assert status in (0, 1), self.tail()
        assert not self.in_inbox(), self.tail()

    def embedded(self) -> Counter[str]:
        """Texts embedded in all lives, by what they were embedded for."""
        total: Counter[str] = Counter()
        for path in (self.root / "counts").iterdir():
            total += _counted(path)
        return total

    def tail(self) -> str:
        """The end of the log, for whoever wonders why."""
        return self.log.read_text(errors="replace")[-3000:]

    # -- what is durable ----------------------------------------------------------------------------------

    def ledger(self) -> sqlite3.Connection:
        file = (self.root / "state" / "ledger.db").as_uri()
        return sqlite3.connect(f"{file}?mode=ro", uri=True, timeout=1)

    def moment(self, *, embedded: bool) -> Moment | None:
        """What the ledger says now; ``embedded`` whether this life did any work.

        None when there is no ledger yet, or when the daemon has it all for itself, as while opening it.
        """
        with suppress(sqlite3.OperationalError), closing(self.ledger()) as db:
            active = db.execute("SELECT chunks FROM shards WHERE sealed = 0 AND dirty = 1").fetchone()
            storing = db.execute("SELECT count(*) FROM documents WHERE state = 'storing'").fetchone()[0]
            replacing = db.execute(
                "SELECT count(*) FROM documents old JOIN documents new USING (source)"
                " WHERE old.state IN ('complete', 'filed') AND new.state IN ('storing', 'complete', 'filed')"
                " AND old.since < new.since"
            ).fetchone()[0]
            changing = db.execute("SELECT count(*) FROM shards WHERE sealed = 1 AND dirty = 1").fetchone()[0]
            return Moment(active[0] if active else 0, embedded and storing > 0, replacing > 0, changing > 0)
        return None

    def documents(self) -> list[tuple]:
        """What the ledger says in the end of every document that it knows."""
        with closing(self.ledger()) as db:
            rows = db.execute("SELECT source, digest, state, chunks, whole, media_type FROM documents")
            return sorted(rows.fetchall())

    def leftovers(self) -> dict[str, int]:
        """Rows that may exist only while something is under way."""
        with closing(self.ledger()) as db:
            return {
                "removals": db.execute("SELECT count(*) FROM removals").fetchone()[0],
                "dirty": db.execute("SELECT count(*) FROM shards WHERE dirty = 1").fetchone()[0],
                "unplaced": db.execute(
                    "SELECT count(*) FROM placements WHERE document NOT IN (SELECT id FROM documents)"
                ).fetchone()[0],
            }

    def sealed(self) -> int:
        """Shards that were filled and closed."""
        with closing(self.ledger()) as db:
            return db.execute("SELECT count(*) FROM shards WHERE sealed = 1").fetchone()[0]

    def shards(self) -> dict[str, int]:
        """The collections that hold anything, with the chunks in each."""
        with closing(self.ledger()) as db:
            return dict(db.execute("SELECT collection, chunks FROM shards WHERE chunks > 0").fetchall())


@dataclass
class Life:
    """One process of bouquetd, from its start to its end."""

    world: World
    process: BaseProcess
    counts: Path

    def until(self, condition, what: str) -> None:
        """Wait for a condition; the process must not end before."""
        deadline = time.monotonic() + LONGEST
        while not condition():
            assert self.process.is_alive(), f"it ended before {what}:\n{self.world.tail()}"
            assert time.monotonic() < deadline, f"hung before {what}:\n{self.world.tail()}"
            time.sleep(0.05)

    def status(self) -> dict:
        """The last status of this very process; empty until it is ready."""
        try:
            status = json.loads((self.world.root / "state" / "run" / "status.json").read_text())
        except FileNotFoundError:
            return {}
        ready = status["pid"] == self.process.pid and status["state"] != "starting"
        return status if ready else {}

    def embedded(self) -> int:
        """Texts of files that were embedded in this life."""
        return _counted(self.counts)["batch"]

    def until_dead(self) -> None:
        """Wait for it to die at its step; fail when it has had nothing left to do for a while instead."""
        busy = time.monotonic()
        while self.process.is_alive():
            if self.status().get("state") != "idle" or self.world.in_inbox():
                busy = time.monotonic()
            if time.monotonic() > busy + IDLE:
                self.kill()
                raise AssertionError(f"the step never came:\n{self.world.tail()}")
            time.sleep(0.02)
        assert self.process.exitcode == -signal.SIGKILL, self.world.tail()

    def kill(self) -> Moment:
        """Stop it, look at what it was doing, kill it: it never runs on after the look."""
        assert self.process.is_alive(), f"it ended by itself:\n{self.world.tail()}"
        os.kill(self.process.pid, signal.SIGSTOP)
        self.until(self._stopped, "it was stopped")
        moment = self.world.moment(embedded=self.embedded() > 0)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(LONGEST)
        assert self.process.exitcode == -signal.SIGKILL
        return moment or self.world.moment(embedded=False) or Moment()

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        self.process.terminate()
        self.process.join(LONGEST)
        assert self.process.exitcode == 0, self.world.tail()

    def _stopped(self) -> bool:
        """Whether every thread of it is."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        try:
            return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            return False


def undisturbed(world: World, root: Path) -> World:
    """A second inbox of the same files in their latest state, for a store that is ingested without a kill."""
    calm = World(root, world.shard_chunks, world.store_batch, world.after)
    for source, data in world.latest.items():
        calm.offer(source, data)
    return calm


def assert_nothing_lost_or_doubled(world: World, *before: str) -> dict:
    """After the last life: ``verify`` is clean, every file was put away once, nothing is still under way.

    ``before`` that, these commands are run. Returns a snapshot of the store.
    """
    status, out = world.run(*before, "verify --json")
    assert status in (0, 1), world.tail()
    report = json.loads(out)
    assert (status, report["faults"], report["findings"]) == (0, 0, []), report
    assert not world.in_inbox()
    if world.after == "archive":
        assert world.put_away() == Counter(hashlib.sha256(data).hexdigest() for _, data in world.offered)
    assert not any(world.leftovers().values()), world.leftovers()
    log = world.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert "are lost" not in log
    found = snapshot(world.root / "store")
    assert not found["twice"]
    assert {name: n for name, n in found["collections"].items() if n} == world.shards()
    assert report["chunks"] == len(found["records"])
    return found


def assert_same(found: dict, wanted: dict) -> None:
    """Two stores hold the same: ids, texts, metadata but for the time, every vector to the last bit."""
    ours, theirs = found["records"], wanted["records"]
    differ = ours.keys() ^ theirs.keys()
    assert not differ, Counter((i in ours, (ours | theirs)[i][1]["source"]) for i in differ)
    for id_, (text, metadata, vector) in theirs.items():
        assert ours[id_][0] == text, id_
        assert _timeless(ours[id_][1]) == _timeless(metadata), id_
        assert np.array_equal(ours[id_][2], vector), id_
    assert found["hits"] >= wanted["hits"] - HIT_TOLERANCE * wanted["asked"]


def assert_ends_as_undisturbed(world: World, root: Path, *, kills: int) -> None:
    """What is left to do is done, and then all is as in a second store, in ``root``, that nobody killed."""
    found = assert_nothing_lost_or_doubled(world, "once")
    calm = undisturbed(world, root)
    assert_same(found, assert_nothing_lost_or_doubled(calm, "once"))
    assert world.documents() == calm.documents()
    assert_embedded_once(world, calm, kills)


def assert_embedded_once(world: World, calm: World, kills: int) -> int:
    """All that was ever dropped was embedded once, and besides at most a batch a kill; returns what was over.

    ``calm`` embedded the latest contents and nothing else; the others are counted by cutting them here.
    """
    replaced = set(world.offered) - set(world.latest.items())
    needed = calm.embedded()["batch"] + sum(documents.count(*version) for version in replaced)
    over = world.embedded()["batch"] - needed
    assert over <= kills * BATCH
    return over


def _timeless(metadata: dict) -> dict:
    assert metadata["ingested_at"] > 0
    return {key: value for key, value in metadata.items() if key != "ingested_at"}


def _files(root: Path) -> list[Path]:
    return [Path(folder) / name for folder, _, names in os.walk(root) for name in names]


def _counted(path: Path) -> Counter[str]:
    counted: Counter[str] = Counter()
    if path.exists():
        for line in path.read_text().splitlines():
            who, number = line.split()
            counted[who] += int(number)
    return counted


def make(rng: random.Random, source: str, chunks: float) -> bytes:
    """A document of the kind its name says."""
    return documents.document(source.rpartition(".")[2], rng, chunks)

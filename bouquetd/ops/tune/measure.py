"""Measure this machine: disk, embedder and store, the latter two in a process of their own.

So the memory they take is theirs alone, what they load is gone afterwards, and one that dies of a machine that
is too small takes nobody with it. No store of anybody's is opened: there is one for it, in a temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bouquetd.config import Config
from bouquetd.errors import Unavailable
from bouquetd.memory.probe import Probe
from bouquetd.model import printable
from bouquetd.ops.tune.facts import Facts
from bouquetd.ops.tune.sample import chunks

PATIENCE = 180.0
"""Seconds that the measuring process may take."""

PREFIX = "bouquetd-tune-"
"""Of the temporary folder, made where the state lies."""

FLUSHES = 20
"""fsyncs of one page, of which the median counts."""

SECONDS, QUICK = 3.0, 1.0
"""How long one number of threads is measured, and with ``--quick``."""

MOST, AT_ONCE = 2_000, 8
"""Chunks that are embedded at most for one number, and in one call."""

STORED, STORED_QUICK = 1_000, 300
"""Chunks that are stored, and with ``--quick``. Their vectors are made up, which Chroma does not mind."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What the process of its own found; as in ``Facts``."""

    embedded: dict[int, float]
    stored: float
    rss: int


def machine(config: Config, *, quick: bool) -> Facts:
    """Measure; some 10 s, with ``quick`` 4. Raises ``Unavailable`` when the embedder cannot be run."""
    paths, cores = config.settings.paths, len(os.sched_getaffinity(0))
    with Probe() as probe:
        ram = probe.ceiling()
    found = _apart(config, cores, quick=quick)
    state = flush(paths.state)
    store = flush(paths.store) if config.settings.store.mode == "embedded" else state
    return Facts(ram, cores, state, store, found.embedded, found.stored, found.rss)


def flush(folder: Path) -> float:
    """Seconds that an fsync takes where a folder lies or would be made; in the temporary one if we may not."""
    times = []
    with tempfile.TemporaryFile(dir=_writable(folder)) as file:
        for _ in range(FLUSHES):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def _writable(folder: Path) -> str:
    """The folder, or the nearest around it, that we may write to; else the temporary one."""
    there = next((place for place in (folder, *folder.parents) if os.path.isdir(place)), Path("/"))
    return str(there) if os.access(there, os.W_OK | os.X_OK) else tempfile.gettempdir()


def threads(cores: int, *, quick: bool, now: int, runs: bool) -> list[int]:
    """The numbers of threads worth a measurement: those in force first."""
    if not runs:
        return [1]
    more = [] if quick else [n for n in (1, 2, 4, 8, 16) if n <= cores]
    return list(dict.fromkeys([now, *more]))


def _apart(config: Config, cores: int, *, quick: bool) -> Speeds:
    settings = config.settings
    embed = settings.embed
    runs = embed.provider in ("minilm", "onnx")
    now = embed.threads or min(2, cores)
    order = {
        "config": str(config.path),
        "threads": threads(cores, quick=quick, now=now, runs=runs) if runs else [now],
        "seconds": QUICK if quick else SECONDS,
        "stored": STORED_QUICK if quick else STORED,
    }
    beside = _writable(settings.paths.state)
    _sweep(Path(beside))
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside) as aside:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-c", f"from {__name__} import within; within()"],
                input=json.dumps(order | {"aside": aside}), capture_output=True, text=True, timeout=PATIENCE,
                check=False, cwd=aside, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"measuring took longer than {PATIENCE:.0f} s", "try: bouquetd tune --quick"
            ) from None
    if done.returncode:
        said = printable((done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1])
        raise Unavailable(f"the embedder or the store could not be measured: {said}", "see bouquetd doctor")
    found = json.loads(done.stdout.splitlines()[-1])
    rates = {int(count): float(rate) for count, rate in found["embedded"].items()}
    return Speeds(rates, float(found["stored"]), int(found["rss"]))


def _sweep(beside: Path) -> None:
    """Remove what a measurement that was killed has left."""
    for stale in beside.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - stale.stat().st_mtime > 2 * PATIENCE:
                shutil.rmtree(stale)


def within() -> None:
    """What the process of its own does: an order in JSON on stdin, what it found on stdout."""
    from bouquetd.config import load
    from bouquetd.embed.choice import chosen
    from bouquetd.store.package import chromadb

    order: dict[str, Any] = json.load(sys.stdin)
    settings = load(Path(order["config"])).settings
    texts = chunks(MOST, settings.chunk.size)
    embedded, vector = {}, None
    for count in order["threads"]:
        embedder = chosen(settings.embed.but(threads=count))
        vector = embedder.embed(texts[:1])[0]  # loads it
        began, done = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < order["seconds"] and done < MOST:
            embedder.embed(texts[done : done + AT_ONCE])
            done += AT_ONCE
        embedded[count] = done / max(took, 1e-9)
        if count != order["threads"][-1]:
            embedder.close()
    stored = 0.0
    if settings.store.mode == "embedded":
        stored = _stored(Path(order["aside"]), texts[: order["stored"]], vector, settings.store.batch_size)
    else:
        chromadb()  # its client takes memory too
    with Probe() as probe:
        peak = probe.vitals().peak
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"embedded": embedded, "stored": stored, "rss": peak}) + "\n")


def _stored(folder: Path, texts: Sequence[str], vector: Any, batch: int) -> float:
    """Chunks a second into a fresh embedded Chroma, in calls of ``batch``."""
    import numpy as np

    from bouquetd.model import Record
    from bouquetd.store.embedded import Embedded

    name, random = "bouquet-00001", np.random.default_rng(7)
    vectors = random.standard_normal((len(texts), len(vector)), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    records = [
        Record(f"tune:{n}", text, {"source": "tune", "chunk": n}, row)
        for n, (text, row) in enumerate(zip(texts, vectors, strict=True))
    ]
    chroma = Embedded(folder / "store")
    chroma.create(name)
    began = time.perf_counter()
    for start in range(0, len(records), batch):
        chroma.add(name, records[start : start + batch])
    took = time.perf_counter() - began
    chroma.close()
    return len(records) / took

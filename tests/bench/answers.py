"""Answers: what a command takes with 100,000 documents in the ledger, beyond the interpreter's own start."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bouquetd.ledger import FILE, Ledger, Whole
from bouquetd.model import Fingerprint
from tests.bench.process import COMMAND, Bench, Home
from tests.bench.report import Result, Table

AIM, HELP = 0.3, 0.4
"""Seconds: of ``status``, ``files`` and ``explain`` beyond the interpreter's start, of ``--help`` in all."""

TURNS = 11


def measure(bench: Bench) -> Result:
    """Medians, no daemon running: each is then answered from the ledger by the command itself."""
    home, number = Home.fresh(bench.folder / "home"), bench.pick(5_000, 100_000)
    _fill(home.state / FILE, number)
    asked = ["-c", str(home.config)]
    bare = _took([sys.executable, "-c", "pass"])
    took = {
        "status": _took([COMMAND, "status", *asked]) - bare,
        "files": _took([COMMAND, "files", *asked]) - bare,
        "explain FILE": _took([COMMAND, "explain", _source(number // 2), *asked]) - bare,
        "--help": _took([COMMAND, "--help"]),
    }
    rows = [[name, seconds, HELP if name == "--help" else AIM] for name, seconds in took.items()]
    return Result(
        [Table(f"Answers, {number:,} documents in the ledger", ["bouquetd", "seconds", "aim: under"], rows)],
        {"documents": number, "bare": bare, "took": took},
        [f"Medians of {TURNS}; without the {bare:.3f} s of the interpreter's start, but for --help."],
    )


def _fill(path: Path, number: int) -> None:
    """Documents that are filed, a hundred in each folder."""
    ledger, ids = Ledger(path, "recipe"), list[str]()
    for i in range(number):
        digest = hashlib.sha256(b"%d" % i).hexdigest()
        ids.append(ledger.claim(_source(i), digest, Fingerprint(1, i + 1, 1_000 + i, i, i)).id)
    ledger.complete(map(Whole, ids))
    ledger.filed([(id_, _source(i)) for i, id_ in enumerate(ids)])
    ledger.close()


def _source(i: int) -> str:
    return f"reports {i // 100}/{i:06}.txt"


def _took(command: Sequence[str | Path]) -> float:
    found = list[float]()
    for _ in range(TURNS):
        began = time.perf_counter()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - began)
    return median(found)

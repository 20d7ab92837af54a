"""Damaged files: every extractor on thousands of them, each of which gives text or is refused, soon and small.

``python -m tests.bench.fuzz INPUTS SEED FOLDER`` is the process in which it happens. The files are those
that the tests make of every kind; the bytes of one are flipped, dropped, doubled and inserted, of a package
also within the part that is packed. Whatever comes out of an extractor but ``Rejected`` is a fault, and so
is an input that takes longer than ``SLOW`` or ``BALLOON`` of memory; what caused it is kept.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, load, media_type
from bouquetd.model import MB
from tests import samples
from tests.bench.machine import forget_peak, memory
from tests.bench.process import Bench, child
from tests.bench.report import Failed, Result, Table

SLOW, BALLOON = 10.0, 100.0
"""Seconds and MB that one input may take; the files have some KB, and PDFium has been seen to want 71 MB."""

TEXT = " ".join(f"Sentence {n}: \u00fc, e\u0301, \U0001f600 & co." for n in range(100))


def measure(bench: Bench) -> Result:
    """So many inputs in a process of their own; fails when one kills, hangs or balloons it, or raises."""
    kept = bench.folder.parent / "fuzz-faults"
    shutil.rmtree(kept, ignore_errors=True)
    wanted = bench.pick(2_000, 20_000)
    done = child("fuzz", wanted, 1, kept, log=bench.folder / "fuzz.log")
    if faults := done["faults"]:
        raise Failed(f"{len(faults)} kinds of fault in {done['inputs']} inputs, kept in {kept}: {faults}")
    return Result(
        [
            Table(
                f"{done['inputs']:,} damaged files",
                ["kind", "inputs", "read all the same", "slowest s", "largest growth MB"],
                done["rows"],
            )
        ],
        done,
        [f"Seed 1, {done['seconds']:.0f} s. None killed, hung or ballooned the process, or raised else."],
    )


def main(wanted: int, seed: int, kept: Path) -> None:
    """Feed, print."""
    load("application/pdf")
    chance, began = random.Random(seed), time.monotonic()
    files = sorted(samples.whole_files(TEXT).items())
    faults: dict[str, str] = {}
    inputs, read = Counter[str](), Counter[str]()
    slowest, largest = defaultdict[str, float](float), defaultdict[str, float](float)
    for _ in range(wanted):
        name, data = chance.choice(files)
        damaged = _damaged(data, chance)
        forget_peak()
        before, start = memory()[0], time.monotonic()
        fault = ""
        try:
            read[name] += _read(damaged, name, chance)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
        took, grew = time.monotonic() - start, memory()[1] - before
        inputs[name] += 1
        slowest[name], largest[name] = max(slowest[name], took), max(largest[name], grew)
        if took > SLOW or grew > BALLOON:
            fault = f"{took:.1f} s, {grew:.0f} MB for {name}"
        if fault and fault not in faults:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / f"{len(faults)}-{name}").write_bytes(damaged)
            faults[fault] = name
    rows = [[name, inputs[name], read[name], slowest[name], largest[name]] for name, _ in files]
    figures: dict[str, Any] = {
        "inputs": wanted, "faults": faults, "rows": rows, "seconds": time.monotonic() - began
    }  # fmt: skip
    print(json.dumps(figures))


def _read(data: bytes, name: str, chance: random.Random) -> bool:
    """Whether there was text in it."""
    with suppress(Rejected), tempfile.TemporaryFile() as file:  # PDFium wants one
        file.write(data)
        file.flush()
        kind = media_type(file, name)
        for _ in extract(file, kind, Reading(chance.choice((100, MB // 4)), 64 * 1024)):
            pass
        return True
    return False


def _damaged(data: bytes, chance: random.Random) -> bytes:
    if data.startswith(b"PK") and chance.random() < 0.7:
        parts = {}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = chance.choice(sorted(parts))
        return samples.zip_of(parts | {name: _changed(parts[name], chance)})
    return _changed(data, chance)


def _changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(changed)) if changed else 0
        way = chance.randrange(4)
        if way == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del changed[at : at + chance.randrange(1, 50)]
        elif way == 2:
            changed[at:at] = changed[max(0, at - chance.randrange(60)) : at] * chance.choice((1, 3))
        else:
            changed[at:at] = chance.randbytes(chance.randrange(8))
    return bytes(changed)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

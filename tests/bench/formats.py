"""Formats: what one step of reading takes in memory, and how fast it goes, for large files of each kind.

A step is what the daemon measures as one operation of the stage ``extract``: from one piece of text to the
next. Each file is read in a process of its own (``python -m tests.bench.formats FILE``) that has read a small
one of its kind before, as a daemon has.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bouquetd.extract import Reading, extract, load, media_type
from bouquetd.memory.probe import Probe
from bouquetd.model import MB
from tests import samples
from tests.bench.machine import forget_peak, memory
from tests.bench.operation import AIM_MB
from tests.bench.process import Bench, child
from tests.bench.report import Result, Table
from tests.layouts import MAKERS


def measure(bench: Bench) -> Result:
    """One row for each way in which a file can be laid out."""
    rows: list[list[object]] = []
    for name, make in MAKERS.items():
        path = bench.folder / name
        make(path, bench.pick(3, 50) * MB)
        done = child("formats", path, log=bench.folder / "formats.log")
        rows.append([name, path.stat().st_size / MB, done["text"], done["step"], done["peak"], done["speed"]])
        path.unlink()
    worst = max(rows, key=lambda row: float(str(row[3])))
    columns = ["file", "MB", "MB of text", "largest growth of one step MB", "peak growth MB", "MB/s of text"]
    return Result(
        [Table("Reading large files", columns, rows)],
        {str(row[0]): row[1:] for row in rows},
        [f"The largest growth of one step is {worst[3]:.2f} MB, of {worst[0]}; the aim is {AIM_MB} at most."],
    )


def main(path: Path) -> None:
    """Read a small file of the same kind, then this one; print."""
    small = path.with_name(f"small{path.suffix}")
    small.write_bytes(samples.whole_files()[f"a{path.suffix}"])
    with Probe() as probe:
        _read(small, probe)
        forget_peak()
        before, began = memory()[0], time.monotonic()
        text, step = _read(path, probe)
        took = time.monotonic() - began
        figures = {
            "text": text / MB,
            "step": step / MB,
            "peak": memory()[1] - before,
            "speed": text / MB / took,
        }
    small.unlink()
    print(json.dumps(figures))


def _read(path: Path, probe: Probe) -> tuple[int, int]:
    """Bytes of text, and by how many RSS grew most in one step."""
    text = most = 0
    with path.open("rb") as file:
        kind = media_type(file, path.name)
        load(kind)
        pieces = extract(file, kind, Reading())
        while True:
            before = probe.rss()
            piece = next(pieces, None)
            most = max(most, probe.rss() - before)
            if piece is None:
                return text, most
            text += len(piece.text.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""50 MB of any kind pass through a few MB of memory, however they are laid out.

In the short form 2 MB, of a few layouts that are hardest; in the long one 12 MB of each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.layouts import MAKERS

FULL, LONG, SHORT = 50 * 1024 * 1024, 12 * 1024 * 1024, 2 * 1024 * 1024
ALLOWED = 30  # MB above the baseline

PROGRAM = """
import sys
from bouquetd.chunk import chunk
from bouquetd.extract import Reading, extract, load, media_type

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

load("application/pdf")
before = peak()
with open(sys.argv[1], "rb") as file:
    pieces = extract(file, media_type(file, sys.argv[1]), Reading(256 * 1024, 64 * 1024))
    chunks = sum(1 for _ in chunk(pieces))
print(chunks, peak() - before)
"""


FEW = [
    *("one line.txt", "one element.html", "one element.xml", "one string.json", "one cell.csv"),
    *("one paragraph.docx", "one chapter.epub", "one picture.rtf", "one text.eml", "pages.pdf"),
]

FULL_SIZE = [pytest.mark.long, pytest.mark.campaign]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(pytest.param(name, SHORT, id=f"short-{name}") for name in FEW),
        *(pytest.param(name, LONG, id=f"long-{name}", marks=pytest.mark.long) for name in MAKERS),
        *(pytest.param(name, FULL, id=f"full-{name}", marks=FULL_SIZE) for name in MAKERS),
    ],
)
def test_a_large_file_takes_little_memory(name: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / name
    MAKERS[name](path, size)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    path.unlink()
    chunks, growth = done.stdout.split()
    assert int(chunks) > 0
    assert float(growth) < ALLOWED

"""Text recognition under the unit as it is packaged: its hardening, its MemoryMax, a tesseract of Debian's."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from bouquetd.extract import render
from bouquetd.model import MB
from tests import samples
from tests.system.served import ARCHIVE, Served

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.campaign]

SENTENCE = "The quick brown fox jumps over the lazy dog"


@pytest.fixture
def reading(recognising: Served) -> Served:
    """Text recognition gets four seconds for a page."""
    recognising.configure({"ocr.timeout": "4s"})
    return recognising


def started(machine: Served) -> Served:
    """Boot it until both services run."""
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    return machine


def scanned(folder: Path, *sentences: str) -> list[tuple[int, int, bytes, str]]:
    """Each sentence as a picture of a page."""
    source, pictures = folder / "source.pdf", []
    for sentence in sentences:
        source.write_bytes(samples.pdf([sentence], points=24))
        with source.open("rb") as file:
            command = [sys.executable, "-I", render.__file__, "0", "150", "8000000"]
            drawn = subprocess.run(command, stdin=file, capture_output=True, check=True).stdout
        head, _, pixels = drawn.partition(b"\n255\n")
        width, height = map(int, head.split()[1:])
        pictures.append((width, height, pixels, ""))
    return pictures


def scan(folder: Path, *sentences: str) -> bytes:
    """A PDF of such pictures."""
    return samples.pictures_pdf(scanned(folder, *sentences))


def noise() -> bytes:
    """A picture like a page of letters without sense, which nobody reads in seconds."""
    rng, width, height = random.Random("noise"), 2400, 3000
    pixels = bytearray(b"\xff" * (width * height))
    for _ in range(60_000):
        at = rng.randrange(width * (height - 20))
        for line in range(rng.randrange(3, 18)):
            pixels[at + line * width : at + line * width + 3] = bytes(3)
    return b"P5\n%d %d\n255\n%b" % (width, height, pixels)


def snow() -> bytes:
    """A picture of as many specks as there is memory for by its size, but not by what is found in it."""
    rng, width, height = random.Random("snow"), 4500, 4200
    rows = [bytes(255 if byte & 3 else 0 for byte in rng.randbytes(width)) for _ in range(50)]
    return b"P5\n%d %d\n255\n" % (width, height) + b"".join(rng.choice(rows) for _ in range(height))


def note(machine: Served, source: str) -> str:
    """What `bouquetd files` says of a document."""
    return next(line for line in machine.out("bouquetd files").splitlines() if source in line)


def test_a_scan_is_read_within_the_units_limits_and_found_by_its_words(
    recognising: Served, tmp_path: Path
) -> None:
    machine = started(recognising)
    machine.drop({"scan.pdf": scan(tmp_path, SENTENCE, "Pack my box with five dozen liquor jugs", SENTENCE)})
    machine.done()
    assert machine.files(ARCHIVE) == ["scan.pdf"]
    [hit, *_] = machine.search("quick brown fox")
    assert SENTENCE in hit["text"]
    assert "five dozen liquor jugs" in machine.search("liquor jugs")[0]["text"]
    assert machine.unit("NRestarts") == "0"
    assert machine.out("bouquetd check").count("Warning") == 0
    assert machine.status()["peak_mb"] < 300
    machine.verified()


def test_a_picture_that_takes_too_long_is_given_up_and_the_next_file_is_read(
    reading: Served, tmp_path: Path
) -> None:
    machine = started(reading)
    machine.drop({"noise.pgm": noise(), "scan.pdf": scan(tmp_path, SENTENCE)})
    adjusted = machine.until(
        lambda: machine.out("cat /proc/$(pidof -s tesseract)/oom_score_adj 2>/dev/null || true").split(),
        "tesseract runs", 60,
    )  # fmt: skip
    assert adjusted == ["1000"]
    machine.done()
    assert machine.files(ARCHIVE) == ["scan.pdf"]
    assert "took longer than 4 s (ocr.timeout)" in note(machine, "noise.pgm")
    assert not machine.out("pidof tesseract || true").strip()
    assert machine.unit("NRestarts") == "0"


def test_a_picture_that_takes_too_much_memory_is_given_up_and_the_next_file_is_read(
    recognising: Served, tmp_path: Path
) -> None:
    machine = started(recognising)
    machine.drop({"snow.pgm": snow(), "scan.pdf": scan(tmp_path, SENTENCE)})
    machine.done()
    assert machine.files(ARCHIVE) == ["scan.pdf"]
    assert "it is damaged, or takes more than 300 MB (ocr.memory)" in note(machine, "snow.pgm")
    assert machine.unit("NRestarts") == "0"


def test_where_the_unit_has_no_room_for_a_page_the_kernel_takes_that_and_not_the_daemon(
    recognising: Served,
) -> None:
    recognising.configure({"ocr.memory": "2GB"})
    machine = started(recognising)
    used = int(machine.status()["rss_mb"])
    machine.drop_in(f"[Service]\nMemoryHigh=infinity\nMemoryMax={used + 100}M\n")
    machine.run("systemctl daemon-reload; systemctl restart bouquetd", timeout=120)
    machine.until(machine.ready, "both services run", 60)
    machine.drop({"snow.pgm": snow(), "after.txt": b"Then all is well again. " * 60})
    machine.done()
    assert machine.files(ARCHIVE) == ["after.txt"]
    assert "the kernel ended its text recognition" in note(machine, "snow.pgm")
    assert machine.unit("NRestarts") == "0"
    assert "and ocr.memory: 2048MB do not fit" in machine.out("bouquetd check")
    assert int(machine.unit("MemoryMax")) == (used + 100) * MB

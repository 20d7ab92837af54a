"""Text recognition: its plumbing with a program in tesseract's place; tesseract itself in the long suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bouquetd.config import Bounds, Ocr
from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type, ocr
from bouquetd.extract.ocr import Tesseract
from bouquetd.model import HEARTBEAT, MB, Piece
from tests import samples

FAKE = """#!/bin/sh
case $1 in
--version) echo "tesseract 5.3.0"; exit ;;
--list-langs) printf 'List of available languages in "/x" (3):\\ndeu\\neng\\nosd\\n'; exit ;;
esac
"""
PGM = b"P5\n40 10\n255\n" + b"\xff" * 400
SENTENCE = "The quick brown fox jumps over the lazy dog"


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str, **options: object) -> Tesseract | str:
    """A program by the name of tesseract that does something when it is given a picture."""
    path = folder / "bin" / "tesseract"
    path.parent.mkdir()
    path.write_text(FAKE + does)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return ocr.find(Ocr(**options))  # type: ignore[arg-type]


def read(folder: Path, name: str, data: bytes, found: Tesseract | str, **how: object) -> list[Piece]:
    path = folder / name
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(extract(file, media_type(file, name), Reading(ocr=found, **how)))  # type: ignore[arg-type]


def text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def scanned(*pages: str) -> bytes:
    """A PDF whose pages have a text each, or where that is empty a drawing."""
    return samples.pdf([page or "MARK" for page in pages]).replace(b"(MARK) Tj ET", b"ET 1 1 99 9 re f")


# -- is there any -----------------------------------------------------------------------------------------


def test_the_installed_program_is_found_with_its_version(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "", languages="deu+eng")
    assert isinstance(found, Tesseract)
    assert (found.version, found.languages) == ("5.3.0", "deu+eng")
    assert ocr.told(found) == f"tesseract 5.3.0 (deu, eng), {found.program}"


def test_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt-get install tesseract-ocr" in ocr.told(ocr.find(Ocr()))


def test_a_language_that_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "", languages="eng+chi_sim")
    assert "'chi_sim'" in str(found)
    assert "tesseract-ocr-chi-sim" in str(found)


def test_it_can_be_turned_off(tmp_path: Path, monkeypatch) -> None:
    assert "ocr.mode" in str(installed(tmp_path, monkeypatch, "", mode="never"))


# -- pictures ---------------------------------------------------------------------------------------------


def test_without_it_a_picture_is_rejected_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        read(tmp_path, "a.pgm", PGM, ocr.INSTALL)
    assert caught.value.reason == "it is a PNM picture, and there is no text recognition here"
    assert "tesseract-ocr" in caught.value.remedy


def test_a_picture_is_what_the_program_reads_in_it(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, 'echo "$@"; wc -c; printf "\\f"', languages="deu")
    told = text(read(tmp_path, "a.pgm", PGM, found))
    assert told.startswith("stdin stdout -l deu")
    assert str(len(PGM)) in told


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + bytes(50)),
        ("a.gif", b"GIF89a\xff\xff\xff\xff" + bytes(50)),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08\xff\xff\xff\xff" + bytes(50)),
        ("a.bmp", b"BM" + bytes(12) + b"\x28\0\0\0" + (60_000).to_bytes(4, "little") * 2 + bytes(50)),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\0" * 2 + bytes(50)),
        ("a.ppm", b"P6 # huge\n60000 60000 255\n" + bytes(50)),
        ("a.tiff", b"II*\0\x08\0\0\0\2\0" + b"\0\1\4\0\1\0\0\0\xff\xff\0\0"
         + b"\1\1\4\0\1\0\0\0\xff\xff\0\0" + bytes(4)),
    ],
)  # fmt: skip
def test_a_picture_too_large_is_refused_by_its_header(name, data, tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "echo read")
    with pytest.raises(Rejected) as caught:
        read(tmp_path, name, data, found)
    assert "ocr.memory" in caught.value.reason


def test_a_picture_with_half_a_header_is_rejected(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "echo read")
    for start in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\0"):
        with pytest.raises(Rejected, match="damaged"):
            read(tmp_path, "a", start + b"\0" * 9, found)


def test_a_tiff_whose_pages_go_round_in_a_circle_ends(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "echo read")
    page = b"\2\0" + b"\0\1\3\0\1\0\0\0\11\0\0\0" + b"\1\1\3\0\1\0\0\0\11\0\0\0" + b"\x08\0\0\0"
    with pytest.raises(Rejected, match=r"bounds\.pages"):
        read(tmp_path, "a.tiff", b"II*\0\x08\0\0\0" + page, found, bounds=Bounds(pages=50))


def test_a_program_that_fails_is_the_reason(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(Rejected, match="could not be read"):
        read(tmp_path, "a.pgm", PGM, found)


def test_a_program_that_hangs_is_ended_and_there_are_heartbeats_meanwhile(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, f"echo $$ >{tmp_path}/pid; exec sleep 600", timeout=1.5)
    path = tmp_path / "a.pgm"
    path.write_bytes(PGM)
    with path.open("rb") as file:
        pieces = extract(file, media_type(file, "a.pgm"), Reading(ocr=found))
        assert next(pieces) is HEARTBEAT
        with pytest.raises(Rejected, match=r"longer than 1.5 s \(ocr.timeout\)"):
            list(pieces)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_reader_that_is_given_up_ends_the_program(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, f"echo $$ >{tmp_path}/pid; exec sleep 600")
    path = tmp_path / "a.pgm"
    path.write_bytes(PGM)
    with path.open("rb") as file:
        pieces = extract(file, media_type(file, "a.pgm"), Reading(ocr=found))
        assert next(pieces) is HEARTBEAT
        pieces.close()  # type: ignore[attr-defined]
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_the_program_is_bound_in_memory_and_time(tmp_path: Path, monkeypatch) -> None:
    does = "sleep 0.3; ulimit -v; ulimit -t; echo $OMP_THREAD_LIMIT"
    found = installed(tmp_path, monkeypatch, does, memory=200 * MB, timeout=7.0)
    assert text(read(tmp_path, "a.pgm", PGM, found)).split() == [str(200 * 1024), "8", "1"]


def test_where_memory_runs_out_the_program_goes_before_the_daemon(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "sleep 0.3; cat /proc/$$/oom_score_adj")
    assert text(read(tmp_path, "a.pgm", PGM, found)).split() == ["1000"]


def test_that_the_kernel_ended_the_program_is_the_reason(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "kill -9 $$")
    with pytest.raises(Rejected, match=r"kernel ended its text recognition.*MemoryMax"):
        read(tmp_path, "a.pgm", PGM, found)


# -- pages of a PDF ---------------------------------------------------------------------------------------


def test_pages_that_are_only_pictures_are_read_in_their_place(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "head -c 15 | head -n 2; printf '\\f'")
    pieces = [p for p in read(tmp_path, "a.pdf", scanned("text", "", "more"), found) if p.text]
    assert [(p.page, p.text.strip()) for p in pieces] == [(1, "text"), (2, "P5\n1653 2339"), (3, "more")]


def test_a_page_that_cannot_be_read_is_told_of(tmp_path: Path, monkeypatch) -> None:
    notes: list[str] = []
    found = installed(tmp_path, monkeypatch, "exit 1")
    assert text(read(tmp_path, "a.pdf", scanned("text", "", ""), found, note=notes.append)).strip() == "text"
    [note] = notes
    assert note.startswith("2 of its 3 pages are only pictures and could not be read: page 2 could not be read")


@pytest.mark.parametrize("coded", ["JPXDecode", "JBIG2Decode"])
def test_a_page_whose_picture_cannot_be_decoded_is_told_of(coded: str, tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "head -c 2")
    data = samples.pictures_pdf([(9, 9, b"\xff" * 81, ""), (9, 9, b"no picture" * 9, coded)])
    notes: list[str] = []
    assert text(read(tmp_path, "a.pdf", data, found, note=notes.append)).strip() == "P5"
    [note] = notes
    assert note.startswith(
        "1 of its 2 pages are only pictures and could not be read: page 2 has a picture that"
    )


def test_a_document_of_which_nothing_was_read_is_rejected(tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(Rejected, match="text recognition finds none"):
        read(tmp_path, "a.pdf", scanned("", ""), found)


@pytest.mark.parametrize("box", ["0 0 1000000 1000000", "0 0 14400 1", "0 0 0.01 9000000"])
def test_a_page_of_any_size_is_a_picture_of_bounded_size(box: str, tmp_path: Path, monkeypatch) -> None:
    found = installed(tmp_path, monkeypatch, "wc -c")
    data = scanned("", "text").replace(b"0 0 595 842", box.encode())
    notes: list[str] = []
    sizes = text(read(tmp_path, "a.pdf", data, found, note=notes.append)).split()
    assert notes or int(sizes[0]) <= ocr.MOST_PIXELS * 1.01


# -- tesseract itself -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real() -> Tesseract:
    """The real one, installed where it is missing."""
    if shutil.which("tesseract") is None:
        print("installing tesseract-ocr")
        command = "apt-get update -qq && apt-get install -qq -y --no-install-recommends tesseract-ocr"
        done = subprocess.run(["sh", "-c", command], check=False)
        if done.returncode:
            pytest.fail("tesseract is missing and cannot be installed; as root: apt-get install tesseract-ocr")
    found = ocr.find(Ocr())
    assert isinstance(found, Tesseract), found
    return found


def drawn(tmp_path: Path) -> bytes:
    """A sentence as a grey picture, drawn by the program that draws pages."""
    data = samples.pdf([SENTENCE], points=24)
    source = tmp_path / "source.pdf"
    source.write_bytes(data)
    with source.open("rb") as file:
        command = [sys.executable, "-I", ocr.render.__file__, "0", "150", "8000000"]
        return subprocess.run(command, stdin=file, capture_output=True, check=True).stdout


@pytest.mark.long
@pytest.mark.timeout(600)
def test_tesseract_reads_a_picture(real: Tesseract, tmp_path: Path) -> None:
    assert SENTENCE in text(read(tmp_path, "a.pgm", drawn(tmp_path), real))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_tesseract_reads_a_scanned_page(real: Tesseract, tmp_path: Path) -> None:
    head, _, pixels = drawn(tmp_path).partition(b"\n255\n")
    width, height = (int(number) for number in head.split()[1:])
    data = samples.picture_pdf(width, height, pixels)
    assert SENTENCE in text(read(tmp_path, "scan.pdf", data, real))

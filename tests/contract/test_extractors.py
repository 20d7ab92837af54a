"""What holds for every extractor, whatever its format."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import EXTRACTORS, Reading, extract, media_type, picture, suffixes
from bouquetd.model import Piece
from tests import samples

SENTENCE = "Ärger im Café: the quick brown fox jumps over the lazy dog."
FILES = samples.whole_files(SENTENCE)
LONG = samples.whole_files(" ".join(f"Sentence {n}: \u00fc, e\u0301, \U0001f600 & co." for n in range(300)))
every_kind = pytest.mark.parametrize("name", FILES)


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def pieces(path: Path, read_size: int = 256 * 1024, buffer_size: int = 64 * 1024) -> list[Piece]:
    with path.open("rb", buffering=0) as file:
        return list(extract(file, media_type(file, path.name), Reading(read_size, buffer_size)))


def test_there_is_a_sample_for_every_extractor_but_those_of_raw_text(tmp_path: Path) -> None:
    found = set()
    for name, data in FILES.items():
        with write(tmp_path, name, data).open("rb") as file:
            found.add(media_type(file, name))
    assert found == set(EXTRACTORS) - suffixes.TEXTS - set(picture.KINDS)


@every_kind
def test_the_text_is_found_in_the_file(name: str, tmp_path: Path) -> None:
    assert SENTENCE in "".join(p.text for p in pieces(write(tmp_path, name, FILES[name])))


@every_kind
@pytest.mark.parametrize("read_size", [7, 100, 4096])
def test_the_text_does_not_depend_on_the_sizes(name: str, read_size: int, tmp_path: Path) -> None:
    path = write(tmp_path, name, long_file(name))
    small = pieces(path, read_size, 64)
    large = pieces(path)
    assert "".join(p.text for p in small) == "".join(p.text for p in large)
    assert places(small) == places(large)


def long_file(name: str) -> bytes:
    if name == "a.pdf":
        return samples.pdf([f"Page {n}: ä é\nand more" for n in range(3)])
    return LONG[name]


def places(found: list[Piece]) -> list[tuple[int | None, int | None]]:
    return [(p.page, p.row) for p in found for _ in p.text]


@every_kind
def test_no_piece_is_larger_than_the_buffer(name: str, tmp_path: Path) -> None:
    sizes = [len(p.text.encode()) for p in pieces(write(tmp_path, name, long_file(name)), 4096, 200)]
    assert len(sizes) > 1 or name == "a.pdf"
    assert all(size <= 200 for size in sizes)


@every_kind
def test_the_text_is_clean(name: str, tmp_path: Path) -> None:
    text = "".join(p.text for p in pieces(write(tmp_path, name, long_file(name))))
    text.encode()
    assert unicodedata.is_normalized("NFC", text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\r]", text)


@every_kind
def test_sniffing_leaves_the_file_at_its_start(name: str, tmp_path: Path) -> None:
    with write(tmp_path, name, FILES[name]).open("rb") as file:
        media_type(file, name)
        assert file.tell() == 0


@every_kind
def test_a_file_that_vanished_from_its_folder_is_still_read(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, FILES[name])
    with path.open("rb") as file:
        kind = media_type(file, name)
        path.unlink()
        path.write_bytes(b"another file by that name")
        text = "".join(p.text for p in extract(file, kind, Reading(4096, 4096)))
    assert SENTENCE in text


@every_kind
def test_an_extraction_can_be_given_up_half_way(name: str, tmp_path: Path) -> None:
    with write(tmp_path, name, long_file(name)).open("rb") as file:
        running = extract(file, media_type(file, name), Reading(64, 64))
        next(iter(running))
        assert isinstance(running, Iterator)
        running.close()  # type: ignore[attr-defined]
        assert not file.closed


@pytest.mark.parametrize("name", samples.bad_files())
def test_a_bad_file_is_rejected_with_a_reason_and_a_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        pieces(write(tmp_path, name, samples.bad_files()[name]))
    assert caught.value.reason
    assert caught.value.remedy.endswith(".")


@every_kind
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    harm=st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=3)), min_size=1, max_size=5),
    keep=st.floats(0, 1),
)
def test_a_damaged_file_gives_text_or_is_rejected_and_nothing_else(
    name: str, harm: list[tuple[int, bytes]], keep: float, tmp_path: Path
) -> None:
    data = bytearray(FILES[name])
    for at, junk in harm:
        at %= len(data)
        data[at : at + len(junk)] = junk
    path = write(tmp_path, name, bytes(data[: int(len(data) * max(keep, 0.2))]))
    try:
        for piece in pieces(path, 64, 256):
            piece.text.encode()
    except Rejected:
        pass


class FailingFile(io.BytesIO):
    """A file on a disk that fails after some reads."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > 4:
            raise OSError(5, "Input/output error")
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > 4:
            raise OSError(5, "Input/output error")
        return super().readline(size)


@pytest.mark.parametrize("name", [name for name in FILES if name != "a.pdf"])
def test_an_error_of_the_disk_passes_as_it_is(name: str) -> None:
    file: BinaryIO = FailingFile(long_file(name))
    with pytest.raises(OSError, match="Input/output error"):
        for _ in extract(file, kind_of(name), Reading(64, 64)):
            pass


def kind_of(name: str) -> str:
    return media_type(io.BytesIO(FILES[name]), name)

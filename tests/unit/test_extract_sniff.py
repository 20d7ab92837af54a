"""Which kind a file is: content first, then suffix."""

from __future__ import annotations

import io

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from tests import samples


def kind(data: bytes, name: str) -> str:
    return media_type(io.BytesIO(data), name)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"plain", "a.txt", "text/plain"),
        (b"plain", "README", "text/plain"),
        (b"2024-01-01 INFO started", "a.log", "text/x-log"),
        (b"import os", "a.py", "text/x-python"),
        (b"#!/usr/bin/env python3\nimport os", "a", "text/x-python"),
        (b"#!/bin/sh\nexit", "a", "text/x-shellscript"),
        (b"#! a title of its own", "a", "text/plain"),
        (b"a: 1", "a.yml", "application/yaml"),
        (b"a = 1", "a.toml", "application/toml"),
        (b"%PDF-1.4", "a.py", "application/pdf"),
        (b"<html>", "a.yaml", "text/html"),
        (b"Title\n=====\n", "a.rst", "text/x-rst"),
        (b"# Title", "a.MD", "text/markdown"),
        (b"  <!DOCTYPE HTML PUBLIC '-//W3C'>", "a.txt", "text/html"),
        (b"<html lang=en>", "saved page", "text/html"),
        ("<html>".encode("utf-16"), "a", "text/html"),
        (
            b"<?xml version='1.0'?>\n<!-- x -->\n<html xmlns='http://www.w3.org/1999/xhtml'>",
            "a.xml",
            "text/html",
        ),
        (b"<p>no more than a fragment", "a.html", "text/html"),
        (b"<p>no more than a fragment", "a.txt", "text/plain"),
        (b"<?xml version='1.0'?><book>", "a.xml", "application/xml"),
        (b"a,b\n1,2\n", "a.csv", "text/csv"),
        (b"a\tb\n", "a.tsv", "text/tab-separated-values"),
        (b"a,b\n1,2\n", "a.txt", "text/plain"),
        (b"[1, 2]", "a.json", "application/json"),
        (b"\xef\xbb\xbf{}", "a.geojson", "application/json"),
        (b"[a link](b) and text", "a.md", "text/markdown"),
        (b"{not for us}", "a.txt", "text/plain"),
        (b"hello", "a.json", "text/plain"),
        (b'{"a": 1}\n', "a.jsonl", "application/x-ndjson"),
        (b'{"a": 1}\n', "a.ndjson", "application/x-ndjson"),
        (b"%PDF-1.4", "a.txt", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0" + samples.binary_junk(), "a.txt", "image/jpeg"),
        (b"P2 3 1 9 1 2 3", "a.pgm", "image/x-portable-anymap"),
        (b"P2 3 1 9 1 2 3", "a.txt", "text/plain"),
        (b"II*\0" + b"\xff" * 5000, "a.txt", "image/tiff"),  # white paper, no control characters
        (b"BMW is a car maker", "a.txt", "text/plain"),
        (b"junk\n%PDF-1.4", "a.pdf", "application/pdf"),
        (b"A file begins with %PDF-1.4 when it is a PDF", "a.txt", "text/plain"),
        (b"GIF89 is a format, and BZh another", "a.txt", "text/plain"),
        (b"one \0 NUL and a text around it, long enough to be one" * 3, "a.txt", "text/plain"),
    ],
)
def test_content_decides_then_the_suffix(data: bytes, name: str, expected: str) -> None:
    assert kind(data, name) == expected


@pytest.mark.parametrize("data", [b"\x01\x02 junk", b"\xde\xad\xbe\xef\xfa\xce\xfe\xed", b"caf\xe9 au lait"])
def test_scraps_with_the_name_of_a_kind_that_is_never_text_are_not_taken_for_text(data: bytes) -> None:
    for name in ("a.pdf", "a.DOCX", "a.jpeg"):
        with pytest.raises(Rejected, match="does not begin as such a file does"):
            kind(data, name)
    assert kind(data, "a.txt") == "text/plain"


@pytest.mark.parametrize("text", ["notes on a café", "notes"])
def test_a_text_with_such_a_name_is_read_all_the_same(text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert kind(text.encode(encoding), "a.pdf") == "text/plain"


def test_a_docx_is_one_by_any_name() -> None:
    assert kind(samples.docx(["x"]), "a.bin").endswith("wordprocessingml.document")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (samples.binary_junk(), "binary"),
        (b"\x7fELF" + bytes(100), "program"),
        (b"\x1f\x8b\x08" + samples.binary_junk(), "cannot be unpacked"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Office document is damaged"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
    ],
)
def test_a_kind_that_cannot_be_read_is_rejected_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        kind(data, "a.txt")


def test_a_rejected_file_too_is_left_at_its_start() -> None:
    file = io.BytesIO(samples.binary_junk())
    with pytest.raises(Rejected):
        media_type(file, "a.txt")
    assert file.tell() == 0


def test_an_unknown_media_type_is_rejected() -> None:
    with pytest.raises(Rejected, match="audio/mpeg"):
        list(extract(io.BytesIO(b"x"), "audio/mpeg", Reading(1, 4)))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "it is a 7z archive, which bouquetd does not read. Unpack it (`7z x`), or"
         " pack what is in it as .zip or .tar.gz, and drop the result again."),
        (b"Rar!\x1a\x07\1\0", "a RAR archive"),
        (b"Rar!\x1a\x07\0\xcf", "a RAR archive"),
        (b"\x28\xb5\x2f\xfd\x04\x58", "packed by zstd"),
        (b"\x04\x22\x4d\x18\x64\x40", "packed by LZ4"),
        (b"LZIP\1\x0c", "packed by lzip"),
        (b"MSCF\0\0\0\0", "a cabinet"),
    ],
)  # fmt: skip
def test_what_is_packed_in_a_way_that_nobody_reads_is_told_with_the_way_to_unpack_it(
    head: bytes, said: str
) -> None:
    with pytest.raises(Rejected) as caught:
        kind(head + bytes(range(256)) * 4, "a.tar.zst")
    assert said in f"{caught.value.reason}. {caught.value.remedy}"
    assert "npack it (`" in caught.value.remedy

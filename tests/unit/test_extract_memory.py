"""50 MB of any kind pass through a few MB of memory, however they are laid out; 5 MB in the short form."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests import samples

FULL, SHORT = 50 * 1024 * 1024, 5 * 1024 * 1024
ALLOWED = 30  # MB above the baseline
SENTENCES = " ".join(
    f"Sentence number {n} is about nothing in particular, not even \u00e9t\u00e9." for n in range(900)
)

PROGRAM = """
import sys
from bouquetd.chunk import chunk
from bouquetd.extract import extract, media_type, warm

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

warm()
before = peak()
with open(sys.argv[1], "rb") as file:
    pieces = extract(file, media_type(file, sys.argv[1]), read_size=256 * 1024, buffer_size=64 * 1024)
    chunks = sum(1 for _ in chunk(pieces))
print(chunks, peak() - before)
"""


def fill(path: Path, size: int, part: str, head: str = "", tail: str = "") -> None:
    data = part.encode()
    with path.open("wb") as file:
        file.write(head.encode())
        file.writelines(itertools.repeat(data, size // len(data)))
        file.write(tail.encode())


def fill_docx(path: Path, parts: Iterable[bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w") as file:
            for part in parts:
                file.write(part)


def docx_of_one_paragraph(path: Path, size: int) -> None:
    name = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    text = (" ".join(str(n * n) for n in range(50_000)) + " ").encode()
    head = b'<w:document xmlns:w="' + name + b'"><w:body><w:p><w:r><w:t>'
    fill_docx(
        path, [head, *itertools.repeat(text, size // len(text)), b"</w:t></w:r></w:p></w:body></w:document>"]
    )


def long_pdf(path: Path, size: int) -> None:
    page = "\n".join(SENTENCES[at : at + 90] for at in range(0, 4500, 90))
    path.write_bytes(samples.pdf([page] * (size // 26_000)))


TEXT = SENTENCES + "\n\n"
MAKERS: dict[str, Callable[[Path, int], None]] = {
    "paragraphs.txt": lambda p, size: fill(p, size, TEXT),
    "one line.txt": lambda p, size: fill(p, size, SENTENCES + " "),
    "one word.txt": lambda p, size: fill(p, size, "a" * 1000),
    "emoji.txt": lambda p, size: fill(p, size, "\U0001f600 " + SENTENCES),
    "desert.txt": lambda p, size: fill(p, size, " " * 1000, tail="the end"),
    "one element.html": lambda p, size: fill(p, size, SENTENCES, "<html><p>"),
    "nested.html": lambda p, size: fill(p, size, "<div>" * 5000 + "text ", "<html>"),
    "one attribute.html": lambda p, size: fill(p, size, "QUJD" * 1000, "<html>text<img src='data:", "'>more"),
    "one comment.html": lambda p, size: fill(p, size, "not - here -- ", "<html>text<!--", "-->more"),
    "one string.json": lambda p, size: fill(p, size, json.dumps(TEXT)[1:-1], '{"text": "', '"}'),
    "one array.json": lambda p, size: fill(
        p, size, '{"id": 17, "tags": ["a", "b"], "text": "some words of text"},\n', "[", "1]"
    ),
    "one line.jsonl": lambda p, size: fill(p, size, SENTENCES, '"', '"'),
    "rows.csv": lambda p, size: fill(
        p, size, '17,Ann,"She said ""hello, world"" and left"\r\n', "id,name,text\r\n"
    ),
    "one row.csv": lambda p, size: fill(p, size, 'a,"b c",', "x,y\n" + "1,2\n" * 9),
    "one cell.csv": lambda p, size: fill(p, size, SENTENCES + "\n", "x,y\n" + "1,2\n" * 9 + '1,"', '"\n'),
    "one line.csv": lambda p, size: fill(p, size, 'a,"b c",'),
    "one paragraph.docx": docx_of_one_paragraph,
    "pages.pdf": long_pdf,
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", [SHORT, pytest.param(FULL, marks=pytest.mark.long)], ids=["short", "full"])
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

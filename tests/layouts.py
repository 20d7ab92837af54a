"""Large files of each kind, laid out in the ways that are hard on memory: one line, one element, many rows."""

from __future__ import annotations

import io
import itertools
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests import legacy, samples

SENTENCES = " ".join(
    f"Sentence number {n} is about nothing in particular, not even \u00e9t\u00e9." for n in range(900)
)


def fill(path: Path, size: int, part: str, head: str = "", tail: str = "") -> None:
    data = part.encode()
    with path.open("wb") as file:
        file.write(head.encode())
        file.writelines(itertools.repeat(data, size // len(data)))
        file.write(tail.encode())


def fill_with_names(path: Path, size: int) -> None:
    """XML each of whose elements has another name."""
    with path.open("w") as file:
        file.write("<x>")
        file.writelines(f"<n{number}/>{SENTENCES[:40]}\n" for number in range(size // 52))
        file.write("</x>")


def fill_package(path: Path, size: int, sample: bytes, part: str, mark: bytes, repeated: bytes) -> None:
    """A package as large as that: in one of its parts the mark is replaced by something again and again."""
    with (
        zipfile.ZipFile(io.BytesIO(sample)) as small,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in small.namelist():
            before, found, after = small.read(name).partition(mark)
            with archive.open(name, "w") as file:
                file.write(before)
                if name == part:
                    assert found
                    file.writelines(itertools.repeat(repeated, size // len(repeated)))
                file.write(found * (name != part) + after)


def docx_of_one_paragraph(path: Path, size: int) -> None:
    text = (" ".join(str(n * n) for n in range(50_000)) + " ").encode()
    fill_package(path, size, samples.docx(["MARK"]), "word/document.xml", b"MARK", text)


def shared_texts(path: Path, size: int) -> None:
    """A sheet of texts that lie in the shared table, as many as there are cells."""
    each = SENTENCES[:90]
    rows = size // 300
    cells = "".join(f'<row><c t="s"><v>{n}</v></c><c><v>{n}.5</v></c></row>' for n in range(rows))
    texts = "".join(f"<si><t>{n} {each}</t></si>" for n in range(rows))
    with (
        zipfile.ZipFile(io.BytesIO(samples.xlsx([["x"]]))) as small,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in small.namelist():
            data = small.read(name).decode()
            data = re.sub("<row.*</row>", lambda _: cells, data)
            archive.writestr(name, re.sub("<si>.*</si>", lambda _: texts, data))


def long_pdf(path: Path, size: int) -> None:
    page = "\n".join(SENTENCES[at : at + 90] for at in range(0, 4500, 90))
    path.write_bytes(samples.pdf([page] * (size // 26_000)))


def in_utf_16(path: Path, size: int, make: Callable[[str], bytes]) -> None:
    """An Office document from before 2007 with text that takes so many bytes in it."""
    text = SENTENCES + "\r"
    path.write_bytes(make(text * (size // (2 * len(text)))))


def old_rows(path: Path, size: int) -> None:
    """A workbook of at most as many rows as Excel had, with a long text in each."""
    each = SENTENCES[: min(4000, size // 120_000)]
    path.write_bytes(legacy.xls([[f"{n} {each}"] for n in range(size // (2 * len(each) + 60))]))


def old_slides(path: Path, size: int) -> None:
    path.write_bytes(legacy.ppt([SENTENCES[:25_000]] * (size // 50_500)))


def zip_of_texts(path: Path, size: int) -> None:
    """A ZIP as large as that with ten texts that no duplicates are; they are not packed any tighter."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(10):
            archive.writestr(
                f"{number}.txt", f"The text {number}.\n\n" + TEXT * (size // 10 // len(TEXT.encode()))
            )


def tape_of_texts(path: Path, size: int) -> None:
    """The same as a TAR, which is packed, and unpacks to that much."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tape:
        for number in range(10):
            data = (f"The text {number}.\n\n" + TEXT * (size // 10 // len(TEXT.encode()))).encode()
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = len(data)
            tape.addfile(info, io.BytesIO(data))


MAIL = "From: a@example.org\nTo: b@example.org\nSubject: S\n"
TEXT = SENTENCES + "\n\n"
Maker = Callable[[Path, int], None]
"""Writes a file of about so many bytes."""

MAKERS: dict[str, Maker] = {
    "paragraphs.txt": lambda p, size: fill(p, size, TEXT),
    "one line.txt": lambda p, size: fill(p, size, SENTENCES + " "),
    "one word.txt": lambda p, size: fill(p, size, "a" * 1000),
    "emoji.txt": lambda p, size: fill(p, size, "\U0001f600 " + SENTENCES),
    "desert.txt": lambda p, size: fill(p, size, " " * 1000, tail="the end"),
    "one element.html": lambda p, size: fill(p, size, SENTENCES, "<html><p>"),
    "nested.html": lambda p, size: fill(p, size, "<div>" * 5000 + "text ", "<html>"),
    "one attribute.html": lambda p, size: fill(p, size, "QUJD" * 1000, "<html>text<img src='data:", "'>more"),
    "one comment.html": lambda p, size: fill(p, size, "not - here -- ", "<html>text<!--", "-->more"),
    "links.html": lambda p, size: fill(
        p, size, f"<li><a href='http://example.org/a'>A link</a> {SENTENCES[:600]}\n", "<html>"
    ),
    "one navigation.html": lambda p, size: fill(p, size, f"<a href='b'>{SENTENCES[:200]}</a> ", "<html><nav>"),
    "paragraphs.xml": lambda p, size: fill(
        p, size, f"<para role='x'>{SENTENCES[:300]} <emphasis>in</emphasis></para>\n", "<book>", "</book>"
    ),
    "records.xml": lambda p, size: fill(
        p, size, f"<person name='Ann Lee'><note>{SENTENCES[:300]}</note></person>\n", "<x>", "</x>"
    ),
    "one element.xml": lambda p, size: fill(p, size, SENTENCES, "<book>", "</book>"),
    "names.xml": fill_with_names,
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
    "rows.xlsx": shared_texts,
    "one slide.pptx": lambda p, size: fill_package(
        p, size, samples.pptx(["MARK"]), "ppt/slides/slide1.xml", b"MARK", TEXT.encode()
    ),
    "paragraphs.odt": lambda p, size: fill_package(
        p, size, samples.odt(["MARK"]), "content.xml", b"MARK", b"some words </text:p><text:p>"
    ),
    "rows.ods": lambda p, size: fill_package(
        p,
        size,
        samples.ods([["a", "b"], ["MARK", 1]]),
        "content.xml",
        b"MARK",
        b"some words</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>",
    ),
    "one chapter.epub": lambda p, size: fill_package(
        p, size, samples.epub(["MARK"]), "OEBPS/c0.xhtml", b"MARK", TEXT.encode()
    ),
    "paragraphs.rtf": lambda p, size: fill(p, size, SENTENCES[:80] + "\\'e9\\u233?\\par\n", "{\\rtf1 ", "}"),
    "one picture.rtf": lambda p, size: fill(p, size, "89504e47" * 100 + "\n", "{\\rtf1 text{\\pict ", "}}"),
    "one text.eml": lambda p, size: fill(p, size, TEXT, MAIL + "\n"),
    "base64.eml": lambda p, size: fill(
        p, size, "dGV4dCBhbmQgbW9yZSB0ZXh0IGFuZCBtb3Jl\n", MAIL + "Content-Transfer-Encoding: base64\n\n"
    ),
    "messages.mbox": lambda p, size: fill(p, size, f"From a@b Tue Mar  3 10:00:00 2026\n{MAIL}\n{TEXT}"),
    "pages.pdf": long_pdf,
    "paragraphs.doc": lambda p, size: in_utf_16(p, size, legacy.doc_of),
    "rows.xls": old_rows,
    "slides.ppt": old_slides,
    "one text.msg": lambda p, size: in_utf_16(p, size, legacy.msg),
}
PACKED: dict[str, Maker] = {"texts.zip": zip_of_texts, "texts.tar.gz": tape_of_texts}
"""What has no text of its own, but files."""

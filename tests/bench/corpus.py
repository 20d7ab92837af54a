"""Real documents of the seven kinds from Debian packages, with an independent reading of each.

Packages are downloaded by ``apt-get`` and unpacked into a folder of ours; nothing is installed, and no rights
are needed. What Debian hardly has (DOCX, JSON Lines, texts in old encodings) is converted from what it has.
Pandoc and pdftotext, which read and convert, come the same way. Everything lies in ``.cache/corpus``:

* ``documents/<package>/...``: the files, as a person would have them in folders;
* ``readings/<package>/....txt``: what a reader sees in them, a paragraph or row a line, made with other
  libraries than ``bouquetd.extract`` uses.

Run it by itself to fetch and count: ``python -m tests.bench.corpus``.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import lxml.html

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "corpus"

KINDS = ("text", "markdown", "html", "pdf", "docx", "table", "json")

SMALLEST, LARGEST = 1_500, 600_000
"""Bytes of a file worth taking: smaller ones hold no sentence, larger ones are another test's matter."""

TOOLS = ("pandoc", "pandoc-data", "poppler-utils")
"""The data by its own name too: where it is installed, apt-get would not fetch it for the other's sake."""


class CorpusError(Exception):
    """The documents cannot be had; the message says which package or tool is the matter."""


@dataclass(frozen=True, slots=True)
class Take:
    """At most ``most`` files of a package, spread evenly over those that match ``pattern`` below ``/usr``.

    ``suffix`` replaces the file's own where it says less than it could; ``change`` converts the content, or
    gives None where it cannot.
    """

    kind: str
    package: str
    pattern: str
    most: int
    suffix: str = ""
    change: Callable[[bytes, Tools], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One document of the corpus: its path below ``documents``, and what a reader sees in it."""

    kind: str
    source: str
    reading: str


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs that run from the folder their packages were unpacked into."""

    root: Path

    def run(self, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """What the program prints. Raises ``CorpusError`` with its complaint."""
        libraries = ":".join(map(str, self.root.glob("usr/lib/*-linux-gnu")))
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": libraries,
            "pandoc_datadir": str(self.root / "usr/share/pandoc"),
        }
        command = [str(self.root / "usr/bin" / program), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
        if done.returncode:
            raise CorpusError(f"{program} {' '.join(arguments)}: {done.stderr.decode(errors='replace')[:500]}")
        return done.stdout

    def pandoc(self, content: bytes, source: str, target: str) -> bytes:
        """Convert a document from one format to another."""
        return self.run("pandoc", "-f", source, "-t", target, "-o", "-", "--wrap=none", stdin=content)


# -- what is converted, because Debian hardly has it ------------------------------------------------------


def _docx(content: bytes, tools: Tools) -> bytes:
    """A web page as a Word document, without what pandoc would fetch from beside it."""
    page = lxml.html.document_fromstring(content)
    for element in list(page.iter("img", "script", "style", "svg", "iframe", "link")):
        element.drop_tree()
    return tools.pandoc(lxml.html.tostring(page), "html", "docx")


def _utf16(content: bytes, _tools: Tools) -> bytes | None:
    return content.decode().encode("utf-16")


def _latin1(content: bytes, _tools: Tools) -> bytes | None:
    """None where Latin-1 would be ASCII, or could not say it."""
    text = content.decode()
    try:
        return None if text.isascii() else text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _lines(content: bytes, _tools: Tools) -> bytes:
    """A JSON object's one list, an entry a line."""
    (entries,) = json.loads(content).values()
    return b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in entries)


SELECTION = (
    Take("text", "doc-debian", "share/doc/debian/constitution.1.[1-4].txt", 2, change=_latin1),
    Take("text", "vim-runtime", "share/vim/vim90/doc/*.txt", 6, change=_latin1),
    Take("text", "git-doc", "share/doc/git-doc/gitk*.txt", 1, change=_utf16),
    Take("text", "git-doc", "share/doc/git-doc/git[a-f]*.txt", 6, change=_utf16),
    Take("text", "git-doc", "share/doc/git-doc/git-*.txt", 45),
    Take("text", "vim-runtime", "share/vim/vim90/doc/*.txt", 45),
    Take("text", "doc-debian", "share/doc/debian/*.txt", 12),
    Take("text", "debian-policy", "share/doc/debian-policy/policy.html/_sources/*.txt", 12),
    Take("markdown", "anarchism", "share/doc/anarchism/markdown/*.md", 35),
    Take("markdown", "docker-doc", "share/doc/docker-doc/**/*.md", 45),
    Take("markdown", "nodejs-doc", "share/doc/nodejs/api/*.md", 35),
    Take("html", "postgresql-doc-15", "share/doc/postgresql-doc-15/html/*.html", 40),
    Take("html", "python3.11-doc", "share/doc/python3.11/html/library/*.html", 30),
    Take("html", "apache2-doc", "share/doc/apache2-doc/manual/en/**/*.html", 20),
    Take("html", "apache2-doc", "share/doc/apache2-doc/manual/fr/mod/*.html", 5),
    Take("html", "zsh-doc", "share/doc/zsh-common/html/*.html", 15),
    Take("html", "exim4-doc-html", "share/doc/exim4-doc-html/spec_html/ch-*.html", 15),
    Take("html", "aptitude-doc-en", "share/doc/aptitude/html/en/*.html", 15),
    Take("pdf", "bash-doc", "share/doc/bash/*.pdf", 2),
    Take("pdf", "gnu-standards", "share/doc/gnu-standards/*.pdf", 2),
    Take("pdf", "developers-reference", "share/developers-reference/*.pdf", 1),
    Take("pdf", "maint-guide", "share/doc/maint-guide/*.en.pdf", 1),
    Take("pdf", "debian-faq", "share/doc/debian/FAQ/*.pdf", 1),
    Take("pdf", "bird-doc", "share/doc/bird-doc/*.pdf", 2),
    Take("pdf", "debmake-doc", "share/doc/debmake-doc/*.??.pdf", 4),
    *(
        Take("pdf", f"r-cran-{name.lower()}", f"lib/R/site-library/{name}/doc/*.pdf", 5)
        for name in (
            "coin", "flexmix", "lmtest", "multcomp", "party", "psych", "psychotools", "quantreg", "Rcpp",
            "sandwich", "spatstat", "strucchange", "vcd", "zoo",
        )
    ),
    Take("docx", "libvirt-doc", "share/doc/libvirt-doc/html/**/*.html", 45, ".docx", _docx),
    Take("docx", "dbus-1-doc", "share/doc/dbus/dbus-*.html", 10, ".docx", _docx),
    Take("docx", "mkdocs-doc", "share/doc/mkdocs/html/**/*.html", 12, ".docx", _docx),
    Take("table", "python3-statsmodels", "lib/python3/dist-packages/statsmodels/**/*.csv", 35),
    Take("table", "gdal-data", "share/gdal/*.csv", 30),
    Take("table", "ieee-data", "share/ieee-data/*.csv", 3),
    Take("table", "python3-vega-datasets", "lib/python3/dist-packages/vega_datasets/_data/*.csv", 7),
    Take("table", "r-cran-data.table", "lib/R/site-library/data.table/**/*.csv", 5),
    Take("table", "tzdata", "share/zoneinfo/*.tab", 3, ".tsv"),
    Take("json", "iso-codes", "share/iso-codes/json/iso_639-[25].json", 2, ".jsonl", _lines),
    Take("json", "iso-codes", "share/iso-codes/json/iso_4*.json", 1, ".jsonl", _lines),
    Take("json", "iso-codes", "share/iso-codes/json/iso_[13]*.json", 4),
    Take("json", "python3-botocore", "lib/python3/dist-packages/botocore/data/*/*/service-2.json", 45),
    Take("json", "node-caniuse-db", "share/nodejs/caniuse-db/features-json/*.json", 30),
    Take("json", "python3-vega-datasets", "lib/python3/dist-packages/vega_datasets/_data/*.json", 6),
)  # fmt: skip


# -- fetching ---------------------------------------------------------------------------------------------


def _download(packages: list[str], into: Path) -> None:
    """The newest ``.deb`` of each package. Raises ``CorpusError`` that says which cannot be had."""
    into.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "-q", "download", *packages]
    if not shutil.which(command[0]):
        raise CorpusError("apt-get is missing: these documents can be fetched on Debian only")
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
    if done.returncode:  # no lists yet, or stale ones
        updated = subprocess.run(["apt-get", "-q", "update"], capture_output=True, text=True, check=False)
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CorpusError(f"apt-get cannot download all packages:\n{done.stderr}{updated.stderr}")


def _tools(folder: Path) -> Tools:
    """Pandoc and pdftotext, with the libraries they need and this machine lacks."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "-q", "-y", "install", "--download-only", "--reinstall", "--no-install-recommends"]
    options = ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1"]
    done = subprocess.run([*command, *options, *TOOLS], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CorpusError(f"apt-get cannot download {' and '.join(TOOLS)}:\n{done.stderr}")
    for archive in sorted(archives.glob("*.deb")):
        _unpack(archive, folder / "root")
    return Tools(folder / "root")


def _unpack(archive: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "-x", str(archive), str(into)], check=True)


def _found(take: Take, unpacked: Path, taken: set[str], tools: Tools) -> Iterator[tuple[str, bytes]]:
    """Source and content of each file to take; ``taken`` are digests of those taken before."""
    usr = unpacked / take.package / "usr"
    paths = sorted({*usr.glob(take.pattern), *usr.glob(f"{take.pattern}.gz")})
    usable: dict[str, tuple[PurePosixPath, bytes]] = {}
    for path in paths:
        if path.is_symlink() or not path.is_file():
            continue
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        largest = LARGEST * 2 if take.kind == "pdf" else LARGEST
        digest = hashlib.sha256(content).hexdigest()
        if not SMALLEST <= len(content) <= largest or digest in taken or digest in usable:
            continue
        name = PurePosixPath(str(path.relative_to(usr)).removesuffix(".gz"))
        usable[digest] = name, content
    if take.change is _latin1:
        usable = {digest: it for digest, it in usable.items() if _latin1(it[1], tools)}
    digests = sorted(usable, key=lambda digest: usable[digest][0])
    most = min(take.most, len(digests))
    for digest in (digests[i * len(digests) // most] for i in range(most)):
        taken.add(digest)
        name, content = usable[digest]
        if take.change is not None:
            content = take.change(content, tools) or content
        yield f"{take.package}/{name.with_suffix(take.suffix) if take.suffix else name}", content


# -- reading as a person does -----------------------------------------------------------------------------

_BLOCKS = frozenset(
    """
    address article aside blockquote body br caption center dd details div dl dt fieldset figcaption
    figure footer form h1 h2 h3 h4 h5 h6 header hr html li main menu nav ol p pre section summary table
    tbody td tfoot th thead title tr ul
    """.split()
)


def visible(page: bytes, encoding: str | None = None) -> str:
    """The text of a web page, a block a line, by libxml2."""
    root = lxml.html.document_fromstring(page, parser=lxml.html.HTMLParser(encoding=encoding))
    for element in list(root.iter("script", "style", "noscript", "template")):
        element.drop_tree()
    for element in root.iter():
        element.text = _squeezed(element.text)
        element.tail = _squeezed(element.tail)
        if element.tag in _BLOCKS:
            element.text = "\n" + element.text
            element.tail = "\n" + element.tail
    return str(root.text_content())


def _squeezed(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


def _paragraphs(text: str) -> str:
    """Paragraphs between blank lines, each on one line."""
    return "\n".join(map(_squeezed, re.split(r"\n[^\S\n]*\n|\f", text)))


def _read_text(content: bytes, _tools: Tools) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _paragraphs(content.decode("utf-16"))
    try:
        return _paragraphs(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _paragraphs(content.decode("latin-1"))


def _read_markdown(content: bytes, tools: Tools) -> str:
    return visible(tools.pandoc(content, "gfm", "html"), "utf-8")


def _read_html(content: bytes, _tools: Tools) -> str:
    return visible(content)


def _read_pdf(content: bytes, tools: Tools) -> str:
    return _paragraphs(tools.run("pdftotext", "-", "-", stdin=content).decode())


def _read_docx(content: bytes, tools: Tools) -> str:
    return visible(tools.pandoc(content, "docx", "html"), "utf-8")


def _read_table(content: bytes, _tools: Tools) -> str:
    """The rows under the first, cells side by side, as they come out of a spreadsheet."""
    text = content.decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max("\t;,", key=first.count)
    rows = csv.reader((line for line in text.splitlines() if not line.startswith("#")), delimiter=delimiter)
    return "\n".join(_squeezed(" ".join(filter(None, row))) for row in list(rows)[1:])


def _read_json(content: bytes, _tools: Tools) -> str:
    """Every text in it; of objects with short values only, the values side by side."""
    text = content.decode()
    try:
        values = [json.loads(text)]
    except json.JSONDecodeError:
        values = [json.loads(line) for line in text.splitlines()]
    return "\n".join(map(_squeezed, _said(values)))


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _said(item)
    elif isinstance(value, dict):
        texts = [str(item) for item in value.values() if isinstance(item, str | int | float)]
        if all(len(text) < 60 for text in texts):
            yield " ".join(texts)
        else:
            yield from texts
        for item in value.values():
            yield from _said(item)


_READERS: dict[str, Callable[[bytes, Tools], str]] = {
    "text": _read_text,
    "markdown": _read_markdown,
    "html": _read_html,
    "pdf": _read_pdf,
    "docx": _read_docx,
    "table": _read_table,
    "json": _read_json,
}


# -- all of it --------------------------------------------------------------------------------------------


def fetch(cache: Path = CACHE) -> list[Sample]:
    """The corpus, made when it is not there yet or this file has changed since."""
    stamp = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    listing = cache / "corpus.json"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it
        if not (listing.exists() and json.loads(listing.read_text())["stamp"] == stamp):
            listing.unlink(missing_ok=True)
            listing.write_text(json.dumps({"stamp": stamp, "documents": _build(cache)}, indent=1))
    return [
        Sample(kind, source, (cache / "readings" / f"{source}.txt").read_text(encoding="utf-8"))
        for kind, source in json.loads(listing.read_text())["documents"]
    ]


def _build(cache: Path) -> list[tuple[str, str]]:
    """Fetch, unpack, choose, convert and read; returns kind and source of each document."""
    packages = sorted({take.package for take in SELECTION})
    _download(packages, cache / "packages")
    tools = _tools(cache / "tools")
    unpacked = cache / "unpacked"
    for package in packages:
        newest = max((cache / "packages").glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        _unpack(newest, unpacked / package)
    for folder in ("documents", "readings"):
        shutil.rmtree(cache / folder, ignore_errors=True)
    taken: set[str] = set()

    def make(take: Take, source: str, content: bytes) -> tuple[str, str]:
        _write(cache / "documents" / source, content)
        _write(cache / "readings" / f"{source}.txt", _READERS[take.kind](content, tools).encode())
        return take.kind, source

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = []
        for take in SELECTION:
            before = len(futures)
            for source, content in _found(take, unpacked, taken, tools):
                futures.append(pool.submit(make, take, source, content))
            if len(futures) == before:
                raise CorpusError(f"the package {take.package} has no {take.pattern} any more")
        documents = [future.result() for future in futures]
    shutil.rmtree(unpacked)
    return documents


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    print(Counter(sample.kind for sample in fetch()))

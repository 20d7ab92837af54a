"""From bytes to text: is it text at all, in which encoding, and its characters as a stream.

The encoding is a function of the file alone, never of how large the reads are, so the same file always gives
the same text.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO

from bouquetd.errors import Rejected

SAMPLE = 64 * 1024
"""Bytes that are looked at to judge a file."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Backspace and escape stay out: manual pages and terminal logs are full of them.
_CONTROLS = bytes({*range(32), 127} - set(b"\b\t\n\v\f\r\x1b"))
_BINARY_SHARE = 0.04  # random bytes have 0.1, text next to nothing
_BINARY_COUNT = 4

# Labels that mean more than they say (https://encoding.spec.whatwg.org/#names-and-labels).
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_KNOWN = re.compile(r"utf-8|cp(125\d|437|850|852|866|874|932|949)|iso8859-\d+|koi8-[ru]|mac-(roman|cyrillic)"
                    r"|gb18030|euc_jp|iso2022_jp|big5hkscs")  # fmt: skip
_ORDINARY = re.compile("[\\t\\n\\r -~]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are no UTF-8 as what they nearly always are, so that nothing is dropped."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return bad.decode("cp1252", "replace") if error.encoding == "utf-8" else "\ufffd", error.end


codecs.register_error("bouquetd.cp1252", _as_cp1252)


def read(file: BinaryIO, size: int) -> bytes:
    """Exactly ``size`` bytes, fewer only at the end of the file, whatever a single read returns."""
    data = file.read(size)
    while data and len(data) < size and (rest := file.read(size - len(data))):
        data += rest
    return data


def marked(head: bytes) -> tuple[str, int] | None:
    """The encoding a byte order mark tells, and the length of the mark."""
    return next(((name, len(bom)) for bom, name in _BOMS if head.startswith(bom)), None)


def wide(head: bytes) -> str | None:
    """UTF-16 without a mark: it has the zero bytes of spaces or line ends, and nothing that is no text."""
    head = head[:8192]
    if len(head) < 8 or b"\0" not in head or (head.isascii() and not looks_binary(head)):
        return None
    best, most = None, 0
    for name in ("utf-16-le", "utf-16-be"):
        text = codecs.getincrementaldecoder(name)("replace").decode(head)
        if (ordinary := len(_ORDINARY.findall(text))) > most and all(map(_is_text, set(text))):
            best, most = name, ordinary
    return best


def _is_text(character: str) -> bool:
    if character in "\b\t\n\v\f\r\x1b":
        return True
    return unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs") and character != "\ufffd"


def looks_binary(data: bytes) -> bool:
    """Whether 8-bit data has more control characters than any text."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return controls > _BINARY_COUNT and controls > _BINARY_SHARE * len(data)


def plain(head: bytes) -> bool:
    """Whether data is beyond doubt text: it says so by its mark, or is UTF-8 without a control character."""
    if marked(head) or wide(head):
        return True
    return _mostly_utf8(head) and head.translate(None, _CONTROLS) == head


def codec(label: str) -> str | None:
    """The codec for an encoding a document names itself; None for an unknown or impossible one.

    UTF-16 is impossible: a document whose label can be read as ASCII is not in it.
    """
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    name = _MEANT.get(name, name)
    return name if _KNOWN.fullmatch(name) else None


def head_text(head: bytes) -> str:
    """The start of a file as text, good enough to recognize markup in it."""
    name, skip = marked(head) or (wide(head) or "utf-8", 0)
    return head[skip:].decode(name, "replace")


def decoded(file: BinaryIO, read_size: int, hint: str | None = None) -> Iterator[str]:
    r"""The whole file as text, ``read_size`` bytes at a time, every line ending as ``\n``.

    ``hint`` is the codec the document names, used where nothing in its bytes contradicts.
    Raises Rejected when the file turns out to be binary further in.
    """
    name, skip = _detect(file, hint)
    file.seek(skip)
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(name)("bouquetd.cp1252"), translate=True
    )
    eight_bit = not name.startswith(("utf-16", "utf-32"))
    done = skip
    while block := read(file, read_size):
        if eight_bit and looks_binary(block):
            raise Rejected(
                f"it looks binary, not text, from about byte {done} on",
                "Save its text as a text file, or export it in a format bouquetd reads, and drop it again.",
            )
        done += len(block)
        if text := _text(decoder, block, name):
            yield text
    if text := _text(decoder, b"", name, final=True):
        yield text


def _text(decoder: io.IncrementalNewlineDecoder, block: bytes, name: str, *, final: bool = False) -> str:
    try:
        return decoder.decode(block, final=final)
    except UnicodeError as error:  # the multibyte codecs give up on some damage, whatever the error handler
        raise Rejected(
            f"its text is damaged: it is not valid {name} ({error})",
            "Save it again, as UTF-8 say, and drop it again.",
        ) from None


def _detect(file: BinaryIO, hint: str | None) -> tuple[str, int]:
    """The codec of a file and how many bytes of mark to skip."""
    file.seek(0)
    head = read(file, SAMPLE)
    if mark := marked(head):
        return mark
    if name := wide(head):
        return name, 0
    block = head
    while block.isascii():
        if not (block := read(file, SAMPLE)):
            return hint or ("iso2022_jp" if b"\x1b$" in head and _is(head, "iso2022_jp") else "utf-8"), 0
    # Judge by the line of the first character that is not ASCII and what follows it.
    found = _NOT_ASCII.search(block)
    start = block.rfind(b"\n", 0, found.start()) + 1 if found else 0
    sample = (block + read(file, SAMPLE))[start : start + SAMPLE]
    if _mostly_utf8(sample):
        return "utf-8", 0
    if hint:
        return hint, 0
    from bouquetd.extract import guess  # and with it charset-normalizer, 4 MB that few files need

    return guess.encoding(sample), 0


def _is(data: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeError:  # a plain one from the multibyte codecs, for an escape that leads nowhere
        return False
    return True


def _mostly_utf8(sample: bytes) -> bool:
    """Whether what is not ASCII is UTF-8 more often than not; by chance it hardly ever is."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
    foreign = sum(map(len, re.findall("[^\x00-\x7f]+", text)))
    escaped = sum(map(len, re.findall("[\udc80-\udcff]+", text)))
    return foreign - escaped >= escaped

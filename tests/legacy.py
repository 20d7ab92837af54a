"""Office documents from before 2007, made on the spot, each with as little in it as its kind needs."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Tree = Mapping[str, "bytes | Tree"]
"""The streams of a compound file, and its storages, by name."""

_END, _NONE, _FAT_SECTOR, _TABLES_SECTOR = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFC
_BODIES = {"html": "10130102", "rtf": "10090102", "headers": "007D001E"}
_MAIL_SENT = datetime(2026, 3, 3, 10, tzinfo=UTC)


def compound(tree: Tree, class_id: bytes = bytes(16)) -> bytes:
    """A compound file: streams under 4,096 bytes lie in small sectors within one of the large ones."""
    entries: list[list[object]] = []  # name, kind, left, right, child, class, start, size
    small, large = b"", b""
    small_next: list[int] = []
    following: list[int] = []

    def put(data: bytes) -> int:
        nonlocal large
        count = -(-len(data) // 512)
        start = len(following)
        following.extend([*range(start + 1, start + count), _END] if count else [])
        large += data.ljust(512 * count, b"\0")
        return start if count else _END

    def put_small(data: bytes) -> int:
        nonlocal small
        count = -(-len(data) // 64)
        start = len(small_next)
        small_next.extend([*range(start + 1, start + count), _END] if count else [])
        small += data.ljust(64 * count, b"\0")
        return start if count else _END

    def add(name: str, content: bytes | Tree, kind: int) -> int:
        number = len(entries)
        entry: list[object] = [name, kind, _NONE, _NONE, _NONE, bytes(16), _END, 0]
        entries.append(entry)
        if isinstance(content, bytes):
            entry[6] = put(content) if len(content) >= 4096 else put_small(content)
            entry[7] = len(content)
        else:
            inner = [add(key, content[key], 2 if isinstance(content[key], bytes) else 1) for key in content]
            for one, other in itertools.pairwise(inner):
                entries[one][3] = other  # no tree but a list, as good for who only looks at all
            entry[4] = inner[0] if inner else _NONE
        return number

    add("Root Entry", tree, 5)
    entries[0][5], entries[0][6], entries[0][7] = class_id, put(small), len(small)
    small_table = put(struct.pack(f"<{len(small_next)}L", *small_next))
    while len(entries) % 4:
        entries.append(["", 0, _NONE, _NONE, _NONE, bytes(16), 0, 0])
    directory = put(
        b"".join(
            struct.pack(
                "<64sHBBLLL16s20xLQ", str(name).encode("utf-16-le"), 2 * len(str(name)) + 2, kind, 1, *rest
            )
            for name, kind, *rest in entries
        )
    )
    tables = more = 0
    while 128 * tables < len(following) + tables + more:
        tables += 1
        more = max(
            0, -(-(tables - 109) // 127)
        )  # sectors that list those tables for which the head has no room
    first = len(following)
    following += [_FAT_SECTOR] * tables + [_TABLES_SECTOR] * more
    following += [_NONE] * (128 * tables - len(following))
    listed = list(range(first, first + tables))
    listed += [_NONE] * (109 + 127 * more - tables)
    lists = b""
    for number in range(more):
        behind = first + tables + number + 1 if number + 1 < more else _END
        lists += struct.pack("<128L", *listed[109 + 127 * number :][:127], behind)
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    head += struct.pack("<HHHHH6xLLLLLLLLL", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, directory, 0, 4096,
                        small_table if small_next else _END, -(-len(small_next) // 128),
                        first + tables if more else _END, more)  # fmt: skip
    head += struct.pack("<109L", *listed[:109])
    return head + large + struct.pack(f"<{len(following)}L", *following) + lists


def summary(title: str, author: str = "") -> bytes:
    """What a document says of itself, as a stream."""
    values = [(2, title), (4, author)]
    places, data = b"", b""
    at = 8 + 8 * (1 + len(values))
    places += struct.pack("<LL", 1, at)
    data += struct.pack("<LHxx", 2, 65001)
    for number, text in values:
        raw = text.encode() + b"\0"
        places += struct.pack("<LL", number, at + len(data))
        data += struct.pack("<LL", 30, len(raw)) + raw + bytes(-len(raw) % 4)
    section = struct.pack("<LL", at + len(data), 1 + len(values)) + places + data
    return (
        struct.pack("<HHLL16xL16xL", 0xFFFE, 0, 0, 0, 1, 48)[:28] + bytes(16) + struct.pack("<L", 48) + section
    )


def doc(paragraphs: Sequence[str], **more: object) -> bytes:
    """A Word document with one paragraph for each text; see ``doc_of``."""
    return doc_of("".join(f"{text}\r" for text in paragraphs), **more)  # type: ignore[arg-type]


def doc_of(
    text: str,
    stories: Sequence[int] | None = None,
    *,
    headings: Mapping[int, int] | None = None,
    hidden: Sequence[tuple[int, int]] = (),
    flags: int = 0,
    pieces: int = 1,
    title: str = "",
) -> bytes:
    """A Word document with this text, marks and all.

    ``stories`` are the lengths of its eight stories, ``headings`` the levels of paragraphs by the place where
    they begin, ``hidden`` ranges of characters that nobody sees; the text lies in so many pieces, the last one
    first.
    """
    units = text.encode("utf-16-le")
    count = len(units) // 2
    bounds = [count * n // pieces for n in range(pieces + 1)]
    body, places = b"", [0] * pieces
    for number in reversed(range(pieces)):
        places[number] = 1024 + len(body)
        body += units[2 * bounds[number] : 2 * bounds[number + 1]]
    body += bytes(-len(body) % 512)
    table = struct.pack("<BL", 2, 4 * (pieces + 1) + 8 * pieces)
    table += struct.pack(f"<{pieces + 1}L", *bounds) + b"".join(struct.pack("<HLH", 0, at, 0) for at in places)
    clx = (0, len(table))
    styles = struct.pack("<HHH", 4, 10, 10) + b"".join(
        struct.pack("<HHHL", 8, number, 0xFFF1, 0) for number in range(10)
    )
    style_place = (len(table), len(styles))
    table += styles

    def pages(changes: Mapping[int, bytes], width: int) -> tuple[int, int]:
        """One page of properties: what holds from each place on."""
        nonlocal table, body
        starts = sorted({0, *changes})
        ends = [1024 + 2 * at for at in (*starts, count)]
        data = bytearray(512)
        struct.pack_into(f"<{len(ends)}L", data, 0, *ends)
        at = 511
        for number, start in enumerate(starts):
            if said := changes.get(start):
                at = (at - len(said)) // 2 * 2
                data[at : at + len(said)] = said
                data[4 * len(ends) + number * width] = at // 2
        data[511] = len(starts)
        place = (len(table), 12)
        table += struct.pack("<LLL", ends[0], ends[-1], 2 + len(body) // 512)
        body += bytes(data)
        return place

    paragraphs = {0: b""} | {
        at: b"\2" + struct.pack("<H", level) + b"\0" for at, level in (headings or {}).items()
    }
    for at in list(headings or {}):
        paragraphs.setdefault(text.find("\r", at) + 1, b"")
    unseen: dict[int, bytes] = {}
    for start, end in hidden:
        unseen[start] = b"\3\x3c\x08\1"
        unseen.setdefault(end, b"")
    for at, mark in enumerate(text):
        before = at > 0 and "\x13" <= text[at - 1] <= "\x15"
        if ("\x13" <= mark <= "\x15") != before:
            unseen[at] = b"" if before else b"\3\x55\x08\1"
    paragraph_place = pages(paragraphs, 13) if pieces == 1 else (0, 0)
    character_place = pages(unseen, 1) if pieces == 1 else (0, 0)
    head = bytearray(1024)
    struct.pack_into("<HH2xH2xH", head, 0, 0xA5EC, 193, 0x409, 0x0200 | flags)
    struct.pack_into("<8l", head, 0x4C, *(stories or (count, 0, 0, 0, 0, 0, 0, 0)))
    for at, place in ((0xA2, style_place), (0xFA, character_place), (0x102, paragraph_place), (0x1A2, clx)):
        struct.pack_into("<LL", head, at, *place)
    streams: dict[str, bytes | Tree] = {"WordDocument": bytes(head) + body, "1Table": table}
    if title:
        streams["\5SummaryInformation"] = summary(title)
    return compound(streams)


def doc_95(text: str, *, wide: bool) -> bytes:
    """A document of Word 95, its text in one byte a character or in two."""
    head = bytearray(768)
    data = text.encode("utf-16-le" if wide else "cp1252")
    struct.pack_into("<HH2xH2xH", head, 0, 0xA5DC, 104, 0x409, 0x1000 * wide)
    struct.pack_into("<LL", head, 0x18, len(head), len(head) + len(data))
    struct.pack_into("<8l", head, 0x34, len(text), *([0] * 7))
    return compound({"WordDocument": bytes(head) + data})


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _excel_text(text: str, width: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack(f"<{width}B", len(units) // 2, 1) + units


def xls(rows: Sequence[Sequence[object]], name: str = "Sheet1", before: bytes = b"") -> bytes:
    """An Excel workbook with one sheet: texts shared, numbers in cells; ``before`` are records of its head."""
    texts = [value for row in rows for value in row if isinstance(value, str)]
    shared = b"".join(_excel_text(text, "H") for text in texts)
    table = struct.pack("<LL", len(texts), len(texts)) + shared
    parts = [table[:8224]]
    continued = b""
    if len(table) > 8224:  # each text anew in a record of its own
        parts = [table[:8]]
        continued = b"".join(_record(0x3C, _excel_text(text, "H")) for text in texts)
    cells = b""
    number = 0
    for at, row in enumerate(rows):
        for column, value in enumerate(row):
            place = struct.pack("<HHH", at, column, 0)
            if isinstance(value, str):
                cells += _record(0xFD, place + struct.pack("<L", number))
                number += 1
            else:
                cells += _record(0x203, place + struct.pack("<d", value))
    begin = _record(0x809, struct.pack("<HHHHLL", 0x600, 5, 0, 0, 0, 6))
    rest = _record(0xFC, parts[0]) + continued + _record(0x0A)
    sheet_name = _excel_text(name, "B")
    offset = len(begin) + len(before) + 4 + 6 + len(sheet_name) + len(rest)
    listed = _record(0x85, struct.pack("<LBB", offset, 0, 0) + sheet_name)
    sheet = _record(0x809, struct.pack("<HHHHLL", 0x600, 0x10, 0, 0, 0, 6)) + cells + _record(0x0A)
    return compound(
        {"Workbook": begin + before + listed + rest + sheet, "\5SummaryInformation": summary("Sums")}
    )


def _atom(kind: int, data: bytes, instance: int = 0, version: int = 0) -> bytes:
    return struct.pack("<HHL", instance << 4 | version, kind, len(data)) + data


def _container(kind: int, *parts: bytes, instance: int = 0) -> bytes:
    return _atom(kind, b"".join(parts), instance, 0xF)


def _shape(kind: int, text: str) -> bytes:
    return _container(
        0xF004,
        _container(0xF00D, _atom(0xF9F, struct.pack("<L", kind)), _atom(0xFA0, text.encode("utf-16-le"))),
    )


def ppt(slides: Sequence[str], mark: int = 0xE391C05F, *, lost: bool = False) -> bytes:
    """A PowerPoint presentation with one slide for each text, which has a title and notes.

    It was saved once; where that is ``lost`` once more, and the second save does not lead to the first.
    """
    parts: list[bytes] = []
    slide_list = note_list = b""
    for number, text in enumerate(slides, start=1):
        slide = _container(
            0x3EE,
            _atom(0x3EF, struct.pack("<L8xLLHH", 0, 0, number, 0, 0)),
            _container(0x40C, _shape(0, f"Title {number}"), _shape(1, text)),
        )
        notes = _container(0x3F0, _container(0x40C, _shape(2, f"Notes of slide {number}.")))
        slide_list += _atom(0x3F3, struct.pack("<LLLLL", 2 * number, 0, 0, 255 + number, 0))
        note_list += _atom(0x3F3, struct.pack("<LLLLL", 2 * number + 1, 0, 0, number, 0))
        parts += [slide, notes]
    parts.insert(0, _container(
        0x3E8, _container(0xFF0, slide_list), _container(0xFF0, note_list, instance=2)
    ))  # fmt: skip
    places = [sum(map(len, parts[:number])) for number in range(len(parts))]
    end = sum(map(len, parts))
    numbers = _atom(0x1772, struct.pack(f"<L{len(places)}L", len(places) << 20 | 1, *places))
    save = _atom(0xFF5, struct.pack("<LLLLLL", 0, 0, 0, end, 1, 0))
    last = end + len(numbers)
    stream = b"".join(parts) + numbers + save
    if lost:
        again = _atom(0x1772, struct.pack("<LL", 1 << 20 | 1, 0))
        end, last = len(stream), len(stream) + len(again)
        stream += again + _atom(0xFF5, struct.pack("<LLLLLL", 0, 0, last, end, 1, 0))
    user = struct.pack("<HHLLLL", 0, 0xFF6, 20, 20, mark, last)
    return compound({"PowerPoint Document": stream, "Current User": user})


def msg(text: str = "", attached: Mapping[str, bytes | Tree] | None = None, **bodies: bytes) -> bytes:
    """An Outlook message; ``html`` and ``rtf`` are other forms of its text."""
    return compound(message(text, attached, **bodies))


def message(
    text: str, attached: Mapping[str, bytes | Tree] | None = None, *, inner: bool = False, **bodies: bytes
) -> Tree:
    """The streams of an Outlook message; one that is ``inner`` goes to who attaches it.

    ``headers`` are those with which it came.
    """
    filetime = int((_MAIL_SENT - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    head = bytes(24 if inner else 32) + struct.pack("<HHLQ", 0x40, 0x39, 6, filetime)
    tree: dict[str, bytes | Tree] = {"__properties_version1.0": head}
    texts = {0x37: "A message", 0x0C1A: "Grüße", 0x5D01: "sender@example.org", 0x0E04: "reader", 0x1000: text}
    for number, value in texts.items():
        if value:
            tree[f"__substg1.0_{number:04X}001F"] = value.encode("utf-16-le")
    for name, data in bodies.items():
        tree[f"__substg1.0_{_BODIES[name]}"] = data
    tree["__recip_version1.0_#00000000"] = {
        "__properties_version1.0": bytes(8),
        "__substg1.0_39FE001F": "reader@example.org".encode("utf-16-le"),
    }
    for at, (name, content) in enumerate((attached or {}).items()):
        tree[f"__attach_version1.0_#{at:08X}"] = {
            "__properties_version1.0": bytes(8),
            "__substg1.0_3707001F": name.encode("utf-16-le"),
            f"__substg1.0_3701{'0102' if isinstance(content, bytes) else '000D'}": content,
        }
    return tree

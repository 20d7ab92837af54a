"""DOC, XLS, PPT and MSG: what is read of them, what they say of themselves, and what is refused."""

from __future__ import annotations

import io
import struct

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type, msg, ole
from bouquetd.model import Piece
from tests import legacy


def pieces(data: bytes) -> list[Piece]:
    file = io.BytesIO(data)
    return list(extract(file, media_type(file, "a"), Reading()))


def text(data: bytes) -> str:
    return "".join(p.text for p in pieces(data)).rstrip()


@pytest.mark.parametrize(
    ("marked", "seen"),
    [
        ("one\rtwo\r", "one\n\ntwo"),
        ("one\x0btwo\x0cthree\r", "one\ntwo\n\nthree"),
        ("a\x07b\x07\r", "a\tb"),
        ("a\x1eb soft\x1fer \x01\x02\x08\r", "a-b softer"),
        ("on \x13 PAGE \x14 7\x15 of 9\r", "on  7 of 9"),
        ("\x13 TOC \x13 X \x14 Y\x15 \x14one\x13 PAGEREF a \x142\x15\x15.\r", "one2."),
        ("index \x13 XE hidden \x15here\r", "index here"),
    ],
)
def test_marks_of_word_become_text(marked: str, seen: str) -> None:
    assert text(legacy.doc_of(marked)) == seen


def test_footnotes_endnotes_and_boxes_follow_the_text_and_headers_are_left_out() -> None:
    stories = ["body\r", "foot\r", "header\r", "", "comment\r", "end\r", "box\r", "box of a header\r"]
    data = legacy.doc_of("".join(stories), [len(story) for story in stories])
    assert text(data) == "body\n\nfoot\n\nend\n\nbox"


def test_the_pieces_of_a_text_are_put_in_order() -> None:
    words = "The quick brown fox jumps over the lazy dog."
    assert text(legacy.doc([words], pieces=7)) == words


def test_a_paragraph_in_the_style_of_a_heading_is_one() -> None:
    found = pieces(legacy.doc_of("Part\rintro\rSection\rbody\r", headings={0: 1, 11: 2}))
    assert [(p.text.strip(), p.headings) for p in found] == [
        ("Part\n\nintro", ("Part",)),
        ("Section\n\nbody", ("Part", "Section")),
    ]


def test_what_a_text_links_to_is_kept() -> None:
    found = pieces(legacy.doc_of('see \x13 HYPERLINK "https://example.org/a" \x14here\x15 now\r'))
    assert [(p.text.strip(), p.link) for p in found] == [
        ("see", None),
        ("here", "https://example.org/a"),
        ("now", None),
    ]


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc/passwd", "https://example.org/" + "a" * 500]
)
def test_what_is_no_link_for_people_is_not_kept(link: str) -> None:
    found = pieces(legacy.doc_of(f'see \x13 HYPERLINK "{link}" \x14here\x15 now\r'))
    assert [p.link for p in found] == [None]


def test_hidden_text_is_left_out() -> None:
    assert text(legacy.doc_of("seen hidden seen\r", hidden=[(5, 12)])) == "seen seen"


def test_a_document_says_its_title_and_author() -> None:
    facts = pieces(legacy.doc(["text"], title="Über alles"))[0].facts
    assert facts.title == "Über alles"


def test_fields_that_are_nested_too_deep_are_refused() -> None:
    with pytest.raises(Rejected, match=r"bounds\.nesting"):
        text(legacy.doc_of("\x13" * 501 + "\r"))


def test_a_sheet_has_its_rows_under_the_names_of_its_columns() -> None:
    found = pieces(legacy.xls([["id", "text"], [1, "one"], [2.5, "two"]], "Sums"))
    assert [(p.text.strip(), p.page, p.row) for p in found] == [
        ("Sums", 1, None),
        ("id: 1\ntext: one", 1, 2),
        ("id: 2.5\ntext: two", 1, 3),
    ]


def test_a_number_in_a_style_of_dates_is_a_date() -> None:
    style = struct.pack("<HHHH16x", 0xE0, 20, 0, 14)
    assert text(legacy.xls([[45000.0]], before=style)).endswith("2023-03-15")


def test_shared_texts_go_over_the_ends_of_records() -> None:
    words = [f"{n} " + "ü" * 500 for n in range(20)]
    shown = text(legacy.xls([[word] for word in words]))
    assert all(word in shown for word in words)


def test_a_workbook_with_more_cells_than_allowed_is_refused() -> None:
    reading = Reading(bounds=Reading().bounds.but(cells=2))
    file = io.BytesIO(legacy.xls([["a", "b", "c"]]))
    with pytest.raises(Rejected, match=r"bounds\.cells"):
        list(extract(file, media_type(file, "a"), reading))


def test_a_slide_has_its_title_as_heading_its_number_as_page_and_its_notes() -> None:
    found = pieces(legacy.ppt(["one", "two"]))
    assert [(p.text.strip(), p.page, p.headings) for p in found] == [
        ("Title 1\n\none\n\nNotes of slide 1.", 1, ("Title 1",)),
        ("Title 2\n\ntwo\n\nNotes of slide 2.", 2, ("Title 2",)),
    ]


@pytest.mark.parametrize(("words", "wide"), [("caf\u00e9 au lait", False), ("caf\u00e9 \u4e2d\u6587", True)])
def test_the_text_of_word_95_has_one_byte_a_character_or_two(words: str, wide: bool) -> None:
    assert text(legacy.doc_95(f"{words}\r", wide=wide)) == words


def test_a_presentation_whose_earlier_saves_are_nowhere_named_is_read_all_the_same() -> None:
    slides = ["One body", "Two body"]
    assert text(legacy.ppt(slides, lost=True)) == text(legacy.ppt(slides))


def test_a_presentation_with_more_slides_than_allowed_is_refused() -> None:
    reading = Reading(bounds=Reading().bounds.but(pages=1))
    file = io.BytesIO(legacy.ppt(["one", "two"]))
    with pytest.raises(Rejected, match=r"bounds\.pages"):
        list(extract(file, media_type(file, "a"), reading))


def test_a_message_has_its_headers_its_text_and_the_names_of_what_is_attached() -> None:
    inner = legacy.message("within", inner=True)
    found = pieces(legacy.msg("text", {"a.txt": b"attached", "inner.msg": inner}))
    shown = "".join(p.text for p in found)
    head = (
        "From: Grüße <sender@example.org>\nTo: reader\n"
        "Date: Tue, 03 Mar 2026 10:00:00 +0000\nSubject: A message\n"
    )
    assert shown == f"{head}\ntext\n\nAttached: a.txt\n\n{head}\nwithin\n\n"
    assert found[0].facts.recipients == ("reader@example.org",)
    assert found[0].facts.created_at == 1772532000


def test_a_message_that_came_through_the_internet_is_told_with_the_headers_it_came_with() -> None:
    headers = (
        b"Microsoft Mail Internet Headers Version 2.0\r\nReceived: from example.org;\r\n\tsome time\r\n"
        b"From: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <other@example.org>\r\n"
        b"To: A <a@example.org>,\r\n B <b@example.org>\r\n"
    )
    found = pieces(legacy.msg("text", headers=headers))
    assert "".join(p.text for p in found) == (
        "From: Grüße <other@example.org>\nTo: A <a@example.org>, B <b@example.org>\n"
        "Date: Tue, 03 Mar 2026 10:00:00 +0000\nSubject: A message\n\ntext\n\n"
    )
    assert found[0].facts.author == "Grüße <other@example.org>"
    assert found[0].facts.recipients == ("A <a@example.org>", "B <b@example.org>")


def test_a_message_without_plain_text_has_that_of_its_html_or_its_rtf() -> None:
    assert text(legacy.msg(html=b"<p>as <b>HTML</b></p>")).endswith("as HTML")
    plain = b"{\\rtf1 as RTF}"
    raw = struct.pack("<LLLL", len(plain) + 12, len(plain), 0x414C454D, 0) + plain
    assert text(legacy.msg(rtf=raw)).endswith("as RTF")


def test_packed_rtf_is_unpacked() -> None:
    # A reference to what the window holds at first, "{\rtf1\ansi", then bytes, then one to where they end.
    packed = bytes([0b00000001]) + struct.pack(">H", 0 << 4 | 9) + b" lazy d"
    packed += bytes([0b00001000]) + b"og}" + struct.pack(">H", (207 + 11 + 7 + 3) << 4)
    data = struct.pack("<LLLL", len(packed) + 12, 30, 0x75465A4C, 0) + packed
    assert text(legacy.msg(rtf=data)).endswith("lazy dog")


def test_attached_files_are_handed_out_with_their_names() -> None:
    inner = legacy.message("within", {"deep.txt": b"deep"}, inner=True)
    file = io.BytesIO(legacy.msg("text", {"a.txt": b"one" * 5000, "inner.msg": inner}))
    found = [(member.name, member.open().read()) for member in msg.members(file, Reading())]
    assert found == [("a.txt", b"one" * 5000), ("deep.txt", b"deep")]


@pytest.mark.parametrize(
    ("page", "name"),
    [(1251, "cp1251"), (950, "big5hkscs"), (28592, "iso8859-2"), (65001, "utf-8"), (7, "cp1252")],
)
def test_a_code_page_has_its_codec(page: int, name: str) -> None:
    assert ole.text_codec(page) == name


def test_messages_nested_too_deep_are_refused() -> None:
    tree = legacy.message("deepest", inner=True)
    for _ in range(30):
        tree = legacy.message("", {"m.msg": tree}, inner=True)
    with pytest.raises(Rejected, match="nested"):
        text(legacy.msg("text", {"m.msg": tree}))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (legacy.doc(["text"], flags=0x0100), "password"),
        (legacy.xls([["a"]], before=struct.pack("<HHH", 0x2F, 2, 0)), "password"),
        (legacy.ppt(["a"], mark=0xF3D1C4DF), "password"),
        (legacy.compound({"EncryptedPackage": b"x"}), "password"),
        (legacy.compound({"Quill": {}}), "Publisher"),
        (legacy.compound({"VisioDocument": b"x"}), "Visio"),
        (legacy.compound({"MatOST": b"x"}), "Works"),
        (legacy.compound({"Catalog": b"x"}), "thumbnails"),
        (legacy.compound({"PP40": b"x"}), "PowerPoint 4"),
        (legacy.compound({"x": b"x"}, bytes.fromhex("84100c0000000000c000000000000046")), "installer"),
        (legacy.compound({"Whatever": b"x"}), "Whatever"),
        (b"\xdb\xa5\x2d\0" + bytes(600), "Word 2"),
        (b"\xfe7\0\x23" + bytes(600), "Macintosh"),
        (b"\t\2\6\0\0\0\x10\0" + bytes(600), "Excel 3"),
        (b"\t\4\6\0\0\0\x10\0" + bytes(600), "Excel 4"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_own_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        text(data)


def harmed(data: bytes, *changes: tuple[int, int]) -> bytes:
    """With numbers of four bytes put where they do harm."""
    whole = bytearray(data)
    for at, number in changes:
        struct.pack_into("<L", whole, at, number)
    return bytes(whole)


def test_a_message_that_is_attached_to_itself_is_rejected() -> None:
    inner = legacy.message("within", inner=True)
    data = legacy.msg("text", {"one.msg": inner, "other.msg": inner})
    entries = 512 * (1 + struct.unpack_from("<L", data, 48)[0])
    storages = [
        at
        for at in range(entries, len(data) - 127, 128)
        if data[at : at + 128].startswith("__substg1.0_3701000D".encode("utf-16-le"))
    ]
    assert len(storages) == 2
    first = struct.unpack_from("<L", data, entries + 76)[0]
    with pytest.raises(Rejected, match=r"nested|within one another"):
        text(harmed(data, *((at + 76, first) for at in storages)))


DOC = legacy.doc(["text " * 2000])
TABLES = 512 * (1 + struct.unpack_from("<L", DOC, 76)[0])
ENTRY = 512 * (1 + struct.unpack_from("<L", DOC, 48)[0]) + 128  # of the stream with the text


@pytest.mark.parametrize(
    "data",
    [
        harmed(DOC, *((TABLES + 4 * n, n) for n in range(5))),  # sectors that follow on themselves
        harmed(DOC, (TABLES, 1), (TABLES + 4, 0)),  # on one another
        harmed(DOC, (TABLES, 0x7FFFFFFF)),  # outside
        harmed(DOC, (48, 0x7FFFFFFF)),  # a directory outside
        harmed(DOC, (76, 0x7FFFFFFF)),  # a table outside
        harmed(DOC, (ENTRY + 120, 0x7FFFFFFF)),  # a stream larger than the file
        harmed(DOC, (512 + 0x4C, 0x7FFFFFFF)),  # a text longer than the file
        harmed(DOC, (512 + 0x4C, 0xFFFFFFFF)),  # less than nothing
        harmed(DOC, (512 + 0x1A2, 0x7FFFFFFF)),  # a table of pieces outside
        DOC[:5000],
        DOC[:600],
    ],
)
def test_a_document_whose_numbers_lead_nowhere_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected, match="damaged"):
        text(data)

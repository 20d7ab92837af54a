# ruff: noqa: RUF001
"""Plain text: its encoding and its characters."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract
from bouquetd.extract.clean import clean
from bouquetd.model import Piece

GERMAN = "Die Straße führt über die Brücke. Schöne Grüße aus Köln, sagt Jürgen und trinkt Äpfelsaft.\n"
FRENCH = "Le cœur a ses raisons que la raison ne connaît point ; c\u2019est déjà l\u2019été à Besançon.\n"
RUSSIAN = "Привет, как дела? Это небольшая проверка кодировки обычного русского текста.\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy, řekl černý čáp a šel pomalu domů.\n"
GREEK = "Γρήγορη καφέ αλεπού πηδά πάνω από το τεμπέλικο σκυλί και φεύγει.\n"
JAPANESE = "これは日本語のテキストです。文字コードの判定を確認します。今日は天気がいいですね。\n"
THAI = "คณะกรรมการประชุมเมื่อวันอังคารเพื่อหารือเกี่ยวกับกฎระเบียบใหม่ด้านที่อยู่อาศัย\n"
POLISH = "Komisja zebrała się we wtorek, aby omówić nowe przepisy, które utrudnią znalezienie mieszkania.\n"
LITHUANIAN = (
    "Komitetas susirinko antradienį aptarti naujų būsto taisyklių, kurios apsunkins šeimoms gyvenimą.\n"
)
TURKISH = "Komite, yeni düzenlemeleri görüşmek üzere salı günü toplandı; bunun zor olacağını savundular.\n"
SPANISH = "El comité se reunió el martes para debatir las nuevas normas que harían más difícil la situación.\n"
ARABIC = "اجتمعت اللجنة يوم الثلاثاء لمناقشة اللوائح الجديدة الخاصة بالإسكان\n"
QUOTED = (
    "He said \u201cthat is all\u201d \u2013 and that they\u2019d go, although it was dark and cold out there.\n"
)
CHINESE = "这是中文文本、用来测试编码检测。今天的天气很好、我们去公园散步吧。\n"


def text(data: bytes, kind: str = "text/plain", read_size: int = 4096) -> str:
    return "".join(p.text for p in extract(io.BytesIO(data), kind, Reading(read_size, 4096)))


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("read_size", [1, 3, 4096])
def test_a_byte_order_mark_tells_the_encoding(bom: bytes, encoding: str, read_size: int) -> None:
    assert text(bom + RUSSIAN.encode(encoding), read_size=read_size) == RUSSIAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("sample", [GERMAN, RUSSIAN, GREEK, JAPANESE, CHINESE, THAI])
def test_utf16_without_a_mark_is_recognized(encoding: str, sample: str) -> None:
    assert text(sample.encode(encoding)) == sample


def test_a_stray_zero_byte_makes_no_utf16() -> None:
    assert text(b"one \0 two, and so on") == "one  two, and so on"


@pytest.mark.parametrize(
    ("encoding", "sample"),
    [
        ("cp1252", GERMAN),
        ("cp1252", FRENCH),
        ("cp1250", CZECH),
        ("cp1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
        ("cp1253", GREEK),
        ("shift_jis", JAPANESE),
        ("euc_jp", JAPANESE),
        ("iso2022_jp", JAPANESE),
        ("gb18030", CHINESE),
        ("cp866", RUSSIAN),
        ("iso8859-5", RUSSIAN),
        ("mac-cyrillic", RUSSIAN),
        ("cp1256", ARABIC),
        ("iso8859-6", ARABIC),
        ("cp874", THAI),
        ("cp1250", POLISH),
        ("iso8859-2", POLISH),
        ("iso8859-2", CZECH),
        ("cp1257", LITHUANIAN),
        ("cp1254", TURKISH),
        ("mac-roman", GERMAN),
        ("mac-roman", SPANISH),
        ("mac-roman", QUOTED),
        ("cp1252", QUOTED),
        ("cp850", GERMAN),
        ("big5", "這是中文文本、用來測試編碼檢測。今天的天氣很好、我們去公園散步吧。\n"),
        ("euc_kr", "이것은 한국어 텍스트입니다. 오늘은 날씨가 아주 좋습니다. 산책을 갑시다.\n"),
    ],
)
@pytest.mark.parametrize("times", [2, 3000])
def test_an_encoding_without_a_mark_is_detected(encoding: str, sample: str, times: int) -> None:
    assert text((sample * times).encode(encoding)) == sample * times


@pytest.mark.parametrize(
    ("encoding", "sample"),
    [
        ("big5", "這是中文文本、用來測試編碼檢測。今天的天氣很好、我們去公園散步吧。\n"),
        ("euc_jp", JAPANESE),
        ("euc_kr", "이것은 한국어 텍스트입니다. 오늘은 날씨가 아주 좋습니다. 산책을 갑시다.\n"),
    ],
)
def test_an_illegal_byte_does_not_rule_out_an_encoding_of_several_bytes(encoding: str, sample: str) -> None:
    whole = (sample * 20).encode(encoding)
    assert text(whole + b"\xff\n" + whole) == f"{sample * 20}\ufffd\n{sample * 20}"


def test_a_word_with_one_accent_is_enough_for_the_encoding_of_western_europe() -> None:
    assert text("café\n".encode("cp1252")) == "café\n"


def test_the_first_foreign_character_may_come_late() -> None:
    late = "plain ascii\n" * 20_000 + RUSSIAN * 3
    assert text(late.encode("cp1251")) == late
    assert text(late.encode()) == late


def test_a_stray_byte_in_utf8_is_read_as_windows_would() -> None:
    assert (
        text((GERMAN * 10).encode() + b"caf\xe9 \x93quoted\x94 na\xefve\n")
        == GERMAN * 10 + "café “quoted” naïve\n"
    )


def test_a_character_cut_by_the_end_of_the_file_is_not_lost_silently() -> None:
    assert text(GERMAN.encode() + "ü".encode()[:1]).startswith(GERMAN + "Ã")


@pytest.mark.parametrize("read_size", [1, 2, 3, 4096])
def test_every_kind_of_line_end_becomes_a_newline(read_size: int) -> None:
    assert text(b"a\r\nb\rc\nd\r\n\r\ne", read_size=read_size) == "a\nb\nc\nd\n\ne"


def test_control_characters_in_a_text_are_dropped_and_a_page_feed_ends_a_line() -> None:
    assert (
        text(b"one\0 two\x01\x7f\tthree\x0cfour" + b" and so on" * 10)
        == "one two\tthree\nfour" + " and so on" * 10
    )


def test_ligatures_become_letters_and_what_has_no_width_goes() -> None:
    assert (
        text("e\ufb03cient \ufb01\u0301n, \xadlong\u200ber and so on".encode())
        == "efficient fín, longer and so on"
    )
    assert text("نمی\u200cخواهم 👩\u200d🔬".encode()) == "نمی\u200cخواهم 👩\u200d🔬"


def test_a_text_that_turns_binary_is_rejected() -> None:
    with pytest.raises(Rejected, match="binary"):
        text(b"#!/bin/sh\necho unpacking\n" * 4000 + bytes(range(256)) * 1000)


def test_accents_are_composed_even_where_a_read_ends_between_letter_and_accent() -> None:
    assert text("e\u0301".encode() * 50, read_size=1) == "é" * 50


def test_a_pile_of_accents_takes_no_time() -> None:
    pile = "a" + "\u0301\u0327" * 100_000
    assert text(pile.encode()) == pile


@settings(deadline=None)
@given(
    st.text(alphabet="a\r\n\0e\u0301\u0327\u1100\u1161\u11a8\ud83d\ude00é한\u2029\ufeff\ufb03\u200b"), st.data()
)
def test_the_clean_text_does_not_depend_on_the_pieces(raw: str, data: st.DataObject) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    parts = [Piece(raw[a:b]) for a, b in zip([0, *at], [*at, len(raw)], strict=True)]
    whole = "".join(p.text for p in clean([Piece(raw)], 1 << 20))
    assert "".join(p.text for p in clean(parts, 4)) == whole
    whole.encode()


def test_a_stray_japanese_escape_in_a_text_does_not_make_it_japanese():
    data = b"plain text \x1b$ and no Japanese at all, " * 9
    assert "plain text" in text(data)
    assert "and no Japanese at all" in text(data)

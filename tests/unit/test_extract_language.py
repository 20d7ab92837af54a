# ruff: noqa: RUF001
"""The language of a document, and that its pieces are told it."""

from __future__ import annotations

import io

import pytest

from bouquetd.extract import Reading, extract
from bouquetd.extract.language import SAMPLE, language, told
from bouquetd.model import NOTHING, Facts, Piece

ENGLISH = "The committee met on Tuesday to discuss the new rules, and several members spoke against them. "
GERMAN = (
    "Der Ausschuss traf sich am Dienstag, um über die neuen Regeln zu beraten, und viele sprachen dagegen. "
)
PARAGRAPHS = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": "Le comité s'est réuni mardi pour discuter des nouvelles règles, et plusieurs s'y sont opposés.",
    "es": "El comité se reunió el martes para debatir las nuevas normas, y varios se opusieron a ellas.",
    "pl": "Komisja zebrała się we wtorek, aby omówić nowe przepisy, a kilku jej członków było im przeciwnych.",
    "ru": "Комитет собрался во вторник, чтобы обсудить новые правила, и несколько членов были против них.",
    "el": "Η επιτροπή συνεδρίασε την Τρίτη για να συζητήσει τους νέους κανονισμούς, και αρκετοί διαφώνησαν.",
    "he": "הוועדה התכנסה ביום שלישי כדי לדון בתקנות החדשות, וכמה חברים התנגדו להן מאוד.",
    "ar": "اجتمعت اللجنة يوم الثلاثاء لمناقشة اللوائح الجديدة، واعترض عليها عدد من الأعضاء.",
    "ja": "委員会は火曜日に集まり、新しい規則について話し合ったが、何人かの委員はそれに反対した。",
    "zh": "委员会于星期二开会讨论新的住房规定，几位委员认为这些规定会使年轻家庭更难找到住处，因此表示反对。",
    "ko": "위원회는 화요일에 새로운 규정을 논의하기 위해 모였고 여러 위원들이 그것에 반대했다. "
    "결정은 미루어졌다.",
    "th": "คณะกรรมการประชุมเมื่อวันอังคารเพื่อหารือเกี่ยวกับกฎระเบียบใหม่ และสมาชิกหลายคนไม่เห็นด้วย",
}


@pytest.mark.parametrize("code", PARAGRAPHS)
def test_a_paragraph_is_enough(code: str) -> None:
    assert language(PARAGRAPHS[code]) == code


@pytest.mark.parametrize("text", ["", "Hello there", "12:30 " * 200, "x = 1;\n" * 5, "\ufffd" * 500])
def test_what_has_no_words_to_speak_of_is_in_no_language(text: str) -> None:
    assert language(text) is None


def test_names_at_the_beginning_do_not_decide() -> None:
    assert language("Jean-Pierre Dupont, Université de Besançon\n" * 25 + ENGLISH * 12) == "en"


def test_all_pieces_share_the_facts_with_the_language() -> None:
    pieces = list(told(iter([Piece(ENGLISH * 30, page=n) for n in range(3)])))
    assert [(p.page, p.facts.language) for p in pieces] == [(0, "en"), (1, "en"), (2, "en")]
    assert len({id(p.facts) for p in pieces}) == 1


def test_other_facts_are_kept_and_a_language_that_is_named_is_believed() -> None:
    title = Facts(title="A title")
    assert [p.facts for p in told([Piece(ENGLISH, facts=title)])] == [Facts(title="A title", language="en")]
    named = Facts(language="la")
    assert [p.facts for p in told([Piece(ENGLISH, facts=named)])] == [named]


def test_a_message_of_a_mailbox_that_names_its_language_keeps_it() -> None:
    parts = [Piece(GERMAN * 30), Piece(ENGLISH, facts=Facts(language="en")), Piece(GERMAN)]
    assert [p.facts.language for p in told(parts)] == ["de", "en", "de"]


def test_pieces_without_a_language_pass_as_they_are() -> None:
    piece = Piece("1234")
    (same,) = told([piece])
    assert same is piece


def test_no_more_is_held_back_than_it_takes() -> None:
    asked = []

    def pieces():
        for n in range(1000):
            asked.append(n)
            yield Piece(ENGLISH)

    next(told(pieces()))
    assert len(asked) <= SAMPLE // len(ENGLISH) + 1


def test_a_heartbeat_is_not_held_back() -> None:
    beat = Piece("")
    assert next(told([beat, Piece(ENGLISH)])) is beat


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("text/plain", "en"), ("text/markdown", "en"), ("text/x-python", None), ("application/yaml", None)],
)
def test_source_code_and_data_are_in_no_language(kind: str, expected: str | None) -> None:
    (piece,) = extract(io.BytesIO(ENGLISH.encode()), kind, Reading())
    assert piece.facts.language == expected
    assert piece.facts is NOTHING or expected

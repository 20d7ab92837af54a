"""Documents that say the same in other formats are recognised, and left out where that is wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.likeness import AT_ONCE, Likeness
from tests import samples
from tests.harness import Home

PARAGRAPHS = (
    "Herons sleep standing, on one leg.",
    "Überall “quoted” \N{EN DASH} and the ﬁsh?",
    "Nothing moves.",
)
PLAIN = "\n\n".join(PARAGRAPHS)


def of(*pieces: str, at_once: int = AT_ONCE) -> str:
    likeness = Likeness(at_once)
    for piece in pieces:
        likeness.add(piece)
    return likeness.digest()


def test_case_white_space_and_the_shape_of_marks_do_not_count_and_words_do():
    assert of("The “fish” \N{EN DASH} a pike") == of('THE\r\n"fish" -\na   pike') == of("the ﬁsh, a pike")
    assert of("the fish, a pike") != of("the fish, a perch") != of("a pike, the fish")
    assert of("कि") != of("की")
    assert of("Müller") == of("Mu\u0308ller") != of("Muller")


@pytest.mark.parametrize(
    "texts",
    [
        ("1.5", "15", "1 5", "1,5", "1-5"),
        ("1,23\n4", "12,3\n4", "1,2,3\n4"),
        ("it was -100", "it was 100", "it was +100"),
        ("-5", "5"),
        ("10 -5", "10 5"),
        ("1,-5", "1,5"),
        ("10½", "101 2", "1012"),
        ("१.५", "१५"),
    ],
)
def test_other_numbers_are_another_text(texts: tuple[str, ...]):
    assert len({of(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "texts",
    [
        ("1 2", "1\r\n2", "| 1 | 2 |", "1\n- 2", "1, 2", "1\N{NO-BREAK SPACE}2"),
        ("1990-95", "1990\N{EN DASH}95"),
        ("at -5 °C", "at \N{MINUS SIGN}5 C"),
        ("page 5", "page-5", "page (5)"),
        ("a-5", "a\N{HYPHEN}5"),
    ],
)
def test_the_same_numbers_in_other_layouts_are_the_same_text(texts: tuple[str, ...]):
    assert len({of(text) for text in texts}) == 1


def test_a_text_without_letters_and_digits_is_like_no_other():
    assert of() == of("...", "* * *\n") == ""


@given(st.lists(st.text(alphabet="aB ß.é-\n7+,1९½\N{EN DASH}日ﾊﾞᄀ\u1161\u0301\u0331", max_size=6), max_size=6))
def test_it_does_not_depend_on_how_the_text_was_cut(pieces: list[str]):
    assert of(*pieces, at_once=1) == of(*pieces, at_once=5) == of("".join(pieces))


def files() -> dict[str, bytes]:
    return {
        "a.txt": PLAIN.encode(),
        "b.docx": samples.docx(PARAGRAPHS),
        "c.odt": samples.odt(PARAGRAPHS),
        "latin.txt": PLAIN.replace("“", '"')
        .replace("”", '"')
        .replace("\N{EN DASH}", "-")
        .replace("ﬁ", "fi")
        .encode("latin-1"),
        "other.txt": b"Storks do not.",
    }


def test_the_same_text_in_another_format_or_encoding_is_stored_and_said_to_be_the_same(tmp_path):
    home = Home(tmp_path)
    for name, content in files().items():
        home.put(name, content)
    outcome = home.once()
    assert set(home.states().values()) == {"filed"}
    assert "Its text is that of a.txt" in outcome.err
    shown = {row["source"]: row["same_text_as"] for row in home.cli("files", "--json").json["documents"]}
    assert shown.pop("a.txt") in ("b.docx", "c.odt", "latin.txt")
    assert shown == {"b.docx": "a.txt", "c.odt": "a.txt", "latin.txt": "a.txt", "other.txt": None}
    assert "Its text is that of a.txt." in home.cli("files").out


def test_with_duplicates_text_only_the_first_is_stored_and_the_others_are_duplicates_of_it(tmp_path):
    home = Home(tmp_path, {"inbox": {"duplicates": "text"}})
    home.put("a.txt", files()["a.txt"])
    assert home.once().status == 0
    for name, content in files().items():
        home.put(name, content)
    home.put("packed.zip", samples.zip_of({"c.odt": files()["c.odt"], "new.txt": b"Cranes do."}))
    outcome = home.once()
    assert outcome.status == 0, outcome.err
    assert home.states() == {
        "a.txt": "filed", "b.docx": "duplicate", "c.odt": "duplicate", "latin.txt": "duplicate",
        "other.txt": "filed", "packed.zip": "filed", "packed.zip!/c.odt": "duplicate",
        "packed.zip!/new.txt": "filed",
    }  # fmt: skip
    assert {r.metadata["source"] for r in home.stored().values()} == {
        "a.txt",
        "other.txt",
        "packed.zip!/new.txt",
    }
    assert "Duplicate b.docx: the same text is stored as a.txt" in outcome.err
    assert home.cli("verify").status == 0


@pytest.mark.long
def test_a_rebuilt_ledger_knows_which_texts_are_the_same(tmp_path):
    home = Home(tmp_path)
    for name in ("a.txt", "b.docx"):
        home.put(name, files()[name])
    home.once()
    before = {source: entry.document.text_digest for source, entry in home.entries().items()}
    (tmp_path / "state" / "ledger.db").unlink()
    assert home.once().status == 0
    assert {source: entry.document.text_digest for source, entry in home.entries().items()} == before
    assert len(set(before.values())) == 1


@pytest.mark.long
def test_a_new_version_with_the_same_text_takes_the_place_of_the_old_one(tmp_path):
    home = Home(tmp_path, {"inbox": {"duplicates": "text"}})
    for content in (PLAIN, PLAIN + "\n\n"):
        home.put("a.txt", content)
        assert home.once().status == 0
    assert home.states() == {"a.txt": "filed"}
    assert len(home.stored()) == 1
    assert home.cli("verify").status == 0

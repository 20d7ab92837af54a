import os
import sqlite3

import numpy as np
import pytest

from bouquetd.model import Record
from bouquetd.store.words import MOST_WORDS, Words


@pytest.fixture
def words(tmp_path):
    index = Words(tmp_path / "words.db")
    yield index
    index.close()


def record(id_, text, **metadata):
    return Record(id_, text, metadata, np.zeros(0, np.float32))


def found(words, question, n=10):
    return [id_ for _, id_, _ in words.search(question, n)]


def test_a_word_finds_its_stem_whatever_its_capitals_and_accents(words):
    words.add(1, [record("a:0", "Herons are sleeping at the café."), record("a:1", "A stone.")])
    assert found(words, "SLEEPS") == found(words, "cafe heron") == ["a:0"]


def test_a_word_with_an_sz_is_found_however_it_is_written(words):
    words.add(1, [record("a:0", "Die Hauptstraße."), record("a:1", "HAUPTSTRASSE")])
    assert all(len(found(words, word)) == 2 for word in ("Hauptstraße", "hauptstrasse", "HAUPTSTRASSE"))


def test_what_is_rare_in_the_whole_collection_counts_for_more_whatever_shard_it_lies_in(words):
    words.add(1, [record(f"a:{n}", f"a report about reeds {n}") for n in range(20)])
    words.add(2, [record("b:0", "a stone beside a beetle")])
    assert found(words, "report beetle")[0] == "b:0"
    assert words.search("beetle", 1)[0][0] == 2


def test_title_headings_and_file_name_are_words_of_a_chunk_too(words):
    words.add(1, [record("a:0", "text", title="Herons", headings=["On reeds"], name="beetle_report.pdf")])
    assert all(found(words, word) == ["a:0"] for word in ("heron", "reed", "beetle", "report"))


def test_scripts_without_blanks_are_found_by_a_part_of_a_sentence(words):
    words.add(1, [record("a:0", "数据库索引很快。"), record("b:0", "苍鹭在睡觉。")])
    assert found(words, "索引") == ["a:0"]
    assert found(words, "苍鹭") == ["b:0"]


def test_a_question_of_signs_or_of_the_syntax_of_sqlite_asks_for_no_more_than_its_words(words):
    words.add(1, [record("a:0", "text and NEAR that")])
    assert found(words, '"?! * ( :') == found(words, "") == []
    assert found(words, '"text" NEAR( ^text* AND NOT -') == ["a:0"]


def test_a_word_that_very_many_chunks_have_is_passed_over_beside_a_rarer_one(words, monkeypatch):
    monkeypatch.setattr("bouquetd.store.words.COMMON", 5)
    words.add(1, [record(f"a:{n}", "the stone") for n in range(20)] + [record("b:0", "a heron")])
    assert found(words, "the heron") == ["b:0"]
    assert len(found(words, "the stone", 50)) == 20


def test_of_a_page_put_as_a_question_only_the_first_words_are_looked_for(words):
    words.add(1, [record("a:0", "heron")])
    page = " ".join(f"w{n}" for n in range(MOST_WORDS - 1))
    assert found(words, f"{page} heron") == ["a:0"]
    assert found(words, f"{page} another heron") == []


def test_a_chunk_taken_in_twice_is_there_once(words):
    for _ in range(2):
        words.add(1, [record("a:0", "heron")])
    assert found(words, "heron") == ["a:0"]


def test_what_is_let_go_of_is_found_no_more_and_nothing_else_goes(words):
    words.add(1, [record("a:0", "heron"), record("a:1", "heron"), record("ab:0", "heron")])
    words.add(2, [record("c:0", "heron"), record("d:0", "heron")])
    assert words.remove(["a"])
    assert sorted(found(words, "heron")) == ["ab:0", "c:0", "d:0"]
    assert words.discard(["c:0"])
    assert words.ids(2) == {"d:0"}
    assert words.keep_only([1])
    assert found(words, "heron") == ["ab:0"]


def test_it_gives_no_more_than_it_is_asked_for(words):
    words.add(1, [record(f"a:{n}", "heron") for n in range(50)])
    assert len(found(words, "heron", 7)) == 7


def test_what_was_taken_in_outlives_a_kill(tmp_path):
    if not (child := os.fork()):
        Words(tmp_path / "words.db").add(1, [record("a:0", "heron")])
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert found(Words(tmp_path / "words.db"), "heron") == ["a:0"]


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough for a header of SQLite's" * 99])
def test_a_damaged_file_is_begun_anew(tmp_path, content):
    (tmp_path / "words.db").write_bytes(content)
    words = Words(tmp_path / "words.db")
    assert found(words, "heron") == []
    assert words.add(1, [record("a:0", "heron")])
    assert found(words, "heron") == ["a:0"]


def test_a_file_of_another_version_is_begun_anew(tmp_path):
    with sqlite3.connect(tmp_path / "words.db") as db:
        db.executescript("CREATE TABLE chunks (other); PRAGMA user_version = 99")
    db.close()
    words = Words(tmp_path / "words.db")
    assert words.add(1, [record("a:0", "heron")])
    assert found(words, "heron") == ["a:0"]


def test_a_folder_that_is_not_there_makes_nothing_fail(tmp_path):
    words = Words(tmp_path / "gone" / "words.db")
    assert not words.add(1, [record("a:0", "heron")])
    assert found(words, "heron") == []


def test_nobody_else_may_read_the_file(tmp_path):
    Words(tmp_path / "words.db").add(1, [record("a:0", "heron")])
    assert (tmp_path / "words.db").stat().st_mode & 0o077 == 0

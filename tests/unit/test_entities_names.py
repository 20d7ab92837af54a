"""Names of people, organisations and places, by capitals, cues and repetition within the document."""

from itertools import accumulate

import pytest

from bouquetd.chunk import chunk
from bouquetd.entities.names import MOST, REMEMBERED, Names, named
from bouquetd.model import Facts, Piece


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. Ada Lovelace wrote to Charles Babbage.", ["person:Ada Lovelace", "person:Charles Babbage"]),
        ("J. R. R. Tolkien and Mr. Darcy came.", ["person:J. R. R. Tolkien", "person:Darcy"]),
        ("It was Catherine of Aragon\u2019s.", ["person:Catherine"]),
        ("They met at the University of Cambridge.", ["organisation:University of Cambridge"]),
        ("Siemens AG and Ford Motor Company", ["organisation:Siemens AG", "organisation:Ford Motor Company"]),
        (
            "The Department of Health and Human Services paid.",
            ["organisation:Department of Health and Human Services"],
        ),
        ("Paris is in France, near Baker Street.", ["place:Paris", "place:France", "place:Baker Street"]),
        ("He saw Bosnia and Herzegovina.", ["place:Bosnia and Herzegovina"]),
        ("The Great Book Of Everything. However, Monday came. WARNING", []),
        ("THE HISTORY OF ENGLISH KINGS AND QUEENS", []),
        ("", []),
    ],
)
def test_a_run_of_capitals_is_a_name_when_something_says_of_what(text, found):
    assert Names().read(text) == found


def test_a_surname_stands_for_the_person_whose_full_name_was_read_before():
    names = Names()
    assert names.read("Ada Lovelace began. Later Lovelace stopped.") == ["person:Ada Lovelace"]
    assert names.read("What Lovelace wrote was read.") == ["person:Ada Lovelace"]


def test_a_surname_that_two_people_share_stands_for_neither():
    names = Names()
    names.read("Jane Bennet and Elizabeth Bennet came.")
    assert names.read("A letter for Bennet came.") == []


def test_an_abbreviation_in_brackets_is_the_organisation_before_it():
    names = Names()
    names.read("The Internet Engineering Task Force (IETF) met.")
    assert names.read("What the IETF said.") == ["organisation:Internet Engineering Task Force"]


def test_a_weak_cue_counts_from_its_second_time_on():
    names = Names()
    assert names.read("He lived in Meryton.") == []
    assert names.read("She was in Meryton too.") == ["place:Meryton"]
    assert names.read("Then Meryton was left.") == ["place:Meryton"]


def test_weak_cues_of_english_are_not_looked_for_in_another_language():
    pieces = [Piece("Es war in Ordnung. " * 50, facts=Facts(language="de"))]
    assert [c.names for c in named(chunk(pieces, 200, 20))] == [()] * len(list(chunk(pieces, 200, 20)))


def test_what_two_chunks_share_counts_once():
    text = "x" * 150 + " he lived in Meryton " + "y" * 100
    chunks = list(chunk([Piece(text)], 200, 100))
    assert sum("in Meryton" in c.text for c in chunks) > 1
    assert all(not c.names for c in named(iter(chunks)))


def test_the_names_of_a_chunk_depend_on_the_text_up_to_its_end_and_on_nothing_else():
    sentences = [f"Ada Lovelace met Person{n} in Town{n % 7}, and Lovelace said so. " for n in range(200)]
    whole = list(named(chunk([Piece("".join(sentences))], 300, 50)))
    pieces = list(named(chunk([Piece(s) for s in sentences], 300, 50)))
    assert whole == pieces
    assert len({c.names for c in whole}) > 1
    ends = list(accumulate(map(len, sentences)))
    half = list(named(chunk([Piece("".join(sentences)[: ends[99]])], 300, 50)))
    assert [c.names for c in half[:-2]] == [c.names for c in whole[: len(half) - 2]]


def test_who_goes_on_in_a_document_reads_its_stretch_again_and_nothing_before(monkeypatch):
    monkeypatch.setattr("bouquetd.entities.names.STRETCH", 10)
    text = "".join(f"Ada Lovelace met Person{n} in Town{n % 7}, and Lovelace said so. " for n in range(200))
    chunks = list(chunk([Piece(text)], 300, 50))
    whole, read = list(named(iter(chunks))), []
    monkeypatch.setattr(Names, "read", lambda _, text, *__, **___: read.append(text) or [])
    list(named(iter(chunks), 27))
    assert read == [c.text for c in chunks[20:]]
    monkeypatch.undo()
    monkeypatch.setattr("bouquetd.entities.names.STRETCH", 10)
    assert list(named(iter(chunks), 27))[20:] == whole[20:]
    assert list(named(iter(chunks[:10]))) + list(named(iter(chunks), 10))[10:] == whole


def test_a_chunk_keeps_a_bounded_number_of_names():
    text = " ".join(f"Dr. Name{chr(97 + n // 26)}{chr(97 + n % 26)} came." for n in range(100))
    assert len(Names().read(text)) == MOST


def test_a_document_of_endless_names_is_remembered_within_a_bound():
    names = Names()
    for n in range(2 * REMEMBERED):
        names.read(f"Ada Surname{n} was in Town{n}.")
    assert len(names._known) <= REMEMBERED
    assert len(names._votes) <= REMEMBERED


@pytest.mark.parametrize(
    "text", ["Ab " * 10_000, "A." * 10_000, "A " * 10_000, "Ada of the " * 3_000, "A'" * 9_000]
)
def test_no_text_makes_it_slow(text):
    Names().read(text)

"""Which entities occur in which documents: the ledger's table, and the command that asks it."""

import os

import numpy as np
import pytest

from bouquetd import mentions
from bouquetd.entities import choice
from bouquetd.errors import Unavailable
from bouquetd.ledger import Ledger
from bouquetd.model import Fingerprint, Record
from tests.harness import Home, prose, work


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def claimed(ledger, source):
    return ledger.claim(source, f"sha of {source}", Fingerprint(1, 1, 1, 1, 1))


def journal(ledger, document, *batches):
    """Each batch a list of chunks, each chunk a list of entities, None where they could not be found."""
    number = 0
    for batch in batches:
        records = []
        for entities in batch:
            about = (
                {"entities_missing": True} if entities is None else {"entities": entities} if entities else {}
            )
            records.append(Record(f"{document.id}:{number}", "text", about, np.ones(4, dtype=np.float32)))
            number += 1
        ledger.journal([(document, records, batch is batches[-1])])


def rows(ledger):
    return {(r["document"], r["entity"]): r["chunks"] for r in ledger._rows("SELECT * FROM mentions")}


def test_a_document_s_entities_are_counted_by_chunk_over_all_its_batches(ledger):
    document = claimed(ledger, "a.txt")
    journal(ledger, document, [["rfc:1", "rfc:2"], []], [["rfc:1"]])
    assert rows(ledger) == {(document.id, "rfc:1"): 2, (document.id, "rfc:2"): 1}


def test_they_go_with_the_document_s_chunks(ledger):
    document, other = claimed(ledger, "a.txt"), claimed(ledger, "b.txt")
    journal(ledger, document, [["rfc:1"]])
    journal(ledger, other, [["rfc:1"]])
    ledger.abandon(document.id)
    ledger.removed([document.id])
    assert rows(ledger) == {(other.id, "rfc:1"): 1}


def test_of_one_document_the_first_are_kept_and_counted_on(ledger):
    document = claimed(ledger, "a.txt")
    batches = [[[f"rfc:{batch * 100 + n}" for n in range(100)], ["rfc:0"]] for batch in range(8)]
    journal(ledger, document, *batches)
    found = rows(ledger)
    assert len(found) == mentions.MOST
    assert found[document.id, "rfc:0"] == 9
    assert (document.id, "rfc:499") in found
    assert (document.id, "rfc:500") not in found


def test_of_a_single_batch_no_more_are_kept_either(ledger):
    document = claimed(ledger, "a.txt")
    journal(ledger, document, [[f"rfc:{n}" for n in range(2 * mentions.MOST)]])
    assert len(rows(ledger)) == mentions.MOST


def test_chunks_whose_entities_could_not_be_found_are_counted_apart(ledger):
    document, other = claimed(ledger, "a.txt"), claimed(ledger, "b.txt")
    journal(ledger, document, [None, ["rfc:1"]], [None])
    journal(ledger, other, [["rfc:1"]])
    assert ledger.without_entities([document.id, other.id]) == {document.id: 2}
    assert [f.entity for f in mentions.frequent(ledger.path, [], 10)] == ["rfc:1"]
    assert mentions.occurrences(ledger.path, "*", [], 10) != []


def filled(ledger):
    for source, chunks in {
        "a.txt": [["person:Ada Lovelace", "place:London"], ["person:Ada Lovelace"]],
        "b.txt": [["person:Ada Lovelace", "person:Émile Zola"]],
        "c.txt": [["place:London", "place:Lisbon", "email:ada@example.org"]],
    }.items():
        journal(ledger, claimed(ledger, source), chunks)


def test_the_most_frequent_are_those_in_most_documents_so_many_of_each_kind(ledger):
    filled(ledger)
    assert mentions.frequent(ledger.path, [], 1) == [
        ("person:Ada Lovelace", 2, 3),
        ("place:London", 2, 2),
        ("email:ada@example.org", 1, 1),
    ]
    assert [f.entity for f in mentions.frequent(ledger.path, ["place"], 9)] == ["place:London", "place:Lisbon"]


@pytest.mark.parametrize(
    ("name", "kinds", "found"),
    [
        ("lovelace", [], [("person:Ada Lovelace", b"a.txt", 2), ("person:Ada Lovelace", b"b.txt", 1)]),
        ("ADA*", ["email"], [("email:ada@example.org", b"c.txt", 1)]),
        ("ÉMILE", [], [("person:Émile Zola", b"b.txt", 1)]),
        ("l?sbon", [], [("place:Lisbon", b"c.txt", 1)]),
        ("l[aio]sbon", [], [("place:Lisbon", b"c.txt", 1)]),
        ("100%_", [], []),
    ],
)
def test_a_name_is_found_by_part_or_glob_whatever_its_capitals(ledger, name, kinds, found):
    filled(ledger)
    assert mentions.occurrences(ledger.path, name, kinds, 10) == found


@pytest.mark.parametrize("name", ["weißenburg", "WEISSENBURG"])
def test_a_name_with_an_sz_is_found_however_it_is_written(ledger, name):
    journal(ledger, claimed(ledger, "a.txt"), [["place:Weißenburg"]])
    assert mentions.occurrences(ledger.path, name, [], 10) == [("place:Weißenburg", b"a.txt", 1)]


def test_what_was_asked_for_is_answered_up_to_the_limit(ledger):
    filled(ledger)
    assert len(mentions.occurrences(ledger.path, "lo", [], 2)) == 2


# -- through the whole pipeline -----------------------------------------------------------------------------


TEXT = "Dr. Ada Lovelace (ada@example.org) wrote from London on 12 May 1843. "


def test_the_command_lists_what_documents_name_and_where(tmp_path):
    home = Home(tmp_path / "home")
    assert home.cli("entities").out == "No entities are known yet.\n"
    home.put("letter.txt", TEXT)
    home.put("other.txt", f"Sent to ADA@example.org again. {prose(2_000)}")
    assert home.once().status == 0
    listed = home.cli("entities")
    assert listed.status == 0
    assert listed.out.startswith("person\n     1 documents       1 chunks  Ada Lovelace\nplace\n")
    assert "     2 documents       2 chunks  ada@example.org\n" in listed.out
    where = home.cli("entities", "*LOVE*", "--json").json
    assert where == [{"kind": "person", "value": "Ada Lovelace", "source": "letter.txt", "chunks": 1}]
    assert home.cli("entities", "ada@", "--kind", "email").out == (
        "     1 chunks  email:ada@example.org  letter.txt\n     1 chunks  email:ada@example.org  other.txt\n"
    )
    assert home.cli("entities", "Email:ada@*", "--json").json == home.cli("entities", "ada@", "--json").json
    assert home.cli("entities", "email:ada@*", "--kind", "place", "--json").json == []
    nothing = home.cli("entities", "Nobody")
    assert (nothing.status, nothing.out) == (1, "No such entity is known.\n")
    wrong = home.cli("entities", "--kind", "ship")
    assert wrong.status == 2
    assert "no kind is called ship" in wrong.err
    assert home.cli("forget", "letter.txt").status == 0
    assert [row["source"] for row in home.cli("entities", "ada", "--json").json] == ["other.txt"]


def test_chroma_finds_chunks_by_what_they_name(tmp_path):
    home = Home(tmp_path / "home")
    home.put("letter.txt", TEXT)
    home.put("other.txt", prose(3_000))
    assert home.once().status == 0
    for entity in ("person:Ada Lovelace", "email:ada@example.org", "date:1843-05-12", "place:London"):
        hits = home.cli("search", "letter", "--where", f'entities contains "{entity}"', "--json").json
        assert [hit["source"] for hit in hits] == ["letter.txt"]


def test_a_ledger_that_was_lost_gets_its_entities_back(tmp_path):
    home = Home(tmp_path / "home", {"store": {"batch_size": 20, "shard_chunks": 50}})
    home.put("letter.txt", TEXT * 500)
    home.put("other.txt", TEXT + prose(3_000))
    assert home.once().status == 0
    before = home.cli("entities", "--json").json, home.cli("entities", "*", "--json").json
    assert before[1]
    os.unlink(home.root / "state" / "ledger.db")
    assert home.once().status == 0
    assert (home.cli("entities", "--json").json, home.cli("entities", "*", "--json").json) == before


def test_a_chunk_is_stored_without_entities_when_the_provider_fails_and_both_log_and_ledger_say_so(
    tmp_path, monkeypatch
):
    def away(_text):
        raise Unavailable("the model is away", "start it")

    monkeypatch.setattr(choice, "chosen", lambda *_: away)
    home = Home(tmp_path / "home")
    home.put("a.txt", prose(3_000))
    home.put("b.txt", prose(3_000, 2))
    with home.engine() as (parts, log):
        work(parts)
    assert log.text.count("Storing chunks without their entities") == 1
    chunks = {source: entry.chunks for source, entry in home.entries().items()}
    assert all(
        f"Stored {source}: {count} chunks" in log.text and f"{count} chunks have no entities" in log.text
        for source, count in chunks.items()
    )
    assert {e.note for e in home.entries().values()} == {
        f"{n} chunks have no entities" for n in chunks.values()
    }
    stored = home.stored().values()
    assert len(stored) == sum(chunks.values())
    assert all(record.metadata["entities_missing"] for record in stored)


@pytest.mark.long
def test_names_are_the_same_whatever_the_batches_and_after_a_stop_in_between(tmp_path):
    text = "".join(f"Ada Lovelace met Dr. Person{n} in Town{n % 5}; Lovelace said so. " for n in range(300))
    found = []
    for batch in (1, 20):
        home = Home(tmp_path / f"home{batch}", {"pipeline": {"batch_size": batch}})
        home.put("a.txt", text)
        assert home.once().status == 0
        found.append([r.metadata.get("entities") for r in sorted(home.stored().values(), key=_number)])
    assert found[0] == found[1]

    home = Home(tmp_path / "stopped", {"pipeline": {"batch_size": 5}})
    home.put("a.txt", text)
    with home.engine() as (parts, _log):
        journal, batches = parts.worker._pipeline.journal, []

        def broken(part):
            if len(batches) == 3:
                raise Unavailable("full", "wait")
            batches.append(part)
            journal(part)

        parts.worker._pipeline.journal = broken
        while not parts.worker.trouble:
            parts.worker.step()
    assert home.once().status == 0
    assert [r.metadata.get("entities") for r in sorted(home.stored().values(), key=_number)] == found[0]


def _number(record):
    return int(record.id.rpartition(":")[2])

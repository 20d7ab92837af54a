"""What the ledger remembers of a source's attempts and fates, and that it stays small."""

import os

import pytest

from bouquetd.ledger import Ledger, Whole
from bouquetd.model import Fingerprint, State
from bouquetd.trail import MOST, ORPHANED, died
from tests.unit.test_ledger import filed, journal

FILE = Fingerprint(1, 2, 3, 4, 5)
NEWER = Fingerprint(1, 2, 3, 4, 6)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", "recipe")
    yield ledger
    ledger.close()


def told(ledger, source="a.txt"):
    return [(step.attempt, step.outcome and str(step.outcome), step.times) for step in ledger.trail(source)]


def rows(ledger):
    return ledger._db.execute("SELECT count(*) FROM trail").fetchone()[0]


def test_a_file_that_is_stored_at_once_has_one_row_with_its_attempt(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    assert told(ledger) == []
    journal(ledger, document, 0, 1, whole=True)
    ledger.complete([Whole(document.id)])
    ledger.filed([(document.id, "a.txt")])
    [step] = ledger.trail("a.txt")
    assert (step.attempt, step.outcome, step.began) == (1, "stored", document.since)
    assert step.ended >= step.began


def test_what_was_under_way_when_the_process_died_is_told_at_the_next_start(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    journal(ledger, document, 0, 2)
    filed(ledger, "b.txt", "other")
    ledger.died()
    ledger.died()
    ledger.claim("a.txt", "sha", FILE)
    ledger.died()
    assert told(ledger) == [(1, "died", 1), (2, "died", 1)]
    assert told(ledger, "b.txt") == [(1, "stored", 1)]


def test_one_that_died_after_its_last_chunk_was_journalled_is_stored_without_another_attempt(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    journal(ledger, document, 0, 2, whole=True)
    ledger.died()
    ledger.complete([Whole(document.id)])
    ledger.filed([(document.id, "a.txt")])
    assert told(ledger) == [(1, "died", 1), (None, "stored", 1)]


def test_an_outage_of_many_tries_is_one_row_and_the_attempt_after_it_another(ledger):
    for _ in range(50):
        document = ledger.claim("a.txt", "sha", FILE)
        ledger.give_back(document.id, "Chroma is away")
    ledger.claim("a.txt", "sha", FILE)
    ledger.give_back(document.id)
    document = ledger.claim("a.txt", "sha", FILE)
    ledger.failed(document.id, "no text", "look", None)
    ledger.failed(document.id, "no text", "look", "a.txt")
    assert told(ledger) == [(1, "held up", 50), (1, "stopped", 1), (1, "failed", 1)]
    assert [step.detail for step in ledger.trail("a.txt")] == ["Chroma is away", None, "no text"]


def test_what_came_again_was_a_duplicate_or_forgotten_is_told_once_each_time(ledger):
    document = filed(ledger, "a.txt")
    for destination in ("a.txt", "a-1.txt", "a-2.txt"):
        ledger.seen_again(document.id, NEWER, destination)
    ledger.forgotten(document.id)
    assert told(ledger) == [(1, "stored", 1), (None, "seen again", 1), (None, "forgotten", 1)]
    filed(ledger, "first.txt", "content")
    twin = ledger.holder("content").document.id
    for _ in range(2):
        ledger.duplicate("b.txt", "content", FILE, twin, None)
        ledger.duplicate("b.txt", "content", FILE, twin, "b.txt")
    assert told(ledger, "b.txt") == [(None, "duplicate", 2)]
    assert ledger.trail("b.txt")[0].detail == "first.txt"


def test_a_new_content_keeps_what_became_of_the_old_one(ledger):
    filed(ledger, "a.txt", "old")
    document = filed(ledger, "a.txt", "new")
    ledger.removed(ledger.removals())
    assert [entry.document.id for entry in ledger.by_source("a.txt")] == [document.id]
    assert told(ledger) == [(1, "stored", 1), (1, "stored", 1)]


def test_of_one_source_the_last_twenty_are_kept(ledger):
    for number in range(MOST + 15):
        document = ledger.claim("a.txt", "sha", FILE)
        ledger.failed(document.id, f"reason {number}", "look", "a.txt")
        ledger.put_back(document.id)
    assert len(told(ledger)) == rows(ledger) == MOST
    assert ledger.trail("a.txt")[-2].detail == f"reason {MOST + 14}"


def test_one_that_was_taken_again_before_its_row_was_dropped_keeps_it(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    ledger.failed(document.id, "no text", "look", "a.txt")
    ledger.claim("a.txt", "sha", FILE)
    ledger.put_back(document.id)
    assert [entry.state for entry in ledger.by_source("a.txt")] == [State.CLAIMED]


def test_it_goes_with_the_last_that_is_known_of_the_source(ledger):
    document = filed(ledger, "a.txt")
    ledger.abandon(document.id)
    assert rows(ledger) == 2
    ledger.removed([document.id])
    assert rows(ledger) == 0


def test_what_was_put_back_and_never_came_is_forgotten_after_a_week(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    ledger.failed(document.id, "no text", "look", "a.txt")
    ledger.put_back(document.id)
    assert told(ledger) == [(1, "failed", 1), (None, "put back", 1)]
    with ledger._write() as db:
        died(db, ledger.trail("a.txt")[-1].ended + ORPHANED - 1)
    assert rows(ledger) == 2
    with ledger._write() as db:
        died(db, ledger.trail("a.txt")[-1].ended + ORPHANED + 1)
    assert rows(ledger) == 0


def test_a_reindexing_keeps_it(ledger, tmp_path):
    filed(ledger, os.fsdecode(b"caf\xe9.txt"))
    later = Ledger(tmp_path / "next.db", "another recipe")
    later.succeed(ledger.path)
    assert told(later, os.fsdecode(b"caf\xe9.txt")) == [(1, "stored", 1)]
    later.close()

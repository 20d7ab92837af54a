import os
import sqlite3

import numpy as np
import pytest

from bouquetd import ledger as module
from bouquetd.errors import Unavailable
from bouquetd.ledger import Corrupt, Ledger, Whole, collection_name, identity, set_aside
from bouquetd.model import Fingerprint, Record, State

FILE = Fingerprint(1, 2, 3, 4, 5)
ODD = os.fsdecode(b"caf\xe9 \n\"'/\xff.txt")


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", "recipe")
    yield ledger
    ledger.close()


def records(id_, first, count):
    return [
        Record(f"{id_}:{n}", f"text {n}", {"chunk": n, "entities": []}, np.full(4, n, dtype=np.float32))
        for n in range(first, first + count)
    ]


def journal(ledger, document, first, count, *, whole=False):
    ledger.journal([(document, records(document.id, first, count), whole)])


def filed(ledger, source, digest="sha", chunks=3, destination="there"):
    document = ledger.claim(source, digest, FILE)
    journal(ledger, document, 0, chunks, whole=True)
    ledger.complete([Whole(document.id)])
    ledger.filed([(document.id, destination)])
    return document


def test_a_document_goes_from_claimed_through_storing_and_complete_to_filed(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    assert (ledger.entry(document.id).state, document.attempts, document.stored) == (State.CLAIMED, 1, 0)
    journal(ledger, document, 0, 2)
    entry = ledger.entry(document.id)
    assert (entry.state, entry.chunks, entry.whole) == (State.STORING, 2, False)
    journal(ledger, document, 2, 1, whole=True)
    ledger.complete([Whole(document.id)])
    assert (ledger.entry(document.id).state, ledger.entry(document.id).whole) == (State.COMPLETE, True)
    ledger.filed([(document.id, ODD)])
    entry = ledger.entry(document.id)
    assert (entry.state, entry.destination, entry.fingerprint) == (State.FILED, ODD, FILE)


def test_a_document_claimed_again_goes_on_where_its_journal_ends(ledger):
    document = ledger.claim("a.txt", "sha", FILE)
    journal(ledger, document, 0, 5)
    again = ledger.claim("a.txt", "sha", FILE)
    assert (again.id, again.stored, again.since, again.attempts) == (document.id, 5, document.since, 2)


def test_identity_hangs_on_source_content_and_recipe():
    one = identity("a", "b", "c")
    assert len(one) == 32
    assert one not in (identity("a", "b", "d"), identity("a", "c", "c"), identity("b", "b", "c"))
    assert identity("a", "b", "c") == one
    assert identity(ODD, "b", "c") != identity("caf.txt", "b", "c")


def test_each_claim_counts_an_attempt_until_it_is_given_back(ledger):
    assert [ledger.claim("a", "sha", FILE).attempts for _ in range(3)] == [1, 2, 3]
    id_ = identity("a", "sha", "recipe")
    for expected in (2, 1, 0, 0):
        ledger.give_back(id_)
        assert ledger.entry(id_).document.attempts == expected


@pytest.mark.parametrize("end", ["failed", "forgotten"])
def test_attempts_begin_anew_for_a_document_that_came_to_an_end(ledger, end):
    for _ in range(5):
        document = ledger.claim("a", "sha", FILE)
        assert document.attempts == 1
        if end == "failed":
            ledger.failed(document.id, "why", "what", "there")
        else:
            ledger.forgotten(document.id)
        ledger.removed([document.id])


def test_what_is_committed_survives_another_opening_and_sources_need_not_be_text(tmp_path):
    one = Ledger(tmp_path / "ledger.db", "recipe")
    document = filed(one, ODD)
    one.leave_alone(ODD + "x", "a FIFO")
    one.remember("key", "value")
    one.close()
    other = Ledger(tmp_path / "ledger.db", "recipe")
    try:
        [entry] = other.entries()
        assert (entry.document.source, entry.document.id) == (ODD, document.id)
        assert [e.document.id for e in other.by_source(ODD)] == [document.id]
        assert other.left_alone() == [(ODD + "x", "a FIFO")]
        assert (other.fact("key"), other.fact("none")) == ("value", None)
    finally:
        other.close()


def test_a_kill_in_the_midst_of_a_transaction_leaves_all_of_it_or_nothing(ledger, monkeypatch):
    document = ledger.claim("a", "sha", FILE)
    journal(ledger, document, 0, 2)
    before = list(ledger.journalled()), ledger.shards(), ledger.placements(document.id)
    twice = records(document.id, 2, 3) + records(document.id, 4, 1)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.journal([(document, twice, True)])
    after = list(ledger.journalled()), ledger.shards(), ledger.placements(document.id)
    assert [[r.id for r in page] for page in after[0]] == [[r.id for r in page] for page in before[0]]
    assert after[1:] == before[1:]
    assert not ledger.entry(document.id).whole


def test_the_journal_gives_back_every_record_in_order_over_pages(ledger, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 4)
    document = ledger.claim("a", "sha", FILE)
    for first in range(0, 10, 2):
        journal(ledger, document, first, 2)
    found = [r for page in ledger.journalled() for r in page]
    wanted = records(document.id, 0, 10)
    assert [(r.id, r.text, r.metadata) for r in found] == [(r.id, r.text, r.metadata) for r in wanted]
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(found, wanted, strict=True))


def test_sealing_empties_the_journal_and_the_next_batch_begins_a_shard(ledger):
    document = ledger.claim("a", "sha", FILE)
    journal(ledger, document, 0, 4)
    ledger.seal(1)
    assert list(ledger.journalled()) == []
    journal(ledger, document, 4, 3, whole=True)
    assert [(s.number, s.collection, s.sealed, s.dirty, s.chunks) for s in ledger.shards()] == [
        (1, "bouquet-00001", True, False, 4),
        (2, "bouquet-00002", False, True, 3),
    ]
    assert ledger.placements(document.id) == [(1, 0, 3), (2, 4, 6)]
    assert list(ledger.expected(1)) == [f"{document.id}:{n}" for n in range(4)]
    assert list(ledger.expected(2)) == [f"{document.id}:{n}" for n in range(4, 7)]


def test_journalling_makes_the_shard_dirty_and_only_a_good_close_makes_it_clean(ledger):
    journal(ledger, ledger.claim("a", "sha", FILE), 0, 1)
    assert ledger.active().dirty
    ledger.mark_clean()
    assert not ledger.active().dirty
    ledger.mark_dirty(1)
    assert ledger.active().dirty


def test_a_removed_document_leaves_placements_counts_and_journal(ledger):
    one, two = filed(ledger, "a", "1", 4), filed(ledger, "b", "2", 3)
    ledger.abandon(one.id)
    assert ledger.removals() == [one.id]
    assert list(ledger.expected(1)) == [f"{two.id}:{n}" for n in range(3)]
    assert len(list(ledger.expected(1, leaving=True))) == 7
    ledger.removed([one.id])
    assert (ledger.removals(), ledger.placements(one.id), ledger.active().chunks) == ([], [], 3)
    assert {r.id.split(":")[0] for page in ledger.journalled() for r in page} == {two.id}
    assert ledger.find(one.id) is None


def test_failed_and_forgotten_documents_keep_their_rows_without_chunks(ledger):
    one, two = filed(ledger, "a", "1"), filed(ledger, "b", "2")
    ledger.failed(one.id, "why", "what to do", None)
    ledger.forgotten(two.id)
    ledger.removed(ledger.removals())
    assert [(ledger.entry(d.id).state, ledger.entry(d.id).chunks) for d in (one, two)] == [
        (State.FAILED, 0),
        (State.FORGOTTEN, 0),
    ]
    assert (ledger.entry(one.id).reason, ledger.entry(one.id).remedy) == ("why", "what to do")


def test_a_new_content_queues_the_old_one_for_removal_only_when_it_is_complete(ledger):
    old = filed(ledger, "a", "old")
    new = ledger.claim("a", "new", FILE)
    journal(ledger, new, 0, 2, whole=True)
    assert ledger.removals() == []
    ledger.complete([Whole(new.id)])
    assert ledger.removals() == [old.id]


def test_an_old_content_that_a_duplicate_elsewhere_refers_to_is_kept(ledger):
    old = filed(ledger, "a", "old")
    ledger.duplicate("copy", "old", FILE, old.id, None)
    filed(ledger, "a", "new")
    assert ledger.removals() == []
    assert [e.document.source for e in ledger.duplicates_of(old.id)] == ["copy"]


def test_what_was_half_stored_of_a_source_that_becomes_a_duplicate_is_queued_for_removal(ledger):
    half = ledger.claim("b", "same", FILE)
    journal(ledger, half, 0, 2)
    packed = ledger.claim("b!/inside", "other", FILE, half)
    journal(ledger, packed, 0, 1, whole=True)
    whole = filed(ledger, "a", "same")
    assert ledger.duplicate("b", "same", FILE, whole.id, None) == half.id
    assert sorted(ledger.removals()) == sorted([half.id, packed.id])
    ledger.removed(ledger.removals())
    assert (ledger.entry(half.id).state, ledger.placements(half.id)) == (State.DUPLICATE, [])
    assert ledger.find(packed.id) is None
    assert ledger.removals() == []


def test_the_holder_of_a_content_is_complete_of_this_recipe_and_not_on_its_way_out(ledger, tmp_path):
    document = ledger.claim("a", "sha", FILE)
    journal(ledger, document, 0, 1, whole=True)
    assert ledger.holder("sha") is None
    ledger.complete([Whole(document.id)])
    assert ledger.holder("sha").document.id == document.id
    other = Ledger(tmp_path / "ledger.db", "another recipe", check=False)
    assert other.holder("sha") is None
    other.close()
    ledger.abandon(document.id)
    assert ledger.holder("sha") is None


def test_a_kept_file_is_known_by_size_time_and_inode_and_a_moved_one_is_not(ledger):
    filed(ledger, "kept", "1", destination=None)
    filed(ledger, "moved", "2")
    assert ledger.knows("kept", FILE)
    assert not ledger.knows("moved", FILE)
    assert not ledger.knows("other", FILE)
    for changed in (Fingerprint(1, 9, 3, 4, 5), Fingerprint(1, 2, 9, 4, 5), Fingerprint(1, 2, 3, 9, 5)):
        assert not ledger.knows("kept", changed)


def test_numbers_of_all_64_bits_are_remembered(ledger):
    large = Fingerprint(2**64 - 1, 2**63 + 5, 3, 4, 5)
    document = ledger.claim("a", "sha", large)
    assert ledger.entry(document.id).fingerprint == large


def test_something_left_alone_is_news_once_and_again_when_the_reason_changes(ledger):
    said = [ledger.leave_alone("x", reason) for reason in ("link", "link", "fifo", "fifo")]
    assert said == [True, False, True, False]
    ledger.no_longer_left_alone(["x"])
    assert ledger.left_alone() == []
    assert ledger.leave_alone("x", "fifo")


def test_documents_are_listed_by_state_over_pages_and_the_recent_ones_newest_first(ledger, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 3)
    ids = {filed(ledger, f"source {n}", str(n)).id for n in range(8)}
    ledger.claim("open", "x", FILE)
    assert {e.document.id for e in ledger.entries(State.FILED)} == ids
    assert len(list(ledger.entries())) == 9
    assert [e.document.source for e in ledger.recent(State.FILED, limit=2)] == ["source 7", "source 6"]
    assert [e.document.source for e in ledger.recent(limit=1, offset=1)] == ["source 7"]
    assert ledger.counts() == dict.fromkeys(State, 0) | {"filed": 8, "claimed": 1}


def test_the_sources_of_all_that_has_chunks_are_gone_over_page_by_page(ledger, monkeypatch):
    monkeypatch.setattr("bouquetd.ledger.PAGE", 2)
    for number in range(5):
        filed(ledger, f"{number}.txt", f"sha {number}")
    half = ledger.claim("half.txt", "sha", FILE)
    journal(ledger, half, 0, 2)
    ledger.claim("new.txt", "sha new", FILE)
    ledger.failed(ledger.claim("bad.txt", "sha bad", FILE).id, "it is bad", "mend it", "bad.txt")
    assert sorted(ledger.sources()) == [*(f"{number}.txt" for number in range(5)), "half.txt"]


def test_a_rebuilt_shard_takes_another_name_and_an_empty_sealed_one_can_be_dropped(ledger):
    document = filed(ledger, "a")
    ledger.seal(1)
    ledger.mark_dirty(1)
    ledger.rename_shard(1, collection_name(1, 1))
    assert [(s.collection, s.dirty) for s in ledger.shards()] == [("bouquet-00001-r1", False)]
    ledger.abandon(document.id)
    ledger.removed([document.id])
    ledger.drop_shard(1)
    assert ledger.shards() == []


def test_an_active_shard_is_never_dropped(ledger):
    ledger.active()
    ledger.drop_shard(1)
    assert len(ledger.shards()) == 1


@pytest.mark.parametrize("damage", ["not a database", "a page of junk", "cut"])
def test_a_damaged_file_is_corrupt_and_can_be_set_aside_with_its_side_files(tmp_path, damage):
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, "recipe")
    for n in range(200):
        filed(ledger, f"source {n}", str(n))
    ledger.close()
    size = path.stat().st_size
    with open(path, "r+b") as stream:
        if damage == "not a database":
            stream.write(b"junk" * 100)
        elif damage == "cut":
            stream.truncate(size // 2)
        else:
            stream.seek(3 * 4096)
            stream.write(os.urandom(8 * 4096))
    with pytest.raises(Corrupt):
        Ledger(path, "recipe")
    (tmp_path / "ledger.db-wal").touch()
    aside = set_aside(path)
    assert aside.exists()
    assert not path.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [aside.name, f"{aside.name}-wal"]
    Ledger(path, "recipe").close()


def test_damage_met_while_running_is_corrupt_too(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, "recipe")
    for n in range(2_000):
        ledger.leave_alone(f"source {n}", "x" * 500)
    ledger.close()
    ledger = Ledger(path, "recipe", check=False)
    with open(path, "r+b") as stream:
        stream.seek(8 * 4096)
        stream.write(os.urandom(path.stat().st_size - 8 * 4096))
    with pytest.raises(Corrupt, match="malformed"):
        ledger.left_alone()
    with pytest.raises(Corrupt):
        ledger.leave_alone("source 1000", "y")
    ledger.close()


def test_two_damaged_ledgers_set_aside_in_one_second_do_not_overwrite_each_other(tmp_path):
    path = tmp_path / "ledger.db"
    for content in ("one", "two"):
        path.write_text(content)
        set_aside(path)
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["one", "two"]


def test_a_ledger_of_a_newer_bouquetd_is_refused_and_left_untouched(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path, "recipe").close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={len(module.MIGRATIONS) + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="newer bouquetd"):
        Ledger(path, "recipe")
    assert path.read_bytes() == before


def test_a_place_where_no_ledger_can_be_is_the_worlds_fault(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be used"):
        Ledger(tmp_path / "file" / "ledger.db", "recipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable, match="cannot be used"):
        Ledger(tmp_path / "folder", "recipe")


def test_the_ledger_is_for_its_owner_alone_and_survives_a_power_cut_after_each_commit(ledger):
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_batches_wait_for_the_disk_once_when_they_are_synced_and_not_one_by_one(ledger, monkeypatch):
    def synchronous():
        return ledger._db.execute("PRAGMA synchronous").fetchone()[0]

    journal(ledger, ledger.claim("a.txt", "sha", FILE), 0, 2)
    assert synchronous() == 1
    ledger.sync()
    assert synchronous() == 2


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_with_all_it_holds(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    with monkeypatch.context() as earlier:
        earlier.setattr(module, "MIGRATIONS", module.MIGRATIONS[:1])
        Ledger(path, "recipe").close()
        db = sqlite3.connect(path)
        db.execute("INSERT INTO shards VALUES (1, 'bouquet-00001', 1, 0, 30)")
        db.commit()
        db.close()
    ledger = Ledger(path, "recipe")
    assert [(s.number, s.chunks, s.deleted, s.hollow) for s in ledger.shards()] == [(1, 30, 0, False)]
    ledger.close()


def test_the_ledger_of_the_next_generation_takes_over_every_row_under_its_own_ids(tmp_path):
    old, new = Ledger(tmp_path / "ledger.db", "recipe"), Ledger(tmp_path / "next.db", "other")
    f = Fingerprint(1, 2, 3, 4, 5)
    held = old.claim("held", "sha", f)
    old.journal([(held, [Record(f"{held.id}:0", "text", {}, np.zeros(2, np.float32))], True)])
    old.complete([Whole(held.id, (), "a note")])
    old.filed([(held.id, "archive/held")])
    old.duplicate("twin", "sha", f, held.id, "archive/twin")
    bad = old.claim("bad", "sha2", f)
    old.failed(bad.id, "reason", "remedy", "failed/bad", "text/plain")
    packed = old.claim("held!/in", "sha3", f, held)
    old.leave_alone("link", "a link")
    old.remember("inbox.device", "7")
    new.remember("recipe", "of the next")
    [entry] = new.inherit([held])
    assert (entry.document.id, entry.document.since) == (identity("held", "sha", "other"), held.since)
    texts = [Record(f"{entry.document.id}:{n}", "text", {}, np.zeros(2, np.float32)) for n in range(3)]
    new.journal([(entry.document, texts, True)])
    assert new.inherit([held])[0].chunks == 3
    for _ in range(2):  # a kill may come between
        new.succeed(old.path)
    [anew] = new.by_source("held")
    assert (anew.state, anew.chunks, anew.whole, anew.note, anew.destination) == (
        "filed", 3, True, "a note", "archive/held"
    )  # fmt: skip
    [twin] = new.by_source("twin")
    assert (twin.document.id, twin.twin) == (identity("twin", "sha", "other"), anew.document.id)
    [failed] = new.by_source("bad")
    assert (failed.state, failed.reason, failed.remedy, failed.destination) == (
        "failed", "reason", "remedy", "failed/bad"
    )  # fmt: skip
    [inside] = new.by_source("held!/in")
    assert (inside.state, inside.document.attempts, inside.document.parent) == ("claimed", 1, "held")
    assert (
        new._rows("SELECT within FROM documents WHERE id = ?", inside.document.id)[0]["within"]
        == anew.document.id
    )
    assert new.left_alone() == [("link", "a link")]
    assert (new.fact("inbox.device"), new.fact("recipe")) == ("7", "of the next")
    assert sum(new.counts().values()) == sum(old.counts().values()) == 4
    assert packed.id not in {e.document.id for e in new.entries()}
    old.close()
    new.close()


def test_a_ledger_that_is_to_be_replaced_has_no_side_files_and_nobody_else_in_it(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    ledger, other = Ledger(path, "recipe"), Ledger(path, "recipe")
    ledger.remember("key", "value")
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with pytest.raises(Unavailable, match="cannot be used"), ledger.alone():
        pass
    other.close()
    ledger = Ledger(path, "recipe")
    with ledger.alone():
        assert [p.name for p in tmp_path.iterdir()] == ["ledger.db"]
        with pytest.raises(Unavailable):
            Ledger(path, "recipe")
    ledger = Ledger(path, "recipe")
    assert ledger.fact("key") == "value"
    ledger.close()

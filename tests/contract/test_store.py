"""The rolling store over a real Chroma, embedded and as a server, and over the fake one, in small shards."""

import hashlib
import os
import random
import shutil
import threading

import numpy as np
import pytest

from bouquetd.errors import ConfigError, Unavailable
from bouquetd.ledger import Ledger, Whole
from bouquetd.model import Filter, Fingerprint, Record
from bouquetd.store import embedded as embedded_store
from bouquetd.store import shards
from bouquetd.store.embedded import Embedded
from bouquetd.store.kept import Kept
from bouquetd.store.server import Server
from bouquetd.store.shards import Store
from bouquetd.store.words import Words
from tests.chroma_server import ChromaServer
from tests.fake_chroma import InMemory

DIMENSIONS = 8
SHARD = 30
BATCH = 10
INDEX_FILES = [
    "data_level0.bin",
    *(
        pytest.param(name, marks=pytest.mark.long)
        for name in ("link_lists.bin", "header.bin", "length.bin", "index_metadata.pickle")
    ),
]


def vector(text):
    """A vector that a text alone decides, as an embedder gives one."""
    found = np.random.default_rng(list(text.encode())).standard_normal(DIMENSIONS).astype(np.float32)
    return found / np.linalg.norm(found)


def embed(texts):
    return np.stack([vector(text) for text in texts])


def go_on():
    pass


def killed():
    raise RuntimeError("killed here")


def never(texts):
    assert not texts, "what was embedded once is embedded again"
    return []


class House:
    """A store with its ledger, and documents of numbered chunks put into it as the pipeline does it."""

    def __init__(self, root, connect, *, shard=SHARD, batch=BATCH):
        self.root = root
        self.connect = connect
        self.shard = shard
        self.batch = batch
        self.expected = {}
        self.begin()

    def begin(self, embed=never, beat=go_on):
        self.told = []
        self.ledger = Ledger(self.root / "ledger.db", "recipe")
        self.chroma = self.connect()
        self.kept = Kept(self.root / "kept")
        self.words = Words(self.root / "words.db")
        self.store = Store(
            self.chroma, self.ledger, self.kept, self.words, shard_chunks=self.shard, batch_size=self.batch,
            embed=embed, beat=beat, tell=self.told.append, trim=lambda: None,
        )  # fmt: skip

    def journal(self, source, count, *, first=0, whole=True):
        """Claim a document and journal its chunks; returns its id and the records."""
        document = self.ledger.claim(source, f"digest of {source}", Fingerprint(1, 1, 1, 1, 1))
        records = []
        for number in range(first, first + count):
            text = f"{source} says {number}"
            values = {"document": document.id, "source": source, "chunk": number, "entities": [f"n:{number}"]}
            records.append(Record(f"{document.id}:{number}", text, values, vector(text)))
        self.ledger.journal([(document, records, whole)])
        self.expected |= {r.id: r for r in records}
        return document.id, records

    def put(self, source, count, *, first=0, whole=True):
        """A document, whole and complete; returns its id."""
        id_, records = self.journal(source, count, first=first, whole=whole)
        self.store.add(records)
        self.store.land()
        return id_

    def see_in(self, source, count):
        """The same, returning when Chroma has all of it."""
        id_ = self.put(source, count)
        self.store.flush()
        return id_

    def complete(self, *ids):
        self.store.flush()
        self.ledger.complete(map(Whole, ids))
        self.ledger.filed([(id_, "") for id_ in ids])

    def remove(self, id_):
        self.ledger.forgotten(id_)
        self.store.remove([id_])
        self.expected = {k: r for k, r in self.expected.items() if not k.startswith(f"{id_}:")}

    def stop(self):
        self.store.rest()
        self.ledger.close()

    def die(self):
        """End as a kill does: nothing is flushed, the ledger is told nothing."""
        if self.store._sender:
            self.store._sender.shutdown()
        self.chroma.close()
        self.ledger.close()

    def recover(self, embed=never, beat=go_on):
        """Start again after a kill; nothing may be embedded for that, unless a test says so."""
        self.begin(embed, beat)
        self.store.recover()
        return self.told

    def check(self):
        """Everything that must be there is, in the shard the ledger says, and nothing else."""
        self.store.flush()
        there = {}
        for shard in self.ledger.shards():
            if shard.collection in self.chroma.names():
                ids = self.chroma.ids(shard.collection)
                assert ids == set(self.ledger.expected(shard.number))
                assert len(ids) == shard.chunks
                there |= self.chroma.get(shard.collection, sorted(ids))
        assert there.keys() == self.expected.keys()
        for id_, record in there.items():
            wanted = self.expected[id_]
            assert (record.text, record.metadata) == (wanted.text, wanted.metadata)
            assert np.allclose(record.vector, wanted.vector, atol=1e-5)
        assert self.chroma.names() == {s.collection for s in self.ledger.shards() if s.chunks} | {
            s.collection for s in self.ledger.shards() if not s.sealed and s.collection in self.chroma.names()
        }
        # Every one of them, where it lies; the store itself closes each shard behind it, which takes its time.
        for shard in self.ledger.shards():
            self.check_queries(shard.collection, list(self.ledger.expected(shard.number)))
        for wanted in list(self.expected.values())[:1]:
            assert self.store.search(wanted.vector, 1)[0].id == wanted.id

    def check_queries(self, collection, ids):
        """Each of these is the nearest to its own vector."""
        if ids:
            vectors = np.stack([self.expected[id_].vector for id_ in ids])
            answer = self.chroma._collection(collection).query(
                query_embeddings=vectors, n_results=1, include=[]
            )
            assert answer["ids"] == [[id_] for id_ in ids]

    def folders(self):
        return {path.name for path in (self.root / "store").iterdir()}

    def journalled(self):
        return [record.id for page in self.ledger.journalled() for record in page]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with ChromaServer(tmp_path_factory.mktemp("server")) as server:
        yield server


def in_folder(root):
    return lambda: Embedded(root / "store")


def in_server(root, server):
    name = f"of-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}"
    return lambda: Server(server.url, name, owner=name)


def in_memory():
    collections = {}
    return lambda: InMemory(collections)


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.long), "memory"])
def house(request, tmp_path):
    """A store in a Chroma of any kind."""
    if request.param == "server":
        connect = in_server(tmp_path, request.getfixturevalue("server"))
    elif request.param == "memory":
        connect = in_memory()
    else:
        connect = in_folder(tmp_path)
    house = House(tmp_path, connect)
    yield house
    for name in house.chroma.names():
        house.chroma.delete(name)
    house.die()


@pytest.fixture
def embedded(tmp_path):
    """A store whose Chroma's files lie in a folder of ours."""
    house = House(tmp_path, in_folder(tmp_path))
    yield house
    house.die()


def numbers(house):
    return [(s.number, s.sealed, s.dirty, s.chunks) for s in house.ledger.shards()]


def test_what_was_added_is_found_before_any_batch_is_full(house):
    house.put("a", 3)
    assert [hit.text for hit in house.store.search(vector("a says 1"), 1)] == ["a says 1"]
    house.check()


def test_a_hit_carries_text_metadata_and_distance_nearest_first(house):
    house.put("a", 5)
    hits = house.store.search(vector("a says 2"), 5)
    assert hits[0].metadata["entities"] == ["n:2"]
    assert hits[0].distance == pytest.approx(0, abs=1e-5)
    assert [h.distance for h in hits] == sorted(h.distance for h in hits)
    assert len({h.id for h in hits}) == 5


def test_search_in_an_empty_store_finds_nothing(house):
    assert house.store.search(vector("a"), 3) == []


def test_search_while_the_first_batch_ever_is_only_journalled_finds_nothing(house):
    _, records = house.journal("a", 3)
    assert house.store.search(vector("a says 1"), 3) == []
    house.store.add(records)
    house.check()


def test_records_land_in_batches_and_flush_lands_the_rest(house):
    house.put("a", BATCH - 1)
    assert (house.store.taken, house.store.landed) == (BATCH - 1, 0)
    house.put("b", 3)
    house.store.flush()
    assert house.store.landed == house.store.taken == BATCH + 2
    house.check()


def test_what_chroma_is_given_first_or_anew_is_in_the_journal_on_the_disk(house, monkeypatch):
    done = []
    with monkeypatch.context() as spied:
        for owner, name in ((Ledger, "journal"), (Ledger, "sync"), (type(house.chroma), "add")):
            function = getattr(owner, name)
            spied.setattr(owner, name, lambda *a, _f=function, _n=name, **k: (done.append(_n), _f(*a, **k))[1])
        house.put("a", 3)
        house.put("b", BATCH)
        house.put("c", 2)
        house.store.flush()
        house.journal("d", 1)
        house.die()
        house.recover()
    taken = ["journal", "journal", "sync", "add", "journal", "sync", "add"]
    assert done == [*taken, "journal", "sync", "add"]
    house.check()


def test_a_full_shard_is_sealed_the_journal_emptied_and_the_next_one_begun(house):
    for n in range(8):
        house.put(f"document {n}", BATCH)
    house.store.flush()
    assert [(number, sealed) for number, sealed, _, _ in numbers(house)] == [(1, True), (2, True), (3, False)]
    assert sum(chunks for *_, chunks in numbers(house)) == 80
    assert len(house.journalled()) == 80 - 2 * SHARD
    house.check()


def test_a_document_may_lie_across_shards(house):
    for first in range(0, 100, 20):
        house.put("long", 20, first=first, whole=first == 80)
    assert len(house.ledger.placements(next(iter(house.expected)).split(":")[0])) > 1
    house.check()


def test_neither_shards_nor_the_journal_nor_what_is_gathered_grow_with_what_is_added_in_small_pieces(house):
    for n in range(3 * SHARD + 1):
        house.complete(house.put(f"small {n}", 1))
        assert len(house.journalled()) <= SHARD + BATCH
        assert len(house.store._gathering) < BATCH
    assert all(chunks <= SHARD + BATCH for *_, chunks in numbers(house))
    assert len(numbers(house)) >= 3
    house.check()


def test_what_is_gathered_stays_bounded_while_chroma_keeps_failing_and_lands_once_it_works(house, monkeypatch):
    house.complete(house.put("before", BATCH))

    def fail(*_):
        raise Unavailable("no", "wait")

    with monkeypatch.context() as broken:
        broken.setattr(house.chroma, "add", fail)
        broken.setattr(house.chroma, "add_missing", fail)
        failures = 0
        for n in range(20):
            try:
                house.store.retry()
                house.put(f"during {n}", BATCH)
            except Unavailable:
                failures += 1
        assert failures >= 17
        assert len(house.store._gathering) <= 3 * BATCH
    house.store.flush()
    house.check()
    difference = house.store.compare_words()
    assert (difference.missing, difference.stray) == (0, 0)


def test_a_shard_on_which_chroma_failed_is_not_called_clean_and_rebuilt_at_the_start(embedded, monkeypatch):
    embedded.complete(embedded.put("before", BATCH))

    def fail(*_):
        raise Unavailable("disk full", "wait")

    with monkeypatch.context() as broken:
        broken.setattr(embedded.chroma, "add", fail)
        with pytest.raises(Unavailable):
            embedded.put("during", BATCH)
    embedded.stop()
    assert [done.origin for done in embedded.recover()] == ["journal"]
    embedded.check()


def test_a_seal_that_failed_in_its_midst_is_done_again(house, monkeypatch):
    def fail(*_):
        raise Unavailable("disk full", "wait")

    with monkeypatch.context() as broken:
        broken.setattr("bouquetd.store.rebuild.equals_journal", lambda *_: False)
        broken.setattr("bouquetd.store.rebuild.from_journal", fail)
        house.put("a", SHARD - BATCH)
        with pytest.raises(Unavailable):
            house.put("b", BATCH)
        house.store.rest()
        assert numbers(house) == [(1, False, True, SHARD)]
    house.put("c", BATCH)
    assert numbers(house)[0][1]
    house.check()


def test_a_batch_that_failed_half_way_is_not_added_twice(house, monkeypatch):
    house.complete(house.put("before", BATCH))
    add = house.chroma.add

    def half(name, records):
        add(name, records[: len(records) // 2])
        raise Unavailable("disk full", "wait")

    with monkeypatch.context() as broken:
        broken.setattr(house.chroma, "add", half)
        with pytest.raises(Unavailable):
            house.see_in("during", BATCH)
    house.store.flush()
    assert house.store.landed == house.store.taken
    house.check()


def test_a_search_from_another_thread_between_journal_and_add_neither_seals_nor_doubles(house):
    house.put("a", SHARD - BATCH)
    house.put("b", BATCH - 1)
    _, records = house.journal("c", 2)  # the shard is full by the ledger, and Chroma lacks these two
    searcher = threading.Thread(target=house.store.search, args=(vector("a says 1"), 1))
    searcher.start()
    searcher.join()
    house.store.add(records)
    house.put("d", BATCH)
    house.check()


# -- removal ------------------------------------------------------------------------------------------------


def test_a_removed_document_leaves_chroma_the_journal_and_the_counts(house):
    a, b = house.put("a", 5), house.put("b", 7)
    house.complete(a, b)
    house.remove(a)
    assert house.ledger.removals() == []
    assert not [id_ for id_ in house.journalled() if id_.startswith(a)]
    house.check()


def test_a_document_removed_from_sealed_shards_leaves_them_clean_after_the_rest(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(7)]
    house.complete(*ids)
    house.remove(ids[1])
    assert not any(dirty for number, sealed, dirty, _ in numbers(house) if sealed)
    house.check()


def test_a_sealed_shard_that_holds_nothing_any_more_is_dropped_with_its_folder(embedded):
    ids = [embedded.put(f"document {n}", BATCH) for n in range(4)]
    embedded.complete(*ids)
    for id_ in ids[:3]:
        embedded.remove(id_)
    assert [number for number, *_ in numbers(embedded)] == [2]
    assert embedded.folders() == {"bouquet-00002"}
    embedded.check()


def sharing(house, text, *only):
    """What shares words with a text; what is near it is found, too."""
    sharing, near = house.store.candidates(text, vector(text), 4, *only)
    assert [hit.id for hit in near] == [hit.id for hit in house.store.search(vector(text), 4, None, *only)]
    return sharing


def test_chunks_are_found_by_their_words_in_every_shard_until_their_document_goes(house):
    ids = [house.put(f"document {n}", SHARD) for n in range(2)]
    house.complete(*ids)
    found = sharing(house, "seven says 7")
    assert {record.id for record, _ in found[:2]} == {f"{id_}:7" for id_ in ids}
    assert found[0][1] >= found[1][1] > found[2][1]
    texts = Filter({"chunk": {"$lt": 8}}, ("document 1",))
    [(record, _)] = sharing(house, "7", texts)
    assert record.id == f"{ids[1]}:7"
    assert house.store.vectors([record.id])[record.id].tolist() == house.expected[record.id].vector.tolist()
    house.remove(ids[1])
    assert [record.id for record, _ in sharing(house, "7")] == [f"{ids[0]}:7"]


def test_a_search_keeps_to_what_metadata_and_texts_are_asked_for_in_every_shard(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(2 * SHARD // BATCH)]
    house.complete(*ids)
    last = house.expected[f"{ids[-1]}:4"]
    everywhere = house.store.search(last.vector, 100, None, Filter({"chunk": {"$lt": 2}}))
    assert {hit.id for hit in everywhere} == {f"{id_}:{n}" for id_ in ids for n in (0, 1)}
    both = {"$and": [{"source": {"$eq": "document 1"}}, {"entities": {"$contains": "n:7"}}]}
    assert [hit.id for hit in house.store.search(last.vector, 5, "says", Filter(both))] == [f"{ids[1]}:7"]
    texts = Filter(None, ("document 3", "says 5"))
    assert [hit.id for hit in house.store.search(last.vector, 5, "says", texts)] == [f"{ids[3]}:5"]
    assert house.store.search(last.vector, 5, "says", Filter(None, ("DOCUMENT 3",))) == []
    fitting = [
        house.store.count(only) for only in (Filter(), Filter({"chunk": {"$lt": 2}}), Filter(both), texts)
    ]
    assert fitting == [len(house.expected), 2 * len(ids), 1, 1]


# -- what was deleted does not take room for ever -----------------------------------------------------------


def compacted(house):
    return [(done.shard, done.chunks, done.compacted) for done in house.told if done.compacted]


def test_a_sealed_shard_of_which_most_was_deleted_is_filled_anew_without_it(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    house.remove(ids[0])
    assert compacted(house) == []
    house.remove(ids[1])
    assert compacted(house) == [(1, BATCH, 2 * BATCH)]
    first = house.ledger.shards()[0]
    assert (first.chunks, first.deleted, first.sealed, first.dirty) == (BATCH, 0, True, False)
    house.check()


@pytest.mark.parametrize("full", [False, True], ids=["half-way", "before the new one counts"])
def test_a_compaction_that_is_killed_loses_nothing(house, monkeypatch, full):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    house.remove(ids[0])
    with monkeypatch.context() as broken:
        if full:
            broken.setattr(house.ledger, "rename_shard", lambda *_: killed())
        else:
            broken.setattr(house.store, "_beat", killed)
        with pytest.raises(RuntimeError, match="killed here"):
            house.remove(ids[1])
    house.expected = {k: r for k, r in house.expected.items() if not k.startswith(f"{ids[1]}:")}
    house.die()
    house.recover()
    house.check()
    assert house.ledger.shards()[0].deleted == 0


def test_a_shard_that_is_written_over_and_over_is_compacted_before_its_index_outgrows_it(house):
    stays = house.put("stays", 2)
    house.complete(stays)
    most = 0
    for turn in range(3 * SHARD // BATCH):
        id_ = house.put(f"comes and goes {turn}", BATCH)
        house.complete(id_)
        house.remove(id_)
        active = house.ledger.active()
        most = max(most, active.chunks + active.deleted)
    assert most <= SHARD + BATCH
    assert compacted(house)
    assert [number for number, *_ in numbers(house)] == [1]
    house.check()


def test_without_an_end_everything_lies_in_one_collection_and_is_rebuilt_from_the_journal(tmp_path):
    house = House(tmp_path, in_folder(tmp_path), shard=0)
    ids = [house.put(f"document {n}", BATCH) for n in range(8)]
    house.complete(*ids)
    house.remove(ids[2])
    assert [(number, sealed) for number, sealed, *_ in numbers(house)] == [(1, False)]
    house.check()
    house.ledger.mark_dirty(1)
    house.die()
    assert [done.chunks for done in house.recover()] == [7 * BATCH]
    house.check()
    house.die()


def test_one_collection_without_an_end_is_compacted_when_that_is_worth_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "WORTH_IT", 3 * BATCH)
    house = House(tmp_path, in_folder(tmp_path), shard=0)
    ids = [house.put(f"document {n}", BATCH) for n in range(5)]
    house.complete(*ids)
    for id_ in ids[:4]:
        house.remove(id_)
    assert compacted(house) == []
    house.complete(house.put("one more", BATCH))
    assert compacted(house) == [(1, 2 * BATCH, 4 * BATCH)]
    house.check()
    house.die()


def test_a_document_that_left_nothing_in_any_shard_is_removed_while_nothing_is_being_written(house):
    house.complete(house.put("a", 3))
    house.store.rest()
    document = house.ledger.claim("b", "sha", Fingerprint(1, 1, 1, 1, 1))
    house.ledger.abandon(document.id)
    assert house.ledger.removals() == [document.id]
    house.store.remove([document.id])
    assert house.ledger.removals() == []
    house.check()


def test_removing_what_is_not_there_is_no_error(house):
    a = house.put("a", 5)
    house.complete(a)
    house.remove(a)
    house.store.remove([a])
    house.check()


# -- rest, release, start -----------------------------------------------------------------------------------


def test_rest_closes_the_client_and_calls_the_shards_clean_and_work_goes_on(house):
    house.put("a", 5)
    assert numbers(house)[0][2]
    house.store.rest()
    assert not house.store.awake
    assert not numbers(house)[0][2]
    house.put("b", 5)
    assert numbers(house)[0][2]
    assert house.store.awake
    house.check()


def test_release_closes_the_client_keeps_what_is_gathered_and_calls_nothing_clean(house):
    house.put("a", BATCH + 5)
    house.put("b", 3)
    house.store.release()
    assert not house.chroma.open
    assert numbers(house)[0][2]
    house.check()


def test_after_a_clean_stop_nothing_is_rebuilt(house):
    house.complete(house.put("a", SHARD + 5))
    house.stop()
    assert house.recover() == []
    house.check()


def test_after_an_unclean_stop_the_active_shard_has_all_of_the_journal_what_chroma_never_saw_included(house):
    house.put("a", SHARD)
    house.put("b", BATCH)
    house.store.flush()
    house.put("c", 3)  # gathered, not sent
    house.journal("d", 2)  # journalled, not even taken
    house.die()
    [done] = house.recover()
    lacking = 5 if isinstance(house.chroma, Embedded) else None
    assert (done.shard, done.chunks, done.lacking, done.missing) == (2, BATCH + 5, lacking, ())
    house.check()


def test_rebuilding_is_the_same_when_it_is_itself_interrupted(house):
    house.put("a", SHARD + BATCH)
    house.put("b", 5)
    house.die()
    beats = iter([None])

    def stop_at_the_second_page():
        if next(beats, "stop") == "stop":
            raise RuntimeError("killed here")

    for beat in (killed, stop_at_the_second_page):
        try:
            house.recover(beat=beat)
        except RuntimeError:
            house.die()
    house.recover()
    house.check()


def dirty_sealed(house):
    """A sealed shard that was being changed when the process died; returns the id that was to go."""
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    house.store.rest()
    house.ledger.mark_dirty(1)
    return ids


def test_a_dirty_sealed_shard_is_rebuilt_from_its_records_and_its_old_collection_removed(house):
    dirty_sealed(house)
    house.die()
    [done] = house.recover()
    assert (done.shard, done.chunks, done.missing) == (1, SHARD, ())
    assert done.origin == "records of the full shard"
    assert house.ledger.shards()[0].collection == "bouquet-00001-r1"
    house.check()


def test_a_rebuilt_shard_leaves_no_folder_of_the_old_one_behind(embedded):
    dirty_sealed(embedded)
    embedded.die()
    embedded.recover()
    assert embedded.folders() == {"bouquet-00001-r1", "bouquet-00002"}


def test_a_rebuild_from_records_that_was_interrupted_is_begun_again(house):
    dirty_sealed(house)
    house.die()
    with pytest.raises(RuntimeError):
        house.recover(beat=killed)
    house.die()
    house.recover()
    house.check()


def test_a_chroma_that_was_emptied_is_filled_again_without_embedding(house):
    house.complete(*[house.put(f"document {n}", BATCH) for n in range(7)])
    house.store.rest()
    for name in house.chroma.names():
        house.chroma.delete(name)
    house.die()
    assert [done.shard for done in house.recover()] == [1, 2, 3]
    house.check()


ACCIDENTS = pytest.mark.parametrize(
    "accident", ["gone", *(pytest.param(it, marks=pytest.mark.long) for it in ("cut", "no database"))]
)


def spoil(house, accident):
    [file] = (house.root / "kept").glob("*.records")
    if accident == "gone":
        file.unlink()
    elif accident == "cut":
        os.truncate(file, file.stat().st_size // 2)
    else:
        file.write_bytes(b"x" * 10_000)


@ACCIDENTS
def test_without_its_kept_records_a_shard_is_embedded_again_from_its_texts_and_kept_anew(house, accident):
    dirty_sealed(house)
    spoil(house, accident)
    house.die()
    [done] = house.recover(embed)
    assert (done.chunks, done.missing) == (SHARD, ())
    house.check()
    house.store.rest()
    house.ledger.mark_dirty(1)
    house.die()
    house.recover()
    house.check()


@ACCIDENTS
def test_what_is_kept_no_longer_is_found_all_the_same_by_meaning_and_by_words(house, accident):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    spoil(house, accident)
    wanted = house.expected[f"{ids[1]}:3"]
    assert house.store.search(wanted.vector, 1)[0].id == wanted.id
    sharing, near = house.store.candidates(wanted.text, wanted.vector, 5)
    assert near[0].id == wanted.id
    [shared] = [record for record, _ in sharing if record.id == wanted.id]
    assert np.allclose(shared.vector, wanted.vector, atol=1e-5)


@ACCIDENTS
def test_what_is_kept_no_longer_is_kept_anew_when_there_is_time(house, accident):
    house.complete(*[house.put(f"document {n}", BATCH) for n in range(4)])
    house.store.tidy_up()
    spoil(house, accident)
    assert house.store.compare_kept() == SHARD
    house.store.tidy_up()
    assert house.store.compare_kept() == 0
    assert house.kept.get(1, list(house.expected)).keys() == set(house.ledger.expected(1))


def test_what_is_kept_of_documents_that_a_rebuilt_ledger_does_not_know_is_not_found(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    house.chroma.remove("bouquet-00001", [f"{ids[1]}:{n}" for n in range(BATCH)])
    house.ledger.removed([ids[1]])
    gone = house.expected[f"{ids[1]}:3"]
    assert not [hit.id for hit in house.store.search(gone.vector, SHARD) if hit.id.startswith(ids[1])]
    house.store.tidy_up()
    assert house.kept.get(1, [gone.id]) == {}


def test_the_records_of_a_shard_are_kept_to_the_last_bit_while_it_is_there_and_no_longer(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    wanted = {i: r for i, r in house.expected.items() if i.split(":")[0] in ids[:3]}
    kept = house.kept.get(1, list(house.expected))
    assert kept.keys() == wanted.keys()
    for id_, record in wanted.items():
        assert (kept[id_].text, kept[id_].metadata) == (record.text, record.metadata)
        assert np.array_equal(kept[id_].vector, record.vector)
    assert house.kept.get(2, list(house.expected)) == {}
    (house.root / "kept" / "00007.partial").touch()
    house.die()
    house.recover()
    assert sorted(path.name for path in (house.root / "kept").iterdir()) == ["00001.records", "00001.vectors"]
    for id_ in ids[:3]:
        house.remove(id_)
    assert list((house.root / "kept").iterdir()) == []


def test_a_removed_document_leaves_no_trace_in_the_records_kept(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    [file] = (house.root / "kept").glob("*.records")
    assert b"document 1 says 3" in file.read_bytes()
    house.remove(ids[1])
    assert b"document 1 says" not in file.read_bytes()
    assert b"document 2 says 3" in file.read_bytes()
    house.check()


def test_records_that_cannot_be_written_hold_up_the_seal_and_lose_nothing(house, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    house.put("a", SHARD - BATCH)
    with monkeypatch.context() as broken:
        broken.setattr("bouquetd.store.kept._sync", fail)
        with pytest.raises(Unavailable, match="No space left"):
            house.put("b", BATCH)
    assert not numbers(house)[0][1]
    house.put("c", BATCH)
    assert numbers(house)[0][1]
    house.check()


def test_a_rebuild_from_records_leaves_out_what_is_on_its_way_out(house):
    ids = dirty_sealed(house)
    house.ledger.abandon(ids[0])
    house.die()
    [done] = house.recover()
    assert done.missing == ()
    held = house.chroma.ids(house.ledger.shards()[0].collection)
    assert held == {i for i in house.expected if i.split(":")[0] in ids[1:3]}


def test_a_rebuild_names_the_documents_of_which_neither_record_nor_text_is_left(house):
    ids = dirty_sealed(house)
    (house.root / "kept" / "00001.records").unlink()
    lost = f"{ids[1]}:3"
    house.chroma.remove("bouquet-00001", [lost])
    house.die()
    [done] = house.recover(embed)
    assert done.missing == (ids[1],)
    held = house.chroma.ids(house.ledger.shards()[0].collection)
    assert held == {i for i in house.expected if i.split(":")[0] in ids[:3]} - {lost}


# -- a server that dies while we live -------------------------------------------------------------------------


@pytest.fixture
def mortal(tmp_path):
    """A store in a server of its own, which the test may kill."""
    with ChromaServer(tmp_path) as server:
        house = House(tmp_path, lambda: Server(server.url, "mortal", owner="this test"))
        house.server = server
        yield house
        house.die()


def hit(house):
    house.server.kill()
    house.server.start()


def test_while_a_batch_is_under_way_to_a_server_the_next_is_taken_and_a_reader_waits_for_it(
    mortal, monkeypatch
):
    add, go_on = mortal.chroma.add, threading.Event()

    def slowly(name, records):
        go_on.wait(60)
        add(name, records)

    monkeypatch.setattr(mortal.chroma, "add", slowly)
    mortal.put("a", BATCH)
    mortal.put("b", BATCH - 1)
    assert (mortal.store.taken, mortal.store.landed) == (2 * BATCH - 1, 0)
    assert mortal.store.awake
    found = []
    reader = threading.Thread(target=lambda: found.extend(mortal.store.search(vector("a says 1"), 1)))
    reader.start()
    go_on.set()
    reader.join()
    assert [hit.text for hit in found] == ["a says 1"]
    assert mortal.store.landed == mortal.store.taken
    mortal.check()


@pytest.mark.parametrize("asked", ["release", "search"])
def test_what_failed_on_its_way_to_a_server_is_sent_again_whatever_was_asked_meanwhile(
    mortal, monkeypatch, asked
):
    def refuse(name, records):
        raise Unavailable("no", "wait")

    with monkeypatch.context() as broken:
        broken.setattr(mortal.chroma, "add", refuse)
        mortal.put("a", BATCH)
        if asked == "release":
            mortal.store.release()
        else:
            with pytest.raises(Unavailable):
                mortal.store.search(vector("a says 1"), 1)
    assert (mortal.store.taken, mortal.store.landed) == (BATCH, 0)
    mortal.store.retry()
    assert mortal.store.landed == BATCH
    mortal.check()


@pytest.mark.long
def test_a_server_that_died_and_came_back_unseen_has_its_shard_filled_anew_before_anything_else(mortal):
    mortal.complete(mortal.put("before", BATCH + 3))
    hit(mortal)
    with pytest.raises(Unavailable):
        mortal.see_in("during", BATCH)
    assert mortal.store.awake
    mortal.store.retry()
    assert [(done.origin, done.chunks) for done in mortal.told] == [("journal", 2 * BATCH + 3)]
    assert mortal.store.landed == mortal.store.taken
    mortal.put("after", BATCH)
    mortal.check()


@pytest.mark.long
def test_what_a_dead_server_was_given_is_not_called_clean_by_a_rest(mortal):
    mortal.complete(mortal.put("before", BATCH))
    hit(mortal)
    with pytest.raises(Unavailable):
        mortal.store.rest()
    assert numbers(mortal)[0][2]
    mortal.store.rest()
    assert [done.origin for done in mortal.told] == ["journal"]
    assert not numbers(mortal)[0][2]
    mortal.check()


@pytest.mark.long
def test_a_server_that_rests_may_die_and_nothing_is_rebuilt(mortal):
    mortal.complete(mortal.put("before", SHARD + 3))
    mortal.store.rest()
    hit(mortal)
    mortal.put("after", BATCH)
    assert mortal.told == []
    mortal.check()


@pytest.mark.long
def test_a_search_does_not_mend_what_the_other_thread_writes(mortal):
    mortal.complete(mortal.put("before", BATCH))
    mortal.server.kill()
    with pytest.raises(Unavailable):
        mortal.see_in("during", BATCH)
    mortal.server.start()
    with pytest.raises(Unavailable, match="put right"):
        mortal.store.search(vector("before says 1"), 1)
    mortal.store.retry()
    assert mortal.store.search(vector("before says 1"), 1)[0].text == "before says 1"
    mortal.check()


@pytest.mark.long
def test_a_server_killed_while_a_document_leaves_a_sealed_shard_has_that_shard_filled_anew(mortal, monkeypatch):
    ids = [mortal.put(f"document {n}", BATCH) for n in range(4)]
    mortal.complete(*ids)
    mortal.store.rest()
    remove = mortal.chroma.remove

    def killed_afterwards(name, gone):
        remove(name, gone)
        hit(mortal)

    with monkeypatch.context() as broken:
        broken.setattr(mortal.chroma, "remove", killed_afterwards)
        with pytest.raises(Unavailable):
            mortal.remove(ids[1])
    assert mortal.ledger.removals() == [ids[1]]
    mortal.remove(ids[1])
    assert [(done.shard, done.origin) for done in mortal.told] == [(1, "records of the full shard")]
    mortal.check()


def refused(*_):
    raise Unavailable("no", "wait")


def half_compacted(house, monkeypatch, step):
    """The server goes away at a step of a compaction."""
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    house.remove(ids[0])
    with monkeypatch.context() as broken:
        broken.setattr(house.chroma, step, refused)
        with pytest.raises(Unavailable):
            house.remove(ids[1])
    house.expected = {k: r for k, r in house.expected.items() if not k.startswith(f"{ids[1]}:")}


@pytest.mark.parametrize("step", ["add", "delete"])
def test_a_compaction_that_a_server_broke_off_is_done_by_the_next_try_and_leaves_no_second_collection(
    mortal, monkeypatch, step
):
    half_compacted(mortal, monkeypatch, step)
    mortal.store.retry()
    assert [(done.shard, done.chunks) for done in mortal.told] == [(1, BATCH)]
    mortal.check()


def test_what_waits_while_another_shard_is_put_right_is_not_called_stored(mortal, monkeypatch):
    half_compacted(mortal, monkeypatch, "add")
    _, records = mortal.journal("late", 3)
    mortal.store.add(records)
    with monkeypatch.context() as broken:
        broken.setattr(mortal.store, "_open_for_writing", refused)
        with pytest.raises(Unavailable):
            mortal.store.retry()
    assert [number for number, _, dirty, _ in numbers(mortal) if dirty] == [2]
    mortal.store.retry()
    mortal.check()


def test_two_stores_in_one_server_do_not_see_each_other(server, tmp_path):
    houses = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        houses.append(House(tmp_path / name, lambda name=name: Server(server.url, f"pair-{name}", owner=name)))
    for house in houses:
        house.complete(house.put(f"of {house.root.name}", SHARD + 3))
    for house in houses:
        house.check()
        house.die()
        house.recover()
        house.check()
        house.die()


def test_a_name_that_another_bouquetd_uses_in_the_server_is_refused(server):
    Server(server.url, "taken", owner="the first").create("bouquet-00001")
    other = Server(server.url, "taken", owner="the second")
    with pytest.raises(ConfigError, match=r"taken-00001 at http:.* belongs to another bouquetd"):
        other.greet()
    assert other.names() == set()
    Server(server.url, "taken", owner="the first").greet()


def test_a_name_that_another_bouquetd_took_since_both_started_is_told_as_such(server, tmp_path):
    for owner in ("one", "other"):
        (tmp_path / owner).mkdir()
    first, second = houses = [
        House(tmp_path / owner, lambda owner=owner: Server(server.url, "rivals", owner=owner))
        for owner in ("one", "other")
    ]
    for house in houses:
        house.chroma.greet()
    first.put("a", BATCH)
    with pytest.raises(Unavailable, match=r"rivals-00001 at http:.* belongs to another bouquetd") as refused:
        second.put("b", BATCH)
    assert "store.collection, now rivals" in refused.value.remedy
    first.chroma.delete("bouquet-00001")
    second.store.retry()
    second.check()
    for house in houses:
        house.die()


def index_of(house, collection):
    """The folder with the files of a shard's index."""
    house.chroma.close()
    [folder] = [entry for entry in (house.root / "store" / collection).iterdir() if entry.is_dir()]
    return folder


@pytest.fixture(scope="session")
def persisted():
    """So many chunks make Chroma write its index to files: its sync threshold is 1,000."""
    return 1010


@pytest.mark.parametrize("name", INDEX_FILES)
@pytest.mark.parametrize("sealed", [False, True], ids=["active", "sealed"])
def test_a_shard_with_an_index_file_cut_in_half_is_repaired_after_an_unclean_stop(
    tmp_path, name, sealed, persisted
):
    house = House(tmp_path, in_folder(tmp_path), shard=5000, batch=550)
    house.complete(house.put("a", 550), house.put("b", persisted - 550))
    house.store.flush()
    if sealed:
        house.store._seal(house.ledger.active())
        house.ledger.mark_dirty(1)
    cut(index_of(house, "bouquet-00001") / name)
    house.die()
    [done] = house.recover()
    assert (done.chunks, done.missing) == (persisted, ())
    collection = house.ledger.shards()[0].collection
    there = house.chroma.get(collection, sorted(house.expected))
    assert there.keys() == house.expected.keys()
    for id_, record in there.items():
        wanted = house.expected[id_]
        assert (record.text, record.metadata) == (wanted.text, wanted.metadata)
        assert np.allclose(record.vector, wanted.vector, atol=1e-5)
    house.check_queries(collection, list(house.expected))
    assert len(house.folders()) == 1
    house.die()


@pytest.fixture
def outlived(tmp_path, persisted):
    """A store that died with an index on disk, and seven chunks in the journal alone."""
    house = House(tmp_path, in_folder(tmp_path), shard=5000, batch=505)
    house.complete(house.put("a", 505), house.put("b", persisted - 505))
    house.journal("c", 7)
    house.die()
    yield house
    house.check()
    assert not house.chroma.altered("bouquet-00001")
    house.stop()
    assert house.recover() == []
    house.die()


def test_an_index_that_nothing_touched_since_it_was_written_is_given_what_it_lacks(outlived, persisted):
    [done] = outlived.recover()
    assert (done.chunks, done.lacking, done.missing) == (persisted + 7, 7, ())


def test_it_is_trusted_again_after_the_next_batch_only(outlived, persisted):
    outlived.recover()
    outlived.die()
    outlived.ledger = Ledger(outlived.root / "ledger.db", "recipe")
    outlived.ledger.mark_dirty(1)
    outlived.die()
    assert outlived.recover()[0].lacking is None
    outlived.put("d", 505)
    outlived.store.flush()
    outlived.die()
    assert outlived.recover()[0].lacking == 0


@pytest.mark.parametrize("name", INDEX_FILES)
def test_one_of_which_a_file_was_written_since_is_filled_anew(outlived, name):
    os.utime(index_of(outlived, "bouquet-00001") / name)
    assert outlived.recover()[0].lacking is None


def test_one_that_was_written_before_the_system_started_is_filled_anew(outlived, monkeypatch):
    monkeypatch.setattr(embedded_store, "_boot", lambda: "another")
    assert outlived.recover()[0].lacking is None


def other_vector(collection, ids):
    collection.update(ids=[ids[3]], embeddings=[vector("something else").tolist()])


def gap(collection, ids):
    collection.delete(ids=[ids[3]])


def stranger(collection, ids):
    collection.add(ids=["f" * 32 + ":0"], embeddings=[vector("stranger").tolist()], documents=["stranger"])


@pytest.mark.parametrize("harm", [other_vector, gap, stranger])
def test_one_that_is_not_the_beginning_of_the_journal_is_filled_anew(outlived, harm):
    harm(outlived.chroma._collection("bouquet-00001"), sorted(outlived.expected))
    outlived.chroma.close()
    assert outlived.chroma.untouched("bouquet-00001")
    assert outlived.recover()[0].lacking is None


def test_one_that_the_process_died_over_is_filled_anew_by_the_next_start(outlived, monkeypatch):
    with monkeypatch.context() as deadly:
        deadly.setattr(Embedded, "vectors", lambda *_: killed())
        with pytest.raises(RuntimeError):
            outlived.recover()
        outlived.die()
    assert outlived.recover()[0].lacking is None


def test_one_that_chroma_failed_over_is_filled_anew(outlived, monkeypatch):
    outlived.recover()
    outlived.put("d", 505)
    outlived.store.flush()
    with monkeypatch.context() as broken:
        broken.setattr(Embedded, "add", refused)
        with pytest.raises(Unavailable):
            outlived.put("e", 505)
    outlived.die()
    assert outlived.recover()[0].lacking is None


def cut(file):
    """Cut a file in half; some are empty in so small an index, and cutting then means taking them away."""
    size = file.stat().st_size
    if size > 1:
        os.truncate(file, size // 2)
    else:
        file.unlink()


@pytest.fixture(scope="session")
def whole(tmp_path_factory, persisted):
    """A full shard at rest whose index is on disk, and what lies in it."""
    root = tmp_path_factory.mktemp("whole")
    house = House(root, in_folder(root), shard=5000, batch=550)
    house.complete(house.put("a", 550), house.put("b", persisted - 550))
    house.store._seal(house.ledger.active())
    house.stop()
    return house


@pytest.fixture(params=INDEX_FILES)
def damaged(request, tmp_path, whole):
    """A copy of it with one file of its index cut, about which nothing in the ledger looks unclean."""
    shutil.copytree(whole.root, tmp_path, dirs_exist_ok=True)
    house = House(tmp_path, in_folder(tmp_path), shard=5000, batch=550)
    house.expected = dict(whole.expected)
    cut(index_of(house, "bouquet-00001") / request.param)
    yield house
    [done] = house.told
    assert (done.shard, done.chunks, done.origin) == (1, len(house.expected), "records of the full shard")
    there = house.chroma.get("bouquet-00001-r1", sorted(house.expected))
    assert there.keys() == house.expected.keys()
    assert not house.chroma.altered("bouquet-00001-r1")
    house.check_queries("bouquet-00001-r1", sorted(house.expected))
    house.die()


def test_a_full_shard_that_was_damaged_at_rest_is_filled_anew_by_the_search_that_meets_it(damaged):
    assert damaged.store.search(vector("b says 7"), 1)[0].text == "b says 7"
    assert damaged.told[0].cause == "whose index was damaged"


def test_a_full_shard_that_was_damaged_at_rest_is_filled_anew_by_the_next_start(damaged):
    damaged.store.recover()
    assert damaged.told[0].cause == "whose index was damaged"


def test_a_full_shard_that_was_damaged_at_rest_is_found_faulty_by_an_inspection_and_mended_by_a_repair(damaged):
    [shard] = damaged.ledger.shards()
    seen = damaged.store.inspect(shard, DIMENSIONS)
    assert len(seen.faulty) == seen.chunks == shard.chunks
    damaged.told.append(damaged.store.repair(shard))
    [shard] = damaged.ledger.shards()
    assert damaged.store.inspect(shard, DIMENSIONS).faulty == ()


def test_a_full_shard_that_was_damaged_at_rest_is_filled_anew_before_a_document_leaves_it(damaged):
    id_ = next(id_ for id_, record in damaged.expected.items() if record.metadata["source"] == "b")
    damaged.remove(id_.split(":")[0])
    assert damaged.told[0].cause == "whose index was damaged"


def test_a_full_shard_whose_index_does_not_answer_is_filled_anew_though_its_files_look_right(
    embedded, monkeypatch
):
    embedded.complete(embedded.put("a", SHARD), embedded.put("b", BATCH))
    embedded.store.rest()
    query = embedded.chroma.query

    def broken(name, *rest):
        if name == "bouquet-00001":
            raise Unavailable("it does not answer", "mend it")
        return query(name, *rest)

    monkeypatch.setattr(embedded.chroma, "query", broken)
    only = Filter(texts=("a says 3",))  # without a condition Chroma need not be asked about a full shard
    assert embedded.store.search(vector("a says 3"), 1, only=only)[0].text == "a says 3"
    assert [(done.shard, done.cause) for done in embedded.told] == [(1, "whose index was damaged")]


def test_a_shard_that_was_changed_and_left_in_good_order_does_not_look_damaged(embedded):
    ids = [embedded.put(f"document {n}", BATCH) for n in range(4)]
    embedded.complete(*ids)
    embedded.remove(ids[1])
    embedded.store.rest()
    embedded.check()
    embedded.stop()
    assert embedded.recover() == []


# -- sealing proves, inspecting finds, repairing mends ------------------------------------------------------


def test_sealing_notices_a_record_that_chroma_lost_and_rebuilds_the_shard(house):
    house.put("a", SHARD - BATCH)
    house.store.flush()
    victim = house.journalled()[3]
    house.chroma.remove("bouquet-00001", [victim])
    house.put("b", BATCH)
    assert numbers(house)[0][1]
    house.check()


def test_sealing_notices_a_vector_that_is_not_the_one_given(house):
    house.put("a", SHARD - BATCH)
    house.store.flush()
    victim = house.expected[house.journalled()[3]]
    house.chroma.remove("bouquet-00001", [victim.id])
    house.chroma.add("bouquet-00001", [Record(victim.id, victim.text, victim.metadata, vector("other"))])
    house.put("b", BATCH)
    assert numbers(house)[0][1]
    house.check()


def test_an_inspection_names_what_is_missing_and_what_belongs_to_nobody_and_repair_mends_both(house):
    ids = [house.put(f"document {n}", BATCH) for n in range(4)]
    house.complete(*ids)
    for shard, id_ in ((1, ids[0]), (2, ids[3])):
        collection = f"bouquet-{shard:05d}"
        house.chroma.remove(collection, [f"{id_}:4"])
        house.chroma.add(collection, [Record(f"nobody:{shard}", "stray", {"source": "x"}, vector("stray"))])
    for shard, id_ in zip(house.ledger.shards(), (ids[0], ids[3]), strict=True):
        seen = house.store.inspect(shard, DIMENSIONS)
        assert (seen.faulty, seen.stray) == ((f"{id_}:4",), (f"nobody:{shard.number}",))
        done = house.store.repair(shard)
        assert done.missing == ()
    for shard in house.ledger.shards():
        seen = house.store.inspect(shard, DIMENSIONS)
        assert (seen.faulty, seen.stray) == ((), ())
    house.check()


@pytest.mark.parametrize(
    "damage",
    [np.zeros(DIMENSIONS + 1), np.full(DIMENSIONS, 2.0)],
    ids=["wrong dimensions", "not of unit length"],
)
def test_an_inspection_looks_at_the_vectors_too(house, monkeypatch, damage):
    house.complete(house.put("a", 5))
    get = house.chroma.get

    def damaged(name, ids, **options):
        return {
            id_: Record(r.id, r.text, r.metadata, damage.astype(np.float32)) if i == 2 else r
            for i, (id_, r) in enumerate(get(name, ids, **options).items())
        }

    monkeypatch.setattr(house.chroma, "get", damaged)
    [shard] = house.ledger.shards()
    assert len(house.store.inspect(shard, DIMENSIONS).faulty) == 1


def test_documents_on_their_way_in_or_out_are_no_fault(house):
    a, b = house.put("a", 5), house.put("b", 5)
    house.complete(a, b)
    house.ledger.abandon(a)
    house.journal("c", 5, whole=False)
    [shard] = house.ledger.shards()
    seen = house.store.inspect(shard, DIMENSIONS)
    assert (seen.faulty, seen.stray) == ((), ())


# -- the adapter --------------------------------------------------------------------------------------------


def test_metadata_comes_back_as_it_was_given_times_in_milliseconds_to_the_last_digit(house):
    house.put("a", 1)
    house.store.flush()
    chance = random.Random(5)
    records = [
        Record(f"x:{n}", "text", {
            "ingested_at": round(1.6e9 + chance.random() * 4e8, 3), "size": chance.getrandbits(50),
            "source": "".join(map(chr, chance.choices(range(1, 0xD800), k=9))), "last": True,
            "entities": [f"date:{n}", "naïve ☃"],
        }, vector(str(n)))
        for n in range(1000)
    ]  # fmt: skip
    house.chroma.add("bouquet-00001", records)
    there = house.chroma.get("bouquet-00001", [r.id for r in records])
    assert [there[r.id].metadata for r in records] == [r.metadata for r in records]


def test_ids_that_are_there_are_not_added_again(house):
    house.put("a", 5)
    house.store.flush()
    records = list(house.expected.values())
    house.chroma.add_missing("bouquet-00001", records)
    house.check()


def test_metadata_is_read_back_in_pages_of_any_number(house):
    house.put("a", 1100)
    house.store.flush()
    found = [
        values["chunk"]
        for shard in house.ledger.shards()
        for page in house.chroma.metadatas(shard.collection)
        for _, values in page
    ]
    assert sorted(found) == list(range(1100))


def test_whatever_chroma_throws_becomes_unavailable(house):
    with pytest.raises(Unavailable, match=r"Chroma at .* failed"):
        house.chroma.ids("no such collection")


@pytest.mark.parametrize("kind", ["embedded", "server", "memory"])
def test_generations_lie_side_by_side_and_the_newest_that_is_whole_is_in_force(kind, tmp_path, request):
    if kind == "server":
        connect = in_server(tmp_path, request.getfixturevalue("server"))
    else:
        connect = in_memory() if kind == "memory" else in_folder(tmp_path)
    first, next_ = connect(), connect()
    next_.generation = 1
    first.record, next_.record = {"embedder": "one"}, {"embedder": "two"}
    for chroma, text in ((first, "first"), (next_, "next")):
        chroma.create("bouquet-00001")
        chroma.add("bouquet-00001", [Record("a:0", text, {"source": "a"}, vector(text))])
        assert chroma.names() == {"bouquet-00001"}
        assert chroma.get("bouquet-00001", ["a:0"])["a:0"].text == text
    assert (first.recorded()["embedder"], next_.recorded()["embedder"]) == ("one", "two")
    assert first.generations() == {0, 1}
    assert first.in_force() == 0
    next_.mark_whole()
    next_.mark_whole()
    assert first.in_force() == 1
    assert next_.names() == {"bouquet-00001"}
    next_.drop(0)
    assert next_.generations() == {1}
    assert first.names() == set()
    assert next_.get("bouquet-00001", ["a:0"])["a:0"].text == "next"
    next_.drop(1)
    assert first.generations() == set()
    assert first.in_force() == 0
    first.close()
    next_.close()

"""The nearest of all vectors of a sealed shard, found without an index and without error."""

import os

import numpy as np
import pytest

from bouquetd.model import Record
from bouquetd.row import packed
from bouquetd.store import flat
from bouquetd.store.kept import Kept
from bouquetd.store.nearest import closest

DIMENSIONS = 16


def made(count, seed=1):
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def vectors():
    return made(500)


@pytest.fixture
def kept(tmp_path, vectors):
    kept = Kept(tmp_path / "kept")
    rows = [packed(Record(f"{n // 10:032x}:{n % 10}", f"text {n}", {}, v)) for n, v in enumerate(vectors)]
    kept.keep(1, [rows[:300], rows[300:]])
    return kept


def numbers(kept, found):
    places = found[1].tolist()
    records = kept.at(1, places)
    return [int(records[place].text.split()[1]) for place in places if place in records]


def test_they_are_those_of_exact_search_in_its_order_with_their_distances(kept, vectors):
    for question in made(20, seed=2):
        exact = 1 - vectors @ question
        found = kept.nearest(1, question, 10, 500)
        assert numbers(kept, found) == list(np.argsort(exact)[:10])
        assert found[0].tolist() == pytest.approx(sorted(exact)[:10], abs=1e-6)


@pytest.mark.parametrize("read", [DIMENSIONS * 4, 1000, flat.READ])
def test_the_size_of_a_read_changes_nothing(kept, vectors, monkeypatch, read):
    monkeypatch.setattr(flat, "READ", read)
    assert numbers(kept, kept.nearest(1, vectors[77], 1, 500)) == [77]
    assert len(kept.nearest(1, vectors[77], 10_000, 500)[1]) == len(vectors)


def test_a_removed_document_is_not_found_and_its_vectors_are_overwritten(kept, vectors, tmp_path):
    kept.remove(1, [f"{7:032x}"])
    assert not {*range(70, 80)}.intersection(numbers(kept, kept.nearest(1, vectors[77], 500, 490)))
    assert len(kept.nearest(1, vectors[77], 500, 490)[1]) == 490
    assert vectors[77].tobytes() not in (tmp_path / "kept" / "00001.vectors").read_bytes()


def test_a_missing_file_is_written_anew_with_the_places_as_they_were(kept, vectors, tmp_path):
    kept.remove(1, [f"{7:032x}"])
    before = [column.tolist() for column in kept.nearest(1, vectors[200], 500, 490)]
    os.unlink(tmp_path / "kept" / "00001.vectors")
    assert [column.tolist() for column in kept.nearest(1, vectors[200], 500, 490)] == before


def test_a_file_cut_in_half_is_written_anew(kept, vectors, tmp_path):
    file = tmp_path / "kept" / "00001.vectors"
    os.truncate(file, file.stat().st_size // 2)
    assert numbers(kept, kept.nearest(1, vectors[400], 1, 500)) == [400]


def test_where_not_all_records_are_there_none_is_near(kept, vectors):
    assert kept.nearest(1, vectors[77], 1, 501) is None


def test_a_shard_whose_records_are_gone_leaves_its_places_to_others(kept, vectors):
    kept.keep(2, [[packed(Record("f" * 32 + ":0", "another", {}, vectors[78]))]])
    found = {1: kept.nearest(1, vectors[77], 3, 500), 2: kept.nearest(2, vectors[77], 3, 1)}
    hits = closest(3, found, lambda shard, places: kept.at(shard, places) if shard == 2 else {})
    assert ([hit.text for hit in hits], found.keys()) == (["another"], {2})


def test_of_several_shards_the_nearest_are_read_and_no_more_however_many_are_as_near(kept, vectors):
    rows = [packed(Record(f"{n:032x}:0", "the same", {}, vectors[77])) for n in range(50)]
    for shard in (2, 3):
        kept.keep(shard, [rows])
    found = {shard: kept.nearest(shard, vectors[77], 20, held) for shard, held in ((1, 500), (2, 50), (3, 50))}
    read = []

    def at(shard, places):
        read.extend(places)
        return kept.at(shard, places)

    hits = closest(20, found, at)
    assert len(hits) == len(read) == 20
    assert [hit.text for hit in hits].count("the same") == 19
    assert [hit.distance for hit in hits] == pytest.approx([0] * 20, abs=1e-6)
    assert closest(20, {1: found[1]}, kept.at)[0].text == "text 77"


def test_vectors_of_other_dimensions_and_records_that_are_gone_give_nothing(kept, tmp_path):
    assert kept.nearest(1, made(1)[0][:7], 3, 500) is None
    assert kept.nearest(2, made(1)[0], 3, 500) is None
    kept.drop(1)
    assert not list((tmp_path / "kept").iterdir())
    assert kept.nearest(1, made(1)[0], 3, 500) is None

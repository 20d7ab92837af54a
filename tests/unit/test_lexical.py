import numpy as np
import pytest

from bouquetd.ledger import Ledger, Whole
from bouquetd.model import EVERYTHING, Filter, Fingerprint, Record
from bouquetd.store.chroma import PAGE
from bouquetd.store.kept import Kept
from bouquetd.store.lexical import Difference, Lexical
from bouquetd.store.words import Words


class House:
    """A ledger whose journal and kept records are real, with no Chroma."""

    def __init__(self, root):
        self.root = root
        self.ledger = Ledger(root / "ledger.db", "recipe")
        self.kept = Kept(root / "kept")
        self.begin()

    def begin(self):
        self.words = Words(self.root / "words.db")
        self.lexical = Lexical(self.ledger, self.kept, self.words)

    def journal(self, source, count):
        document = self.ledger.claim(source, source, Fingerprint(1, 1, 1, 1, 1))
        records = [
            Record(f"{document.id}:{n}", f"{source} says {n}", {"chunk": n}, np.full(4, n, np.float32))
            for n in range(count)
        ]
        self.ledger.journal([(document, records, True)])
        self.ledger.complete([Whole(document.id)])
        return document.id, records

    def seal(self):
        shard = self.ledger.active()
        self.kept.keep(shard.number, self.ledger.rows())
        self.ledger.seal(shard.number)

    def tidy(self):
        steps = 1
        while self.lexical.tidy(lambda _shard, _ids: {}):
            steps += 1
        return steps

    def found(self, text, only=EVERYTHING, passing=lambda _shard, _ids: (), n=2000, fetch=lambda *_: {}):
        with self.lexical.looking(text, n, only) as found:
            pass
        return [record for record, _ in self.lexical.best(found.result(), n, only, passing, fetch)]


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.lexical.close()
    house.ledger.close()


def test_what_was_journalled_before_a_kill_and_not_taken_in_is_made_up_for_by_and_by(house):
    house.journal("heron", PAGE + 10)
    house.seal()
    _, [late] = house.journal("beetle", 1)
    assert house.found("heron") == []
    assert house.tidy() > 2
    assert len(house.found("heron")) == PAGE + 10
    [hit] = house.found("beetle")
    assert (hit.id, hit.text, hit.metadata) == (late.id, late.text, late.metadata)


def test_what_is_neither_journalled_nor_kept_is_fetched(house):
    _, records = house.journal("heron", 3)
    house.lexical.add(1, records)
    house.ledger.seal(1)
    there = {record.id: record for record in records}
    assert house.found("heron") == []
    assert len(house.found("heron", fetch=lambda _shard, ids: {id_: there[id_] for id_ in ids})) == 3


def test_an_index_of_another_filling_is_put_right(house):
    stray = Record("f" * 32 + ":0", "heron", {}, np.zeros(4, np.float32))
    house.lexical.add(1, [stray])
    house.lexical.add(9, [Record("e" * 32 + ":0", "heron", {}, np.zeros(4, np.float32))])
    _, [right] = house.journal("heron", 1)
    house.tidy()
    assert house.words.ids(1) == {right.id}
    assert house.words.ids(9) == set()


def test_an_index_that_is_lost_is_filled_anew(house):
    house.journal("heron", 3)
    house.tidy()
    house.lexical.close()
    (house.root / "words.db").unlink()
    house.begin()
    house.tidy()
    assert len(house.found("heron")) == 3


def test_once_put_right_nothing_is_done_until_something_fails(house):
    house.journal("heron", 3)
    house.tidy()
    assert house.tidy() == 1


def test_what_can_be_had_nowhere_is_no_reason_to_go_on_for_ever(house):
    house.journal("heron", 3)
    house.ledger.seal(1)
    assert house.tidy() < 5


def test_a_document_that_goes_takes_its_words_with_it(house):
    id_, records = house.journal("heron", 3)
    house.lexical.add(1, records)
    house.lexical.remove([id_], [1])
    assert house.found("heron") == []


def test_with_a_filter_only_those_are_given_that_pass_it(house):
    _, records = house.journal("heron", 30)
    house.lexical.add(1, records)

    def passing(_shard, ids):
        return {r.id for r in records if r.id in ids and r.metadata["chunk"] == 7}

    assert [r.id for r in house.found("heron", Filter({"chunk": 7}), passing, 5)] == [records[7].id]


def test_vectors_are_had_by_id_from_journal_and_kept_records(house):
    _, full = house.journal("heron", 3)
    house.seal()
    _, active = house.journal("beetle", 2)
    found = house.lexical.vectors([full[2].id, active[1].id, "0" * 32 + ":0"])
    assert {id_: vector.tolist() for id_, vector in found.items()} == {
        full[2].id: [2.0] * 4, active[1].id: [1.0] * 4,
    }  # fmt: skip


def test_how_far_it_is_from_the_ledger_is_counted(house):
    _, records = house.journal("heron", PAGE + 10)
    house.lexical.add(1, records[:7])
    house.lexical.add(9, [Record("f" * 32 + ":0", "heron", {}, np.zeros(4, np.float32))])
    assert house.lexical.compare() == Difference(PAGE + 3, 1, mendable=True)
    house.tidy()
    assert house.lexical.compare() == Difference(0, 0, mendable=True)


def test_what_is_on_its_way_in_is_neither_missing_nor_stray(house):
    document = house.ledger.claim("heron", "heron", Fingerprint(1, 1, 1, 1, 1))
    records = [Record(f"{document.id}:{n}", "heron", {}, np.zeros(4, np.float32)) for n in range(2)]
    house.ledger.journal([(document, records, False)])
    house.lexical.add(1, records[:1])
    assert house.lexical.compare() == Difference(0, 0, mendable=True)


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_an_index_that_is_lost_in_use_is_filled_anew(house, harm):
    house.journal("heron", 3)
    house.tidy()
    house.lexical.close()
    path = house.root / "words.db"
    path.unlink() if harm == "deleted" else path.write_bytes(b"no database at all" * 999)
    assert house.found("heron") == []
    house.tidy()
    assert len(house.found("heron")) == 3


def test_what_a_comparison_found_is_put_right_though_all_was_looked_at(house):
    id_, _ = house.journal("heron", 3)
    house.tidy()
    house.words.discard([f"{id_}:1"])
    assert house.tidy() == 1
    assert house.lexical.compare().missing == 1
    house.tidy()
    assert len(house.found("heron")) == 3


def test_an_index_that_cannot_be_written_is_not_to_be_mended(house):
    house.journal("heron", 3)
    (house.root / "words.db").mkdir()
    assert house.lexical.compare() == Difference(3, 0, mendable=False)

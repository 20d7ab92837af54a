"""A ledger that was lost or damaged is built anew from what Chroma's metadata say."""

import os
import shutil
from unittest import mock

import numpy as np
import pytest

from bouquetd.errors import Stopped
from bouquetd.store import rebuild
from bouquetd.store.embedded import Embedded
from tests import samples
from tests.harness import Home, prose, work

ODD = os.fsdecode(b"caf\xe9/\xff\nline.txt")
SOURCES = {
    "plain.txt": prose(2_000, 1),
    "folder/long.txt": prose(60_000, 2),
    ODD: prose(3_000, 3),
    "page.html": samples.html(["One paragraph.", "Another one."]),
}
SMALL = {"store": {"batch_size": 20, "shard_chunks": 50}}


def filled(tmp_path, **sections):
    home = Home(tmp_path / "home", {**SMALL, **sections})
    for source, content in SOURCES.items():
        home.put(source, content)
    assert home.once().status == 0
    return home


def damage(home):
    with open(home.root / "state" / "ledger.db", "r+b") as stream:
        stream.write(b"not a database at all" * 10)


def lose(home):
    os.unlink(home.root / "state" / "ledger.db")


def known(home):
    """What must be the same in a rebuilt ledger."""
    return {
        source: (e.state, e.document.id, e.document.digest, e.document.size, e.document.media_type, e.chunks,
                 e.whole, e.document.since, e.destination)
        for source, e in home.entries().items()
    }  # fmt: skip


def same(one, other):
    return one.keys() == other.keys() and all(one[i].text == other[i].text for i in one)


@pytest.mark.parametrize("accident", [damage, lose])
def test_sources_digests_counts_and_places_are_those_of_the_ledger_that_was_lost(tmp_path, accident):
    home = filled(tmp_path)
    before, stored = known(home), home.stored()
    with home.ledger() as ledger:
        shards = [(s.number, s.chunks) for s in ledger.shards()]
        placements = {id_: ledger.placements(id_) for _, id_, *_ in before.values()}
    accident(home)
    outcome = home.once()
    assert outcome.status == 0
    assert (
        f"Rebuilt the ledger from the store: {len(SOURCES)} documents found whole; 0 that were not"
        in outcome.err
    )
    assert known(home) == before
    assert before.keys() == SOURCES.keys()
    with home.ledger() as ledger:
        assert [(s.number, s.chunks) for s in ledger.shards() if s.chunks] == shards
        assert {id_: ledger.placements(id_) for _, id_, *_ in before.values()} == placements
    assert same(home.stored(), stored)
    assert home.cli("verify").status == 0


def test_a_damaged_ledger_is_set_aside_with_a_clear_message(tmp_path):
    home = filled(tmp_path)
    damage(home)
    outcome = home.once()
    [aside] = [name for name in os.listdir(home.root / "state") if "corrupt" in name]
    assert "The ledger is corrupt" in outcome.err
    assert f"It was set aside as {home.root / 'state' / aside} and is rebuilt from the store" in outcome.err
    assert home.once().err.count("corrupt") == 0


@pytest.mark.long
def test_nothing_is_doubled_when_the_files_are_dropped_again_afterwards(tmp_path):
    home = filled(tmp_path)
    stored = home.stored()
    lose(home)
    for source, content in SOURCES.items():
        home.put(source, content)
    outcome = home.once()
    assert f"0 documents, 0 chunks, {len(SOURCES)} already there" in outcome.err
    assert same(home.stored(), stored)


@pytest.mark.long
def test_kept_files_are_known_again_and_not_read_anew(tmp_path):
    home = filled(tmp_path, inbox={"after": "keep"})
    lose(home)
    assert home.once().status == 0
    assert {e.destination for e in home.entries().values()} == {None}
    with mock.patch("bouquetd.worker.open_source", side_effect=AssertionError("opened again")):
        assert home.once().status == 0


@pytest.mark.long
def test_a_document_that_was_half_stored_is_dropped_and_ingested_again(tmp_path):
    home = filled(tmp_path)
    home.put("half.txt", prose(40_000, 9))
    with home.engine() as (parts, _):
        with (
            mock.patch.object(parts.worker._ingestion, "_unchanged", side_effect=SystemExit),
            pytest.raises(SystemExit),
        ):
            work(parts)
        parts.worker._pipeline.flush()
        [half] = parts.ledger.by_source("half.txt")
        # The last chunk never came.
        shard, _, last = parts.ledger.placements(half.document.id)[-1]
        parts.store.flush()
        [collection] = [s.collection for s in parts.ledger.shards() if s.number == shard]
        parts.store._chroma.remove(collection, [f"{half.document.id}:{last}"])
    lose(home)
    outcome = home.once()
    assert outcome.status == 0, outcome.err
    assert f"{len(SOURCES)} documents found whole; 1 that were not" in outcome.err
    assert home.states() == dict.fromkeys([*SOURCES, "half.txt"], "filed")
    numbers = [r.metadata["chunk"] for r in home.stored().values() if r.metadata["name"] == "half.txt"]
    assert sorted(numbers) == list(range(last + 1))
    assert home.cli("verify").status == 0


def test_a_ledger_lost_in_an_unclean_stop_is_rebuilt_and_every_vector_is_right(tmp_path):
    home = filled(tmp_path)
    before = home.stored()
    lose(home)
    # As a kill may leave the shard that was being written.
    chroma = Embedded(home.root / "store")
    for file in (home.root / "store" / max(chroma.names())).glob("*/*.bin"):
        os.truncate(file, file.stat().st_size // 2)
    assert home.once().status == 0
    after = home.stored()
    assert same(after, before)
    assert all(np.allclose(after[i].vector, before[i].vector, atol=1e-5) for i in before)
    assert home.cli("verify").status == 0


@pytest.mark.parametrize("moment", [pytest.param("reading", marks=pytest.mark.long), "entering"])
def test_a_rebuild_that_is_itself_interrupted_is_begun_again_and_loses_nothing(tmp_path, moment):
    home = filled(tmp_path / moment)  # Chroma remembers, by its folder, the client that an interrupted one left
    before, stored = known(home), home.stored()
    lose(home)
    owner, name, after = (rebuild.Findings, "see", 1) if moment == "reading" else (rebuild.Ledger, "adopt", 2)
    original, calls = getattr(owner, name), iter(range(after))

    def interrupted(*arguments):
        if next(calls, None) is None:
            raise Stopped("asked to stop")
        return original(*arguments)

    with mock.patch.object(owner, name, interrupted):
        assert home.once().status == 0
    assert home.once().status == 0
    assert known(home) == before
    assert same(home.stored(), stored)
    assert home.cli("verify").status == 0


def test_a_fresh_start_without_store_or_ledger_says_nothing_of_a_rebuild(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, log):
        work(parts)
    assert "Rebuilt" not in log.text


def test_with_a_lost_state_directory_full_shards_have_their_records_kept_again(tmp_path):
    home = filled(tmp_path)
    shutil.rmtree(home.root / "state")
    assert home.once().status == 0
    assert home.cli("verify", "--repair", "--json").json["unkept"] == 0
    assert len(list((home.root / "state" / "kept").glob("*.records"))) > 1

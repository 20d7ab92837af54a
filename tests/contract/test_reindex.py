"""A store is refused to another embedder or chunker, and moved over to it by ``bouquetd reindex``."""

import os
import re

from bouquetd.store.embedded import Embedded
from tests.harness import Home, prose

SMALL = {"store": {"batch_size": 20, "shard_chunks": 50}}
OTHER = {"chunk": {"size": 500, "overlap": 60}}
SOURCES = {f"{n}.txt": prose(size, n) for n, size in enumerate((2_000, 60_000, 300, 9_000))}


def filled(tmp_path, **sections):
    home = Home(tmp_path / "home", {**SMALL, **sections})
    for source, content in SOURCES.items():
        home.put(source, content)
    home.put("twin.txt", SOURCES["0.txt"])
    home.put("broken.pdf", b"%PDF-1.7\nnothing of a PDF\n%%EOF\n")
    assert home.once().status == 1
    return home


def reset(home, **sections):
    home.configure(**{**home.options, **sections})


def stored(home, generation):
    """What lies in Chroma, of one generation."""
    chroma = Embedded(home.root / "store")
    chroma.generation = generation
    found = {}
    for name in chroma.names():
        found |= chroma.get(name, sorted(chroma.ids(name)))
    chroma.close()
    return found


def joined(records):
    """The text of each source, put together by offsets."""
    texts = {}
    for record in records.values():
        known = record.metadata
        text = texts.setdefault(known["source"], {})
        text.update(zip(range(known["start"], known["end"]), record.text, strict=True))
    return {source: re.sub(r"\s+", "", "".join(c for _, c in sorted(t.items()))) for source, t in texts.items()}


def rows(home):
    """What the ledger says that a reindexing must not change."""
    with home.ledger() as ledger:
        found = list(ledger.entries())
        names = {e.document.id: e.document.source for e in found}
    return {
        e.document.source: (
            e.state, e.document.digest, e.document.size, e.document.since, e.document.media_type, e.updated,
            names.get(e.twin), e.destination, e.reason, e.remedy, e.note, e.fingerprint, e.whole,
        )
        for e in found
    }  # fmt: skip


def test_a_start_with_another_chunker_is_refused_with_both_ways_out(tmp_path):
    home = filled(tmp_path)
    reset(home, **OTHER)
    refused = home.once()
    assert refused.status == 78
    assert "chunk.size: the store was filled with static/wordllama-l2-supercat-256" in refused.err
    assert (
        "set chunk.size: 800 and chunk.overlap: 100 again, or move the store over with `bouquetd reindex`"
        in (refused.err)
    )
    assert home.cli("search", "river").status == 78
    assert home.cli("files").status == 0
    reset(home, chunk={})
    assert home.cli("search", "river stone").status == 0


def test_a_reindexed_store_has_every_text_under_the_new_chunker_and_all_that_the_ledger_knew(tmp_path):
    home = filled(tmp_path)
    before, known, texts = home.stored(), rows(home), joined(home.stored())
    reset(home, **OTHER)
    done = home.cli("reindex")
    assert done.status == 0, done.err
    assert "Done: the store is reindexed" in done.out
    after = stored(home, 1)
    assert joined(after) == texts
    assert len(after) > len(before)
    assert max(len(record.text) for record in after.values()) <= 500
    assert rows(home) == known
    assert stored(home, 0) == {}
    assert sorted(os.listdir(home.root / "state")) == ["bouquetd.lock", "kept-g1", "ledger.db", "run"]
    assert home.cli("verify").status == 0
    assert home.cli("search", "harbour candle").status == 0
    for source in SOURCES:
        home.put(source, SOURCES[source])
    assert f"0 chunks, {len(SOURCES)} already there" in home.once().err
    assert home.cli("reindex").out.startswith("Nothing is to be done")

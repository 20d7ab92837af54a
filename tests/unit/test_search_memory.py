"""What a search holds of Python's and numpy's memory stays within ``memory.operation``."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

from bouquetd.config import Memory
from bouquetd.ledger import Ledger
from bouquetd.model import EVERYTHING, Filter, Fingerprint, Record
from bouquetd.ops.search import query
from bouquetd.store.kept import Kept
from bouquetd.store.lexical import Lexical
from bouquetd.store.nearest import closest
from bouquetd.store.words import Words
from tests.harness import prose

CHUNKS, DIMENSIONS = 3000, 384


class Shard:
    """A full shard with its index of words, and no Chroma."""

    dimensions = DIMENSIONS

    def __init__(self, root):
        self.ledger = Ledger(root / "ledger.db", "recipe")
        self.kept = Kept(root / "kept")
        self.lexical = Lexical(self.ledger, self.kept, Words(root / "words.db"))

    def fill(self):
        document = self.ledger.claim("heron.txt", "0" * 64, Fingerprint(1, 1, 1, 1, 1))
        chance = np.random.default_rng(7)
        for first in range(0, CHUNKS, 500):
            records = [self.record(document.id, n, chance) for n in range(first, first + 500)]
            self.ledger.journal([(document, records, first + 500 == CHUNKS)])
            self.lexical.add(1, records)
        self.kept.keep(1, self.ledger.rows())
        self.ledger.seal(1)
        self.lexical.close()

    def record(self, document, number, chance):
        vector = chance.normal(size=DIMENSIONS).astype(np.float32)
        about = {
            "source": "birds/heron.txt", "name": "heron.txt", "digest": "0" * 64, "media_type": "text/plain",
            "chunk": number, "start": number * 700, "end": number * 700 + 800, "ingested_at": 1_700_000_000.5,
            "headings": ["Birds", "Herons", f"Part {number}"], "entities": ["person:Ada Lovelace"] * 5,
        }  # fmt: skip
        return Record(f"{document}:{number}", prose(800, number), about, vector / np.linalg.norm(vector))

    def query(self, text):
        return np.eye(DIMENSIONS, dtype=np.float32)[len(text) % DIMENSIONS]

    def candidates(self, text, vector, n, only):
        with self.lexical.looking(text, n, only) as found:
            near = closest(n, {1: self.kept.nearest(1, vector, n, CHUNKS)}, self.kept.at)
        return self.lexical.best(found.result(), n, only, lambda _shard, ids: ids, lambda *_: {}), near

    def vectors(self, ids):
        return self.lexical.vectors(ids)


@pytest.mark.parametrize("only", [EVERYTHING, Filter({"chunk": {"$gte": 0}})], ids=["plain", "filtered"])
def test_a_search_takes_less_than_an_operation_may(tmp_path, only):
    shard = Shard(tmp_path)
    shard.fill()
    ask = partial(query, shard, shard, "a sentence with river and stone and winter", 5, only)
    ask()
    tracemalloc.start()
    try:
        found = ask()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 5
    assert peak < Memory().operation

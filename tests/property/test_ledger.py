"""Whatever happens to documents, in whatever order, the ledger's tables agree with each other."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bouquetd.ledger import Ledger, Whole, identity
from bouquetd.model import Fingerprint, Record, State

FILE = Fingerprint(1, 2, 3, 4, 5)
SOURCES = st.sampled_from(["a", "b", "c\n\udcff"])
CONTENTS = st.sampled_from(["1", "2"])


class LedgerLife(RuleBasedStateMachine):
    """Documents claimed, journalled, completed, replaced, forgotten; shards sealed; the process killed."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "ledger.db", "recipe")
        self.open = None
        self.chroma = {}
        """What a store that follows the ledger would hold: chunk id -> shard."""

    def teardown(self):
        self.ledger.close()
        self.folder.cleanup()

    @precondition(lambda self: self.open is None)
    @rule(source=SOURCES, content=CONTENTS)
    def claim(self, source, content):
        known = self.ledger.find(identity(source, content, "recipe"))
        if known is None or known.state not in (State.COMPLETE, State.FILED):
            self.open = self.ledger.claim(source, content, FILE)

    @precondition(lambda self: self.open is not None)
    @rule(count=st.integers(1, 5), whole=st.booleans())
    def journal(self, count, whole):
        entry = self.ledger.entry(self.open.id)
        if entry.whole:
            return
        ids = [f"{self.open.id}:{n}" for n in range(entry.chunks, entry.chunks + count)]
        records = [Record(i, "text", {}, np.zeros(2, dtype=np.float32)) for i in ids]
        self.ledger.journal([(self.open, records, whole)])
        self.chroma |= dict.fromkeys(ids, self.ledger.active().number)

    @precondition(lambda self: self.open is not None and self.ledger.entry(self.open.id).whole)
    @rule()
    def complete(self):
        self.ledger.complete([Whole(self.open.id)])
        self.ledger.filed([(self.open.id, None)])
        self.open = None
        self.remove()

    @precondition(lambda self: self.open is not None)
    @rule()
    def fail(self):
        self.ledger.failed(self.open.id, "why", "what", "there")
        self.open = None
        self.remove()

    @precondition(lambda self: self.open is not None)
    @rule()
    def stop(self):
        self.ledger.give_back(self.open.id)
        self.open = None

    @precondition(lambda self: self.open is None)
    @rule(source=SOURCES, content=CONTENTS)
    def duplicate(self, source, content):
        holder = self.ledger.holder(content)
        if holder and holder.document.source != source:
            self.ledger.duplicate(source, content, FILE, holder.document.id, None)
            self.remove()

    @precondition(lambda self: self.open is None)
    @rule(source=SOURCES)
    def forget(self, source):
        for entry in self.ledger.by_source(source):
            if entry.state in (State.FILED, State.DUPLICATE):
                self.ledger.forgotten(entry.document.id)
                for twin in self.ledger.duplicates_of(entry.document.id):
                    self.ledger.drop(twin.document.id)
        self.remove()

    @rule()
    def seal(self):
        if self.ledger.active().chunks:
            self.ledger.seal(self.ledger.active().number)

    @rule()
    def kill(self):
        self.open = None
        self.ledger.close()
        self.ledger = Ledger(Path(self.folder.name) / "ledger.db", "recipe")

    def remove(self):
        for id_ in self.ledger.removals():
            self.chroma = {i: s for i, s in self.chroma.items() if not i.startswith(f"{id_}:")}
            self.ledger.removed([id_])

    @invariant()
    def every_shard_expects_exactly_what_chroma_holds_and_counts_it(self):
        for shard in self.ledger.shards():
            held = {i for i, number in self.chroma.items() if number == shard.number}
            assert set(self.ledger.expected(shard.number)) == held
            assert shard.chunks == len(held)

    @invariant()
    def the_journal_is_the_active_shard(self):
        journalled = [record.id for page in self.ledger.journalled() for record in page]
        active = [s.number for s in self.ledger.shards() if not s.sealed]
        assert len(active) <= 1
        assert len(journalled) == len(set(journalled))
        assert set(journalled) == {i for i, number in self.chroma.items() if number in active}

    @invariant()
    def placements_cover_each_document_without_gap_or_overlap(self):
        for entry in self.ledger.entries():
            ranges = self.ledger.placements(entry.document.id)
            numbers = [n for _, first, last in ranges for n in range(first, last + 1)]
            assert numbers == list(range(entry.chunks))
            assert not entry.whole or entry.chunks

    @invariant()
    def a_source_has_one_current_content_besides_those_that_copies_refer_to(self):
        for source in ("a", "b", "c\n\udcff"):
            filed = [e for e in self.ledger.by_source(source) if e.state is State.FILED]
            copied = [e for e in filed if self.ledger.duplicates_of(e.document.id)]
            assert len(filed) - len(copied) <= 1

    @invariant()
    def every_duplicate_refers_to_a_document_that_holds_its_content(self):
        for entry in self.ledger.entries(State.DUPLICATE):
            twin = self.ledger.entry(entry.twin)
            assert twin.document.digest == entry.document.digest
            assert twin.state in (State.COMPLETE, State.FILED)


LedgerLife.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLedger = LedgerLife.TestCase

"""``bouquetd verify``: the ledger against Chroma, chunk by chunk, and the way back when they differ.

The index of words and the kept records of full shards are compared too, by number. What they lack or have
too much is no fault: the daemon mends it when it has nothing else to do. It is one where the index cannot be
written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bouquetd.ledger import Entry, Ledger
from bouquetd.model import State, printable
from bouquetd.store.lexical import Difference
from bouquetd.store.shards import Store

INDEX = "index of words"

MOST = 1000
"""Findings listed; the counts go on beyond."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be; ``shard`` is 0 where it is of none."""

    shard: int
    source: str
    problem: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification saw. ``repaired`` has one line for each shard or document put right.

    ``words`` are the chunks that the index of words lacks, and those that it has of no document; ``unkept`` the
    records of full shards that are not kept.
    """

    documents: int
    chunks: int
    shards: int
    faults: int
    findings: tuple[Finding, ...]
    words: Difference
    unkept: int
    repaired: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Every document has all its chunks, there is no chunk of none, and the words can be indexed."""
        return not self.faults


def verify(ledger: Ledger, store: Store, dimensions: int) -> Report:
    """Look at every chunk that the ledger knows and at every one that Chroma holds; change nothing."""
    findings: list[Finding] = []
    chunks = faults = 0
    shards = ledger.shards()
    for shard in shards:
        seen = store.inspect(shard, dimensions)
        chunks += seen.chunks
        faults += len(seen.faulty) + len(seen.stray)
        for ids, problem in ((seen.faulty, "missing or damaged"), (seen.stray, "belongs to no document")):
            findings += [
                Finding(shard.number, _source(ledger, i), f"chunk {i} {problem}")
                for i in ids[: MOST - len(findings)]
            ]
    documents = 0
    for entry in ledger.entries(State.COMPLETE, State.FILED):
        documents += 1
        if not _covered(ledger, entry):
            faults += 1
            if len(findings) < MOST:
                findings.append(
                    Finding(
                        0, printable(entry.document.source), f"not all its {entry.chunks} chunks are placed"
                    )
                )
    words = store.compare_words()
    if not words.mendable:
        faults += 1
        findings.append(
            Finding(0, INDEX, "it cannot be written; look at the free space (df) and at paths.state")
        )
    return Report(documents, chunks, len(shards), faults, tuple(findings), words, store.compare_kept())


def repair(
    ledger: Ledger,
    store: Store,
    dimensions: int,
    requeue: Callable[[Entry], str],
) -> Report:
    """Verify, rebuild what is damaged, ask again for documents that cannot be rebuilt, and verify again.

    ``requeue`` puts a document's file back in line and says in words what it did.
    """
    done: list[str] = []
    lost: set[str] = set()
    for shard in ledger.shards():
        seen = store.inspect(shard, dimensions)
        if seen.faulty or seen.stray:
            rebuilt = store.repair(shard)
            lost.update(rebuilt.missing)
            done.append(f"shard {shard.number}: {rebuilt.chunks} chunks rebuilt from the {rebuilt.origin}")
    lost.update(e.document.id for e in ledger.entries(State.COMPLETE, State.FILED) if not _covered(ledger, e))
    for id_ in sorted(lost):
        entry = ledger.find(id_)
        if entry is not None:
            done.append(f"{printable(entry.document.source)}: {requeue(entry)}")
            store.remove([id_])
    before, unkept = store.compare_words(), store.compare_kept()
    store.tidy_up()
    report = verify(ledger, store, dimensions)
    if report.words != before:
        added, gone = before.missing - report.words.missing, before.stray - report.words.stray
        done.append(f"{INDEX}: {added} chunks taken in, {gone} let go of")
    if report.unkept != unkept:
        done.append(f"records of full shards: {unkept - report.unkept} put right")
    return replace(report, repaired=tuple(done))


def _covered(ledger: Ledger, entry: Entry) -> bool:
    expected = 0
    for _, first, last in ledger.placements(entry.document.id):
        if first != expected:
            return False
        expected = last + 1
    return entry.whole and expected == entry.chunks


def _source(ledger: Ledger, chunk: str) -> str:
    entry = ledger.find(chunk.rpartition(":")[0])
    return printable(entry.document.source) if entry else "?"

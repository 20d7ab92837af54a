"""Entities: precision and recall by kind on a labelled sample, microseconds a chunk, memory.

``entities_sample.txt`` holds sentences of public-domain books and papers, quoted from memory, and others made
up around identifiers, as documents of about ten. Each was labelled by hand, before anything was run on it,
with what a reader would call an entity: ``[text](kind)``, or ``[text](kind=value)`` where it is written in
another way. The names were then improved by looking at every second document; the rest was held out, and
stands apart here. Of what has a grammar, patterns were written before the sample and not changed after it.
Labels that were wrong were put right, two of them held out: an ISBN and a phone number that, as made up at
first, are none. A person counts as found by a fuller name that ends with the labelled one.

Whoever wrote the patterns made the sample, and it is small: a figure of 1.00 says that nothing in it was
missed, no more. ``python -m tests.bench.entities`` prints what was missed and what was invented in the
documents that were looked at; with a provider and a number of chunks it measures that provider in this
process.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bouquetd.chunk import chunk
from bouquetd.config import Entities as Options
from bouquetd.entities.choice import chosen, names
from bouquetd.memory.reclaim import trimmer
from bouquetd.mentions import KINDS
from bouquetd.model import Piece
from tests.bench.machine import memory
from tests.bench.process import Bench, child
from tests.bench.report import Result, Table
from tests.bench.text import paragraphs, pool

SAMPLE = Path(__file__).with_name("entities_sample.txt")
NAMES = ("person", "organisation", "place")
AIM = 0.95
"""For each kind that has a grammar, of precision and recall."""

_LABEL = re.compile(r"\[((?:[^\[\]])+)\]\((\w+)(?:=((?:[^()]|\([^()]*\))*))?\)")

Label = tuple[str, str]
"""A kind and a value."""


@dataclass(slots=True)
class Score:
    """How many entities of each kind were found, missed, invented."""

    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    invented: Counter[str] = field(default_factory=Counter)

    def row(self, kind: str) -> tuple[int, float, float]:
        """How many are labelled, precision, recall."""
        found, missed, invented = self.found[kind], self.missed[kind], self.invented[kind]
        return (
            found + missed,
            found / (found + invented) if found + invented else 1.0,
            found / (found + missed) if found + missed else 1.0,
        )


def sample() -> Iterator[tuple[str, list[tuple[str, set[Label]]]]]:
    """Title and sentences of each document, each sentence with its labels."""
    for part in SAMPLE.read_text("utf-8").split("# ")[1:]:
        title, *lines = part.strip().splitlines()
        yield title, [_labelled(line) for line in lines]


def _labelled(line: str) -> tuple[str, set[Label]]:
    labels = {(match[2], match[3] or match[1]) for match in _LABEL.finditer(line)}
    return _LABEL.sub(r"\1", line), labels


def ours() -> Callable[[], Callable[[str], list[str]]]:
    """Makes what finds the entities of one document's sentences, in order, as the pipeline does."""
    from bouquetd.entities.names import Names  # here: what they load is part of what is measured
    from bouquetd.entities.patterns import patterns

    grammar = patterns()

    def document() -> Callable[[str], list[str]]:
        known = Names()
        return lambda text: [*grammar(text), *known.read(text)]

    return document


def judge(
    document: Callable[[], Callable[[str], list[str]]], tell: Callable[[str], None] = lambda _line: None
) -> tuple[Score, Score]:
    """The score on the documents that were looked at, and on those held out."""
    scores = Score(), Score()
    for number, (_title, sentences) in enumerate(sample()):
        score, find = scores[number % 2], document()
        for text, labels in sentences:
            there = {(kind, value) for kind, _, value in (entity.partition(":") for entity in find(text))}
            for label in sorted(labels):
                same = [found for found in there if _same(label, found)]
                (score.found if same else score.missed)[label[0]] += 1
                there -= set(same)
                if not same and not number % 2:
                    tell(f"missed {label}: {text}")
            for found in sorted(there):
                score.invented[found[0]] += 1
                if not number % 2:
                    tell(f"invented {found}: {text}")
    return scores


def _same(label: Label, found: Label) -> bool:
    return label == found or (label[0] == found[0] == "person" and f" {found[1]}".endswith(f" {label[1]}"))


def measure(bench: Bench) -> Result:
    """The tables."""
    seen, held_out = judge(ours())
    rows = [[kind, *_cells(seen.row(kind)), *_cells(held_out.row(kind))] for kind in KINDS]
    worst = min(min(score.row(kind)[1:]) for score in (seen, held_out) for kind in KINDS if kind not in NAMES)
    chunks = bench.pick(2_000, 20_000)
    costs = {p: child("entities", p, chunks, log=bench.folder / f"{p}.log") for p in ("none", "patterns")}
    sentences = sum(len(sentences) for _, sentences in sample())
    return Result(
        [
            Table(
                f"Entities in {sentences} labelled sentences",
                ["kind", "looked at", "precision", "recall", "held out", "precision ", "recall "],
                rows,
            ),
            Table(
                f"What a provider costs, {chunks:,} chunks of real text",
                ["provider", "µs a chunk", "RSS MB", "RSS MB it grew by later", "entities a chunk"],
                [[p, *(c[key] for key in ("us", "grown", "later", "entities"))] for p, c in costs.items()],
            ),
        ],
        {
            "kinds": {kind: {"seen": seen.row(kind), "held_out": held_out.row(kind)} for kind in KINDS},
            "costs": costs,
        },
        [f"The worst figure of a kind with a grammar is {worst:.2f}; the aim is {AIM} or more."],
    )


def _cells(row: tuple[int, float, float]) -> list[object]:
    return [*row] if row[0] else [0, "", ""]


def cost(provider: str, count: int) -> dict[str, Any]:
    """Microseconds of CPU a chunk and MB of RSS of one provider in this process.

    ``grown`` is up to the end of the first half of the chunks, ``later`` what the second half added.
    """
    texts = list(islice(chunk(Piece(p + "\n\n") for p in paragraphs(seed=1)), count))
    pool.cache_clear()
    gc.collect()
    if trim := trimmer():
        trim()  # else all would fit into what reading the texts left free
    before = memory()[0]
    options = Options.read({"provider": provider})
    find, named = chosen(options), names(options)
    found, began = 0, time.thread_time()
    half = 0.0
    for number, one in enumerate(named(iter(texts), 0)):
        found += len(find(one.text)) + len(one.names)
        if number == count // 2:
            half = memory()[0]
    took = time.thread_time() - began
    return {
        "us": took / count * 1e6,
        "grown": half - before,
        "later": memory()[0] - half,
        "entities": found / count,
    }


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(cost(sys.argv[1], int(sys.argv[2]))))
    else:
        judge(ours(), print)

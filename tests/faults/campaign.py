"""A campaign of kills at random moments, counted by what the daemon was doing, until every quota is met."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests import samples
from tests.faults import documents
from tests.faults.world import (
    Life,
    Moment,
    World,
    assert_embedded_once,
    assert_nothing_lost_or_doubled,
    assert_same,
    make,
    undisturbed,
)

AS_SHIPPED = 5_000
"""Chunks in a shard of the embedder that the campaigns use, unless the configuration says otherwise."""

LARGE = pytest.param(20_000, marks=pytest.mark.campaign)
"""The more chunks, the more often a kill tears Chroma's index, and the longer each rebuild: half an hour."""

FULL = {5_000: 18, 20_000: 30}
"""Kills, of fifty, while such a shard is half full or more; most others come before, and are quick."""

AT_START = 0.1
"""Share of the lives that are killed at a random moment after their start, ready or not."""

MOMENT = 0.3
"""Seconds, at most, that a life goes on after it has done its share: a time that falls anywhere in a batch."""


@dataclass(frozen=True)
class Quota:
    """Kills wanted: in all, while a shard of at least ``shard`` chunks was written, during replacements.

    The first ``small`` kills come before the shard is that large, which makes them quick. The campaign also
    goes on until so many shards are ``sealed``.
    """

    kills: int
    full: int
    replacing: int
    shard: int
    small: int = 0
    sealed: int = 0


@dataclass
class Score:
    """Kills so far; ``early`` at a random moment after a start, ``torn`` while a sealed shard was changed."""

    quota: Quota
    kills: int = 0
    full: int = 0
    replacing: int = 0
    early: int = 0
    torn: int = 0

    def count(self, moment: Moment) -> None:
        self.kills += 1
        self.full += moment.storing and moment.active >= self.quota.shard
        self.replacing += moment.replacing
        self.torn += moment.changing

    @property
    def met(self) -> bool:
        wanted = self.quota
        return self.kills >= wanted.kills and self.full >= wanted.full and self.replacing >= wanted.replacing


class Feeder:
    """Drops files as the campaign goes on. Every third document is never replaced; these may have twins."""

    def __init__(self, world: World, rng: random.Random, chunks: tuple[int, int], kept: int) -> None:
        self.world = world
        self.rng = rng
        self.chunks = chunks
        self.kept = kept
        self.stable: list[str] = []
        self.replaceable: list[str] = []
        self._kinds = cycle(documents.KINDS)
        self._bad = iter(
            [(f"bad/{name}", data) for name, data in samples.bad_files().items()]
            + [(f"bad/half-{n}.jsonl", documents.broken_half_way(rng, 50)) for n in range(5)]
        )

    def new(self) -> None:
        number = len(self.stable) + len(self.replaceable)
        source = f"folder {number % 7}/document {number}.{next(self._kinds)}"
        self.world.offer(source, make(self.rng, source, self.rng.randint(*self.chunks)))
        (self.replaceable if number % 3 else self.stable).append(source)

    def replacement(self) -> None:
        """New content for a document that is done with."""
        done = [source for source in self.replaceable if not self.world.waiting(source)]
        if done:
            source = self.rng.choice(done)
            self.world.offer(source, make(self.rng, source, self.rng.randint(*self.chunks)))

    def twin(self) -> None:
        """A document under another name."""
        done = [source for source in self.stable if not self.world.waiting(source)]
        if done:
            source = self.rng.choice(done)
            twin = f"twins/{len(self.world.offered)} {Path(source).name}"
            self.world.offer(twin, self.world.latest[source])

    def bad(self) -> None:
        for source, data in self._bad:
            self.world.offer(source, data)
            return

    def preload(self, chunks: int) -> None:
        """Enough new documents to make so many chunks."""
        made = 0
        while made < chunks:
            self.new()
            made += documents.count(*self.world.offered[-1])

    def top_up(self, drop: Callable[["Feeder"], None]) -> None:
        """See that there is always something to do, for about ``kept`` chunks."""
        while sum(map(_size, self.world.in_inbox())) < self.kept * documents.CHARACTERS:
            drop(self)


def _size(path: Path) -> int:
    """Its bytes; none when the daemon has just put it away."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def drop_mostly_new(feeder: Feeder) -> None:
    kinds = [feeder.new, feeder.replacement, feeder.twin, feeder.bad]
    feeder.rng.choices(kinds, [75, 13, 6, 6])[0]()


def drop_mostly_replacements(feeder: Feeder) -> None:
    kinds = [feeder.new, feeder.replacement, feeder.twin, feeder.bad]
    feeder.rng.choices(kinds, [8, 82, 5, 5])[0]()


def busy(life: Life, feeder: Feeder, drop: Callable[[Feeder], None], shard: int) -> bool:
    """Whether it works on a shard that is large enough; it never runs out of work until then."""
    feeder.top_up(drop)
    moment = feeder.world.moment(embedded=True)
    return life.embedded() > 0 and moment is not None and moment.active >= shard


def worked(life: Life, share: float) -> bool:
    """Whether it embedded so many texts, or has nothing left to do."""
    return life.embedded() >= share or not life.world.in_inbox()


def campaign(
    world: World,
    quota: Quota,
    drop: Callable[[Feeder], None],
    seed: str,
    *,
    chunks: tuple[int, int],
    kept: int,
) -> None:
    """Kill until the quota is met, then let it finish, and compare everything with an undisturbed store."""
    print(f"Seed: {seed}")
    rng, began = random.Random(seed), time.monotonic()
    feeder, score = Feeder(world, rng, chunks, kept), Score(quota)
    feeder.preload(kept)
    while score.kills < quota.small:
        live_and_die(feeder, drop, score, 0)
    feeder.preload(quota.shard + quota.shard // 20)
    world.drain()
    while not score.met or world.sealed() < quota.sealed:
        live_and_die(feeder, drop, score, quota.shard)
    killed = time.monotonic()
    life = world.start()
    life.until(lambda: life.status().get("state") == "idle" and not world.in_inbox(), "all was done")
    life.stop()
    found = assert_nothing_lost_or_doubled(world)
    calm = undisturbed(world, world.root.with_name("calm"))
    wanted = assert_nothing_lost_or_doubled(calm, "once")
    assert_same(found, wanted)
    assert world.documents() == calm.documents()
    over = assert_embedded_once(world, calm, score.kills)
    assert not world.embedded()["rows"]
    print(
        f"{score.kills} kills: {score.full} while a shard of {quota.shard} chunks or more was written,"
        f" {score.replacing} while documents were replaced, {score.torn} while a sealed shard was changed,"
        f" {score.early} at a random moment after a start.\n"
        f"{over} texts embedded too often. {len(world.offered)} files; {len(found['records'])} chunks in"
        f" {len(world.shards())} shards.\n"
        f"Of {found['asked']} vectors {found['hits']} found themselves, undisturbed {wanted['hits']}.\n"
        f"{killed - began:.0f} s of kills, {time.monotonic() - killed:.0f} s to finish and compare."
    )


def live_and_die(feeder: Feeder, drop: Callable[[Feeder], None], score: Score, shard: int) -> None:
    """One more life, and its end at a random moment."""
    rng, world = feeder.rng, feeder.world
    feeder.top_up(drop)
    life = world.start()
    if rng.random() < AT_START:
        time.sleep(rng.uniform(0, 2 + shard / 1000))  # into the rebuild, too
        score.early += 1
    else:
        life.until(partial(busy, life, feeder, drop, shard), "it wrote a large shard again")
        share = life.embedded() + rng.uniform(0, feeder.kept / 2)
        life.until(partial(worked, life, share), "it did its share")
        time.sleep(rng.uniform(0, MOMENT))
    score.count(life.kill())

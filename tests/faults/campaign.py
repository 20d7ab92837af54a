"""A campaign of kills at random moments, counted by what the daemon was doing, until every quota is met."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

from tests import samples
from tests.faults import documents
from tests.faults.world import (
    Life,
    World,
    assert_embedded_once,
    assert_nothing_lost_or_doubled,
    assert_same,
    make,
    undisturbed,
)

AT_START = 0.3
"""Share of the lives that are killed at a random moment after their start, ready or not."""

MOMENT = 0.3
"""Seconds, at most, that a life goes on after it has done its share: a time that falls anywhere in a batch."""


@dataclass(frozen=True)
class Quota:
    """Kills wanted: in all, while a shard of at least ``shard`` chunks was written, during replacements.

    The campaign also goes on until so many shards are ``sealed``.
    """

    kills: int
    full: int
    replacing: int
    shard: int
    sealed: int = 0


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
        while sum(path.stat().st_size for path in self._waiting()) < self.kept * documents.CHARACTERS:
            drop(self)

    def _waiting(self) -> list[Path]:
        return [path for path in self.world.in_inbox() if path.exists()]


def drop_mostly_new(feeder: Feeder) -> None:
    kinds = [feeder.new, feeder.replacement, feeder.twin, feeder.bad]
    feeder.rng.choices(kinds, [75, 13, 6, 6])[0]()


def drop_mostly_replacements(feeder: Feeder) -> None:
    kinds = [feeder.new, feeder.replacement, feeder.twin, feeder.bad]
    feeder.rng.choices(kinds, [8, 82, 5, 5])[0]()


def busy(life: Life, feeder: Feeder, drop: Callable[[Feeder], None], quota: Quota) -> bool:
    """Whether it works on a shard that is large enough; it never runs out of work until then."""
    feeder.top_up(drop)
    return life.embedded() > 0 and feeder.world.moment(embedded=True).active >= quota.shard


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
    feeder = Feeder(world, rng, chunks, kept)
    feeder.preload(quota.shard + quota.shard // 20)
    world.drain()
    loaded = time.monotonic()
    kills = full = replacing = torn = early = 0
    while (
        kills < quota.kills or full < quota.full or replacing < quota.replacing or world.sealed() < quota.sealed
    ):
        feeder.top_up(drop)
        life = world.start()
        if rng.random() < AT_START:
            time.sleep(rng.uniform(0, 2 + quota.shard / 1000))  # into the rebuild, too
            early += 1
        else:
            life.until(partial(busy, life, feeder, drop, quota), "it wrote a large shard again")
            share = life.embedded() + rng.uniform(0, kept / 2)
            life.until(partial(worked, life, share), "it did its share")
            time.sleep(rng.uniform(0, MOMENT))
        moment = life.kill()
        kills += 1
        full += moment.storing and moment.active >= quota.shard
        replacing += moment.replacing
        torn += moment.changing
    killed = time.monotonic()
    life = world.start()
    life.until(lambda: life.status().get("state") == "idle" and not world.in_inbox(), "all was done")
    life.stop()
    found = assert_nothing_lost_or_doubled(world)
    calm = undisturbed(world, world.root.with_name("calm"))
    wanted = assert_nothing_lost_or_doubled(calm, "once")
    assert_same(found, wanted)
    assert world.documents() == calm.documents()
    over = assert_embedded_once(world, calm, kills)
    assert not world.embedded()["rows"]
    print(
        f"{kills} kills: {full} while a shard of {quota.shard} chunks or more was written,"
        f" {replacing} while documents were replaced, {early} at a random moment after a start.\n"
        f"{torn} while a sealed shard was being changed; {over} texts embedded too many.\n"
        f"{len(world.offered)} files; {len(found['records'])} chunks in {len(world.shards())} shards;"
        f" own vectors found {found['hits']} times, {wanted['hits']} undisturbed.\n"
        f"{loaded - began:.0f} s to load, {killed - loaded:.0f} s of kills,"
        f" {time.monotonic() - killed:.0f} s to finish and compare."
    )

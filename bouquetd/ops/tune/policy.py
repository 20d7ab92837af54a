"""What to propose for a machine: pure, facts in, proposal out.

It is conservative: half of RAM is left to others, and nothing changes without a reason that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bouquetd.config import LOOPBACK, Settings, bytes_per_chunk, shard_chunks
from bouquetd.model import MB
from bouquetd.ops import fit
from bouquetd.ops.figures import count
from bouquetd.ops.fit import LAST, ROOM, Unit
from bouquetd.ops.tune.facts import Change, Facts, Limits, Proposal

SHARE = 0.5
"""Of RAM, that bouquetd may take, with its unit's MemoryMax; the rest is for others and for page cache."""

SERVER = 300 * MB
"""What a Chroma server on the same machine takes of that share: 271 MB were seen (section 6 of the design)."""

WORKING = 60 * MB
"""RSS that files in work take beside embedder, store and the index of one shard; seen: 40 MB."""

GAIN = 1.1
"""How many times as fast something must be to be worth a change."""

SMALL, LARGE, MANY = 1500 * MB, 7500 * MB, 4
"""RAM below which the small profile fits, and RAM and cores from which the large one does."""

FLUSHES = 11
"""fsyncs of one call that hands chunks to an embedded Chroma (section 6 of the design)."""

WAITING = 0.1
"""The share of a call's time that may go into waiting for the disk."""

LARGEST_BATCH = 2000
"""Chunks in one call that are proposed: some 8 MB in memory."""


def propose(facts: Facts, settings: Settings, unit: Unit | None, page: int = 0) -> Proposal:
    """What would fit the machine better than the settings in force.

    ``page`` is what reading a page by text recognition takes beside ``memory.limit``, in bytes, 0 for none.
    """
    threads = _threads(facts, settings)
    limit, page_then, notes = _limit(facts, settings, page)
    changes = [
        *_profile(facts, settings),
        *_memory(facts, settings, limit, page, page_then),
        *_threads_change(facts, settings, threads),
        *_batch(facts, settings, threads),
    ]
    rate = _rate(facts, threads)
    stride = settings.chunk.size - settings.chunk.overlap
    return Proposal(
        tuple(changes), _unit(unit, limit, page_then), tuple(notes), rate,
        1024 * MB / stride / rate if rate else 0.0,
    )  # fmt: skip


def _profile(facts: Facts, settings: Settings) -> Iterator[Change]:
    ram, cores = f"{facts.ram // MB} MB of RAM", count(facts.cores, "core")
    if facts.ram < SMALL:
        wanted, why = "safety", f"{ram}: smaller reads and batches"
    elif facts.ram >= LARGE and facts.cores >= MANY:
        wanted, why = "speed", f"{ram} and {cores}: larger reads and batches, files of up to 100 MB"
    else:
        wanted, why = "balanced", f"{ram} and {cores}"
    if wanted != settings.profile:
        yield Change("profile", settings.profile, wanted, why)


# -- memory -----------------------------------------------------------------------------------------------


def needed(facts: Facts, settings: Settings) -> int:
    """The least memory.limit under which work is not throttled all the time, in bytes."""
    index = 0 if settings.store.mode == "server" else shard_chunks(settings) * bytes_per_chunk(settings)
    return _tens((facts.rss + index + WORKING) / settings.memory.throttle + 10 * MB)


def allowed(facts: Facts, settings: Settings, page: int) -> int:
    """The largest memory.limit whose MemoryMax leaves half of RAM to others, in bytes.

    A page of text recognition and a server's peak are not met together; should they be, the page goes first.
    """
    here = settings.store.mode == "server" and urlsplit(settings.store.url).hostname in LOOPBACK
    return max(0, _tens((facts.ram * SHARE - max(page, SERVER if here else 0) - ROOM) / LAST))


def _limit(facts: Facts, settings: Settings, page: int) -> tuple[int, int, list[str]]:
    """The limit, what a page may take beside it, and what neither mends."""
    least, now = needed(facts, settings), settings.memory.limit
    for beside in dict.fromkeys((page, 0)):
        if (most := allowed(facts, settings, beside)) >= least:
            return min(max(now, least), most), beside, []
    note = (
        f"this machine is small for embed.provider: {settings.embed.provider}: memory.limit should be"
        f" {least // MB}MB or more, and half of RAM allows {allowed(facts, settings, 0) // MB}MB"
    )
    return min(now, max(least, allowed(facts, settings, 0))), 0, [note]


def _memory(facts: Facts, settings: Settings, limit: int, page: int, page_then: int) -> Iterator[Change]:
    now = settings.memory.limit
    if limit < now:
        why = f"with what systemd needs beside it, it leaves half of {facts.ram // MB} MB of RAM to others"
    else:
        why = f"embedder, store and one shard take {facts.rss // MB} MB and more: below, work is throttled"
    if limit != now:
        yield Change("memory.limit", f"{now // MB}MB", f"{limit // MB}MB", why)
    if page and not page_then:
        why = f"a page takes {page // MB} MB beside memory.limit, which half of the RAM has no room for"
        yield Change("ocr.mode", settings.ocr.mode, "never", why)


def _unit(unit: Unit | None, limit: int, page: int) -> Limits | None:
    if unit is None:
        return None
    high, maximum = (fit.up(size) * MB for size in fit.least(limit, page))
    if (unit.high is not None and unit.high < high) or (unit.maximum is not None and unit.maximum < maximum):
        return Limits(high, maximum, "below, the kernel slows the daemon down, or kills it, before it pauses")
    if unit.maximum is None:
        return Limits(high, maximum, "without it nothing holds the daemon back if all else fails")
    return None


def _tens(size: float) -> int:
    """Rounded down to 10 MB."""
    return int(size) // (10 * MB) * 10 * MB


# -- speed ------------------------------------------------------------------------------------------------


def _in_force(facts: Facts, settings: Settings) -> int:
    """Threads of the settings; ``auto`` is 2, or 1 where there is one core."""
    return settings.embed.threads or min(2, facts.cores)


def _threads(facts: Facts, settings: Settings) -> int:
    """The fewest threads that are nearly as fast as any, of half the cores; those in force where none is."""
    now = _in_force(facts, settings)
    if settings.embed.provider not in ("minilm", "onnx") or now not in facts.embedded:
        return now
    most = max(1, facts.cores if facts.cores <= 2 else facts.cores // 2)
    measured = {n: rate for n, rate in facts.embedded.items() if n <= most}
    if not measured:
        return now
    best = max(measured.values())
    fewest = min(n for n, rate in measured.items() if rate * GAIN >= best)
    if measured[fewest] >= facts.embedded[now] * GAIN or now > facts.cores:
        return fewest
    return now


def _threads_change(facts: Facts, settings: Settings, threads: int) -> Iterator[Change]:
    now = _in_force(facts, settings)
    if threads == now:
        return
    then, before = facts.embedded[threads], facts.embedded[now]
    told = "auto" if settings.embed.threads is None else str(now)
    yield Change("embed.threads", told, str(threads), f"{then:.1f} chunks a second instead of {before:.1f}")


def _batch(facts: Facts, settings: Settings, threads: int) -> Iterator[Change]:
    batch, rate = settings.store.batch_size, _rate(facts, threads)
    if settings.store.mode == "server" or not rate:
        return
    waits = FLUSHES * facts.flush_store
    if waits <= WAITING * batch / rate:
        return
    most = min(LARGEST_BATCH, shard_chunks(settings) or LARGEST_BATCH)
    enough = min(most, -(-int(waits * rate / WAITING) // 500) * 500)
    if enough > batch:
        why = (
            f"a flush takes {facts.flush_store * 1000:.0f} ms where the store lies, and each call waits for"
            f" {FLUSHES} of them"
        )
        yield Change("store.batch_size", str(batch), str(enough), why)


def _rate(facts: Facts, threads: int) -> float:
    """Chunks a second, one stage after the other: what overlaps makes it faster."""
    embedded = facts.embedded.get(threads) or next(iter(facts.embedded.values()), 0.0)
    parts = [1 / rate for rate in (embedded, facts.stored) if rate]
    return 1 / sum(parts) if parts else 0.0

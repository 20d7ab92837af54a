"""Resume: a large file whose daemon is killed at nine tenths of its chunks, and what the rest takes.

The whole runs from the claim to the file put away, undisturbed; the rest from the start of the next process to
the file put away, so that the start and the rebuild of the shard that was being written count against us. That
is 15 seconds, in which a machine is slow or quick by chance: the median of three kills counts.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bouquetd.model import MB
from tests.bench.process import Bench, Daemon, Home
from tests.bench.report import Failed, Result, Table
from tests.bench.text import plain

SHARE = 0.9
"""Of the chunks, when the kill comes."""

AIM = 0.15
"""Share of the whole that the rest is to stay under."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What came after one kill: seconds from the start of the process to READY, the first chunk, the end."""

    killed: int
    active: int
    ready: float
    first: float
    end: float


def measure(bench: Bench) -> Result:
    """The whole, the rest, and what the rest consists of."""
    megabytes = bench.pick(10, 50)
    file = bench.folder / "large.txt"
    plain(file, megabytes * MB, 11)
    store = {"shard_chunks": bench.pick(1_000, 5_000)}  # as many shards either way
    start, chunks, whole = _undisturbed(Home.fresh(bench.folder / "calm", store=store), file)
    rests = [
        _killed(Home.fresh(bench.folder / f"killed-{i}", store=store), file, chunks)
        for i in range(bench.pick(1, 3))
    ]
    rest = sorted(rests, key=lambda rest: rest.end)[len(rests) // 2]
    shares = [found.end / whole for found in rests]
    return Result(
        [
            Table(
                f"A text of {megabytes} MB, {chunks:,} chunks, killed after {rest.killed:,}",
                ["", "seconds", "share of the whole"],
                [
                    ["the whole, undisturbed", whole, "100 %"],
                    ["the rest, from the start of the process", rest.end, f"{rest.end / whole:.1%}"],
                    *(
                        [what, seconds, f"{seconds / whole:.1%}"]
                        for what, seconds in (
                            ("of it the start", start),
                            (f"putting {rest.active:,} chunks of the shard in hand right", rest.ready - start),
                            ("finding the place again", rest.first - rest.ready),
                            (f"the last {chunks - rest.killed:,} chunks", rest.end - rest.first),
                        )
                    ),
                ],
            )
        ],
        {
            "megabytes": megabytes, "chunks": chunks, "whole": whole, "start": start, "shares": shares,
            "share": rest.end / whole, "rests": [asdict(found) for found in rests],
        },
        [
            f"Of {len(rests)} kills the median: the rest took {rest.end / whole:.1%} of the whole"
            f" ({', '.join(f'{share:.1%}' for share in shares)}); the aim is under {AIM:.0%}. The start is that"
            " of an empty daemon in the same run; finding the place is to hash the file and to read over what"
            " is stored."
        ],
    )  # fmt: skip


def _killed(home: Home, file: Path, chunks: int) -> _Rest:
    """Kill at nine tenths, start again, wait for the end, and see that nothing is lost or doubled."""
    home.drop([file])
    with Daemon(home) as daemon:
        daemon.until(lambda: _stored(home) >= SHARE * chunks, f"{SHARE:.0%} of the chunks")
        daemon.kill()
    # Only now: a commit that was on its way to the disk counts too.
    killed, active = _stored(home), home.count("SELECT chunks FROM shards WHERE sealed = 0")
    with Daemon(home) as daemon:
        ready = daemon.ready()
        daemon.until(lambda: _stored(home) > killed, "the first new batch")
        first = time.time() - daemon.born
        daemon.filed(1)
        end = _filed(home)[1] - daemon.born
    if (stored := home.prove(1)) != chunks:
        raise Failed(f"{chunks} chunks undisturbed, {stored} after a kill")
    return _Rest(killed, active, ready, first, end)


def _undisturbed(home: Home, file: Path) -> tuple[float, int, float]:
    """Seconds of the start, chunks, and seconds from the claim to the file put away."""
    home.drop([file])
    with Daemon(home) as daemon:
        start = daemon.ready()
        daemon.filed(1)
        claimed, filed = _filed(home)
    return start, home.prove(1), filed - claimed


def _filed(home: Home) -> tuple[float, float]:
    """When the document was first claimed and when it was filed, in seconds since the epoch."""
    found = home.ledger("SELECT since, updated FROM documents WHERE state = 'filed'")
    if found is None:
        raise Failed("the ledger knows of no filed document")
    return found[0], found[1]


def _stored(home: Home) -> int:
    return home.count("SELECT chunks FROM documents")

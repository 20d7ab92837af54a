from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bouquetd.memory.reclaim import Ladder, Rung, standard
from bouquetd.model import MB


class Memory:
    """A process whose rungs free what they are told to."""

    def __init__(self, rss: int, frees: dict[str, int], cheap: tuple[str, ...] = ()) -> None:
        self.rss = rss
        self.frees = frees
        self.calls: list[str] = []
        self.ladder = Ladder([Rung(name, self._free(name), name in cheap) for name in frees], lambda: self.rss)

    def _free(self, name: str) -> Callable[[], None]:
        def free() -> None:
            self.calls.append(name)
            self.rss -= self.frees[name]

        return free


def test_it_stops_as_soon_as_there_is_enough() -> None:
    memory = Memory(1000, {"gc": 50, "trim": 400, "close": 400})
    freed = memory.ladder.climb(0, 600)
    assert [(f.rung, f.before, f.after) for f in freed] == [("gc", 1000, 950), ("trim", 950, 550)]


def test_nothing_is_touched_when_the_rss_is_low_already() -> None:
    memory = Memory(100, {"gc": 50})
    assert memory.ladder.climb(0, 101) == []
    assert memory.calls == []


def test_only_the_cheap_rungs_run_when_asked_so() -> None:
    memory = Memory(1000, {"gc": 0, "trim": 0, "close": 900}, cheap=("gc", "trim"))
    memory.ladder.climb(0, 500, cheap=True)
    assert memory.calls == ["gc", "trim"]


def test_a_rung_that_frees_too_little_rests_longer_each_time() -> None:
    memory = Memory(1000, {"gc": 0})
    tried, now = [], 0.0
    while now < 300:
        if memory.ladder.climb(now, 1):
            tried.append(now)
        now += 0.5
    assert [later - earlier for earlier, later in pairwise(tried)] == [1, 2, 4, 8, 16, 32, *[60] * 3]


def test_success_ends_the_rests() -> None:
    memory = Memory(1000, {"gc": 0})
    for now in (0, 1, 3):
        memory.ladder.climb(now, 1)
    memory.frees["gc"] = 100
    assert memory.ladder.climb(7, 1)
    memory.frees["gc"] = 0
    assert memory.ladder.climb(7, 1)
    assert not memory.ladder.climb(7.9, 1)
    assert memory.ladder.climb(8, 1)


def test_a_rung_that_breaks_is_reported_and_the_next_is_tried() -> None:
    def fail() -> None:
        raise RuntimeError("client is busy")

    ladder = Ladder([Rung("close", fail), Rung("drop", lambda: None)], lambda: 1000)
    first, second = ladder.climb(0, 1)
    assert first.error == "RuntimeError: client is busy"
    assert second.rung == "drop"


def test_growth_meanwhile_counts_as_nothing_freed() -> None:
    (freed,) = Memory(1000, {"gc": -50}).ladder.climb(0, 1)
    assert (freed.size, freed.enough) == (0, False)


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 1000)), max_size=30),
)
def test_no_rung_is_used_while_a_lower_one_is_free(frees: list[int], steps: list[tuple[float, int]]) -> None:
    memory = Memory(0, {str(place): size for place, size in enumerate(frees)})
    now, rests = 0.0, dict.fromkeys(memory.frees, 0.0)
    for gap, rss in steps:
        now += gap
        memory.rss, memory.calls = rss, []
        climbed = memory.ladder.climb(now, 200)
        for rung in memory.calls:
            lower = [name for name in memory.frees if int(name) < int(rung)]
            assert all(name in memory.calls or now < rests[name] for name in lower)
        assert memory.calls == sorted(memory.calls)
        for freed in climbed:
            rests[freed.rung] = now + (0 if freed.enough else 60)


def test_the_standard_ladder_climbs_from_garbage_to_the_embedder() -> None:
    done: list[str] = []
    rungs = standard(lambda: done.append("closed"), lambda: done.append("dropped"))
    assert [rung.name for rung in rungs if rung.name != "malloc_trim"] == [
        "gc",
        "close the Chroma client",
        "drop the embedder",
    ]
    for rung in rungs:
        rung.free()
    assert done == ["closed", "dropped"]
    assert [rung.cheap for rung in rungs][-2:] == [False, False]


def test_malloc_trim_gives_real_memory_back() -> None:
    # Small blocks with a survivor here and there, so that the heap cannot shrink from its end; in a process of
    # its own, because what other tests left in the heap would be trimmed as well.
    script = """
from bouquetd.memory.probe import Probe
from bouquetd.memory.reclaim import Ladder, standard
held = [bytes(2000) for _ in range(50_000)]
kept = held[::100] + [bytes(2000)]
del held
with Probe() as probe:
    freed = Ladder(standard(lambda: None, lambda: None), probe.rss).climb(0, 1, cheap=True)
print(sum(f.size for f in freed if f.rung == "malloc_trim"))
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(output) > 40 * MB

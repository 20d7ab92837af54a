from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from bouquetd.errors import Stopped
from bouquetd.memory.gate import Gate, Stuck
from bouquetd.memory.governor import Governor, Limits, Mode
from bouquetd.memory.meter import Meter, Work
from bouquetd.memory.probe import Probe, Vitals
from bouquetd.memory.reclaim import Ladder, Rung
from bouquetd.model import MB


class World:
    """Time, memory and the wish to stop, all by hand; waiting moves the clock and does what was planned."""

    def __init__(self, *, limits: Limits | None = None, pause_limit: float = 300) -> None:
        self.now = 100.0
        self.size = 100.0
        self.strain = 0.0
        self.stop = False
        self.waits: list[float] = []
        self.plan: dict[int, Callable[[], None]] = {}
        self.rungs: list[str] = []
        self.frees = {"gc": 0.0, "malloc_trim": 0.0, "close the Chroma client": 0.0}
        self.captured = LogCapture()
        self.log = structlog.wrap_logger(
            None,
            processors=[structlog.stdlib.add_log_level, self.captured],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        self.governor = Governor(limits or Limits(500 * MB))
        rungs = [Rung(name, self._free(name), cheap=name != "close the Chroma client") for name in self.frees]
        self.gate = Gate(
            self.governor,
            self,
            Ladder(rungs, self.rss),
            clock=lambda: self.now,
            log=self.log,
            batch_size=20,
            stopping=self,
            pause_limit=pause_limit,
        )

    def _free(self, name: str) -> Callable[[], None]:
        def free() -> None:
            self.rungs.append(name)
            self.size -= self.frees[name]

        return free

    def rss(self) -> int:
        return int(self.size * MB)

    def vitals(self) -> Vitals:
        return Vitals(self.rss(), 600 * MB, 900 * MB)

    def pressure(self) -> float:
        return self.strain

    def is_set(self) -> bool:
        return self.stop

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.now += timeout
        self.plan.pop(len(self.waits), lambda: None)()
        return self.stop

    def lines(self) -> list[str]:
        return [entry["event"] for entry in self.captured.entries]

    def levels(self) -> list[str]:
        return [entry["level"] for entry in self.captured.entries]

    def set(self, **values: Any) -> Callable[[], None]:
        return lambda: self.__dict__.update(values)


@pytest.fixture
def world() -> World:
    return World()


def test_with_memory_to_spare_it_lets_pass_without_a_word(world: World) -> None:
    world.gate.wait()
    assert world.lines() == []
    assert world.waits == []
    assert (world.gate.mode, world.gate.paused, world.gate.batch_size) == (Mode.RUN, 0, 20)


def test_a_stop_is_noticed_while_running(world: World) -> None:
    world.stop = True
    with pytest.raises(Stopped):
        world.gate.wait()


def test_a_stop_ends_a_pause(world: World) -> None:
    world.size = 600
    world.plan[3] = world.set(stop=True)
    with pytest.raises(Stopped):
        world.gate.wait()


def test_throttling_warns_once_tries_the_cheap_rungs_once_and_goes_on(world: World) -> None:
    world.size = 410.128
    world.gate.wait()
    world.gate.wait()
    assert world.rungs == ["gc", "malloc_trim"]
    assert world.waits == []
    assert world.lines() == [
        "[MEMORY] High memory usage: 410.13 MB",
        "[MEMORY] Throttled: 410.13 MB RSS, over 80% of the limit of 500 MB; smaller batches",
    ]
    assert world.levels() == ["warning", "info"]


def test_batches_shrink_to_one_while_throttled(world: World) -> None:
    world.size = 410
    sizes = []
    for _ in range(8):
        world.gate.wait()
        sizes.append(world.gate.batch_size)
        world.now += 1
    assert sizes == [20, 10, 5, 2, 1, 1, 1, 1]


def test_the_configured_batch_may_change_while_it_runs(world: World) -> None:
    world.gate.configured = 50
    assert world.gate.batch_size == 50


def test_a_pause_climbs_the_ladder_and_resumes_when_that_was_enough(world: World) -> None:
    world.size = 512.3
    world.frees["malloc_trim"] = 200
    world.gate.wait()
    assert world.rungs == ["gc", "malloc_trim"]
    assert world.waits == []
    assert world.lines() == [
        "[MEMORY] High memory usage: 512.30 MB",
        "[MEMORY] Paused: 512.30 MB RSS at the limit of 500 MB; reclaiming",
        "[MEMORY] Reclaimed: 512.30 MB to 312.30 MB RSS (malloc_trim)",
        "[MEMORY] Resumed after 0.0 s: 312.30 MB RSS, under 70% of the limit of 500 MB",
    ]


def test_a_pause_waits_longer_each_time_and_says_so_only_once(world: World) -> None:
    world.size = 512
    world.plan[9] = world.set(size=300)
    world.gate.wait()
    assert world.waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert [line.split()[1] for line in world.lines()] == ["High", "Paused:", "Resumed"]
    assert world.lines()[-1].startswith("[MEMORY] Resumed after 9.1 s: 300.00 MB RSS")


def test_a_pause_beats_at_every_look(world: World) -> None:
    beats: list[float] = []
    world.size = 512
    world.plan[3] = world.set(size=300)
    world.gate.beat = lambda: beats.append(world.gate.paused)
    world.gate.wait()
    assert beats == pytest.approx([0, 0.05, 0.15, 0.35])


def test_a_second_crossing_warns_again(world: World) -> None:
    for size in (410, 300, 410):
        world.size = size
        world.gate.wait()
    assert [line for line in world.lines() if "High" in line] == ["[MEMORY] High memory usage: 410.00 MB"] * 2


def test_a_pause_beyond_its_limit_says_what_holds_the_memory_and_gives_up() -> None:
    world = World(pause_limit=10)
    world.size = 512
    with pytest.raises(Stuck, match=r"memory stayed short for 11 s: 512\.00 MB RSS, memory\.limit 500 MB"):
        world.gate.wait()
    last = world.lines()[-1]
    assert world.levels()[-1] == "error"
    assert "peak 600.00 MB, VSZ 900.00 MB" in last
    assert "close the Chroma client tried 4x, freed 0.00 MB" in last


def test_kernel_pressure_pauses_on_the_cheap_rungs_alone() -> None:
    world = World(limits=Limits(500 * MB, pressure=0.2))
    world.strain = 0.5
    world.plan[1] = world.set(strain=0.05)
    world.gate.wait()
    assert set(world.rungs) == {"gc", "malloc_trim"}
    assert world.lines() == [
        "[MEMORY] Paused: kernel memory pressure 50%, the mark is 20%, at 100.00 MB RSS; reclaiming",
        "[MEMORY] Resumed after 1.5 s: 100.00 MB RSS, under 70% of the limit of 500 MB",
    ]


def test_a_rung_that_breaks_is_told(world: World) -> None:
    def fail() -> None:
        raise RuntimeError("in use")

    world.gate._ladder = Ladder([Rung("close the Chroma client", fail)], world.rss)
    world.size = 512
    world.plan[1] = world.set(size=300)
    world.gate.wait()
    assert "[MEMORY] Could not close the Chroma client to free memory: RuntimeError: in use" in world.lines()


def test_a_memory_line_has_the_shape_of_the_guide(world: World) -> None:
    world.size = 46.12
    world.gate.memory_line("Embedding chunk 0")
    (entry,) = world.captured.entries
    assert entry["event"] == "[MEMORY] Embedding chunk 0: 46.12 MB RSS"
    assert entry["rss_mb"] == 46.12


def test_a_real_probe_and_a_real_event_fit(world: World) -> None:
    with Probe() as probe:
        gate = Gate(
            Governor(Limits(1 << 40)),
            probe,
            Ladder([], probe.rss),
            clock=lambda: 0.0,
            log=world.log,
            batch_size=20,
            stopping=threading.Event(),
            pause_limit=1,
        )
        gate.wait()
    assert gate.mode is Mode.RUN


def meter(world: World) -> Meter:
    return Meter(world.rss, 5 * MB, lambda: world.now, world.log)


def test_an_operation_that_grows_too_much_is_named_with_its_document(world: World) -> None:
    with meter(world).operation("embed", "a.pdf"):
        world.size += 7.2
    assert world.lines() == ["[MEMORY] Operation embed grew by 7.20 MB (memory.operation is 5 MB): a.pdf"]


def test_an_operation_within_its_allowance_is_not_mentioned(world: World) -> None:
    meters = meter(world)
    with meters.operation("embed", "a.pdf"):
        world.size += 5
    assert world.lines() == []
    assert meters.work["embed"].grown == 5 * MB


def test_many_hungry_operations_of_one_stage_make_one_line_a_minute(world: World) -> None:
    meters = meter(world)
    for _ in range(181):
        with meters.operation("embed", "a.pdf"):
            world.size += 6
        world.now += 1
    assert len(world.lines()) == 4
    assert world.captured.entries[-1]["unreported"] == 59


def test_an_operation_that_fails_is_measured_too(world: World) -> None:
    def fail() -> None:
        with meter(world).operation("chunk", "a.pdf"):
            world.size += 6
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(world.lines()) == 1


def test_a_stage_adds_up_its_operations_seconds_and_largest_growth(world: World) -> None:
    meters, heard = meter(world), []
    meters.heard = lambda stage, seconds: heard.append((stage, seconds))
    for grown, took in ((1, 2.0), (3, 1.0)):
        with meters.operation("embed", "a"):
            assert meters.stage == "embed"
            world.size += grown
            world.now += took
    assert meters.stage == ""
    assert meters.work["embed"] == Work(2, 3.0, 3 * MB)
    assert heard == [("embed", 2.0), ("embed", 1.0)]


def test_the_gate_counts_throttles_and_pauses_and_the_seconds_of_these(world: World) -> None:
    world.size = 420
    world.gate.wait()
    world.size = 520
    world.plan = {2: lambda: setattr(world, "size", 100)}
    world.gate.wait()
    assert (world.gate.throttles, world.gate.pauses) == (1, 1)
    assert world.gate.rested == pytest.approx(sum(world.waits[:2]))

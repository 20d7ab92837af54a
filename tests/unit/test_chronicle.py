"""One process's part of the history: what it looks at, what it hears, how it begins and ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bouquetd.errors import Stopped
from bouquetd.memory.chronicle import Chronicle
from bouquetd.memory.governor import Limits, Mode
from bouquetd.memory.history import FILE, History, Kind, Marks
from bouquetd.memory.probe import Vitals
from bouquetd.memory.recorded import Recorded, read
from bouquetd.memory.recorder import Watermark
from bouquetd.model import MB
from tests.harness import Home, Recorder, until

NOON = 1_764_158_400.0
LIMITS = Limits(500 * MB)


@dataclass
class World:
    """A process that takes as much as it is told, in a time that goes on when it is told."""

    folder: Path
    rss: int = 100 * MB
    peak: int = 120 * MB
    now: float = NOON
    trouble: str | None = None
    running: tuple[str, str] = ("", "")
    mode: Mode = Mode.RUN
    log: Recorder = field(default_factory=Recorder)

    def vitals(self) -> Vitals:
        self.peak = max(self.peak, self.rss)
        return Vitals(self.rss, self.peak, 0)

    def ceiling(self) -> int:
        return 1000 * MB

    def process(self) -> tuple[Chronicle, Watermark]:
        watermark = Watermark(lambda: self.rss)
        watermark.running = lambda: self.running
        history = History(self.folder / FILE, self.log, lambda: self.now)
        chronicle = Chronicle(
            history, self, watermark, mode=lambda: self.mode, trouble=lambda: self.trouble,
            clock=lambda: self.now,
        )  # fmt: skip
        chronicle.begin("pid 1", lambda alive: f"last seen at {alive - NOON:.0f}", LIMITS)
        return chronicle, watermark

    def recorded(self) -> Recorded:
        return read(self.folder / FILE, NOON - 100, NOON + 1000)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_a_start_took_is_its_own_and_later_peaks_are_those_of_the_file_in_hand(world: World):
    chronicle, watermark = world.process()
    chronicle.look()
    world.now += 10
    world.running = ("embed", "a.pdf")
    world.rss = 300 * MB
    watermark.rss()  # as the meter does within a stage
    world.rss, world.running = 90 * MB, ("store", "b.pdf")
    chronicle.look()
    world.now += 10
    world.peak = 450 * MB  # seen by nobody but the kernel
    chronicle.look()
    chronicle.end(0)
    told = [(one.peak // MB, one.stage, one.source) for one in world.recorded().samples]
    assert told == [(120, "start", ""), (300, "embed", "a.pdf"), (450, "store", "b.pdf")]


def test_a_peak_that_only_the_kernel_saw_is_of_the_file_that_ran_though_it_is_done_by_now(world: World):
    chronicle, watermark = world.process()
    chronicle.look()
    world.running, world.rss = ("store", "quick.txt"), 130 * MB
    watermark.rss()
    world.running, world.rss, world.peak = ("", ""), 110 * MB, 170 * MB
    chronicle.look()
    world.now += 10
    chronicle.look()
    chronicle.end(0, "all was done")
    highest = max(world.recorded().samples, key=lambda sample: sample.peak)
    assert (highest.peak, highest.stage, highest.source) == (170 * MB, "store", "quick.txt")
    assert [event.text for event in world.recorded().events][-1] == "all was done"


def test_an_old_peak_is_not_told_again(world: World):
    chronicle, _ = world.process()
    for _ in range(3):
        chronicle.look()
        world.now += 10
    chronicle.end(0)
    assert [one.peak // MB for one in world.recorded().samples] == [120, 100, 100]


def test_what_the_gate_says_is_noted_with_the_file_in_hand_and_the_mode_is_in_the_sample(world: World):
    chronicle, _ = world.process()
    world.running, world.mode = ("embed", "a.pdf"), Mode.PAUSE
    chronicle.hear(Kind.PAUSED, "at the limit", 500 * MB)
    chronicle.look()
    chronicle.end(0)
    found = world.recorded()
    event = found.events[1]
    assert (event.kind, event.text, event.source, event.rss) == ("paused", "at the limit", "a.pdf", 500 * MB)
    assert found.samples[0].mode == "pause"
    assert found.marks == Marks(400 * MB, 350 * MB, 500 * MB, 1000 * MB)


def test_one_outage_is_noted_once(world: World):
    chronicle, _ = world.process()
    for trouble in ("Chroma is away", "Chroma is away", None, "disk full", None):
        world.trouble = trouble
        chronicle.look()
    chronicle.end(0)
    assert [event.text for event in world.recorded().events if event.kind == "held"] == [
        "Chroma is away", "disk full",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [(0, "stopped", "asked to stop"), (75, "died", "exit 75: memory stayed short")],
)
def test_a_process_that_ends_by_itself_says_how(world: World, status: int, kind: str, text: str):
    chronicle, _ = world.process()
    chronicle.end(status)
    world.process()
    events = world.recorded().events
    assert [event.kind for event in events] == ["started", kind, "started"]
    assert events[1].text == text


def test_a_process_that_says_nothing_has_died_where_it_was_last_seen(world: World):
    chronicle, _ = world.process()
    for _ in range(30):
        chronicle.look()
        world.now += 1
    world.now += 500
    world.process()
    died = world.recorded().events[1]
    assert (died.kind, died.at, died.text) == ("died", NOON + 10, "last seen at 10")


@pytest.mark.parametrize(("error", "kind"), [(Stopped("asked"), "stopped"), (RuntimeError("no"), "died")])
def test_a_start_that_fails_is_told_of(world: World, error: Exception, kind: str):
    chronicle, _ = world.process()
    with pytest.raises(type(error)), chronicle.told():
        raise error
    assert world.recorded().events[1].kind == kind


@pytest.mark.long
def test_a_real_daemon_that_is_killed_leaves_its_curve_and_the_next_one_notes_why(tmp_path: Path):
    home = Home(tmp_path / "home")
    path = home.root / "state" / FILE

    def recorded() -> Recorded:
        return read(path, time.time() - 300, time.time())

    hasty = "from bouquetd.memory import recorder\nrecorder.BUCKET = 1"
    with home.daemon(patch=hasty) as daemon:
        home.put("a.txt", "The river went by the stone. " * 200)
        daemon.reaches({"a.txt": "filed"})
        until(lambda: recorded().samples, "a sample is written")
        daemon.kill()
    before = recorded()
    (home.runtime / "ended").write_text("signal killed KILL\noom_kill 1\n")
    with home.daemon() as daemon:
        assert daemon.stop() == 0
    assert not (home.runtime / "ended").exists()
    after = recorded()
    told = [(event.kind, event.text) for event in after.events if event.kind != "started"]
    assert told == [("died", "killed for its memory (oom-kill)"), ("stopped", "asked to stop")]
    assert after.samples[: len(before.samples) - 1] == before.samples[:-1]
    assert after.marks.limit == 4096 * MB
    assert all(50 * MB < one.rss <= one.peak < 1000 * MB for one in after.samples)


@pytest.mark.long
def test_a_run_once_leaves_its_curve_too(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "The river went by the stone. " * 2000)
    assert home.process("once").status == 0
    recorded = read(home.root / "state" / FILE, time.time() - 300, time.time())
    assert [event.kind for event in recorded.events] == ["started", "stopped"]
    assert recorded.events[-1].text == "all was done that was in the inbox"
    assert all(50 * MB < one.rss <= one.peak < 1000 * MB for one in recorded.samples)
    assert recorded.samples

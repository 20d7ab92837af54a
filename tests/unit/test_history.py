"""The history of memory: what is taken down, for how long, and what becomes of it when something breaks."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bouquetd.errors import Unavailable
from bouquetd.memory import ended, history
from bouquetd.memory.history import EVENTS, LONGEST, SLOTS, UNWRITTEN, WIDTHS, History, Kind, Marks
from bouquetd.memory.recorded import PEAKS, read
from bouquetd.memory.recorder import BUCKET, Peak, Recorder, Sample, Watermark, merged
from bouquetd.model import MB
from tests.harness import Recorder as Log

DAY = 86_400.0
NOON = 20_000 * DAY


class Clock:
    """A time that stands still until it is set."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / history.FILE


def sample(at: float, peak: int = 200 * MB, stage: str = "embed", source: str = "a.pdf") -> Sample:
    return Sample(at, 10, 100 * MB, peak, stage, source, "run")


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


# -- what is taken down -----------------------------------------------------------------------------------


def test_a_bucket_of_ticks_is_one_sample_with_its_mean_and_its_peak_and_what_ran_then():
    recorder = Recorder()
    looks = [(100, "run", Peak(100)), (300, "pause", Peak(900, "embed", "b.pdf")), (200, "run", Peak(0))]
    for second, (rss, mode, peak) in enumerate(looks):
        assert recorder.tick(NOON + second, rss, mode, peak) is None
    assert recorder.tick(NOON + BUCKET, 5, "run", Peak(5)) == Sample(
        NOON, 3, 200, 900, "embed", "b.pdf", "pause"
    )


def test_a_process_that_ends_hands_on_the_bucket_it_had_begun():
    recorder = Recorder()
    recorder.tick(NOON, 7, "throttle", Peak(7, "store", "c"))
    assert recorder.finish() == Sample(NOON, 1, 7, 7, "store", "c", "throttle")
    assert recorder.finish() is None


def test_two_samples_become_one_whose_mean_counts_every_look():
    one, other = Sample(0.0, 1, 100, 100, "a", "x", "run"), Sample(10.0, 3, 200, 300, "b", "y", "throttle")
    assert merged(one, other) == Sample(0.0, 4, 175, 300, "b", "y", "throttle")


def test_the_largest_rss_between_two_looks_is_kept_with_what_ran_when_it_was_read():
    readings = iter([10, 90, 20, 5])
    watermark = Watermark(lambda: next(readings))
    for stage in ("extract", "embed", "store"):
        watermark.running = lambda stage=stage: (stage, "a.pdf")
        watermark.rss()
    watermark.see(50)
    assert watermark.take() == Peak(90, "embed", "a.pdf")
    assert watermark.rss() == 5
    assert watermark.take() == Peak(5, "store", "a.pdf")


# -- how long it is kept ----------------------------------------------------------------------------------


def test_a_year_of_samples_leaves_a_day_of_fine_ones_and_a_month_of_coarse_ones(path: Path, monkeypatch):
    monkeypatch.setattr(history, "SLOTS", 12)
    monkeypatch.setattr("bouquetd.memory.recorded.SLOTS", 12)
    monkeypatch.setattr(history, "WIDTHS", (7200, 216_000))
    monkeypatch.setattr("bouquetd.memory.recorded.WIDTHS", (7200, 216_000))
    clock, log = Clock(), Log()
    kept = History(path, log, clock)
    sizes = []
    for step in range(365 * 12):  # every two hours
        clock.now = NOON + step * 7200
        kept.write(sample(clock.now))
        if step in (1500, 365 * 12 - 1):
            sizes.append(path.stat().st_size)
    kept.close()
    assert rows(path, "samples") == 2 * 12
    assert sizes[0] == sizes[1]
    day, month = read(path, clock.now - DAY, clock.now), read(path, clock.now - 30 * DAY, clock.now)
    assert (len(day.samples), len(month.samples)) == (12, 12)
    assert day.samples[-1].at == clock.now
    assert month.samples[0].at <= clock.now - 27.4 * DAY
    assert sum(one.ticks for one in month.samples[:-1]) == 11 * 30 * 10
    assert not log.lines


def test_the_rings_hold_a_day_and_a_month():
    assert [width * SLOTS / DAY for width in WIDTHS] == [1, 30]


def test_of_events_the_last_are_kept(path: Path):
    clock = Clock()
    kept = History(path, Log(), clock)
    for number in range(EVENTS + 500):
        clock.now += 1
        kept.note(Kind.THROTTLED, f"number {number}", number)
        if number % UNWRITTEN == 0:
            kept.write()
    kept.close()
    assert rows(path, "events") == EVENTS
    events = read(path, NOON, clock.now).events
    assert [events[0].text, events[-1].text] == ["number 500", f"number {EVENTS + 499}"]


def test_long_names_are_kept_by_their_ends_and_events_that_nobody_writes_are_few(path: Path):
    kept = History(path, Log(), Clock())
    for _ in range(10 * UNWRITTEN):
        kept.note(Kind.HELD, "t" * 9000, 0, "s" * 9000 + ".pdf")
    kept.write(sample(NOON, source="f" * 9000 + ".pdf"))
    kept.close()
    found = read(path, NOON, NOON)
    assert len(found.events) == UNWRITTEN
    assert len(found.events[0].text) == len(found.events[0].source) == len(found.samples[0].source) == LONGEST
    assert found.events[0].source.endswith(".pdf")


def test_an_answer_is_of_bounded_size_and_loses_no_peak(path: Path):
    kept = History(path, Log(), Clock())
    for step in range(600):
        kept.write(sample(NOON + step * BUCKET, 100 + step % 500, f"stage {step % 40}"))
    kept.close()
    found = read(path, NOON, NOON + 600 * BUCKET, most=200)
    assert 100 < len(found.samples) <= 201
    assert max(one.peak for one in found.samples) == 599
    assert sum(one.ticks for one in found.samples) == 600 * 10
    assert len(found.peaks) == PEAKS
    assert [one.peak for one in found.peaks] == sorted((one.peak for one in found.peaks), reverse=True)


# -- attribution ------------------------------------------------------------------------------------------


def test_the_highest_peak_is_named_first_with_its_file_its_stage_and_its_time(path: Path):
    kept = History(path, Log(), Clock())
    kept.write(sample(NOON, 300, "extract", "a.pdf"))
    kept.write(sample(NOON + 10, 900, "embed", "b.pdf"))
    kept.write(sample(NOON + 20, 400, "extract", "a.pdf"))
    kept.close()
    first, second = read(path, NOON, NOON + 60).peaks
    assert (first.source, first.stage, first.peak, first.at) == ("b.pdf", "embed", 900, NOON + 10)
    assert (second.source, second.peak, second.at) == ("a.pdf", 400, NOON + 20)


def test_only_what_was_asked_for_is_told(path: Path):
    clock = Clock()
    kept = History(path, Log(), clock)
    for minutes in range(0, 60, 10):
        clock.now = NOON + 60 * minutes
        kept.note(Kind.PAUSED, str(minutes), 1)
        kept.write(sample(clock.now, source=str(minutes)))
    kept.close()
    found = read(path, NOON + 25 * 60, NOON + 45 * 60)
    assert [one.source for one in found.samples] == [one.text for one in found.events] == ["30", "40"]


# -- kills and causes -------------------------------------------------------------------------------------

WRITER = """
import sys, time
from pathlib import Path
from bouquetd.memory.history import History, Kind
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
kept = History(Path(sys.argv[1]), None, lambda: 100.0)
kept.started("pid 1", MB, lambda alive: "")
for step in range(10 ** 9):
    kept.write(Sample(100.0 + 10 * step, 10, MB, 2 * MB, "embed", "a.pdf", "run"))
    print(step, flush=True)
"""


def test_what_was_written_is_there_after_a_kill_in_the_middle_of_writing(path: Path):
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        last = next(int(line) for line in writer.stdout if int(line) >= 30)
        writer.send_signal(signal.SIGKILL)
        said = [last, *map(int, writer.stdout.read().split())]
    found = read(path, 0.0, 10_000.0, most=10**6)
    assert [one.at for one in found.samples][: said[-1]] == [100.0 + 10 * step for step in range(said[-1])]
    assert [event.kind for event in found.events] == ["started"]
    log = Log()
    kept = History(path, log, Clock())
    kept.started("pid 2", MB, lambda alive: f"killed at {alive:.0f}")
    kept.close()
    died = read(path, 0.0, NOON).events[1]
    assert (died.kind, died.at) == ("died", found.samples[-1].at)
    assert died.text == f"killed at {died.at:.0f}"
    assert not log.lines


@pytest.mark.parametrize("kind", [Kind.STOPPED, Kind.DIED])
def test_after_a_process_that_said_its_end_nobody_is_mourned(path: Path, kind: Kind):
    for pid in (1, 2):
        kept = History(path, Log(), Clock())
        kept.started(f"pid {pid}", MB, lambda _: "never asked")
        kept.note(kind, "as told", MB)
        kept.close()
    assert [event.kind for event in read(path, NOON, NOON).events] == ["started", kind] * 2


def test_a_restart_within_a_bucket_adds_to_it(path: Path):
    for peak in (700, 300):
        kept = History(path, Log(), Clock())
        kept.write(sample(NOON, peak, source=f"{peak}.pdf"))
        kept.close()
    [one] = read(path, NOON, NOON).samples
    assert (one.ticks, one.peak, one.source) == (20, 700, "700.pdf")


@pytest.mark.parametrize(
    ("note", "cause"),
    [
        ("oom-kill killed KILL\n", "killed for its memory (oom-kill)"),
        ("signal killed KILL\noom_kill 1\n", "killed for its memory (oom-kill)"),
        ("signal killed KILL\noom_kill 0\n", "signal KILL"),
        ("signal killed KILL\n", "signal KILL"),
        ("core-dump dumped SEGV\n", "signal SEGV"),
        ("watchdog dumped ABRT\n", "hung, and stopped by systemd (watchdog)"),
        ("exit-code exited 70\n", "exit 70: an internal error; the log says which"),
        ("exit-code exited 75\n", "exit 75: memory stayed short"),
        ("exit-code exited 143\n", "exit 143: at once, at a second signal"),
        ("exit-code exited 3\n", "exit 3"),
        ("timeout killed KILL\n", "it took too long to start or to stop (timeout)"),
        ("", ended.UNKNOWN),
        ("success exited 0\n", ended.UNKNOWN),
        ("\x00\xff", ended.UNKNOWN),
    ],
)
def test_the_cause_of_an_end_is_what_systemd_saw(note: str, cause: str):
    assert ended.cause(note, alive=200.0, boot=100.0) == cause


def test_a_process_last_seen_before_the_machine_booted_went_down_with_it():
    assert ended.cause("signal killed KILL", alive=99.0, boot=100.0).startswith("the machine went down")


UNITS = Path(__file__).resolve().parents[2] / "systemd"


@pytest.mark.parametrize("unit", ["bouquetd.service", "bouquetd@.service", "user/bouquetd.service"])
def test_what_the_unit_leaves_is_the_first_end_since_a_good_start(unit: str, tmp_path: Path):
    text = (UNITS / unit).read_text()
    [command] = re.findall(r"^ExecStopPost=-/bin/sh -c '([^']*)'$", text, re.MULTILINE)
    assert "RuntimeDirectoryPreserve=yes" in text
    assert not re.search(r"(?<!\$)\$(?!\$)|%", command), "systemd would take it for one of its own"
    for result, code, status in (("signal", "killed", "KILL"), ("exit-code", "exited", "78")):
        seen = {"SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status}
        there = {"RUNTIME_DIRECTORY": str(tmp_path), "PATH": os.environ["PATH"]}
        subprocess.run(["/bin/sh", "-c", command.replace("$$", "$")], env=seen | there, check=True)
    note = ended.take(tmp_path)
    assert note.splitlines()[0] == "signal killed KILL"
    assert ended.cause(note, 2.0, 1.0).startswith(("signal KILL", "killed for its memory"))


def test_systemds_note_is_taken_once(tmp_path: Path):
    (tmp_path / ended.FILE).write_text("watchdog dumped ABRT\n")
    assert ended.take(tmp_path) == "watchdog dumped ABRT\n"
    assert ended.take(tmp_path) == ""


# -- what breaks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["text", "torn", "other"])
def test_a_damaged_file_is_set_aside_with_one_warning_and_a_new_one_begun(path: Path, harm: str):
    kept = History(path, Log(), Clock())
    for step in range(300):
        kept.write(sample(NOON + step * BUCKET))
    kept.close()
    if harm == "text":
        path.write_text("no database at all\n" * 999)
    elif harm == "torn":
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    log = Log()
    kept = History(path, log, Clock())
    kept.started("pid 2", MB, lambda _: "")
    kept.write(sample(NOON))
    kept.close()
    [(level, text)] = log.lines
    assert level == "warning"
    assert "set aside as" in text
    assert path.with_name("history.db.damaged").exists()
    found = read(path, NOON, NOON)
    assert (len(found.samples), [event.kind for event in found.events]) == (1, ["started"])


def test_a_file_that_is_damaged_or_removed_while_it_is_open_harms_nobody(path: Path):
    log = Log()
    kept = History(path, log, Clock())
    kept.write(sample(NOON))
    path.write_bytes(b"\0" * path.stat().st_size)
    kept.write(sample(NOON + 10))
    path.unlink()
    kept.write(sample(NOON + 20))
    kept.close()
    assert [level for level, _ in log.lines] in ([], ["warning"])
    assert [one.at for one in read(path, NOON, NOON + 60).samples] == [NOON + 20]


def test_where_nothing_can_be_written_one_warning_is_given_and_it_goes_on_when_it_can(tmp_path: Path):
    folder, log = tmp_path / "gone", Log()
    kept = History(folder / history.FILE, log, Clock())
    kept.note(Kind.STARTED, "pid 1", MB)
    for step in range(5):
        kept.write(sample(NOON + step * BUCKET))
    assert [level for level, _ in log.lines] == ["warning"]
    folder.mkdir()
    kept.write(sample(NOON + 90))
    kept.close()
    assert [level for level, _ in log.lines] == ["warning", "info"]
    found = read(folder / history.FILE, NOON, NOON + 100)
    assert [event.kind for event in found.events] == ["started"]
    assert [one.at for one in found.samples] == [NOON + 90]


def test_a_full_disk_harms_nobody(path: Path, monkeypatch):
    log = Log()
    kept = History(path, log, Clock())
    kept.write(sample(NOON))
    kept._connection.execute(
        f"PRAGMA max_page_count = {kept._connection.execute('PRAGMA page_count').fetchone()[0]}"
    )
    for step in range(500):
        kept.write(sample(NOON + step * BUCKET, source="long" * 99))
    assert [level for level, _ in log.lines][:1] == ["warning"]
    assert "full" in log.lines[0][1]
    kept.close()


def test_a_reader_is_told_of_a_damaged_file_and_where_there_is_none_there_is_nothing(path: Path):
    assert read(path, 0.0, NOON).samples == ()
    path.write_text("no database at all\n" * 999)
    with pytest.raises(Unavailable, match="cannot be read") as error:
        read(path, 0.0, NOON)
    assert "restart the daemon" in error.value.remedy


def test_reading_beside_a_writer_disturbs_neither(path: Path):
    log = Log()
    kept = History(path, log, Clock())
    for step in range(50):
        kept.write(sample(NOON + step * BUCKET))
        assert len(read(path, NOON, NOON + 1000).samples) == step + 1
    kept.close()
    assert not log.lines


def test_the_file_is_for_its_owner_only(path: Path):
    kept = History(path, Log(), Clock())
    kept.write(sample(NOON))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("history.db*")} == {0o600}
    kept.close()


def test_the_marks_in_force_last_are_told(path: Path):
    kept = History(path, Log(), Clock())
    kept.marks(Marks(1, 2, 3, 4))
    kept.marks(Marks(400, 350, 500, 1000))
    kept.close()
    assert read(path, NOON, NOON).marks == Marks(400, 350, 500, 1000)


def test_a_history_costs_less_than_a_megabyte(path: Path):
    program = """
import sqlite3, sys
from pathlib import Path
from bouquetd.memory.history import History, Kind
from bouquetd.memory.probe import Probe
from bouquetd.memory.recorder import Sample
ledger = sqlite3.connect(":memory:")  # every daemon has one
ledger.execute("CREATE TABLE t (x)")
probe = Probe()
before = probe.rss()
kept = History(Path(sys.argv[1]), None, lambda: 0.0)
for step in range(300):
    kept.note(Kind.THROTTLED, "t" * 100, 1)
    kept.write(Sample(10.0 * step, 10, 1, 2, "embed", f"a{step}.pdf", "run"))
print(probe.rss() - before)
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < MB, os.path.getsize(path)

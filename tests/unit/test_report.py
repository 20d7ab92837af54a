"""The memory report: what it tells, how many are kept, and how a real daemon is asked for one."""

from __future__ import annotations

import json
import re
import signal
import stat
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from bouquetd.errors import Unavailable
from bouquetd.memory.mappings import ANONYMOUS, Mapped, grouped
from bouquetd.memory.probe import Vitals
from bouquetd.memory.report import FOLDER, KEPT, TYPES, Reporter
from bouquetd.model import MB
from tests.harness import Home, Recorder

SMAPS = """\
5581c0000000-5581c0001000 r--p 00000000 08:01 131 /usr/bin/python3
Size:                  4 kB
Rss:                   4 kB
5581c0001000-5581c0003000 r-xp 00001000 08:01 131                        /usr/bin/python3
Size:                  8 kB
Rss:                   8 kB
VmFlags: rd ex mr mw me
5581c1000000-5581c2000000 rw-p 00000000 00:00 0                          [heap]
Rss:               16384 kB
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
Rss:                1024 kB
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
Rss:                1024 kB
7f0000400000-7f0000500000 r--p 00000000 08:01 132 /srv/a file (deleted)
Rss:                   0 kB
"""


class Leak:
    """What nothing else makes."""


def test_mappings_are_added_up_by_file_heap_and_what_has_no_name():
    assert grouped(SMAPS.splitlines(keepends=True)) == [
        Mapped("[heap]", 1, 16 * MB),
        Mapped(ANONYMOUS, 2, 2 * MB),
        Mapped("/usr/bin/python3", 2, 12 * 1024),
    ]


def reporter(folder: Path, log: Recorder | None = None, *sizes: int) -> Reporter:
    readings = iter(sizes or [100 * MB] * 99)
    clock = count(1_764_158_400.0, 0.4)
    return Reporter(
        folder,
        vitals=lambda: Vitals(next(readings), 200 * MB, 300 * MB),
        facts=lambda: {"Governor": "run; batches of 20 chunks"},
        clock=lambda: next(clock),
        log=log or Recorder(),
    )


def test_a_report_tells_mappings_objects_and_the_stacks_of_all_threads(tmp_path: Path):
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="the one that waits")
    thread.start()
    try:
        text = reporter(tmp_path / FOLDER).write().path.read_text()
    finally:
        ended.set()
        thread.join()
    assert "RSS 100.00 MB, peak 200.00 MB, VSZ 300.00 MB" in text
    assert "Governor: run; batches of 20 chunks" in text
    assert re.search(r"^ +\d+\.\d\d MB +\d+ x  \[heap\]$", text, re.MULTILINE)
    assert re.search(r"MB .*/libc\.so", text)
    objects = text.split("== Live objects")[1].split("\n\n")[0].splitlines()[1:]
    assert len(objects) == TYPES
    assert "Stack of the thread the one that waits" in text
    assert "Stack of the thread MainThread" in text
    assert "in wait" in text.split("the one that waits")[1]
    assert "memory.trace: true" in text


def test_the_second_report_says_what_grew_and_the_log_has_the_summary(tmp_path: Path):
    log = Recorder()
    writer = reporter(tmp_path / FOLDER, log, 100 * MB, 103 * MB)
    writer.write()
    leaked = [Leak() for _ in range(12_345)]
    second = writer.write()
    assert second.summary[0] == "103.00 MB RSS, +3.00 MB since the last report"
    assert f"{Leak.__module__}.Leak +{len(leaked)}" in second.summary[2]
    assert re.search(r"^ +12345 +\+12345  .*\.Leak$", second.path.read_text(), re.MULTILINE)
    said = [text for _, text in log.lines]
    assert said[3].startswith(f"[MEMORY] Report written to {second.path}: 103.00 MB RSS, +3.00 MB")
    assert all(text.startswith("[MEMORY] Report") for text in said)


def test_ten_reports_are_kept_the_last_ones_for_their_owner_only(tmp_path: Path):
    writer = reporter(tmp_path / FOLDER)
    written = [writer.write().path for _ in range(KEPT + 5)]
    kept = set((tmp_path / FOLDER).iterdir())
    assert len(kept) == KEPT
    assert written[-1] in kept
    assert stat.S_IMODE(written[-1].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700


def test_a_report_that_cannot_be_written_says_where_and_why(tmp_path: Path):
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be written"):
        reporter(tmp_path / FOLDER).write()


def test_without_a_daemon_asking_for_a_report_says_how_to_start_one(tmp_path: Path):
    done = Home(tmp_path / "home").cli("memory", "--report")
    assert done.status == 69
    assert "systemctl start bouquetd" in done.err


HANG = """
import time
from bouquetd.worker import Worker
Worker.step = lambda self: time.sleep(1000)
"""


def test_a_real_daemon_whose_worker_hangs_reports_on_a_signal_and_over_its_socket_and_goes_on(tmp_path: Path):
    home = Home(tmp_path / "home")
    with home.daemon(patch=HANG) as daemon:
        daemon.signal(signal.SIGUSR1)
        daemon.says("[MEMORY] Report written to ")
        done = home.cli("memory", "--report")
        assert done.status == 0
        assert "MB RSS, " in done.out
        text = Path(done.out.split("Written: ")[1].strip()).read_text()
        # And whoever may not read the history's file is told by the daemon.
        told = json.loads(home.cli("memory", "--json").out)
        daemon.signal(signal.SIGKILL)
    assert len(list((home.root / "state" / FOLDER).iterdir())) == 2
    assert [event["kind"] for event in told["events"]] == ["started"]
    assert told["marks"]["limit"] == 4096 * MB
    worker = text.split("Stack of the thread worker ==")[1].split("== Stack")[0]
    assert "time.sleep(1000)" in worker or "<lambda>" in worker
    assert "chromadb" in text.split("== Live objects")[0]
    for fact in ("Governor: run; batches of 20 chunks", "Marks: throttle ", "In hand: no file"):
        assert fact in text


@pytest.mark.long
def test_a_daemon_that_traces_names_the_lines_that_allocate(tmp_path: Path):
    home = Home(tmp_path / "home", {"memory": {"trace": True}})
    with home.daemon():
        done = home.cli("memory", "--report")
    assert re.search(r"most allocated in .+:\d+: \d+\.\d\d MB; the tracing itself takes", done.out)
    text = Path(done.out.split("Written: ")[1].strip()).read_text()
    assert re.search(r"^ +\d+\.\d\d MB .*bouquetd/.*\.py:\d+$", text.split("== Allocations")[1], re.MULTILINE)


def test_a_report_takes_little_of_the_main_threads_time(tmp_path: Path):
    writer = reporter(tmp_path / FOLDER)
    began = time.thread_time()
    writer.write()
    assert time.thread_time() - began < 5

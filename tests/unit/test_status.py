"""The line that `systemctl status` shows, and the rate in it."""

import pytest

from bouquetd.model import MB
from bouquetd.ops.figures import lasting, size
from bouquetd.ops.overview import NOTHING
from bouquetd.ops.status import AFRESH, hung, line, page, starting
from bouquetd.rate import WINDOW, Rate

SEEN = {
    "state": "idle", "why": "", "rss_mb": 154.2, "limit_mb": 500.0, "queue": {"files": 0}, "current": None,
    "documents": 3, "failed": 1, "chunks_per_second": 0.0,
}  # fmt: skip


def test_an_idle_line_tells_memory_queue_and_results():
    assert line(SEEN) == "Idle; 154 of 500 MB; 0 files waiting; 3 stored, 1 failed"


def test_a_busy_line_tells_the_file_how_far_and_how_fast():
    current = {"source": "a/b.pdf", "share": 0.417, "chunks": 120}
    seen = SEEN | {"state": "working", "queue": {"files": 1}, "current": current, "chunks_per_second": 300.4}
    assert line(seen) == (
        "Working; 154 of 500 MB; 1 file waiting; a/b.pdf 42%, 120 chunks, 300 chunks/s; 3 stored, 1 failed"
    )


def test_a_held_up_line_tells_why():
    assert line(SEEN | {"state": "paused", "why": "memory, for 9 s"}).startswith("Paused: memory, for 9 s; ")


def test_a_held_up_line_tells_what_to_do():
    told = line(SEEN | {"state": "holding", "why": "the disk is full", "remedy": "make room on it"})
    assert told.startswith("Holding: the disk is full (to do: make room on it); ")


def test_the_line_tells_when_the_kernel_watches_no_more_folders():
    said = "; the kernel watches no more folders (to do: sysctl user.max_inotify_watches=524288, restart); "
    assert said in line(SEEN | {"watches_full": "user.max_inotify_watches"})


def test_the_rate_is_that_of_the_last_seconds_only():
    rate = Rate()
    assert rate.of(0.0, 100) == 0.0
    assert rate.of(2.0, 300) == 100.0
    for second in range(3, 40):
        last = rate.of(float(second), 300)
    assert last == 0.0


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_the_rate_remembers_a_bounded_number_of_looks(step):
    rate = Rate()
    found = [rate.of(n * step, n) for n in range(1000)]
    assert found[-1] == pytest.approx(1 / step)
    assert len(rate._seen) <= max(100, WINDOW)


RUNNING = SEEN | {
    "running": True, "remedy": "", "peak_mb": 201.0, "vsz_mb": 800.0, "ceiling_mb": 1000.0,
    "available_mb": 640.0, "pressure": 0.03, "machine_pressure": 0.12, "throttles": 0, "pauses": 0,
    "paused_seconds": 0.0, "last_scan": 990.0, "watch": "events", "watches_full": None,
    "queue": {"files": 1200, "bytes": 5 * MB, "oldest": 75.0}, "bytes_per_second": 2048.0, "stage": "embed",
    "version": "1.0", "pid": 7, "since": 400.0, "duplicates": 0, "states": {"filed": 3, "failed": 1},
    "mode": "embedded", "chunks": 40, "shards": 1, "failures": [],
}  # fmt: skip


def test_the_page_tells_memory_machine_inbox_and_store():
    assert page(RUNNING, 1000.0) == [
        "bouquetd is idle",
        "  memory   154 MB RSS of 500 MB, peak 201 MB, VSZ 800 MB",
        "  machine  at most 1,000 MB for it, 640 MB free, memory pressure 3 % on it and 12 % on all",
        "  inbox    1,200 waiting, 5.0 MB, the next for 75 s; watched by events, searched 10 s ago",
        "  process  version 1.0, pid 7, up 10 min: 3 stored, 1 failed, 0 already there",
        "  ledger   3 filed, 1 failed",
        "  store    embedded, 40 chunks in 1 shard",
    ]


def test_the_page_of_a_held_up_daemon_says_why_and_what_to_do_first():
    held = RUNNING | {"state": "holding", "why": "the disk is full", "remedy": "make room on it"}
    assert page(held, 1000.0)[:2] == ["bouquetd is holding: the disk is full", "  to do    make room on it"]


def test_the_page_says_when_the_kernel_watches_no_more_folders_and_what_mends_it():
    assert any(
        "sysctl fs.inotify.max_user_watches" in row
        for row in page(RUNNING | {"watches_full": "fs.inotify.max_user_watches"}, 1000.0)
    )


def test_the_page_names_the_latest_failures_and_where_all_of_them_are():
    failure = {"source": "a.pdf", "at": 0.0, "reason": "it is encrypted", "remedy": "drop it without"}
    *_, told, more = page(RUNNING | {"failures": [failure]}, 1000.0)
    assert told.endswith("a.pdf: It is encrypted.")
    assert more.endswith("bouquetd files --state failed")


def test_the_page_of_a_daemon_that_hangs_says_so_what_to_do_and_that_it_could_not_be_asked():
    told = page(RUNNING | {"state": "hung", "why": "no progress in embed for 130 s", "remedy": AFRESH}, 1000.0)
    assert told[:2] == ["bouquetd is hung: no progress in embed for 130 s", f"  to do    {AFRESH}"]
    silent = page(RUNNING | {"state": "hung", "why": "it says nothing", "silent": True}, 1000.0)
    assert silent[-1] == "  ledger   not asked: the daemon does not answer"


def test_the_page_of_a_daemon_that_starts_says_what_it_does():
    told = page(starting("rebuilding a shard", 90.0) | {**NOTHING, "running": True, "mode": "embedded"}, 1000.0)
    assert told[0] == "bouquetd is starting: rebuilding a shard"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"at": 995.0}, None),
        ({"at": 969.0}, "the daemon has said nothing for 31 s"),
        ({"at": 969.0, "patience": 90.0}, None),
        ({"at": 999.0, "hung": "no progress in embed"}, "no progress in embed"),
    ],
)
def test_a_daemon_hangs_when_it_says_so_or_nothing_for_longer_than_it_may(seen, why):
    assert hung(seen, 1000.0) == why


def test_the_page_of_a_daemon_that_does_not_run_says_how_to_start_it_and_how_to_find_out_more():
    stopped = {key: RUNNING[key] for key in ("states", "mode", "chunks", "shards", "failures")}
    rows = page(stopped | {"running": False, "state": "stopped", "half_reindexed": False}, 1000.0)
    assert rows[0] == "bouquetd is stopped"
    assert "systemctl start bouquetd" in rows[1]
    assert "bouquetd doctor" in rows[1]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.42, "0.4 s"), (3.0, "3 s"), (75, "75 s"), (600, "10 min"), (7500, "2 h 5 min"), (864_000, "10 days")],
)
def test_a_span_of_time_reads_in_the_units_that_suit_it(seconds, told):
    assert lasting(seconds) == told


@pytest.mark.parametrize(
    ("number", "told"), [(340, "340 B"), (12 * 1024, "12 KB"), (1.2 * MB, "1.2 MB"), (3 * 1024 * MB, "3.0 GB")]
)
def test_a_size_reads_in_the_unit_that_suits_it(number, told):
    assert size(number) == told

"""The line that `systemctl status` shows, and the rate in it."""

import pytest

from bouquetd.ops.status import line
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

"""The live screen: what is on it, and that it fits and leaves the terminal as it was."""

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

import pytest

from bouquetd.memory.history import Marks
from bouquetd.memory.recorded import NOTHING, Recorded
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
from bouquetd.ops.drawing import columns
from bouquetd.ops.top import screen, shares, with_now
from tests.harness import Home

NOW = 1_700_000_000.0
SHOWN = {
    "state": "working", "why": "", "remedy": "", "running": True, "pid": 7, "at": NOW, "rss_mb": 201.0,
    "limit_mb": 500.0, "peak_mb": 260.0, "available_mb": 800.0, "pressure": 0.0, "stage": "embed",
    "stages": {"embed": {"operations": 9, "seconds": 10.0, "grown_mb": 0.1}},
    "queue": {"files": 1200, "bytes": 5 * MB, "oldest": 33.0},
    "current": {"source": "reports/a.pdf", "size": 4 * MB, "share": 0.4, "chunks": 300},
    "chunks_per_second": 300.0, "bytes_per_second": 2048.0, "documents": 1000, "failed": 3,
}  # fmt: skip
FILES = [
    {"updated": NOW - n, "state": "filed", "chunks": n, "source": f"x/{n}.txt", "reason": None}
    for n in range(40)
]
SAMPLES = tuple(
    Sample(NOW - 900 + 10 * n, 10, 200 * MB, (200 + n) * MB, "embed", "a", "run") for n in range(90)
)
RECORDED = Recorded(NOW - 900, NOW, 10, SAMPLES, (), (), Marks(400 * MB, 350 * MB, 500 * MB, 24_000 * MB))


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60), (60, 16), (40, 8), (20, 1)])
@pytest.mark.parametrize("plain", [False, True])
def test_the_screen_fits_into_any_terminal(columns, rows, plain):
    lines = screen(SHOWN, FILES, RECORDED, {}, columns=columns, rows=rows, plain=plain)
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("width", [60, 61, 80])
def test_names_of_wide_characters_are_cut_by_the_columns_that_they_take(width):
    wide = "報告書" * 40
    held = SHOWN | {"state": "holding", "why": wide, "remedy": wide}
    lines = screen(held, [FILES[0] | {"source": wide}], RECORDED, {}, columns=width, rows=24)
    assert all(columns(line) <= width for line in lines)
    assert columns(lines[0]) == width
    assert lines[1].endswith("…")


def test_where_the_terminal_has_ascii_only_a_line_that_is_cut_ends_in_three_dots():
    held = SHOWN | {"state": "holding", "why": "the disk is full", "remedy": "make room " * 20}
    lines = screen(held, FILES, RECORDED, {}, columns=80, rows=24, plain=True)
    assert "\n".join(lines).isascii()
    assert (lines[1][-3:], len(lines[1])) == ("...", 80)


def test_80_by_24_has_the_curve_with_its_marks_the_file_in_hand_the_stages_and_recent_files():
    shown = "\n".join(screen(SHOWN, FILES, RECORDED, {"embed": 0.93}, columns=80, rows=24))
    for part in ("limit", "throttle", "reports/a.pdf", "embed 93 %", "1,200 waiting", "x/0.txt", "x/3.txt"):
        assert part in shown
    assert "24000 MB" not in shown


def test_a_held_up_daemon_says_why_and_what_to_do_on_top():
    held = SHOWN | {"state": "paused", "why": "by the operator", "remedy": "bouquetd resume"}
    first, second, *_ = screen(held, [], NOTHING, {}, columns=80, rows=24)
    assert first.startswith("bouquetd is paused: by the operator")
    assert second == "to do    bouquetd resume"


def test_a_stages_share_is_what_it_took_of_the_time_between_two_looks():
    later = SHOWN | {"at": NOW + 2, "stages": {"embed": {"seconds": 11.5}, "store": {"seconds": 0.5}}}
    assert shares(SHOWN, later) == {"embed": 0.75, "store": 0.25}
    assert shares(None, later) == {}
    assert shares(SHOWN, later | {"pid": 8}) == {}


def test_the_curve_ends_with_this_moment():
    last = with_now(RECORDED, SHOWN).samples[-1]
    assert (last.at, last.rss, last.source) == (NOW, 201 * MB, "reports/a.pdf")


def test_on_a_terminal_it_takes_the_other_screen_and_q_gives_the_first_one_back(tmp_path):
    home = Home(tmp_path / "home")
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-c", "from bouquetd.cli import main; main()", "top", "-c", str(home.yaml)],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    said = until(ours, b"q or Ctrl-C leaves")
    assert b"\x1b[?1049h" in said
    assert b"bouquetd is stopped" in said
    os.write(ours, b"q")
    assert b"\x1b[?1049l" in until(ours, b"\x1b[?1049l")
    assert process.wait(10) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def until(terminal, wanted):
    said, end = b"", time.monotonic() + 20
    while wanted not in said:
        ready, _, _ = select.select([terminal], [], [], end - time.monotonic())
        assert ready, said
        said += os.read(terminal, 65536)
    return said


def test_where_the_output_is_no_terminal_it_draws_one_screen_and_leaves(tmp_path):
    shown = Home(tmp_path / "home").cli("top")
    assert shown.status == 0
    assert shown.out.startswith("bouquetd is stopped")

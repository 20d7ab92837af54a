"""`bouquetd memory`: who took how much when, as words, a curve, pictures, a page and JSON."""

from __future__ import annotations

import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from bouquetd.memory.history import FILE, Event, History, Kind, Marks
from bouquetd.memory.recorded import NOTHING, parsed, plain, read
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
from bouquetd.ops.memory import sentences, summary
from bouquetd.ops.memory_page import page
from tests.harness import Home, Recorder

WILD = "<script>alert('&')</script>.pdf"


def night(path: Path, began: float, source: str = "reports/flow.pdf") -> None:
    """Write two hours: a peak with a pause of 40 s, a death, and a new start."""
    clock = [began]
    kept = History(path, Recorder(), lambda: clock[0])
    kept.marks(Marks(400 * MB, 350 * MB, 500 * MB, 1000 * MB))
    for minute in range(120):
        clock[0] = began + 60 * minute
        match minute:
            case 0:
                kept.started("pid 1", 100 * MB, lambda _: "")
            case 50:
                kept.note(Kind.THROTTLED, "over 80%", 410 * MB, source)
                kept.note(Kind.PAUSED, "at the limit", 505 * MB, source)
                clock[0] += 40
                kept.note(Kind.RESUMED, "under 70%", 300 * MB, source)
            case 80:
                kept.started("pid 2", 100 * MB, lambda _: "killed for its memory (oom-kill)")
        peak = 506 if minute == 50 else 160 + minute % 40
        mode = "pause" if minute == 50 else "run"
        kept.write(Sample(began + 60 * minute, 10, 150 * MB, peak * MB, "embed", source, mode))
    kept.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    (home.root / "state").mkdir(exist_ok=True)
    return home


def test_it_answers_what_last_night_took_and_which_file_caused_the_peak(home: Home):
    night(home.root / "state" / FILE, time.time() - 8 * 3600)
    done = home.cli("memory", "--since", "12h")
    assert done.status == 0, done.err
    assert "Highest 506.00 MB, 101% of memory.limit (500 MB)" in done.out
    assert re.search(r"Highest .*: reports/flow\.pdf in the stage embed$", done.out, re.MULTILINE)
    assert "throttled once, paused once, 40 s in all, at most 40 s, started 2 times" in done.out
    assert re.search(r"^Died .*: killed for its memory \(oom-kill\)$", done.out, re.MULTILINE)
    assert max(map(len, done.out.splitlines()[:24])) <= 80


def test_a_time_of_which_nothing_is_recorded_says_what_to_do(home: Home):
    night(home.root / "state" / FILE, time.time() - 8 * 3600)
    for since in ("1h", "2999-01-01"):
        done = home.cli("memory", "--since", since)
        assert done.status == 1
        assert "systemctl start bouquetd" in done.out


def test_a_length_of_time_that_is_none_is_refused_with_an_example(home: Home):
    done = home.cli("memory", "--since", "yesterday")
    assert done.status == 2
    assert "12h" in done.err


def test_json_has_everything_as_numbers(home: Home):
    night(home.root / "state" / FILE, time.time() - 8 * 3600)
    told = json.loads(home.cli("memory", "--json").out)
    assert told["summary"]["highest"]["source"] == "reports/flow.pdf"
    assert told["summary"]["paused"] == 40.0
    assert [event["kind"] for event in told["summary"]["ends"]] == ["died"]
    assert len(told["samples"]) == 120
    assert told["marks"] == {
        "throttle": 400 * MB, "resume": 350 * MB, "limit": 500 * MB, "ceiling": 1000 * MB
    }  # fmt: skip


def test_pictures_and_a_page_are_written_where_they_were_asked_for(home: Home, tmp_path: Path):
    night(home.root / "state" / FILE, time.time() - 8 * 3600)
    svg, png, html = (tmp_path / name for name in ("a.svg", "a.png", "a.html"))
    done = home.cli("memory", "--svg", str(svg), "--png", str(png), "--html", str(html))
    assert done.status == 0
    assert done.err.count("Written: ") == 3
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    with Image.open(io.BytesIO(png.read_bytes())) as image:
        assert image.size == (1920, 840)
    assert html.read_text().startswith("<!doctype html>")


def test_a_picture_that_cannot_be_written_says_why(home: Home, tmp_path: Path):
    night(home.root / "state" / FILE, time.time() - 3600)
    done = home.cli("memory", "--svg", str(tmp_path / "none" / "a.svg"))
    assert done.status == 69
    assert "cannot be written: No such file or directory" in done.err


class _Page(HTMLParser):
    """What a page loads, and the texts of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag == "td":
            self.cells.append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.cells[-1] += data


def test_the_page_is_one_file_for_light_and_dark_and_for_a_phone_and_names_files_as_they_are(tmp_path: Path):
    began = time.time() - 3 * 3600
    night(tmp_path / FILE, began, WILD)
    text = page(read(tmp_path / FILE, began - 60, time.time()))
    found = _Page(text)
    assert found.loads == []
    assert not re.search(r"https?:|@import|url\(", text)
    assert "script" not in found.tags
    assert found.tags.count("svg") == 2
    assert 'name="viewport"' in text
    assert "prefers-color-scheme:dark" in text
    assert found.cells[0] == "506.00 MB"
    assert found.cells[2:4] == [WILD, "embed"]
    assert "killed for its memory (oom-kill)" in found.cells


def test_of_nothing_a_page_is_made_too():
    assert "Nothing is recorded" in page(NOTHING)


def test_a_history_comes_through_the_socket_as_it_is(tmp_path: Path):
    began = time.time() - 3 * 3600
    night(tmp_path / FILE, began)
    stretch = read(tmp_path / FILE, began, time.time())
    assert parsed(json.loads(json.dumps(plain(stretch)))) == stretch


@pytest.mark.parametrize(
    ("kinds", "lengths"),
    [
        ("paused resumed", [10]),
        ("resumed paused", [30]),  # begun before what was asked for; not over yet
        ("paused reclaimed stuck died", [30]),
        ("paused died started", [10]),
        ("throttled resumed", []),
    ],
)
def test_a_pause_lasts_until_it_or_its_process_is_over(kinds: str, lengths: list[int]):
    events = tuple(Event(10.0 * n, kind, "", 0) for n, kind in enumerate(kinds.split()))
    from dataclasses import replace

    found = summary(replace(NOTHING, events=events, until=40.0))
    assert (found.pauses, found.paused) == (len(lengths), sum(lengths))


def test_a_young_history_is_shown_from_its_begin_in_all_its_detail(tmp_path: Path):
    began = (time.time() - 600) // 10 * 10
    kept = History(tmp_path / FILE, Recorder(), lambda: began)
    for step in range(60):
        kept.write(Sample(began + 10 * step, 10, MB, MB, "", "", "run"))
    kept.close()
    for days in (1, 30):
        stretch = read(tmp_path / FILE, time.time() - days * 86_400, time.time())
        assert (stretch.since, stretch.width, len(stretch.samples)) == (began, 10, 60)
    assert "nothing in hand" in sentences(stretch)[0]

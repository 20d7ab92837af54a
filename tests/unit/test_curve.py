"""The curve of memory: one drawing, in a terminal, as SVG and as PNG."""

from __future__ import annotations

import io
import re
import time
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageFont

from bouquetd.memory.history import Event, Marks
from bouquetd.memory.recorded import NOTHING, Attributed, Recorded
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
from bouquetd.ops import curve
from bouquetd.ops.drawing import BRAILLE, LOOKS, PIXELS, SCALE, Line, Rect, Text

NOON = 1_764_158_400.0
SINCE = NOON - 12 * 3600
WILD = "<b>&\"'\u4e2d\u6587\U0001f600" + "x" * 200 + "/end.pdf"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def night(source: str = "reports/flow.pdf", **more: object) -> Recorded:
    """Twelve hours: five of work up to a peak, a death, an hour of nothing, then idleness."""
    samples = [
        Sample(
            SINCE + 60 * minute, 6, (150 + minute % 90) * MB, (160 + minute % 90) * MB, "embed", source, "run"
        )
        for minute in range(720)
        if not 300 <= minute < 360
    ]
    samples[290] = Sample(SINCE + 60 * 290, 6, 430 * MB, 506 * MB, "embed", source, "pause")
    events = (
        Event(SINCE + 1, "started", "pid 1", 150 * MB),
        Event(SINCE + 60 * 290, "paused", "at the limit", 506 * MB, source),
        Event(SINCE + 60 * 291, "resumed", "", 300 * MB),
        Event(SINCE + 60 * 300, "died", "killed for its memory (oom-kill)", 0),
        Event(SINCE + 60 * 360, "started", "pid 2", 150 * MB),
    )
    peaks = (Attributed(506 * MB, SINCE + 60 * 290, "embed", source), Attributed(249 * MB, SINCE + 60, "", ""))
    recorded = Recorded(
        SINCE, NOON, 60.0, tuple(samples), events, peaks, Marks(400 * MB, 350 * MB, 500 * MB, 1000 * MB)
    )
    return Recorded(**{name: more.get(name, getattr(recorded, name)) for name in recorded.__dataclass_fields__})


def test_in_a_terminal_it_fits_80_by_24_and_names_the_peak_with_its_file_and_stage():
    lines = curve.terminal(night())
    text = "\n".join(lines)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "1  506 MB at 04:50  reports/flow.pdf (embed)" in text
    assert "2  249 MB at 00:01  idle" in text
    for name in ("limit", "throttle", "ceiling"):
        assert re.search(rf"{name}$", text, re.MULTILINE)


def test_the_curve_goes_from_the_left_to_the_right_but_for_the_time_when_nothing_ran():
    lines = curve.terminal(night())
    drawn = {place for line in lines for place, c in enumerate(line) if "\u2801" <= c <= "\u28ff"}
    away = next(line for line in lines if "···" in line)
    gap = {place for place, c in enumerate(away) if c == "·"}
    assert min(drawn) == curve.LEFT
    assert max(drawn) == 80 - curve.RIGHT - 1
    assert len(gap) == 5  # an hour of twelve, of 61 columns
    assert not drawn & {*sorted(gap)[1:-1]}


def test_a_restart_and_a_pause_are_marked_where_they_were():
    lines = curve.terminal(night())
    assert lines[0].split() == ["▲", "x", "▲"]
    assert lines[0].index("x") == pytest.approx(curve.LEFT + 61 * 300 / 720, abs=1)
    strip = next(line for line in lines if "█" in line and "paused" not in line)
    assert strip.index("█") == pytest.approx(curve.LEFT + 61 * 290 / 720, abs=1)


def test_a_terminal_without_unicode_gets_ascii():
    lines = curve.terminal(night(), plain=True)
    assert "\n".join(lines).isascii()
    assert sum("*" in line for line in lines) > 5


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (200, 60)])
def test_it_fits_a_terminal_of_any_size(size: tuple[int, int]):
    lines = curve.terminal(night(WILD), columns=size[0], rows=size[1])
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]
    assert any(line.endswith("/end.pdf (embed)") for line in lines)


@pytest.mark.parametrize("recorded", [NOTHING, night(), night(samples=(), events=(), peaks=())])
def test_every_picture_can_be_drawn_also_of_nothing(recorded: Recorded):
    assert "0 MB" in "\n".join(curve.terminal(recorded))
    ElementTree.fromstring(curve.svg(recorded))


def test_the_svg_is_well_formed_whatever_a_file_is_called_and_loads_nothing():
    text = curve.svg(night(WILD))
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == f"0 0 {curve.WIDTH} {curve.HEIGHT}"
    said = "".join(root.itertext())
    assert "/end.pdf (embed)" in said
    assert "at most 506 MB, at 04:50" in root.find("{*}title").text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|<script|href", text)


def test_the_png_opens_with_its_size_and_shows_the_curve_in_its_colour():
    with Image.open(io.BytesIO(curve.png(night()))) as image:
        assert (image.format, image.size) == ("PNG", (curve.WIDTH * SCALE, curve.HEIGHT * SCALE))
        colours = {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in image.getcolors(1 << 20)}
    assert {LOOKS[role].light for role in ("paper", "rss", "mass", "limit", "throttle", "paused")} <= colours


def test_a_png_is_drawn_where_the_machine_has_no_fonts(monkeypatch):
    known = ImageFont.truetype

    def only_what_pillow_brings(font: object, *more: object, **options: object) -> object:
        if isinstance(font, str):
            raise OSError("cannot open resource")
        return known(font, *more, **options)

    monkeypatch.setattr("PIL.ImageFont.truetype", only_what_pillow_brings)
    with Image.open(io.BytesIO(curve.png(night()))) as image:
        assert image.getcolors(1 << 20)


def test_nothing_is_drawn_beyond_the_sheet():
    for face, width, height in ((BRAILLE, 160, 96), (PIXELS, 960, 420), (PIXELS, 400, 380)):
        sheet = curve.curve(night(), width, height, face)
        for shape in sheet.shapes:
            match shape:
                case Line(points):
                    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
                case Rect():
                    assert 0 <= shape.x <= shape.x + shape.width <= width
                    assert 0 <= shape.y <= shape.y + shape.height <= height
                case Text():
                    assert 0 <= shape.y <= height


def test_a_ceiling_far_above_does_not_flatten_the_curve():
    near = "\n".join(curve.terminal(night()))
    far = "\n".join(curve.terminal(night(marks=Marks(400 * MB, 350 * MB, 500 * MB, 64_000 * MB))))
    assert "ceiling" in near
    assert "ceiling" not in far
    assert "600 MB" in far


def test_a_long_stretch_is_dated():
    month = night(since=NOON - 20 * 86_400)
    assert re.search(r"11-\d\d 00:00", "\n".join(curve.terminal(month)))


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("shade", ["light", "dark"])
@pytest.mark.parametrize("role", ["text", "dim", "peak", "limit", "throttle", "resume", "ceiling"])
def test_every_text_is_readable_on_light_paper_and_on_dark(role: str, shade: str):
    ink, paper = (_luminance(getattr(LOOKS[name], shade)) for name in (role, "paper"))
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5

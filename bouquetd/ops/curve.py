"""The curve of RSS over time, as a drawing: the governor's marks, what befell the daemon, and who took most."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import ceil

from bouquetd.memory.governor import Mode, short
from bouquetd.memory.history import Kind
from bouquetd.memory.recorded import Attributed, Recorded
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB
from bouquetd.ops import drawing
from bouquetd.ops.drawing import BRAILLE, LOOKS, PIXELS, Drawing, Face, Line, Rect, Text, columns, tail

WIDTH, HEIGHT = 960, 420
"""Pixels of a picture."""

COLUMNS, ROWS = 80, 24
"""Characters of a terminal."""

LABELLED = 3
"""Peaks that are numbered in the curve and named below it."""

GAP = 2.5
"""Widths of a sample without one after which nothing ran."""

LEFT, RIGHT = 9, 10
"""Characters beside the curve: figures, and the names of the marks."""

GLYPHS: dict[str, str] = {Kind.STARTED: "▲", Kind.STOPPED: "■", Kind.DIED: "x", Kind.STUCK: "!"}
"""What stands above the curve where a process began or ended."""

STRIP = {Mode.THROTTLE: "throttled", Mode.PAUSE: "paused"}
"""What is shown below it of the governor's modes."""

KEY: tuple[tuple[str, str], ...] = (
    ("throttled", "throttled"),
    ("paused", "paused"),
    ("away", "not running"),
    *((GLYPHS[kind], str(kind)) for kind in (Kind.STARTED, Kind.STOPPED, Kind.DIED, Kind.STUCK)),
)
"""What the signs mean: a role of the strip or a glyph, and the words for it."""

_STEPS = (60, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000)
"""Seconds between two times that are written down."""

_ROUND = (1, 2, 2.5, 5, 10)


def svg(recorded: Recorded) -> str:
    """As a picture for a browser: one element, no outside parts."""
    return drawing.svg(curve(recorded, WIDTH, HEIGHT, PIXELS))


def png(recorded: Recorded) -> bytes:
    """As a picture for everything else."""
    return drawing.png(curve(recorded, WIDTH, HEIGHT, PIXELS))


def terminal(
    recorded: Recorded, *, columns: int = COLUMNS, rows: int = ROWS, plain: bool = False, bare: bool = False
) -> list[str]:
    """As lines of characters; ``plain`` ones where a terminal has no others, ``bare`` without any legend."""
    sheet = curve(recorded, columns * BRAILLE.width, rows * BRAILLE.height, BRAILLE, bare=bare)
    return drawing.terminal(sheet, plain=plain)


def during(peak: Attributed | Sample) -> str:
    """What ran at a peak, in words: the file, and the stage that had it in hand."""
    if peak.source and peak.stage:
        return f"{peak.source} ({peak.stage})"
    return peak.source or peak.stage or "idle"


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where times and sizes lie on the sheet."""

    recorded: Recorded
    left: float
    right: float
    top: float
    bottom: float
    highest: float

    def x(self, at: float) -> float:
        span = max(1.0, self.recorded.until - self.recorded.since)
        share = min(1.0, max(0.0, (at - self.recorded.since) / span))
        return self.left + share * (self.right - self.left)

    def y(self, size: float) -> float:
        return self.bottom - min(1.0, size / self.highest) * (self.bottom - self.top)


def curve(recorded: Recorded, width: float, height: float, face: Face, *, bare: bool = False) -> Drawing:
    """Draw a stretch of history on a sheet of that size, with characters of that ``face``.

    ``bare`` is without the names of peaks and the meaning of the signs.
    """
    named = () if bare else recorded.peaks[:LABELLED]
    marks = recorded.marks
    key = [] if bare else list(_key(width, face))
    below = 2.5 + len(named) + 0.5 + len({text.y for text in key if isinstance(text, Text)})
    steps = _steps(recorded)
    plot = _Plot(
        recorded,
        left=LEFT * face.width,
        right=width - RIGHT * face.width - 1,
        top=1.5 * face.height,
        bottom=height - below * face.height - 1,
        highest=steps[-1],
    )
    shapes: list[Line | Rect | Text] = [
        *_figures(plot, steps, face),
        *_areas(plot),
        *_marks(plot, face),
        *_lines(plot),
        *_strip(plot, face),
        *_times(plot, face),
        *_events(plot, face),
        *_names(plot, named, face, width),
        *(replace(shape, y=height + shape.y) for shape in key),
    ]
    title = "Memory (RSS) over time"
    if recorded.peaks:
        title += f": at most {short(recorded.peaks[0].peak)}, at {clock(recorded.peaks[0].at, recorded)}"
    if marks.limit:
        title += f", memory.limit {short(marks.limit)}"
    return Drawing(width, height, title, tuple(shapes))


def _steps(recorded: Recorded) -> list[float]:
    """Round figures in bytes, from 0 to one above everything that is drawn."""
    marks = recorded.marks
    most = max([*(one.peak for one in recorded.peaks), marks.limit, 10 * MB])
    if marks.ceiling <= 2.5 * most:  # farther up it would flatten the curve
        most = max(most, marks.ceiling)
    rough = most / 5 / MB
    power = 10.0 ** (len(str(int(rough))) - 1)
    step = next(factor for factor in _ROUND if factor * power >= rough) * power * MB
    count = ceil(most / step)
    return [step * number for number in range(count + 1)]


def _figures(plot: _Plot, steps: list[float], face: Face) -> Iterator[Line | Text]:
    for size in steps:
        y = plot.y(size)
        yield Line(((plot.left, y), (plot.right, y)), "grid")
        yield Text(plot.left - face.width, y, short(int(size)), "dim", "end")


def _areas(plot: _Plot) -> Iterator[Line]:
    for stretch in _stretches(plot.recorded):
        points = [(plot.x(one.at), plot.y(one.rss)) for one in stretch]
        ends = (points[-1][0], plot.bottom), (points[0][0], plot.bottom)
        yield Line((*points, *ends), "mass", filled=True)


def _lines(plot: _Plot) -> Iterator[Line]:
    for stretch in _stretches(plot.recorded):
        yield Line(tuple((plot.x(one.at), plot.y(one.peak)) for one in stretch), "rss")


def _stretches(recorded: Recorded) -> Iterator[list[Sample]]:
    """Samples between which the daemon ran all the time."""
    stretch: list[Sample] = []
    for one in recorded.samples:
        if stretch and one.at - stretch[-1].at > GAP * recorded.width:
            yield stretch
            stretch = []
        stretch.append(one)
    if stretch:
        yield stretch


def _marks(plot: _Plot, face: Face) -> Iterator[Line | Text]:
    """The most important first: where two names would stand on one line, the later is left out."""
    marks, taken = plot.recorded.marks, list[float]()
    named = {"limit": marks.limit, "ceiling": marks.ceiling, "throttle": marks.throttle, "resume": marks.resume}
    for name, size in named.items():
        if not 0 < size <= plot.highest:
            continue
        y = plot.y(size)
        yield Line(((plot.left, y), (plot.right, y)), name)
        if all(abs(y - other) >= face.height for other in taken):
            taken.append(y)
            yield Text(plot.right + face.width, y, name, name)


def _strip(plot: _Plot, face: Face) -> Iterator[Rect]:
    recorded, y = plot.recorded, plot.bottom + face.height * 0.25
    stretches = list(_stretches(recorded))
    for one, other in pairwise(stretches):
        yield _bar(plot, one[-1].at + recorded.width, other[0].at, "away", y, face)
    if stretches and recorded.until - stretches[-1][-1].at > GAP * recorded.width + 10:
        yield _bar(plot, stretches[-1][-1].at + recorded.width, recorded.until, "away", y, face)
    held = [(mode, list(group)) for stretch in stretches for mode, group in groupby(stretch, key=_mode)]
    for wanted, role in STRIP.items():  # pauses above throttling, where both fall into one character
        for mode, samples in held:
            if mode is wanted:
                yield _bar(plot, samples[0].at, samples[-1].at + recorded.width, role, y, face)


def _bar(plot: _Plot, since: float, until: float, role: str, y: float, face: Face) -> Rect:
    x = plot.x(since)
    return Rect(x, y, max(face.width / 2, plot.x(until) - x), face.height / 2, role)


def _mode(sample: Sample) -> Mode:
    return Mode(sample.mode)


def _times(plot: _Plot, face: Face) -> Iterator[Text]:
    recorded = plot.recorded
    span = recorded.until - recorded.since
    room = (plot.right - plot.left) / (12 * face.width)
    step = next((step for step in _STEPS if span / step <= room), _STEPS[-1])
    offset = time.localtime(recorded.until).tm_gmtoff
    at = -(-(recorded.since + offset) // step) * step - offset
    while at <= recorded.until:
        x = min(plot.x(at), plot.right - 2 * face.width)
        yield Text(x, plot.bottom + 1.5 * face.height, clock(at, recorded), "dim", "middle")
        at += step


def _events(plot: _Plot, face: Face) -> Iterator[Line | Text]:
    taken: set[int] = set()
    # The graver ones first: where two stand at one place, the later is left out.
    for event in sorted(plot.recorded.events, key=lambda event: event.kind not in (Kind.DIED, Kind.STUCK)):
        glyph = GLYPHS.get(event.kind)
        if glyph is None:
            continue
        x = plot.x(event.at)
        if event.kind in (Kind.DIED, Kind.STUCK):
            yield Line(((x, plot.top), (x, plot.bottom)), "died")
        place = int(x // face.width)
        if place not in taken:
            taken.add(place)
            yield Text(x, face.height / 2, glyph, "limit" if event.kind == Kind.DIED else "text", "middle")


def _names(plot: _Plot, named: Iterable[Attributed], face: Face, width: float) -> Iterator[Text]:
    for number, peak in enumerate(named, 1):
        x, y = plot.x(peak.at), plot.y(peak.peak)
        yield Text(x, max(face.height / 2, y - face.height / 2), str(number), "peak", "middle")
        said = f"{number}  {short(round(peak.peak / MB) * MB)} at {clock(peak.at, plot.recorded)}  "
        room = int(width // face.width) - columns(said)
        line = plot.bottom + (1.5 + number) * face.height
        yield Text(0, line, said + tail(during(peak), room), "peak")


def _key(width: float, face: Face) -> Iterator[Rect | Text]:
    """The key in as many lines as it takes; its places are counted up from the lower edge."""
    lines: list[list[tuple[str, str]]] = [[]]
    taken = 0
    for sign, words in KEY:
        size = len(words) + 4
        if taken + size > width // face.width:
            lines.append([])
            taken = 0
        lines[-1].append((sign, words))
        taken += size
    for number, line in enumerate(reversed(lines)):
        x, y = 0.0, -(number + 0.5) * face.height
        for sign, words in line:
            if sign in LOOKS:
                yield Rect(x, y - face.height / 4, face.width, face.height / 2, sign)
            else:
                yield Text(x, y, sign, "dim")
            yield Text(x + 2 * face.width, y, words, "dim")
            x += (len(words) + 4) * face.width


def clock(at: float, recorded: Recorded) -> str:
    """A time as it is read here: the hour, or for a longer stretch the day too."""
    if recorded.until - recorded.since <= 36 * 3600:
        return time.strftime("%H:%M", time.localtime(at))
    return time.strftime("%m-%d %H:%M", time.localtime(at))

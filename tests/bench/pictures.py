"""Pictures of the figures: what measurements left becomes SVG that reads the same on light and on dark pages.

Drawn is whatever of these the figures are there for:

* RSS over time, chunks a second and RSS over collection size: of the longest run that has ``samples``;
* bars of speed and of memory beside others: of the measurements that have ``rows``.

A file changes with its figures only: it holds no time of drawing and no random names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Found = Mapping[str, Mapping[str, Any]]
"""What measurements left, by name: each its ``figures``, its ``machine`` and more."""

Samples = Sequence[Mapping[str, float]]
"""``seconds``, ``chunks`` and ``rss_mb``, in the order of time."""

COLOURS = {"bouquetd": "#0072B2", "bare loop": "#D55E00", "LangChain": "#009E73", "LlamaIndex": "#CC79A7"}
"""From the palette of Okabe and Ito, whose colours differ to colour-blind eyes too."""

INK, FAINT, LINES = "#222222", "#666666", "#E3E3E3"

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.facecolor": "white",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "grid.color": LINES,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "bouquetd",
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}

STRETCHES = 25
"""Parts of a run, each of which is given one speed."""

FEW = 5
"""Stretches whose median stands for the first or the last of a run."""


LONG = ("million", "ceiling")
"""Measurements whose figures have ``samples`` and ``limit_mb``."""

BESIDE = ("speed", "peers")
"""Measurements whose figures have ``rows``, ours first."""


def draw(folder: Path, found: Found) -> dict[str, str]:
    """Draw into a folder what there are figures for; returns the titles by file name."""
    with mpl.rc_context(STYLE):
        pictures = dict(_pictures(found))
        for file, picture in pictures.items():
            picture.savefig(folder / file, metadata={"Date": None, "Creator": None})
    return {file: picture.get_suptitle() for file, picture in pictures.items()}


def _pictures(found: Found) -> Iterator[tuple[str, Figure]]:
    long = {name: samples for name in LONG if (samples := _figure(found, name, "samples"))}
    if long:
        name = max(long, key=lambda name: long[name][-1]["chunks"])
        runs, limit, machine = {"bouquetd": long[name]}, _figure(found, name, "limit_mb"), _machine(found, name)
        peak = _figure(found, name, "peak_mb")
        yield "rss-over-time.svg", _rss_over_time(long[name], peak, limit, machine)
        if bare := _figure(found, "speed", "bare"):
            runs["bare loop"] = sorted(bare, key=lambda run: run["seconds"])[len(bare) // 2]["samples"]
            machine = _machine(found, name, "speed")
        yield "speed-over-size.svg", _speed_over_size(runs, machine)
        yield "rss-over-size.svg", _rss_over_size(runs, limit, machine)
    for name in BESIDE:
        if rows := _figure(found, name, "rows"):
            yield f"beside-{name}.svg", _beside(rows, _machine(found, name))


def _figure(found: Found, name: str, key: str) -> Any:
    return found[name]["figures"].get(key) if name in found else None


# -- lines ------------------------------------------------------------------------------------------------


def _rss_over_time(samples: Samples, peak: float, limit: float, machine: str) -> Figure:
    chunks = samples[-1]["chunks"]
    picture = _picture(f"RSS over time: peak {peak:.0f} MB while {chunks:,} chunks go in", machine)
    axes = picture.subplots()
    minutes = [seconds / 60 for seconds in _column(samples, "seconds")]
    axes.plot(minutes, _column(samples, "rss_mb"), color=COLOURS["bouquetd"], label="bouquetd")
    _limit(axes, limit)
    _finish(axes, "minutes", "RSS in MB")
    return picture


def _speed_over_size(runs: Mapping[str, Samples], machine: str) -> Figure:
    paces = {name: _paces(samples) for name, samples in runs.items()}
    said = list[str]()
    for name, pace in paces.items():
        speeds = [speed for _, speed in pace]
        said.append(f"{name} {median(speeds[:FEW]):.0f} to {median(speeds[-FEW:]):.0f}")
    picture = _picture(f"Chunks a second from first to last: {', '.join(said)}", machine)
    axes = picture.subplots()
    for name, pace in paces.items():
        axes.plot(*zip(*pace, strict=True), color=COLOURS[name], label=name)
    _finish(axes, "chunks stored", "chunks a second")
    return picture


def _rss_over_size(runs: Mapping[str, Samples], limit: float, machine: str) -> Figure:
    said = [
        f"{name} {max(_column(samples, 'rss_mb')):.0f} MB ({samples[-1]['chunks']:,} chunks)"
        for name, samples in runs.items()
    ]
    picture = _picture(f"RSS, looked at between two batches: at most {', '.join(said)}", machine)
    axes = picture.subplots()
    for name, samples in runs.items():
        axes.plot(_column(samples, "chunks"), _column(samples, "rss_mb"), color=COLOURS[name], label=name)
    _limit(axes, limit)
    _finish(axes, "chunks stored", "RSS in MB")
    return picture


def _limit(axes: Axes, limit: float) -> None:
    axes.axhline(limit, color=FAINT, linewidth=1, linestyle=(0, (5, 4)), label=f"memory.limit, {limit:.0f} MB")


def _finish(axes: Axes, x: str, y: str) -> None:
    """Both axes from nothing; the legend where lines that begin well above nothing leave room."""
    axes.margins(x=0, y=0.1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_formatter(_number)
    axes.grid(axis="y")
    axes.legend(loc="lower right", ncols=3)


def _paces(samples: Samples) -> list[tuple[float, float]]:
    """Chunks a second of each of ``STRETCHES`` parts of a run, after the size at its middle."""
    step, marks = samples[-1]["chunks"] / STRETCHES, list[Mapping[str, float]]()
    for sample in samples:
        if not sample["chunks"]:
            marks = [sample]
        elif not marks or sample["chunks"] >= marks[-1]["chunks"] + step:
            marks.append(sample)
    return [
        (
            (mark["chunks"] + until["chunks"]) / 2,
            (until["chunks"] - mark["chunks"]) / (until["seconds"] - mark["seconds"]),
        )
        for mark, until in pairwise(marks)
    ]


def _column(samples: Samples, key: str) -> list[float]:
    return [sample[key] for sample in samples]


# -- bars -------------------------------------------------------------------------------------------------


def _beside(rows: Sequence[Mapping[str, Any]], machine: str) -> Figure:
    ours, *others = rows
    speed = _span([ours["chunks/s"] / other["chunks/s"] for other in others])
    memory = _span([ours["peak RSS MB"] / other["peak RSS MB"] for other in others])
    whose, their = ("the bare loop's", "its") if len(others) == 1 else ("the others'", "their")
    title = f"bouquetd: {speed} times {whose} speed at {memory} of {their} peak RSS"
    picture = _picture(title, machine, height=1.6 + 0.45 * len(rows))
    panels = picture.subplots(ncols=2, sharey=True)
    labels = {"chunks/s": "chunks a second, more is better", "peak RSS MB": "peak RSS in MB, less is better"}
    for axes, (key, label) in zip(panels, labels.items(), strict=True):
        bars = axes.barh(
            [row["name"] for row in rows],
            [row[key] for row in rows],
            height=0.62,
            color=[COLOURS[row["name"]] for row in rows],
        )
        axes.bar_label(bars, fmt="{:,.0f}", padding=4)
        axes.margins(x=0.15)
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter(_number)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    panels[0].invert_yaxis()
    return picture


def _span(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return low if low == high else f"{low} to {high}"


# -- both -------------------------------------------------------------------------------------------------


def _picture(title: str, machine: str, height: float = 4.0) -> Figure:
    """An empty picture, with what one sees above and what it was measured on below."""
    picture = Figure(figsize=(8.6, height))
    picture.suptitle(title, x=0.012, ha="left")
    picture.supxlabel(machine, x=0.012, ha="left", fontsize=8, color=FAINT)
    return picture


def _number(value: float, _: float) -> str:
    """A tick's label."""
    return f"{value:,.10g}"


def _machine(found: Found, *names: str) -> str:
    """What the figures were measured on, a line for each machine, version and day that differ."""
    lines = dict[str, None]()
    for facts in (found[name]["machine"] for name in names):
        line = "{CPU}, {cores} cores, {RAM} RAM, Python {Python}, chromadb {chromadb}".format_map(facts)
        lines[f"{line}, {facts['date'].split()[0]}"] = None
    return "\n".join(lines)

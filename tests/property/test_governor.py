"""The governor's promises, for any course the RSS may take."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bouquetd.memory.governor import Governor, Limits, Mode, Verdict

ORDER = [Mode.RUN, Mode.THROTTLE, Mode.PAUSE]


@dataclass(frozen=True)
class Tick:
    rss: int
    pressure: float
    gap: float


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    resume = draw(st.floats(0.05, 0.9))
    throttle = draw(st.floats(resume + 0.01, 1.0))
    pressure = draw(st.one_of(st.just(0.0), st.floats(0.05, 0.9)))
    return Limits(draw(st.integers(1_000, 1_000_000)), throttle, resume, pressure)


ticks = st.lists(
    st.builds(
        Tick,
        rss=st.integers(0, 1_500_000),
        pressure=st.floats(0, 1),
        gap=st.floats(0, 10),
    ),
    max_size=60,
)


def run(governor: Governor, course: list[Tick]) -> list[Verdict]:
    now, verdicts = 0.0, []
    for tick in course:
        now += tick.gap
        verdicts.append(governor.tick(tick.rss, now, tick.pressure))
    return verdicts


@given(limits(), ticks)
def test_between_two_opposite_changes_the_rss_or_the_pressure_has_travelled(
    bounds: Limits, course: list[Tick]
) -> None:
    verdicts = run(Governor(bounds), course)
    modes = [Mode.RUN, *(verdict.state for verdict in verdicts)]
    steps = zip(course, pairwise(modes), verdicts, strict=True)
    changes = [(tick, before, after) for tick, (before, after), verdict in steps if verdict.changed]
    for (first, came_from, left), (second, _, goes_to) in pairwise(changes):
        went_up = ORDER.index(left) > ORDER.index(came_from)
        goes_up = ORDER.index(goes_to) > ORDER.index(left)
        if went_up != goes_up:
            by_rss = abs(first.rss - second.rss) >= (bounds.throttle - bounds.resume) * bounds.limit * (
                1 - 1e-9
            )
            by_pressure = bounds.pressure and abs(first.pressure - second.pressure) >= bounds.pressure / 2
            assert by_rss or by_pressure


@given(limits(), ticks, st.floats(0, 0.999), st.floats(0, 0.499))
def test_it_resumes_on_the_first_tick_with_rss_and_pressure_low(
    bounds: Limits, course: list[Tick], share: float, calm: float
) -> None:
    governor = Governor(bounds)
    run(governor, course)
    low = int(bounds.resume_at * share)
    assert governor.tick(low, 1e6, bounds.pressure * calm).state is Mode.RUN
    assert governor.scale == 1.0


@given(limits(), ticks)
def test_it_pauses_at_the_limit_and_at_the_pressure_mark_whatever_went_before(
    bounds: Limits, course: list[Tick]
) -> None:
    for tick, verdict in zip(course, run(Governor(bounds), course), strict=True):
        if tick.rss >= bounds.limit or (bounds.pressure and tick.pressure >= bounds.pressure):
            assert verdict.state is Mode.PAUSE


@given(limits(), ticks)
def test_it_never_runs_at_full_size_from_the_throttle_mark_up(bounds: Limits, course: list[Tick]) -> None:
    for tick, verdict in zip(course, run(Governor(bounds), course), strict=True):
        if tick.rss >= bounds.throttle_at:
            assert verdict.state is not Mode.RUN


@given(limits(), ticks, st.data())
def test_more_memory_never_makes_it_bolder(bounds: Limits, course: list[Tick], data: st.DataObject) -> None:
    more = [Tick(tick.rss + data.draw(st.integers(0, 500_000)), tick.pressure, tick.gap) for tick in course]
    for lighter, heavier in zip(run(Governor(bounds), course), run(Governor(bounds), more), strict=True):
        assert ORDER.index(lighter.state) <= ORDER.index(heavier.state)


@given(limits(), ticks)
def test_each_departure_from_run_by_rss_is_a_crossing_and_nothing_else_is(
    bounds: Limits, course: list[Tick]
) -> None:
    governor, now = Governor(bounds), 0.0
    for tick in course:
        before = governor.mode
        now += tick.gap
        verdict = governor.tick(tick.rss, now, tick.pressure)
        left = before is Mode.RUN and verdict.state is not Mode.RUN
        assert governor.crossed == (left and tick.rss >= bounds.throttle_at)
        assert verdict.changed == (before is not verdict.state)
        assert governor.since == now or not verdict.changed


@given(limits(), ticks)
def test_the_scale_only_shrinks_until_it_runs_again_and_a_batch_is_never_empty(
    bounds: Limits, course: list[Tick]
) -> None:
    governor, now, scale = Governor(bounds), 0.0, 1.0
    for tick in course:
        now += tick.gap
        verdict = governor.tick(tick.rss, now, tick.pressure)
        assert governor.scale == 1.0 if verdict.state is Mode.RUN else 0 < governor.scale <= scale
        scale = governor.scale

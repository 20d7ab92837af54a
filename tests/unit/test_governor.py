from __future__ import annotations

import pytest

from bouquetd.memory.governor import Governor, Limits, Mode, exact, short
from bouquetd.model import MB

LIMITS = Limits(limit=500 * MB, throttle=0.8, resume=0.7, pressure=0.2)


@pytest.mark.parametrize(
    ("course", "ends"),
    [
        ([399], Mode.RUN),
        ([400], Mode.THROTTLE),
        ([500], Mode.PAUSE),
        ([400, 350], Mode.THROTTLE),
        ([400, 349], Mode.RUN),
        ([400, 500], Mode.PAUSE),
        ([500, 399], Mode.PAUSE),
        ([500, 350], Mode.PAUSE),
        ([500, 349], Mode.RUN),
    ],
)
def test_the_mode_follows_the_rss_with_hysteresis(course: list[int], ends: Mode) -> None:
    governor = Governor(LIMITS)
    for second, rss in enumerate(course):
        governor.tick(rss * MB, second)
    assert governor.mode is ends


def test_kernel_pressure_pauses_until_it_is_below_half_its_mark() -> None:
    governor = Governor(LIMITS)
    assert governor.tick(100 * MB, 0, 0.2).state is Mode.PAUSE
    assert governor.tick(100 * MB, 1, 0.1).state is Mode.PAUSE
    assert governor.tick(100 * MB, 2, 0.09).state is Mode.RUN


def test_a_pressure_mark_of_zero_switches_it_off() -> None:
    assert Governor(Limits(500 * MB)).tick(100 * MB, 0, 1.0).state is Mode.RUN


def test_a_pause_under_pressure_is_no_high_memory_usage() -> None:
    governor = Governor(LIMITS)
    governor.tick(100 * MB, 0, 0.5)
    assert not governor.crossed


def test_the_batch_halves_once_a_second_while_throttled_and_is_whole_again_afterwards() -> None:
    governor = Governor(LIMITS)
    scales = []
    for now in (0.0, 0.5, 1.0, 1.5, 2.0, 9.0):
        governor.tick(410 * MB, now)
        scales.append(governor.scale)
    assert scales == [1.0, 1.0, 0.5, 0.5, 0.25, 0.125]
    governor.tick(300 * MB, 10)
    assert governor.scale == 1.0


def test_the_batch_can_shrink_from_the_largest_call_of_chroma_to_one() -> None:
    governor = Governor(LIMITS)
    for now in range(100):
        governor.tick(410 * MB, now)
    assert 0 < int(5461 * governor.scale) + 1 <= 1


def test_new_limits_hold_from_the_next_tick() -> None:
    governor = Governor(LIMITS)
    governor.tick(300 * MB, 0)
    governor.limits = Limits(200 * MB)
    assert governor.tick(300 * MB, 1).state is Mode.PAUSE
    governor.limits = LIMITS
    assert governor.tick(300 * MB, 2).state is Mode.RUN


def test_the_reason_names_rss_and_limit() -> None:
    governor = Governor(LIMITS)
    assert governor.tick(410 * MB, 0).reason == "410.00 MB RSS, over 80% of the limit of 500 MB"
    assert governor.tick(512 * MB, 1).reason == "512.00 MB RSS at the limit of 500 MB"
    assert governor.tick(340 * MB, 2).reason == "340.00 MB RSS, under 70% of the limit of 500 MB"
    assert (
        governor.tick(340 * MB, 3, 0.3).reason
        == "kernel memory pressure 30%, the mark is 20%, at 340.00 MB RSS"
    )


@pytest.mark.parametrize(
    "values", [(0, 0.8, 0.7, 0.0), (1, 0.7, 0.8, 0.0), (1, 1.1, 0.7, 0.0), (1, 0.8, 0.7, -1.0)]
)
def test_limits_that_cannot_be_met_are_refused(values: tuple[int, float, float, float]) -> None:
    with pytest.raises(ValueError, match="limits that no memory can meet"):
        Limits(*values)


def test_sizes_read_as_the_memory_lines_and_the_configuration_write_them() -> None:
    assert exact(int(46.12 * MB)) == "46.12 MB"
    assert [short(500 * MB), short(MB // 2), short(1024 * 1024 * MB)] == ["500 MB", "0.5 MB", "1048576 MB"]

from __future__ import annotations

import pytest

from bouquetd.health import Health


@pytest.fixture
def health() -> Health:
    return Health(60, pause_limit=300, deadlines={"extract": 120})


def test_a_fresh_worker_with_nothing_to_do_is_alive(health: Health) -> None:
    assert health.alive(1e6, waiting=0)


@pytest.mark.parametrize(
    ("stage", "later", "alive"),
    [("embed", 59, True), ("embed", 60, False), ("extract", 119, True), ("extract", 120, False)],
)
def test_a_busy_worker_is_alive_within_its_stages_deadline(
    health: Health, stage: str, later: float, alive: bool
) -> None:
    health.beat(1000, stage)
    assert health.alive(1000 + later, waiting=5) is alive


def test_each_beat_starts_the_deadline_anew(health: Health) -> None:
    for now in range(0, 1000, 50):
        health.beat(now, "embed")
        assert health.alive(now + 50, waiting=0)


@pytest.mark.parametrize(("later", "alive"), [(299, True), (300, False)])
def test_a_pause_is_alive_up_to_its_limit(health: Health, later: float, alive: bool) -> None:
    health.paused(1000)
    assert health.alive(1000 + later, waiting=5) is alive


def test_saying_paused_again_does_not_make_a_pause_younger(health: Health) -> None:
    for now in range(0, 301, 10):
        health.paused(now)
    assert not health.alive(301, waiting=0)


def test_a_pause_after_a_beat_counts_anew(health: Health) -> None:
    health.paused(0)
    health.beat(290, "embed")
    health.paused(295)
    assert health.alive(500, waiting=0)


def test_idle_with_nothing_waiting_is_alive_for_ever(health: Health) -> None:
    health.idle(0)
    assert health.alive(1e9, waiting=0)


def test_idle_while_files_wait_is_alive_for_one_deadline_only(health: Health) -> None:
    health.idle(0)
    assert health.alive(1000, waiting=1)
    assert health.alive(1059, waiting=2)
    assert not health.alive(1060, waiting=2)


def test_a_loop_that_only_turns_is_not_alive(health: Health) -> None:
    alive = []
    for now in range(0, 100, 10):
        health.idle(now)
        alive.append(health.alive(now, waiting=1))
    assert alive == [True] * 6 + [False] * 4


def test_a_file_taken_meanwhile_starts_the_waiting_anew(health: Health) -> None:
    health.idle(0)
    health.alive(0, waiting=3)
    health.beat(50, "store")
    health.idle(55)
    assert health.alive(100, waiting=2)
    assert not health.alive(160, waiting=2)


def test_files_that_are_taken_away_end_the_waiting(health: Health) -> None:
    health.alive(0, waiting=1)
    health.alive(50, waiting=0)
    assert health.alive(100, waiting=1)


def test_backing_off_is_alive_until_it_should_have_tried_again(health: Health) -> None:
    health.backing_off(0, until=600)
    assert health.alive(659, waiting=5)
    assert not health.alive(660, waiting=5)


def test_new_deadlines_hold_from_the_next_beat(health: Health) -> None:
    health.deadline = 10
    health.beat(0, "embed")
    assert not health.alive(10, waiting=0)


def test_the_trouble_is_told_in_words(health: Health) -> None:
    health.beat(0, "embed")
    assert health.trouble(59, waiting=0) is None
    assert health.trouble(75, waiting=0) == "no progress in embed for 75 s, 60 s allowed"
    health.paused(100)
    assert health.trouble(450, waiting=0) == "paused for memory for 350 s, memory.pause_limit is 300 s"
    health.idle(500)
    health.trouble(500, waiting=2)
    assert health.trouble(570, waiting=2) == "idle, with settled files waiting (2) for 70 s, 60 s allowed"

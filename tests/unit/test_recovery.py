import pytest

from bouquetd.config import Pipeline, Settings, Store
from bouquetd.errors import Unavailable
from bouquetd.recovery import QUIET, chroma, meet
from tests.harness import Recorder


class Late:
    """A server that answers from some moment on, a clock, and an event that nobody sets."""

    def __init__(self, ready):
        self.ready, self.now = ready, 100.0

    def greet(self):
        if self.now < 100.0 + self.ready:
            raise Unavailable("Chroma failed", "see to it")

    def clock(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def wait_for(ready, patience=60.0):
    late, log = Late(ready), Recorder()
    meet(late.greet, "Chroma", log, late, patience, lambda: None, late.clock)
    return log.lines


@pytest.mark.parametrize("ready", [0, QUIET - 2])
def test_a_chroma_that_starts_at_the_same_time_is_waited_for_without_a_word(ready):
    assert wait_for(ready) == []


def test_a_chroma_that_stays_away_is_mentioned_once_and_again_when_it_is_there():
    lines = wait_for(30)
    assert [level for level, _ in lines] == ["warning", "info"]
    assert lines[0][1].startswith("Waiting for Chroma before anything else. Chroma failed.")
    assert lines[1][1] == "Going on: Chroma answers"


def test_patience_ends():
    with pytest.raises(Unavailable):
        wait_for(30, patience=10.0)


def test_a_request_to_a_server_ends_before_the_watchdog_would_take_it_for_a_hang_of_ours():
    settings = Settings(store=Store(mode="server", timeout=60.0), pipeline=Pipeline(stage_deadline=6.0))
    assert chroma(settings)._access.timeout == 3.0
    assert chroma(settings.but(pipeline=Pipeline()))._access.timeout == 60.0


def test_no_request_to_a_server_is_about_more_records_than_store_batch_size():
    settings = Settings(store=Store(mode="server", batch_size=300))
    assert chroma(settings)._page == chroma(settings)._batch_size == 300

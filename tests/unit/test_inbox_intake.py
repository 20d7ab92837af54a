from types import SimpleNamespace

import pytest

from bouquetd.inbox.intake import SPARING, Intake
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Ignore
from bouquetd.inbox.watcher import Marks
from bouquetd.ledger import Ledger
from tests.harness import Recorder


@pytest.fixture
def house(tmp_path):
    (tmp_path / "inbox").mkdir()
    house = SimpleNamespace(
        now=100.0, step=0.0, log=Recorder(), ledger=Ledger(tmp_path / "ledger.db", "recipe")
    )

    def clock():
        house.now += house.step
        return house.now

    house.queue = Queue(2.0)
    house.intake = Intake(
        tmp_path / "inbox", house.queue, Marks(), house.ledger, Ignore(), rescan=60.0, keep=False,
        busy=lambda _: False, clock=clock, log=house.log,
    )  # fmt: skip
    yield house
    house.queue.close()
    house.ledger.close()


def test_the_next_whole_scan_comes_when_it_was_asked_for(house):
    house.intake.refresh()
    assert house.intake.next_scan == house.now + 60


def test_a_scan_that_takes_long_is_repeated_less_often_so_that_it_costs_a_hundredth_at_most(house):
    house.step = 5.0
    house.intake.refresh()
    assert house.intake.next_scan - house.now >= SPARING * 5.0


def test_a_mark_is_followed_at_once_however_long_the_last_scan_took(house):
    house.step = 5.0
    house.intake.refresh()
    (house.intake.inbox / "new.txt").write_text("new")
    house.intake.marks.add("new.txt")
    house.intake.refresh()
    assert house.queue.count() == 1

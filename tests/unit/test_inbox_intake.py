import os
from types import SimpleNamespace

import pytest

from bouquetd.errors import Unavailable
from bouquetd.inbox import scan as scanning
from bouquetd.inbox.access import PATIENCE, Access
from bouquetd.inbox.alone import Alone
from bouquetd.inbox.intake import SPARING, Intake
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Ignore
from bouquetd.inbox.watcher import Marks
from bouquetd.ledger import Ledger
from bouquetd.storm import MOST, WINDOW
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
    inbox = tmp_path / "inbox"
    house.ask = tmp_path / "ask"
    house.intake = Intake(
        inbox, house.queue, Marks(), house.ledger, access=Access(inbox, house.ask, moves=True),
        alone=Alone(inbox, house.ledger, clock, house.log), ignore=Ignore(), rescan=60.0, keep=False,
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


@pytest.fixture
def shut(house, monkeypatch):
    """A folder in the inbox that only its owner may read."""
    folder = house.intake.inbox / "shut"
    folder.mkdir()
    entered = scanning.folder

    def enter(root, parts):
        if parts == ("shut",) and folder.exists():
            raise PermissionError
        return entered(root, parts)

    monkeypatch.setattr(scanning, "folder", enter)
    return folder


def test_a_folder_that_may_not_be_read_is_asked_for_before_it_is_left_alone(house, shut):
    house.intake.refresh()
    assert house.ask.exists()
    assert house.log.lines == []
    assert house.intake.next_scan == house.now + PATIENCE
    house.now = house.intake.next_scan
    house.intake.refresh()
    assert [line for _, line in house.log.lines] == [
        "Left alone shut: the folder may not be read (chmod a+rx it)"
    ]
    assert house.intake.next_scan == house.now + 60


def test_a_storm_of_links_is_told_in_a_few_lines_and_forgotten_when_they_are_gone(house):
    for n in range(1500):
        os.symlink("nowhere", house.intake.inbox / f"{n}.txt")
    house.intake.refresh()
    assert len(house.log.lines) == MOST
    house.now += WINDOW
    house.intake.refresh()
    assert house.log.lines[-1][1].startswith(f"Left alone {1500 - MOST} more in the same minute")
    for n in range(1, 1500):
        os.unlink(house.intake.inbox / f"{n}.txt")
    house.now = house.intake.next_scan
    house.intake.refresh()
    assert [source for source, _ in house.ledger.left_alone()] == ["0.txt"]


def test_a_missing_inbox_is_scanned_again_when_asked_and_wakes_nobody_meanwhile(house):
    house.intake.refresh()
    (house.intake.inbox / "new.txt").write_text("new")
    house.intake.marks.add("new.txt")
    house.intake.inbox.rename(house.intake.inbox.with_name("away"))
    with pytest.raises(Unavailable):
        house.intake.refresh()
    assert not house.intake.marks
    assert house.intake.pending
    house.intake.inbox.with_name("away").rename(house.intake.inbox)
    house.intake.refresh()
    assert house.queue.count() == 1

import os

import pytest

from bouquetd.inbox import access
from bouquetd.inbox.access import AGAIN, PATIENCE, Access


class House:
    """An inbox in which some paths are shut."""

    def __init__(self, folder):
        self.inbox, self.ask = folder / "inbox", folder / "ask"
        self.shut = set()
        self.access = self.made(moves=True)

    def made(self, *, moves, ask=True):
        return Access(self.inbox, self.ask if ask else None, moves=moves, may=self.may)

    def may(self, path, mode):
        return (str(path.relative_to(self.inbox)), mode) not in self.shut

    def close(self, path, mode=os.W_OK | os.X_OK):
        self.shut.add((path, mode))

    def asked(self):
        found = self.ask.exists()
        self.ask.unlink(missing_ok=True)
        return found


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_nobody_is_asked_while_all_can_be_read_and_moved(house):
    assert house.access.awaited("d/a.txt", 0.0) is None
    assert not house.asked()


def test_a_folder_that_cannot_be_emptied_is_asked_for_once_and_its_files_wait(house):
    house.close("d")
    assert house.access.awaited("d/a.txt", 10.0) == 10.0 + PATIENCE
    assert house.asked()
    assert house.access.awaited("d/b.txt", 11.0) == 10.0 + PATIENCE
    assert not house.asked()


def test_a_file_that_cannot_be_read_is_asked_for_by_itself(house):
    house.close("d/a.txt", os.R_OK)
    assert house.access.awaited("d/b.txt", 10.0) is None
    assert house.access.awaited("d/a.txt", 10.0) == 10.0 + PATIENCE
    assert house.asked()


def test_without_an_answer_the_file_goes_on_and_much_later_it_is_asked_again(house):
    house.close("d")
    house.access.awaited("d/a.txt", 10.0)
    house.asked()
    assert house.access.awaited("d/a.txt", 10.0 + PATIENCE) is None
    assert not house.asked()
    assert house.access.awaited("d/a.txt", 11.0 + AGAIN) is not None
    assert house.asked()


def test_what_was_opened_and_is_shut_again_is_asked_for_again(house):
    house.close("d")
    house.access.awaited("d/a.txt", 10.0)
    house.asked()
    house.shut.clear()
    assert house.access.awaited("d/a.txt", 12.0) is None
    house.close("d")
    assert house.access.awaited("d/a.txt", 20.0) == 20.0 + PATIENCE
    assert house.asked()


def test_files_that_stay_in_the_inbox_need_no_more_than_to_be_read(house):
    house.close("d")
    assert house.made(moves=False).awaited("d/a.txt", 0.0) is None
    assert not house.asked()


def test_where_nobody_would_answer_nothing_waits(house, tmp_path):
    house.close("d")
    assert house.made(moves=True, ask=False).awaited("d/a.txt", 0.0) is None
    house.ask = tmp_path / "missing" / "ask"
    assert house.made(moves=True).awaited("d/a.txt", 0.0) is None


def test_however_many_are_shut_only_so_many_are_remembered(house, monkeypatch):
    monkeypatch.setattr(access, "MOST", 3)
    for n in range(5):
        house.close(f"{n}")
        house.access.awaited(f"{n}/a.txt", 10.0)
    house.asked()
    assert house.access.awaited("4/b.txt", 11.0) == 10.0 + PATIENCE
    assert not house.asked()
    assert house.access.awaited("0/b.txt", 11.0) == 11.0 + PATIENCE
    assert house.asked()

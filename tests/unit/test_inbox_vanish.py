import pytest

from bouquetd.inbox.vanish import may_forget


@pytest.mark.parametrize(("known", "missing"), [(1, 1), (3, 2), (10, 5), (100, 20), (100, 0), (0, 0)])
def test_a_few_deleted_files_may_be_forgotten(known, missing):
    assert may_forget(known, missing, same_device=True, inbox_exists=True) is None


@pytest.mark.parametrize(("known", "missing"), [(6, 6), (10, 6), (100, 21), (100_000, 100_000)])
def test_more_than_a_fifth_at_once_is_held(known, missing):
    assert "more than one in 5" in may_forget(known, missing, same_device=True, inbox_exists=True)


def test_nothing_is_forgotten_while_the_inbox_is_missing():
    assert "missing" in may_forget(100, 1, same_device=False, inbox_exists=False)


def test_nothing_is_forgotten_while_the_inbox_is_on_another_device():
    assert "another device" in may_forget(100, 1, same_device=False, inbox_exists=True)

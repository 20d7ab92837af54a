from bouquetd.inbox.settle import is_quiet, quiet_at, quiet_since
from bouquetd.model import Fingerprint

ONE = Fingerprint(1, 2, 3, 4, 5)
GROWN = Fingerprint(1, 2, 30, 40, 50)


def test_a_file_seen_first_is_quiet_from_now_on():
    assert quiet_since(None, ONE, 7.0) == 7.0


def test_an_unchanged_file_keeps_its_quiet_time():
    assert quiet_since((ONE, 3.0), ONE, 7.0) == 3.0


def test_a_changed_file_starts_anew():
    assert quiet_since((ONE, 3.0), GROWN, 7.0) == 7.0


def test_a_file_is_quiet_exactly_when_the_settle_time_is_over():
    assert not is_quiet(3.0, 4.99, 2.0)
    assert is_quiet(3.0, quiet_at(3.0, 2.0), 2.0)

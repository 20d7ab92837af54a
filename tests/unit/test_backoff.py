from bouquetd.backoff import FIRST, LAST, SPREAD, BackOff


def test_waits_double_up_to_a_minute_and_begin_anew_after_a_success():
    backoff = BackOff(chance=lambda: 0.5)
    assert [backoff.next() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert backoff.next() == FIRST


def test_chance_moves_a_wait_by_a_quarter_at_most():
    for chance, factor in ((0.0, 1 - SPREAD), (1.0, 1 + SPREAD)):
        backoff = BackOff(chance=lambda chance=chance: chance)
        assert backoff.next() == FIRST * factor
        assert max(backoff.next() for _ in range(20)) == LAST * factor

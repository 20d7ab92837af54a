from bouquetd.storm import Storm


def test_the_first_few_of_a_window_are_told_and_the_rest_counted_once_it_is_over() -> None:
    storm = Storm(most=3, window=60)
    assert [storm.admit(now) for now in range(10)] == [True] * 3 + [False] * 7
    assert storm.passed(59) == 0
    assert storm.passed(60) == 7
    assert storm.passed(61) == 0


def test_after_a_window_the_next_ones_are_told_again() -> None:
    storm = Storm(most=1, window=60)
    assert storm.admit(0)
    assert not storm.admit(1)
    assert storm.passed(60) == 1
    assert storm.admit(61)
    assert not storm.admit(62)


def test_nothing_counted_is_lost_when_the_next_one_comes_before_anybody_asked() -> None:
    storm = Storm(most=1, window=60)
    storm.admit(0)
    storm.admit(1)
    assert not storm.admit(100)
    assert storm.passed(100) == 2


def test_one_at_a_time_is_always_told() -> None:
    storm = Storm(most=1, window=60)
    assert all(storm.admit(now) for now in range(0, 6000, 61))
    assert storm.passed(10_000) == 0

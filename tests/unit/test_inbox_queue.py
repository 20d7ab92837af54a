import os
import threading

import psutil
import pytest

from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Ignore, scan
from bouquetd.model import MB, Fingerprint

SETTLE = 2.0
ODD = ["with space", "new\nline", 'it\'s "so"', os.fsdecode(b"\xff\xfe.txt"), "ünï/çödé", "%_*?["]


def print_of(inode=1, size=10, mtime=0):
    return Fingerprint(1, inode, size, mtime, 0)


@pytest.fixture
def queue():
    queue = Queue(SETTLE)
    yield queue
    queue.close()


def order(queue, now):
    taken = []
    while (sighting := queue.due(now)) is not None:
        taken.append(sighting.source)
        queue.drop(sighting.source)
    return taken


def test_a_file_is_due_when_it_has_been_quiet_long_enough(queue):
    queue.see("a", print_of(), 10.0)
    assert queue.due(11.9) is None
    assert queue.due(12.0).source == "a"
    assert queue.next_at() == 12.0


def test_a_change_starts_the_quiet_time_anew(queue):
    queue.see("a", print_of(size=1), 10.0)
    queue.see("a", print_of(size=2), 11.5)
    assert queue.due(12.0) is None
    assert queue.due(13.5).fingerprint == print_of(size=2)


def test_seeing_the_same_file_again_changes_nothing(queue):
    queue.see("a", print_of(), 10.0)
    queue.see("a", print_of(), 11.9)
    assert queue.due(12.0).source == "a"


@pytest.mark.parametrize("name", ODD)
def test_any_name_comes_back_as_it_went_in(queue, name):
    queue.see(name, print_of(), 0.0)
    assert queue.due(SETTLE).source == name
    queue.drop(name)
    assert queue.count() == 0


def test_fingerprints_beyond_64_signed_bits_are_kept(queue):
    strange = Fingerprint(2**64 - 1, 2**64 - 1, 2**40, 2**63 + 5, -(2**63) - 5)
    queue.see("a", strange, 0.0)
    assert queue.due(SETTLE).fingerprint == strange


def test_the_oldest_arrival_comes_first_then_the_oldest_file_then_the_name(queue):
    queue.see("late", print_of(mtime=0), 5.0)
    queue.see_all(
        [("b", print_of(mtime=2)), ("c", print_of(mtime=1)), ("a", print_of(mtime=2))], 1.0, lambda: 4.0
    )
    assert order(queue, 100.0) == ["c", "a", "b", "late"]


def test_a_failed_file_goes_behind_all_others(queue):
    queue.see("bad", print_of(), 0.0)
    queue.see("good", print_of(), 1.0)
    queue.postpone("bad", 3.0, failed=True)
    assert [queue.due(50.0).source, queue.due(50.0).tries] == ["good", 0]
    queue.drop("good")
    assert [queue.due(50.0).source, queue.due(50.0).tries] == ["bad", 1]


def test_deaths_from_before_a_start_count_as_failed_tries(queue):
    queue.see("poison", print_of(), 0.0)
    queue.see("fine", print_of(), 1.0)
    queue.resume("poison", print_of(), 2, 50.0)
    assert order(queue, 50.0) == ["fine", "poison"]


def test_a_file_that_is_as_it_was_when_it_was_taken_before_a_start_is_due_at_once(queue):
    queue.see("same", print_of(size=1), 0.0)
    queue.see("changed", print_of(size=2), 0.0)
    for source in ("same", "changed"):
        queue.resume(source, print_of(size=1), 0, 0.0)
    assert queue.due(0.0).source == "same"
    queue.drop("same")
    assert queue.due(0.0) is None


def test_a_postponed_file_does_not_hold_up_the_others(queue):
    queue.see("first", print_of(), 0.0)
    queue.see("second", print_of(), 1.0)
    queue.postpone("first", 60.0)
    assert queue.due(10.0).source == "second"
    assert queue.due(60.0).source == "first"


def test_new_content_forgives_failures_and_delays(queue):
    queue.see("a", print_of(size=1), 0.0)
    queue.postpone("a", 1000.0, failed=True)
    queue.see("a", print_of(size=2), 5.0)
    assert queue.due(7.0).tries == 0


def test_what_a_whole_scan_did_not_see_is_forgotten(queue):
    queue.see("gone", print_of(), 0.0)
    queue.see("stays", print_of(), 0.0)
    queue.see_all([("stays", print_of())], 5.0, lambda: 6.0)
    assert queue.forget_unseen(5.0) == 1
    assert order(queue, 100.0) == ["stays"]


def test_take_looks_again_and_drops_what_vanished(queue):
    queue.see("gone", print_of(), 0.0)
    queue.see("here", print_of(), 1.0)
    assert queue.take(9.0, {"here": print_of()}.get).source == "here"
    assert queue.count() == 1


def test_take_lets_a_file_that_changed_unnoticed_settle_first(queue):
    queue.see("a", print_of(size=1), 0.0)
    assert queue.take(9.0, lambda _: print_of(size=2)) is None
    assert queue.take(11.0, lambda _: print_of(size=2)).source == "a"


def test_without_a_settle_time_even_a_growing_file_is_taken():
    queue, sizes = Queue(0.0), iter(range(100))
    queue.see("log", print_of(size=1000), 0.0)
    assert queue.take(0.0, lambda _: print_of(size=next(sizes))).source == "log"


def test_the_totals_are_right(queue):
    queue.see_all([(str(n), print_of(size=n)) for n in range(1001)], 0.0, lambda: 0.0)
    queue.see("new", print_of(size=7), 1.0)
    assert (queue.count(), queue.bytes(), queue.waiting(2.0), queue.waiting(0.5)) == (1002, 500507, 1001, 0)
    queue.see("new", print_of(size=3), 1.5)
    queue.see("new", print_of(size=3), 1.6)
    queue.drop("1000")
    assert (queue.count(), queue.bytes()) == (1001, 499503)
    queue.forget_unseen(1.0)
    assert (queue.count(), queue.bytes()) == (1, 3)
    assert Queue(1.0).next_at() is None


@pytest.mark.long
def test_a_hundred_thousand_files_dropped_at_once_wait_in_their_order_within_a_few_mb(tmp_path, queue):
    for folder in range(100):
        (tmp_path / str(folder)).mkdir()
        for number in range(1000):
            path = tmp_path / str(folder) / str(number)
            path.touch()
            os.utime(path, ns=(0, 10**9 + (folder * 7919 + number * 104_729) % 1_000_003))
    before = psutil.Process().memory_info().rss
    found = ((item.source, item.fingerprint) for item in scan(tmp_path, Ignore()))
    assert queue.see_all(found, 0.0, lambda: 0.0) == 100_000
    assert queue.count() == 100_000
    times = []
    for _ in range(300):
        sighting = queue.due(SETTLE)
        times.append(sighting.fingerprint.mtime_ns)
        queue.drop(sighting.source)
    assert times == sorted(times)
    assert psutil.Process().memory_info().rss - before < 20 * MB


def test_many_threads_may_use_it(queue):
    def work(number):
        for n in range(200):
            queue.see(f"{number}/{n}", print_of(), 0.0)
            if n % 2:
                queue.drop(f"{number}/{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert queue.count() == 400


def test_a_scan_that_breaks_off_leaves_a_usable_queue(queue):
    def broken():
        yield "a", print_of()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        queue.see_all(broken(), 0.0, lambda: 0.0)
    queue.see("b", print_of(), 0.0)
    assert queue.due(SETTLE).source == "b"


def test_the_file_that_is_next_tells_how_long_it_has_waited(queue):
    assert queue.oldest(5.0) == 0.0
    queue.see("b", print_of(), 12.0)
    queue.see("a", print_of(), 10.0)
    assert queue.oldest(15.0) == 5.0

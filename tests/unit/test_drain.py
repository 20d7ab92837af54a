"""Waiting until the inbox is empty: it is so only when all that a fresh look found is filed away."""

import threading
import time
from functools import partial

from bouquetd.ops import status
from tests.harness import Home, work
from tests.web import SEEN


def test_it_is_done_only_after_a_fresh_look_and_when_all_is_filed_away(tmp_path):
    home = Home(tmp_path / "home", {"inbox": {"rescan": "1h", "settle": "50ms"}})
    with home.engine() as (parts, _log):
        worker, ask = parts.worker, parts.service.drain
        work(parts)
        home.put("unseen.txt", "No event told of it.")
        asked = ask({})
        assert (asked["done"], asked["paused"], asked["held"]) == (False, None, None)
        worker.step()
        seen = ask({"number": asked["number"]})
        assert (seen["done"], seen["files"]) == (False, 1)  # it settles
        done_when = None
        for _ in range(1000):
            if ask({"number": asked["number"]})["done"]:
                done_when = home.states()
                break
            threading.Event().wait(min(worker.step(), 0.01))
        assert done_when == {"unseen.txt": "filed"}
        assert not ask({})["done"]  # of what came since nobody knows


def test_a_paused_one_says_so(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, _log):
        parts.worker.pause.begin(None)
        asked = parts.service.drain({})
        parts.worker.step()
        seen = parts.service.drain({"number": asked["number"]})
        assert not seen["done"]
        assert "bouquetd resume" in seen["paused"]


def test_the_command_waits_for_a_daemon_that_is_starting(tmp_path):
    home = Home(tmp_path / "home")
    home.runtime.mkdir(parents=True)
    status.write(home.runtime, status.starting("rebuilding a shard", 60.0) | {"pid": 1})
    began = time.monotonic()
    assert home.cli("drain", "--timeout", "500ms").status == 69
    assert time.monotonic() - began > 0.4
    ready = threading.Timer(0.5, partial(status.write, home.runtime, SEEN | {"pid": 1, "at": time.time()}))
    ready.start()
    assert home.cli("drain").status == 69  # it says that it works, and nobody answers
    ready.join()


def test_the_command_waits_for_a_daemon_and_says_how_it_ended(tmp_path):
    home = Home(tmp_path / "home")
    assert home.cli("drain").status == 69
    with home.daemon() as daemon:
        for n in range(5):
            home.put(f"{n}.txt", f"Number {n}.")
        assert home.cli("drain").status == 0
        assert set(home.states().values()) == {"filed"}
        home.put("bad.bin", b"\x00\x01" * 1000)
        failed = home.cli("drain", "--timeout", "2m", "--since", "1h")
        assert (failed.status, failed.out) == (1, "")
        assert failed.err.startswith("bouquetd: bad.bin failed: ")
        assert home.cli("drain").status == 0
        assert home.cli("drain", "--timeout", "soon").status == 2
        home.configure(inbox={"settle": "1h"})
        daemon.signal(1)
        daemon.says("now in force: inbox.settle")
        home.put("late.txt", "It settles for an hour.")
        late = home.cli("drain", "--timeout", "300ms")
        assert (late.status, late.err) == (1, "bouquetd: Not empty after 300ms: 1 file to go.\n")
        home.cli("pause")
        paused = home.cli("drain")
        assert paused.status == 69
        assert "bouquetd resume" in paused.err

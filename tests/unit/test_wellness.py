"""``bouquetd status --probe``: nothing said, and an exit status that monitors understand."""

import json
import os
import socket
import time

import pytest

from bouquetd.control import SOCKET
from bouquetd.sockets import unix_address
from tests.harness import Home
from tests.web import SEEN


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 0),
        ({"state": "paused", "why": "memory, for 3 s"}, 0),
        ({"state": "paused", "why": "by the operator since 14:05"}, 1),
        ({"state": "holding", "why": "the disk is full"}, 1),
        ({"hung": "no progress"}, 1),
        ({"at": 1.7e9}, 1),
        ({"pid": 2**22 + 1}, 1),
    ],
)
def test_it_ends_with_1_when_somebody_should_look(tmp_path, more, status):
    home = Home(tmp_path)
    home.runtime.mkdir(parents=True)
    seen = SEEN | {"at": time.time(), "pid": os.getpid()} | more
    (home.runtime / "status.json").write_text(json.dumps(seen))
    done = home.cli("status", "--probe")
    assert (done.status, done.out, done.err) == (status, "", "")


def test_where_no_daemon_ever_ran_it_ends_with_1(tmp_path):
    assert Home(tmp_path).cli("status", "--probe").status == 1


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"hung": "no progress for 130 s", "state": "working"}, "hung: no progress for 130 s"),
        ({"ago": 31}, "hung: the daemon has said nothing for 31 s"),
        ({"at": 1.0}, "stopped"),  # that process has its number by chance: it is younger
        ({"pid": 2**22 + 1}, "stopped"),
    ],
)
def test_the_status_tells_one_that_hangs_from_one_that_is_gone(tmp_path, more, state):
    home = Home(tmp_path)
    home.runtime.mkdir(parents=True)
    seen = SEEN | {"at": time.time() - more.get("ago", 0), "pid": 1} | more
    (home.runtime / "status.json").write_text(json.dumps(seen))
    done = home.cli("status")
    assert (done.status, done.out.splitlines()[0]) == (1, f"bouquetd is {state}")


def test_of_one_that_does_not_answer_the_status_is_told_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("bouquetd.cli.daemon.HUNG", 0.1)
    home = Home(tmp_path)
    home.runtime.mkdir(parents=True)
    seen = SEEN | {"at": time.time(), "pid": os.getpid(), "hung": "no progress in store for 130 s"}
    (home.runtime / "status.json").write_text(json.dumps(seen))
    with unix_address(home.runtime / SOCKET) as address, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(address)
        deaf.listen()
        told = home.cli("status").out.splitlines()
        assert home.cli("top", "--once").status == 0
    assert told[0] == "bouquetd is hung: no progress in store for 130 s"
    assert told[-1] == "  ledger   not asked: the daemon does not answer"

"""``bouquetd status --probe``: nothing said, and an exit status that monitors understand."""

import json
import os
import time

import pytest

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

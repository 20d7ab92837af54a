"""Chroma's threads stay on one core while they work for us."""

import os

import numpy as np
import pytest

from bouquetd.model import Record
from bouquetd.store import together
from bouquetd.store.embedded import Embedded

CORES = os.sched_getaffinity(0)


def cores_of_chromas_threads():
    found = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/comm") as name:
            if name.read().startswith(together.THREADS):
                found.append(os.sched_getaffinity(int(task)))
    return found


@pytest.fixture
def chroma(tmp_path):
    chroma = Embedded(tmp_path / "store")
    yield chroma
    chroma.close()


def add(chroma, number):
    chroma.add("bouquet-00001", [Record(f"a:{number}", "text", {"n": 1}, np.ones(4, dtype=np.float32))])


def test_the_threads_of_chroma_are_known_by_name_and_come_to_one_core(chroma):
    chroma.create("bouquet-00001")
    for number in range(20):  # a call may start some of them, and those come with the next one
        add(chroma, number)
        found = cores_of_chromas_threads()
        if len(found) > 1 and all(len(cores) == 1 for cores in found):
            return
    raise AssertionError(f"they stay spread out: {found}")


def test_the_caller_and_everybody_else_keep_all_cores(chroma):
    chroma.create("bouquet-00001")
    add(chroma, 0)
    assert os.sched_getaffinity(0) == CORES


def test_where_the_kernel_forbids_it_records_are_added_all_the_same(chroma, monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    chroma.create("bouquet-00001")
    add(chroma, 0)
    assert chroma.ids("bouquet-00001") == {"a:0"}

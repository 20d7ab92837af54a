"""What brings the daemon or its Chroma down, and how systemd and the daemon get over it."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from bouquetd.cli.app import UNAVAILABLE
from tests.faults.documents import document
from tests.system.served import ARCHIVE, FAILED, Served

pytestmark = [pytest.mark.system, pytest.mark.long]

AROUND = {f"{where}/{n}.txt": f"Neighbour {n} {where}. ".encode() * 60 for n in (1, 2) for where in ("a", "z")}
"""Files that lie beside the bad one and must not suffer for it."""

QUICK = "[Service]\nWatchdogSec=5s\nRestartSec=1s\n"
"""The watchdog's patience cut short, so that a test of it is."""


def poisoned(machine: Served, way: str, seconds: float) -> str:
    """Drop a file that brings the daemon down among others; returns what its .error says."""
    machine.bring_mischief()
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.drop(AROUND | {f"m/poison.{way}": f"{way} now".encode()})
    machine.until(lambda: machine.files(FAILED), "the file is in failed", seconds)
    machine.done()
    assert machine.files(FAILED) == [f"m/poison.{way}", f"m/poison.{way}.error"]
    assert machine.files(ARCHIVE) == sorted(AROUND)
    assert machine.unit("NRestarts") == "3"
    assert machine.unit("ActiveState") == "active"
    report = machine.verified()
    assert report["documents"] == len(AROUND)
    assert sum(machine.stored()["bouquet"].values()) == report["chunks"]
    return machine.out(f"cat {FAILED}/m/poison.{way}.error")


def test_a_file_that_eats_all_memory_is_given_up_after_the_kernel_killed_the_daemon_three_times(
    machine: Served,
) -> None:
    reason = poisoned(machine, "bomb", 240)
    assert "killed 3 times" in reason
    assert machine.unit("SubState") == "running"
    assert "start request repeated too quickly" not in machine.out("journalctl -q --no-pager").lower()
    causes = machine.deaths()
    assert len(causes) == 3
    # Of cgroups in version 1 the kernel's count cannot be read.
    assert set(causes) <= {"killed for its memory (oom-kill)", "signal KILL"}


@pytest.mark.parametrize("way", ["sleep", pytest.param("gil", marks=pytest.mark.campaign)])
def test_a_file_that_never_ends_is_given_up_after_the_watchdog_shot_the_daemon_three_times(
    machine: Served, way: str
) -> None:
    machine.drop_in(QUICK)
    machine.configure({"pipeline.stage_deadline": "6s"})
    reason = poisoned(machine, way, 240)
    assert "killed 3 times" in reason
    assert "watchdog" in reason
    said = machine.said("-p", "err")
    assert "Fatal Python error: Aborted" in said
    assert "mischief.py" in said
    assert "in extract" in said
    assert machine.deaths() == ["hung, and stopped by systemd (watchdog)"] * 3


def test_what_is_slow_but_alive_is_not_shot(machine: Served) -> None:
    """A page that takes longer than the watchdog waits, and a pause for memory that does."""
    machine.drop_in(QUICK)
    machine.configure({"pipeline.stage_deadline": "30s"})
    machine.bring_mischief()
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    pid = machine.unit("MainPID")
    machine.drop({"page.slow": b"slow", "ballast.hold": b"hold"})
    stored = ["ballast.hold", "page.slow"]
    machine.until(lambda: machine.files(ARCHIVE) == stored, "the slow page is stored", 60)
    assert machine.unit("MainPID") == pid

    machine.until(lambda: machine.status()["rss_mb"] > 150, "the status tells of the ballast", 20)
    # Less than it has, all it may give back included: all work pauses.
    machine.configure({"memory.limit": f"{int(machine.status()['rss_mb'] / 1.1)}MB"})
    machine.run("systemctl reload bouquetd")
    machine.drop({"next.txt": b"It waits for memory. " * 60})
    machine.until(lambda: machine.status().get("state") == "paused", "it pauses", 60)
    time.sleep(15)
    assert machine.status()["state"] == "paused"
    assert machine.files(ARCHIVE) == stored
    machine.configure({"memory.limit": "500MB"})
    machine.run("systemctl reload bouquetd")
    machine.done()
    assert machine.unit("MainPID") == pid
    assert machine.files(ARCHIVE) == sorted([*stored, "next.txt"])


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.campaign)])
def test_kills_of_chroma_while_files_flow_lose_and_double_nothing(machine: Served, kills: int) -> None:
    machine.drop_in("[Service]\nRestartSec=200ms\n", "bouquetd-chroma.service")
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    rng = random.Random("chroma")
    names = []
    for kill in range(kills):
        batch = {
            f"{kill:02}/{n}.{kind}": document(kind, rng, 25) for n, kind in enumerate(("txt", "html", "csv"))
        }
        names += batch
        machine.drop(batch)
        time.sleep(rng.uniform(0.5, 4))
        machine.run("systemctl kill -s KILL bouquetd-chroma")
    machine.done(300)
    assert int(machine.unit("NRestarts", "bouquetd-chroma")) == kills
    assert machine.unit("NRestarts") == "0"
    assert machine.files(ARCHIVE) == sorted(names)
    assert not machine.files(FAILED)
    report = machine.verified()
    assert report["documents"] == 3 * kills
    stored = machine.stored()["bouquet"]
    assert set(stored) == set(names)
    assert sum(stored.values()) == report["chunks"]


def test_a_full_disk_under_chroma_needs_nobody_once_there_is_room_again(machine: Served) -> None:
    machine.configure({"store.timeout": "5s"})
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    data = "/var/lib/bouquetd-chroma"
    owner = machine.out("id -u bouquetd-chroma").strip()
    machine.run("systemctl stop bouquetd bouquetd-chroma")
    machine.run(f"mount -t tmpfs -o size=4m,mode=700,uid={owner},gid={owner} tmpfs {data}")
    machine.run("systemctl start bouquetd-chroma bouquetd")
    machine.until(machine.ready, "both services run on the small disk", 60)
    rng = random.Random("full")
    files = {f"{n}.txt": document("txt", rng, 60) for n in range(40)}
    machine.drop(files)
    machine.until(lambda: "Holding the intake" in machine.said(), "the disk is full", 120)
    machine.run(f"mount -o remount,size=200m {data}")
    machine.done(300)  # whether Chroma hung or came round by itself: it does either, or hangs once more later
    verify = partial(machine.run, "bouquetd verify", check=False, timeout=300)
    machine.until(lambda: verify().returncode != UNAVAILABLE, "Chroma answers", 120)
    assert machine.unit("NRestarts") == "0"
    assert machine.files(ARCHIVE) == sorted(files)
    report = machine.verified()
    assert report["documents"] == len(files)
    assert sum(machine.stored()["bouquet"].values()) == report["chunks"]


def test_a_chroma_that_hangs_is_started_again_and_lets_the_intake_go_on(machine: Served) -> None:
    machine.configure({"store.timeout": "5s"})
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    hung = machine.unit("MainPID", "bouquetd-chroma")
    pid = machine.unit("MainPID")
    machine.run("systemctl kill -s STOP bouquetd-chroma")
    machine.drop({f"{n}.txt": b"Nobody sees to number %d. " % n * 60 for n in range(3)})
    machine.done(120)
    assert "It is started again by itself" in machine.said()
    assert machine.unit("MainPID", "bouquetd-chroma") != hung
    assert machine.unit("MainPID") == pid
    assert machine.files(ARCHIVE) == ["0.txt", "1.txt", "2.txt"]
    assert machine.verified()["documents"] == 3

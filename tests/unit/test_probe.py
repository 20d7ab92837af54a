from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from bouquetd.memory.probe import Probe
from bouquetd.model import MB

V2 = "30 23 0:26 {root} {mount} rw,nosuid - cgroup2 cgroup2 rw"
V1 = "35 31 0:32 {root} {mount} rw - cgroup cgroup rw,memory"


class Machine:
    """A made-up ``/proc`` and ``/sys``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/self/statm", "2000 1000 10 1 0 100 0")
        self.write("proc/self/status", "Name:\tx\nVmSize:\t  8000 kB\nVmHWM:\t  6000 kB\nVmRSS:\t  4000 kB\n")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def cgroups(self, own: str, mounts: str) -> None:
        self.write("proc/self/cgroup", own + "\n")
        self.write("proc/self/mountinfo", "23 1 8:1 / / rw - ext4 /dev/root rw\n" + mounts + "\n")

    def probe(self) -> Probe:
        return Probe(str(self.root))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_rss_counts_the_resident_pages(machine: Machine) -> None:
    with machine.probe() as probe:
        assert probe.rss() == 1000 * os.sysconf("SC_PAGE_SIZE")


def test_vitals_are_in_bytes(machine: Machine) -> None:
    with machine.probe() as probe:
        vitals = probe.vitals()
    assert (vitals.rss, vitals.peak, vitals.vsz) == (4000 * 1024, 6000 * 1024, 8000 * 1024)


def test_this_very_process_has_sensible_vitals() -> None:
    with Probe() as probe:
        vitals, rss = probe.vitals(), probe.rss()
        assert 0.5 < rss / psutil.Process().memory_info().rss < 2
        assert vitals.peak >= vitals.rss > 5 * MB
        assert vitals.vsz > vitals.rss
        assert 0 <= probe.pressure() <= 1
        assert 0 < probe.ceiling() <= psutil.virtual_memory().total


def test_rss_follows_what_is_taken() -> None:
    with Probe() as probe:
        before = probe.rss()
        taken = bytearray(os.urandom(1)) * (64 * MB)
        assert probe.rss() - before > 60 * MB
        del taken


def test_the_tightest_limit_on_the_way_down_a_version_2_tree_counts(machine: Machine) -> None:
    machine.cgroups("0::/system.slice/bouquetd.service", V2.format(root="/", mount="/sys/fs/cgroup"))
    machine.write("sys/fs/cgroup/system.slice/memory.max", f"{40 * MB}\n")
    machine.write("sys/fs/cgroup/system.slice/bouquetd.service/memory.max", f"{60 * MB}\n")
    with machine.probe() as probe:
        assert probe.ceiling() == 40 * MB


def test_a_version_1_limit_counts_beside_an_unlimited_version_2_tree(machine: Machine) -> None:
    mounts = [
        V1.format(root="/", mount="/sys/fs/cgroup/memory"),
        V2.format(root="/", mount="/sys/fs/cgroup/unified"),
    ]
    machine.cgroups("4:memory:/a/b\n0::/", "\n".join(mounts))
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    machine.write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", f"{30 * MB}\n")
    with machine.probe() as probe:
        assert probe.ceiling() == 30 * MB


@pytest.mark.parametrize("own", ["/docker/abc", "/../../elsewhere", "/unrelated"])
def test_in_a_container_the_mount_shows_the_own_cgroup(machine: Machine, own: str) -> None:
    machine.cgroups(f"0::{own}", V2.format(root="/docker/abc", mount="/sys/fs/cgroup"))
    machine.write("sys/fs/cgroup/memory.max", f"{20 * MB}\n")
    with machine.probe() as probe:
        assert probe.ceiling() == 20 * MB


def test_a_mount_point_with_a_blank_is_found(machine: Machine) -> None:
    machine.cgroups("0::/", V2.format(root="/", mount=r"/sys/my\040groups"))
    machine.write("sys/my groups/memory.max", f"{20 * MB}\n")
    with machine.probe() as probe:
        assert probe.ceiling() == 20 * MB


def test_without_any_limit_the_ram_is_the_ceiling(machine: Machine) -> None:
    machine.cgroups("0::/", V2.format(root="/", mount="/sys/fs/cgroup"))
    machine.write("sys/fs/cgroup/memory.max", "max\n")
    with machine.probe() as probe:
        assert probe.ceiling() == psutil.virtual_memory().total


def test_pressure_is_that_of_the_own_cgroup_where_it_is_counted(machine: Machine) -> None:
    machine.cgroups("0::/unit", V2.format(root="/", mount="/sys/fs/cgroup"))
    machine.write("proc/pressure/memory", "some avg10=50.00 avg60=0.00 avg300=0.00 total=0\n")
    machine.write("sys/fs/cgroup/unit/memory.pressure", "some avg10=12.50 avg60=1.00 avg300=0.00 total=9\n")
    with machine.probe() as probe:
        assert (probe.pressure(), probe.machine_pressure()) == (0.125, 0.5)


def test_pressure_falls_back_to_the_machine_and_then_to_nothing(machine: Machine) -> None:
    with machine.probe() as probe:
        assert probe.pressure() == 0.0
        machine.write("proc/pressure/memory", "some avg10=50.00 avg60=0.00 avg300=0.00 total=0\n")
        assert probe.pressure() == 0.5

"""The package: installed where nothing is to be fetched, upgraded in the middle of a file, removed, purged."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.documents import document
from tests.system.conftest import ROOT
from tests.system.served import ARCHIVE, INBOX, Served

pytestmark = [pytest.mark.system, pytest.mark.long]

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
WEB = f"/usr/lib/bouquetd/lib/{PYTHON}/site-packages/bouquetd/web/static"

MOST = 350 * 2**20
"""Bytes that an installation may take."""


def test_it_is_small_and_brings_pages_completion_and_a_configuration_of_ones_own(fresh: Served) -> None:
    fresh.boot()
    listed = fresh.out("dpkg -L bouquetd").split()
    for path in (
        "/usr/share/man/man1/bouquetd.1.gz", "/usr/share/man/man5/bouquetd.yaml.5.gz",
        "/usr/share/man/man8/bouquetd.8.gz", "/usr/share/bash-completion/completions/bouquetd",
        "/usr/share/zsh/vendor-completions/_bouquetd", "/usr/bin/bouquetd", "/etc/bouquetd/bouquetd.yaml",
        "/etc/bouquetd-chroma.yaml", "/usr/lib/systemd/system/bouquetd-failed@.service",
        "/usr/share/doc/bouquetd/examples/on-failure", "/usr/share/doc/bouquetd/examples/bouquetd.rules.yml",
        "/usr/share/doc/bouquetd/examples/bouquetd.json",
        *(f"{WEB}/{name}" for name in ("page.html", "page.css", "page.js", "icon.svg")),
    ):  # fmt: skip
        assert path in listed
    taken = int(fresh.out("du -s --block-size=1 /usr/lib/bouquetd").split()[0])
    assert taken < MOST, f"{taken / 2**20:.0f} MB"
    conffiles = fresh.out("dpkg-query -f '${Conffiles}' -W bouquetd").split()[::2]
    assert conffiles == ["/etc/bouquetd/bouquetd.yaml", "/etc/bouquetd-chroma.yaml"]
    assert not fresh.run("dpkg -V bouquetd").stdout
    assert fresh.unit("UnitFileState") == "enabled"
    for person in ("bouquetd", "bouquetd-chroma"):
        assert fresh.out(f"getent passwd {person}").strip().endswith("nologin")
    assert "bouquetd search" in fresh.out("bash -c '. /usr/share/bash-completion/completions/bouquetd; "
        "COMP_WORDS=(bouquetd se); COMP_CWORD=1; _bouquetd; echo bouquetd $COMPREPLY'")  # fmt: skip


def test_what_it_says_of_itself_fits_the_machine(machine: Served) -> None:
    machine.boot()
    done = machine.run("bouquetd check", user="anna")
    assert "Warning" not in done.stdout
    assert "store.mode" in done.stdout
    assert "memory.limit" not in machine.said("-p", "warning")


def renamed(package: Path, version: str, work: Path) -> Path:
    """The same package as another version."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, work / "tree"], check=True)
    control = work / "tree" / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    subprocess.run(["dpkg-deb", "-Zzstd", "-z1", "--build", work / "tree", work / "newer.deb"], check=True)
    shutil.rmtree(work / "tree")
    return work / "newer.deb"


def test_an_upgrade_in_the_middle_of_a_file_loses_and_repeats_nothing(
    machine: Served, package: Path, tmp_path: Path
) -> None:
    newer = renamed(package, "99.0-1", tmp_path)
    rng = random.Random("upgrade")
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    with open(machine.root / "etc/bouquetd/bouquetd.yaml", "a") as config:
        config.write("# mine\n")
    machine.drop({"before.txt": document("txt", rng, 40)})
    machine.done()
    machine.drop({"during.txt": document("txt", rng, 6000)})
    machine.until(
        lambda: (machine.status().get("current") or {}).get("chunks", 0) > 300, "it is on its way", 60
    )
    starts = len(machine.entries("BOUQUETD_EVENT=ready"))

    machine.install(newer)

    machine.until(machine.ready, "both services run again", 60)
    machine.done()
    assert len(machine.entries("BOUQUETD_EVENT=ready")) == starts + 1
    assert machine.out("dpkg-query -f '${Version}' -W bouquetd") == "99.0-1"
    assert machine.out("tail -n 1 /etc/bouquetd/bouquetd.yaml") == "# mine\n"
    assert machine.files() == ["before.txt", "during.txt"]
    report = machine.verified()
    assert report["documents"] == 2
    stored = machine.stored()["bouquet"]
    assert sum(stored.values()) == report["chunks"]
    assert "Stored before.txt" not in machine.said("--since", "-20s")
    assert [s for s in machine.said().splitlines() if s.startswith("Stored before.txt")].__len__() == 1


def test_what_was_stopped_before_an_upgrade_stays_so(machine: Served, package: Path) -> None:
    machine.boot()
    machine.run("systemctl stop bouquetd")
    machine.install(package)
    assert machine.unit("ActiveState") == "inactive"
    assert machine.unit("ActiveState", "bouquetd-chroma") == "active"


def test_removing_keeps_everything_and_a_purge_leaves_what_people_dropped(
    machine: Served, package: Path
) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.drop({"kept.txt": b"The heron stands in the reeds and waits. " * 40})
    machine.done()

    machine.run("dpkg -r bouquetd")
    assert not (machine.root / "usr/lib/bouquetd").exists()
    assert machine.unit("ActiveState") == "inactive"
    assert (machine.root / "etc/bouquetd/bouquetd.yaml").exists()
    machine.install(package)
    machine.until(machine.ready, "both services run again", 60)
    assert machine.sources("heron in the reeds") == ["kept.txt"]
    assert machine.verified()["documents"] == 1

    machine.run("dpkg -P bouquetd")
    for gone in (
        "etc/bouquetd",
        "etc/bouquetd-chroma.yaml",
        "var/lib/bouquetd",
        "var/lib/bouquetd-chroma",
        "usr/lib/bouquetd",
    ):
        assert not (machine.root / gone).exists(), gone
    assert machine.files(ARCHIVE) == ["kept.txt"]
    assert not machine.files(INBOX)


# -- without a package ------------------------------------------------------------------------------------


@pytest.fixture
def wheels(tree: Path, tmp_path: Path) -> Path:
    """What PyPI would have for the machine: bouquetd and its dependencies at the versions that were tested."""
    theirs = os.readlink(tree / "usr" / "bin" / "python3")
    assert theirs == f"python{sys.version_info.major}.{sys.version_info.minor}", "make PYTHON=/usr/bin/python3"
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", tmp_path / "wheels"]
    subprocess.run([*pip, "--constraint", ROOT / "packaging" / "constraints.txt", ROOT], check=True)
    return tmp_path / "wheels"


@pytest.mark.campaign  # it fetches all of bouquetd's dependencies twice: six minutes
def test_the_script_for_other_distributions_installs_upgrades_and_removes(bare: Served, wheels: Path) -> None:
    bare.boot()
    shutil.copytree(wheels, bare.root / "root" / "wheels")
    shutil.copytree(ROOT / "packaging", bare.root / "root" / "packaging")
    install = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/root/wheels sh /root/packaging/install.sh"
    assert "systemctl enable --now" in bare.out(f"{install} /root/wheels/bouquetd-*.whl")
    bare.run("systemctl enable --now bouquetd bouquetd-chroma; useradd -m -G bouquetd anna")
    bare.until(bare.ready, "both services run", 60)
    bare.drop({"kept/a.txt": b"The heron stands in the reeds. " * 40})
    bare.done()

    assert "started again: bouquetd" in bare.out(f"{install} /root/wheels/bouquetd-*.whl")
    bare.until(bare.ready, "both services run again", 60)
    assert bare.sources("heron") == ["kept/a.txt"]
    assert bare.verified()["documents"] == 1
    assert len(bare.entries("BOUQUETD_EVENT=stored")) == 1
    assert not bare.said("-p", "warning")

    bare.run("sh /root/packaging/install.sh --uninstall")
    assert not bare.out("systemctl list-unit-files 'bouquetd*' --no-legend || true")
    assert not (bare.root / "usr/lib/bouquetd").exists()
    assert bare.files(ARCHIVE) == ["kept/a.txt"]

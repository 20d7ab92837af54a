"""The units by themselves: what systemd thinks of them, and how far they are shut in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.machine import unfit

UNITS = Path(__file__).resolve().parents[2] / "systemd"
MOST = {
    "bouquetd.service": 1.5,
    "bouquetd@.service": 1.5,
    "bouquetd-chroma.service": 2.0,
    "bouquetd-inbox.service": 2.0,
    "bouquetd-restart.service": 2.0,
}

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        why = "systemd-analyze is missing: apt-get install systemd"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    return found


def test_the_machine_that_make_system_boots_can_be_booted_here() -> None:
    if why := unfit():
        why += " (`make system` proves the service under a systemd of its own)"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


@pytest.mark.parametrize("unit", MOST)
def test_a_unit_is_shut_in_as_far_as_was_promised(analyze: str, unit: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", UNITS / unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= MOST[unit], done.stdout


@pytest.mark.parametrize("unit", [*MOST, "bouquetd.slice", "bouquetd-inbox.path", "bouquetd-restart.path"])
def test_systemd_understands_every_line_of_a_unit(analyze: str, unit: str, tmp_path: Path) -> None:
    text = (UNITS / unit).read_text()
    # Programs and users that come with the package.
    text = re.sub(r"(=[@+-]*)/usr/(bin/bouquetd|lib/bouquetd/bin/chroma)\b", r"\1/bin/true", text)
    (tmp_path / unit.replace("@.", "@a.")).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.replace("@.", "@a.")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complaints = [
        line for line in done.stderr.splitlines() if "bouquetd" in line and "to start unit" not in line
    ]
    assert not complaints


def test_an_instance_differs_from_the_service_by_its_places_only() -> None:
    one, many = ((UNITS / name).read_text().splitlines() for name in ("bouquetd.service", "bouquetd@.service"))
    differing = [line for line in {*one} ^ {*many} if not line.startswith("#")]
    assert all(
        re.match(r"Description=|ExecStart|ExecReload|StateDirectory=|RuntimeDirectory=|ReadWritePaths=", line)
        for line in differing
    ), differing


def test_the_daemons_limits_leave_each_other_room() -> None:
    text = (UNITS / "bouquetd.service").read_text()
    high, top = (int(re.search(rf"^{key}=(\d+)M$", text, re.M)[1]) for key in ("MemoryHigh", "MemoryMax"))
    family = (UNITS / "bouquetd.slice").read_text()
    whole = int(re.search(r"^MemoryMax=(\d+)M$", family, re.M)[1])
    assert 500 < high < top < whole < 2048

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

OTHERS = ("bouquetd.slice", "bouquetd-inbox.path", "bouquetd-restart.path", "bouquetd-failed@.service")
"""Units that run nothing, or nothing of ours."""

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


@pytest.mark.parametrize("unit", [*MOST, *OTHERS])
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


@pytest.mark.parametrize("unit", ["bouquetd.service", "bouquetd@.service"])
def test_a_daemon_that_systemd_gives_up_on_is_told_of(unit: str) -> None:
    assert "\nOnFailure=bouquetd-failed@%n.service\n" in (UNITS / unit).read_text()


def told(tmp_path: Path, program: str | None) -> subprocess.CompletedProcess[str]:
    """What the unit does for a service that failed, with this program in place of /etc/bouquetd/on-failure."""
    text = (UNITS / "bouquetd-failed@.service").read_text()
    command = re.search(r"^ExecStart=/bin/sh -c '(.*)' sh %i$", text, re.M)[1]
    place = tmp_path / "on-failure"
    if program is not None:
        place.write_text(program)
        place.chmod(0o755)
    command = command.replace("$$", "$").replace("/etc/bouquetd/on-failure", str(place))
    cause = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "78"}
    return subprocess.run(
        ["/bin/sh", "-c", command, "sh", "bouquetd@a.service"],
        capture_output=True, text=True, check=False, env={**os.environ, **cause},
    )  # fmt: skip


def test_a_failure_is_one_line_in_the_journal_unless_there_is_a_program_to_tell_it(tmp_path: Path) -> None:
    done = told(tmp_path, None)
    assert done.returncode == 0
    [line] = done.stdout.splitlines()
    assert line.startswith(
        "bouquetd@a.service failed (exit-code, status 78) and is not started again: journalctl"
    )
    assert told(tmp_path, "#!/bin/sh\necho $1 $MONITOR_EXIT_STATUS\n").stdout == "bouquetd@a.service 78\n"


def test_the_example_mails_the_cause_and_the_last_lines(tmp_path: Path) -> None:
    for name, does in {"sendmail": f"cat > {tmp_path}/mail", "journalctl": "echo the last line"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [UNITS.parent / "config" / "on-failure.example", "bouquetd.service"],
        capture_output=True, text=True, check=False,
        env={"PATH": path, "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "78"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mail = (tmp_path / "mail").read_text()
    assert mail.startswith("To: root\nSubject: bouquetd.service failed on ")
    assert ": exit-code (status 78)\n" in mail
    assert mail.endswith("the last line\n")

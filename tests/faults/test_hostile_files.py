"""Files made to do harm, before a real process: each ends as it must, in little memory; the next is read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bouquetd.model import MB
from tests.faults import hostile
from tests.faults.hostile import Hostile
from tests.harness import Home

pytestmark = pytest.mark.faults

LIMIT = 350
"""MB of RSS that no file may take the process beyond; ``memory.limit`` is 500."""

PROGRAM = """
import atexit, pathlib, sys
status = pathlib.Path("/proc/self/status")
left = pathlib.Path(sys.argv.pop())
atexit.register(lambda: left.write_text(status.read_text()))
from bouquetd.cli import main
main()
"""
"""``bouquetd``, which leaves its last status in the file that its last argument names.

What ``wait4`` says of a process's peak counts that of the tests, from which it came.
"""


def swallow(home: Home, files: Mapping[str, Hostile]) -> None:
    """Drop them all, and a good file behind each; drain; compare how each ended with how it must."""
    for number, (name, file) in enumerate(files.items()):
        file.write(home.inbox / name)
        (home.inbox / f"good {number}.txt").write_text(f"The good file behind {name} is number {number}.")
    with open(home.root / "log", "wb") as log:
        command = [sys.executable, "-c", PROGRAM, "once", "-c", str(home.yaml), str(home.root / "status")]
        status = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    said = (home.root / "log").read_text(errors="replace")
    assert status == 1, said[-3000:]
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", (home.root / "status").read_text())
    assert int(peak) * 1024 < LIMIT * MB, f"{int(peak) / 1024:.0f} MB"
    assert "Traceback" not in said
    entries = home.entries()
    wrong = {
        name: (str(entries[name].state), entries[name].reason)
        for name, file in files.items()
        if not _as_it_must(str(entries[name].state), entries[name].reason, file.reason)
    }
    assert not wrong, json.dumps(wrong, indent=2)
    assert {str(entries[f"good {n}.txt"].state) for n in range(len(files))} == {"filed"}
    refused = {name for name, file in files.items() if file.reason}
    assert {path.name for path in home.failed.iterdir()} == refused | {f"{name}.error" for name in refused}
    assert not list(Path("/etc").glob("bouquetd-was-here*"))
    assert Path(hostile.SECRET).read_text().strip() not in "".join(home.texts().values()).split()


def _as_it_must(state: str, reason: str | None, wanted: str | None) -> bool:
    if wanted is None:
        return state == "filed"
    return state == "failed" and re.search(wanted, reason or "") is not None


def test_hostile_files_end_as_they_must_and_the_next_one_is_read(tmp_path: Path) -> None:
    swallow(Home(tmp_path / "home", {"memory": {"limit": "500MB"}}), hostile.files())


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scale", [4, pytest.param(40, marks=pytest.mark.campaign)])
def test_hostile_files_of_full_size_end_as_they_must(tmp_path: Path, scale: int) -> None:
    swallow(Home(tmp_path / "home", {"memory": {"limit": "500MB"}}), hostile.files(scale))

"""Memory under real limits: pauses before the kernel strikes, and ordinary work far away from it."""

from __future__ import annotations

import random
from itertools import cycle

import pytest

from tests.faults.documents import document
from tests.system.served import ARCHIVE, FAILED, Served

pytestmark = [pytest.mark.system, pytest.mark.long]


def test_short_of_memory_it_pauses_reclaims_and_resumes_before_the_kernel_strikes(machine: Served) -> None:
    machine.bring_mischief()
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    baseline = machine.status()["baseline_mb"]
    # Room for ordinary work, none for what this file leaves behind until somebody cleans up.
    machine.configure({"memory.limit": f"{int(baseline) + 100}MB"})
    machine.run("systemctl reload bouquetd")
    machine.drop({"heavy.fill": b"fill", "after.txt": b"Then all is well again. " * 60})
    machine.done()
    said = machine.said("-g", r"\[MEMORY\]")
    assert "Paused" in said
    assert "Reclaimed" in said
    assert "Resumed" in said
    assert machine.unit("NRestarts") == "0"
    assert machine.files(ARCHIVE) == ["after.txt", "heavy.fill"]


def test_two_thousand_mixed_files_within_700_mb_never_meet_the_oom_killer(machine: Served) -> None:
    machine.drop_in("[Service]\nMemoryHigh=600M\nMemoryMax=700M\n")  # as where there is no text recognition
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    rng = random.Random("many")
    kinds = ("txt", "md", "html", "pdf", "docx", "csv", "json", "jsonl")
    files = {
        f"{n % 40:02}/{n}.{kind}": document(kind, rng, rng.choice((1, 3, 8, 20)))
        for n, kind in zip(range(2000), cycle(kinds), strict=False)
    }
    machine.drop(files)
    machine.done(580)
    assert machine.files(ARCHIVE) == sorted(files)
    assert not machine.files(FAILED)
    for unit in ("bouquetd", "bouquetd-chroma"):
        assert machine.unit("NRestarts", unit) == "0"
        assert machine.unit("MemoryMax", unit) == str(700 * 2**20)
    assert "oom" not in machine.out("journalctl -q --no-pager -k; journalctl -q --no-pager -t systemd").lower()
    assert machine.status()["peak_mb"] < 500
    assert machine.verified()["documents"] == 2000

"""Is the time right: rests, rescans and `--since` go by it, and Chroma's certificates too."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings

EARLIEST, LATEST = 2025, 2099
"""Years that this program may run in."""


def sane(around: Surroundings) -> Iterator[Finding]:
    """The year is one that can be, and somebody keeps the clock right."""
    year = time.gmtime(around.now).tm_year
    now = time.strftime("%Y-%m-%d %H:%M", time.gmtime(around.now))
    sudo = "" if around.root else "sudo "
    if not EARLIEST <= year <= LATEST:
        yield failed(f"The clock says {now} UTC.", f"{sudo}timedatectl set-ntp true")
        return
    said = around.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if said.status == 0 and said.out.strip() == "no":
        yield warned(f"The clock says {now} UTC, and nobody keeps it right.", f"{sudo}timedatectl set-ntp true")
    elif said.status == 0:
        yield passed(f"The clock says {now} UTC and is kept right.")
    else:
        yield passed(f"The clock says {now} UTC.")

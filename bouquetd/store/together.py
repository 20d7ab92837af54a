"""Keeps the threads of the embedded Chroma on one core.

To add a chunk Chroma runs some twenty SQL statements, and hands each from a thread that asks to one that has
the connection. Only one of them works at a time, but the kernel spreads them over the cores, and to wake a
sleeping core takes longer than most of the statements do. On the core where the caller runs, adding took a
third less time (two cores of a virtual machine, 4,000 real chunks). The other cores are left to other work.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

THREADS = ("tokio-rt", "sqlx-sql")
"""How the names of Chroma's threads begin; those that they start in their turn stay where they are."""

_CORE = 36
"""Where /proc/<pid>/stat has the core, counted from behind the name (proc(5), field 39)."""


def gather() -> None:
    """Bring Chroma's threads to the core that the calling thread is on now; it may be another each time."""
    core = int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[_CORE])
    for task in Path("/proc/self/task").iterdir():
        # A thread may end meanwhile; a sandbox may forbid it, and then they stay spread out.
        with suppress(OSError):
            if (task / "comm").read_text().startswith(THREADS):
                os.sched_setaffinity(int(task.name), {core})

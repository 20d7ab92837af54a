"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from bouquetd import __version__
from bouquetd.model import MB


def facts() -> dict[str, str]:
    """The machine and the versions that a figure depends on, each in words."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    load = os.getloadavg()[0]
    return {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "CPU": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "RAM": f"{psutil.virtual_memory().total / MB:.0f} MB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "chromadb": version("chromadb"),
        "bouquetd": __version__,
        "load before the start": f"{load:.2f}",
    }


def memory(pid: int | str = "self") -> tuple[float, float]:
    """RSS now and RSS at most so far (VmRSS, VmHWM) of a process, in MB."""
    status = dict(re.findall(r"^(Vm\w+):\s*(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
    return int(status["VmRSS"]) / 1024, int(status["VmHWM"]) / 1024


def forget_peak() -> None:
    """Let VmHWM of this process begin anew from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""Does memory.limit fit under RAM, unit and slice, and is nothing swapped out behind the governor's back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bouquetd.extract import ocr
from bouquetd.model import MB
from bouquetd.ops import fit
from bouquetd.ops.doctor.finding import Finding, ended, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings

SWAPPED = 16 * MB
"""Bytes of a daemon in swap that are worth a word."""


def limit(around: Surroundings) -> Iterator[Finding]:
    """memory.limit, and a page of text recognition beside it, against RAM, MemoryHigh and MemoryMax."""
    settings, service = around.settings, around.service
    unit = fit.of(service.name, service.facts, user=service.user) if service else None
    recognising = ocr.find(settings.ocr)
    page = 0 if isinstance(recognising, str) else recognising.memory
    high, most = fit.least(settings.memory.limit, page)
    lines = fit.advise(settings.memory.limit, around.memory.ceiling, unit, page)
    for line in lines:
        raised = {"MemoryHigh": f"{fit.up(high)}M", "MemoryMax": f"{fit.up(most)}M"}
        in_unit = unit is not None and "raise the unit" in line
        yield warned(ended(line), around.drop_in("memory", raised) if in_unit else around.edit)
    if not lines:
        under = f"MemoryMax {unit.maximum // MB} MB of {unit.name}" if unit and unit.maximum else "no MemoryMax"
        yield passed(
            f"memory.limit of {settings.memory.limit // MB} MB fits:"
            f" {around.memory.ceiling // MB} MB of RAM, {under}."
        )


def slice_(around: Surroundings) -> Iterator[Finding]:
    """The slice that the unit is in allows no less than the unit itself."""
    service = around.service
    unit = fit.of(service.name, service.facts, user=service.user) if service else None
    name = service.facts.get("Slice", "") if service else ""
    if unit is None or unit.maximum is None or "bouquetd" not in name:
        return
    said = around.run(["systemctl", "show", name, "--property=MemoryMax"])
    found = re.search(r"^MemoryMax=(\d+)$", said.out, re.MULTILINE)
    if found and int(found[1]) < unit.maximum:
        yield warned(
            f"{name} allows all of bouquetd {int(found[1]) // MB} MB, less than {unit.maximum // MB} MB of"
            f" {unit.name} alone: the kernel would kill below MemoryMax.",
            f"{around.systemctl} set-property {name} MemoryMax={unit.maximum // MB + 500}M",
        )


def available(around: Surroundings) -> Iterator[Finding]:
    """There is memory for the daemon to grow into."""
    running = around.daemon
    rss = float(running["rss_mb"]) * MB if running else 0.0
    wanted = max(0.0, around.settings.memory.limit - rss)
    if around.memory.available < wanted:
        yield warned(
            f"Only {around.memory.available // MB} MB of memory are free, and the daemon may take"
            f" {wanted / MB:.0f} MB more; others use the rest.",
            "ps -eo rss,pid,comm --sort=-rss | head",
        )
    else:
        yield passed(f"{around.memory.available // MB} MB of memory are free.")


def swap(around: Surroundings) -> Iterator[Finding]:
    """What is swapped out is not RSS, so the governor would not see it."""
    if not around.memory.swap:
        yield passed("There is no swap, so RSS is all that the daemon takes.")
        return
    service = around.service
    allowed = service.facts.get("MemorySwapMax", "0") if service is not None and service.loaded else "0"
    if service is not None and allowed != "0":
        yield warned(
            f"{service.name} may be swapped out, which its RSS does not show, so it would not pause in time.",
            around.drop_in("swap", {"MemorySwapMax": "0"}),
        )
        return
    running = around.daemon if around.config is not None else None
    status = around.read(f"/proc/{running['pid']}/status") if running else None
    found = re.search(r"^VmSwap:\s+(\d+) kB$", status or "", re.MULTILINE)
    if found and int(found[1]) * 1024 > SWAPPED:
        yield warned(
            f"{int(found[1]) // 1024} MB of the daemon are swapped out, which memory.limit does not count.",
            around.restart,
        )
    else:
        yield passed("Nothing of the daemon is swapped out.")

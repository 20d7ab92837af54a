"""What the daemon says of itself once a second: a file, a line for systemd, a page for ``bouquetd status``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bouquetd.errors import sentence
from bouquetd.inbox.watches import raised
from bouquetd.ops.figures import count, lasting, moment, percent, size, times

FILE = "status.json"
"""In the runtime directory."""

STALE = 10.0
"""Seconds after which a status is that of a daemon which hangs or is gone: it writes one each second."""

AFRESH = "nothing under systemd, which starts it afresh; else end it with kill -9, and start it again"
"""What to do about one that hangs."""


def write(runtime: Path, status: Mapping[str, Any]) -> None:
    """Replace the status file in one step; a reader sees the old one or the new one, whole."""
    temporary = runtime / f".{FILE}.new"
    with open(temporary, "w", encoding="ascii") as stream:
        json.dump(status, stream)
    os.replace(temporary, runtime / FILE)


def read(runtime: Path) -> dict[str, Any] | None:
    """The last status written, or None."""
    try:
        with open(runtime / FILE, encoding="ascii") as stream:
            status: dict[str, Any] = json.load(stream)
    except (OSError, ValueError):
        return None
    return status


def hung(seen: Mapping[str, Any], now: float) -> str | None:
    """Why a daemon whose process is there makes no progress; None while it does. ``now`` since the epoch."""
    quiet = now - seen["at"]
    if quiet > seen.get("patience", STALE):
        return f"the daemon has said nothing for {quiet:.0f} s"
    why: str | None = seen.get("hung")
    return why


def starting(doing: str, patience: float) -> dict[str, Any]:
    """What is said before there is anything to tell of; nothing more may come for ``patience`` seconds."""
    now = time.time()
    return {
        "state": "starting", "why": doing, "remedy": "", "pid": os.getpid(), "since": now, "at": now,
        "patience": patience,
    }  # fmt: skip


def line(status: Mapping[str, Any]) -> str:
    """The one line that ``systemctl status`` shows."""
    why = f": {status['why']}" if status["why"] else ""
    remedy = f" (to do: {status['remedy']})" if why and status.get("remedy") else ""
    parts = [
        f"{status['state'].capitalize()}{why}{remedy}",
        f"{status['rss_mb']:.0f} of {status['limit_mb']:.0f} MB",
        f"{count(status['queue']['files'], 'file')} waiting",
    ]
    if status["current"]:
        current = status["current"]
        parts.append(
            f"{current['source']} {current['share']:.0%}, {current['chunks']} chunks,"
            f" {status['chunks_per_second']:.0f} chunks/s"
        )
    if status.get("watches_full"):
        parts.append(f"the kernel watches no more folders (to do: {raised(status['watches_full'])}, restart)")
    parts.append(f"{status['documents']} stored, {status['failed']} failed")
    return "; ".join(parts)


def page(seen: Mapping[str, Any], now: float) -> list[str]:
    """What ``bouquetd status`` prints; ``now`` in seconds since the epoch.

    ``seen`` is what was written, whether a daemon is ``running``, and the ledger's overview.
    """
    share = seen.get("share") if seen["running"] else None
    why = f", {percent(share)}; files in the inbox wait until that is done" if share is not None else ""
    why = f": {seen['why']}" if seen.get("why") and not why else why
    rows = [f"bouquetd is {seen['state']}{why}"]
    if share is not None and seen.get("why"):
        rows.append(f"  waits    {seen['why']}")
    if seen["running"] and seen.get("remedy"):
        rows.append(f"  to do    {seen['remedy']}")
    rows += list(_running(seen, now) if seen["running"] else _stopped(seen))
    states = ", ".join(f"{n:,} {state}" for state, n in seen["states"].items() if n)
    if seen.get("silent"):
        return [*rows, "  ledger   not asked: the daemon does not answer"]
    rows.append(f"  ledger   {states or 'no documents yet'}")
    rows.append(f"  store    {seen['mode']}, {seen['chunks']:,} chunks in {count(seen['shards'], 'shard')}")
    for failure in seen["failures"]:
        when = moment(failure["at"])
        reason = sentence(failure["reason"] or "no reason is known")
        rows.append(f"  failed   {when}  {failure['source']}: {reason}")
    if seen["failures"]:
        rows.append("           all of them, and what to do: bouquetd files --state failed")
    return rows


def _stopped(seen: Mapping[str, Any]) -> Iterator[str]:
    yield "  start it with: bouquetd run, or systemctl start bouquetd; why it does not says bouquetd doctor"
    if seen["half_reindexed"]:
        yield "  a reindexing is half done; bouquetd reindex goes on with it"
    if seen.get("paused"):
        yield f"  paused   {seen['paused']}"


def _running(seen: Mapping[str, Any], now: float) -> Iterator[str]:
    if "rss_mb" not in seen:  # it is starting
        return
    rss, limit, peak, vsz = (f"{seen[key]:,.0f} MB" for key in ("rss_mb", "limit_mb", "peak_mb", "vsz_mb"))
    yield f"  memory   {rss} RSS of {limit}, peak {peak}, VSZ {vsz}"
    if "queue" not in seen:  # it reindexes
        return
    yield (
        f"  machine  at most {seen['ceiling_mb']:,.0f} MB for it, {seen['available_mb']:,.0f} MB free,"
        f" memory pressure {percent(seen['pressure'])} on it and {percent(seen['machine_pressure'])} on all"
    )
    if seen["throttles"] or seen["pauses"]:
        yield (
            f"  held     throttled {times(seen['throttles'])}, paused {times(seen['pauses'])} for memory, for"
            f" {lasting(seen['paused_seconds'])} in all"
        )
    queue = seen["queue"]
    oldest = f", the next for {lasting(queue['oldest'])}" if queue["files"] else ""
    scan = f", searched {lasting(now - seen['last_scan'])} ago" if seen["last_scan"] else ""
    yield (
        f"  inbox    {queue['files']:,} waiting, {size(queue['bytes'])}{oldest}; watched by"
        f" {seen['watch']}{scan}"
    )
    if seen["watches_full"]:
        yield (
            f"  to do    {raised(seen['watches_full'])}, then restart: the kernel watches no more folders, so"
            " files there are found by rescans only"
        )
    if current := seen["current"]:
        yield (
            f"  now      {current['source']}, {size(current['size'])}, {percent(current['share'])} read,"
            f" {current['chunks']:,} chunks in {lasting(current['seconds'])}"
        )
    if seen["state"] in ("working", "throttled"):
        yield (
            f"  speed    {seen['chunks_per_second']:,.0f} chunks and {size(seen['bytes_per_second'])} a second"
            + (f"; just now: {seen['stage']}" if seen["stage"] else "")
        )
    yield (
        f"  process  version {seen['version']}, pid {seen['pid']}, up {lasting(now - seen['since'])}:"
        f" {seen['documents']:,} stored, {seen['failed']:,} failed, {seen['duplicates']:,} already there"
    )

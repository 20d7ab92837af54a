"""Metrics in Prometheus' format, by its standard client.

What is counted lies in the daemon's status, which is a second old at most; the collector gives it the names and
units that Prometheus advises (https://prometheus.io/docs/practices/naming). What is not known is left out.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bouquetd.config import Paths
from bouquetd.errors import Unavailable
from bouquetd.memory.history import Kind
from bouquetd.memory.recorded import read
from bouquetd.model import MB
from bouquetd.ops.wellness import trouble
from bouquetd.web.health import Status, health
from bouquetd.web.server import Request, Response, Routes

BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
"""Seconds: from a quick batch to ``pipeline.stage_deadline``, about three to a step."""

DAY = 86400.0
"""Seconds."""

STATES = ("working", "idle", "throttled", "paused", "holding", "hung")

FOLDERS = ("inbox", "archive", "failed", "state", "store")
"""Whose file systems are watched."""


class Metrics(Collector):
    """Answers ``/metrics``, and for health; ``heard`` is told of each operation of a stage."""

    def __init__(
        self, status: Status, paths: Paths, history: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._status = status
        self._deaths = _deaths(history, clock())
        self._folders = {name: getattr(paths, name) for name in FOLDERS}
        self._clock = clock
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        self._stages = Histogram(
            "bouquetd_stage_duration_seconds", "How long one operation of a stage took.", ["stage"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(self)

    def heard(self, stage: str, seconds: float) -> None:
        """Count one operation; ``stage`` is one of a few fixed names. From any thread."""
        self._stages.labels(stage).observe(seconds)

    def routes(self) -> Routes:
        """What is answered, all of it without a token: it names no file and no text."""
        return {("GET", "/metrics"): self._scrape, **health(self._status, self._clock)}

    def collect(self) -> Iterator[Metric]:
        """All but the stages, as the client wants it."""
        seen = self._status()
        if seen is None:
            return
        yield InfoMetricFamily(
            "bouquetd_build", "The version that runs.",
            {"version": str(seen["version"]), "python": platform.python_version()},
        )  # fmt: skip
        yield from _state(seen, self._clock())
        yield from _gauges(
            [("recent_deaths", "Processes that died within the day before this one started.", self._deaths)]
        )
        yield from _memory(seen)
        yield from _work(seen)
        yield from _disks(self._folders)

    def _scrape(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), content_type)


def _deaths(history: Path, now: float) -> int | None:
    """They are noted by the process that comes after, so the figure is the same as long as that lives."""
    try:
        events = read(history, now - DAY, now).events
    except Unavailable:
        return None
    return sum(event.kind == Kind.DIED for event in events)


def _state(seen: Mapping[str, Any], now: float) -> Iterator[Metric]:
    state = GaugeMetricFamily("bouquetd_state", "1 for the state that the daemon is in.", labels=["state"])
    for name in STATES:
        state.add_metric([name], float(name == seen["state"]))
    yield state
    yield from _gauges(
        [
            ("healthy", "1 while /healthz answers 200.", float(trouble(seen, now) is None)),
            ("start_time_seconds", "When the daemon started, since the epoch.", seen["since"]),
            ("status_timestamp_seconds", "When these figures were taken, since the epoch.", seen["at"]),
            ("last_full_scan_timestamp_seconds", "When the inbox was last looked through, since the epoch.",
             seen["last_scan"]),
        ]
    )  # fmt: skip


def _memory(seen: Mapping[str, Any]) -> Iterator[Metric]:
    def size(key: str) -> float:
        return float(seen[key] * MB)

    yield from _gauges(
        [
            ("resident_memory_bytes", "RSS.", size("rss_mb")),
            ("resident_memory_peak_bytes", "The largest RSS since the start.", size("peak_mb")),
            ("resident_memory_baseline_bytes", "RSS when all was loaded, before the first file.",
             size("baseline_mb")),
            ("virtual_memory_bytes", "VSZ.", size("vsz_mb")),
            ("memory_limit_bytes", "memory.limit: RSS at which work pauses.", size("limit_mb")),
            ("memory_throttle_bytes", "memory.throttle: RSS from which batches are halved.",
             size("throttle_mb")),
            ("memory_resume_bytes", "memory.resume: RSS below which work goes on at full size.",
             size("resume_mb")),
            ("memory_ceiling_bytes", "The least of RAM and the limits of the cgroup.", size("ceiling_mb")),
            ("memory_pressure_ratio", "Share of the last 10 s in which some task waited for memory (PSI).",
             seen["pressure"]),
        ]
    )  # fmt: skip
    yield from _counters(
        [
            ("throttles", "Times that work was throttled for memory.", seen["throttles"]),
            ("pauses", "Times that work was paused for memory.", seen["pauses"]),
            ("pause_seconds", "Seconds that work was paused for memory.", seen["paused_seconds"]),
        ]
    )


def _work(seen: Mapping[str, Any]) -> Iterator[Metric]:
    files = CounterMetricFamily("bouquetd_files", "Files done with, by outcome.", labels=["outcome"])
    for outcome, key in (("stored", "documents"), ("failed", "failed"), ("duplicate", "duplicates")):
        files.add_metric([outcome], seen[key])
    yield files
    failed = CounterMetricFamily("bouquetd_failed_files", "Files that failed, by reason.", labels=["reason"])
    for reason, number in seen["reasons"].items():
        failed.add_metric([reason], number)
    yield failed
    yield from _counters(
        [
            ("chunks", "Chunks stored.", seen["chunks"]),
            ("ingested_bytes", "Bytes of the files stored.", seen["bytes"]),
        ]
    )
    queue = seen["queue"]
    yield from _gauges(
        [
            ("queue_files", "Files that wait in the inbox.", queue["files"]),
            ("queue_bytes", "Bytes of the files that wait in the inbox.", queue["bytes"]),
            ("queue_oldest_age_seconds", "How long the oldest of them has waited; 0 for none.",
             queue["oldest"]),
        ]
    )  # fmt: skip


def _disks(folders: Mapping[str, Path]) -> Iterator[Metric]:
    free = GaugeMetricFamily("bouquetd_disk_free_bytes", "Room for the daemon's user.", labels=["folder"])
    size = GaugeMetricFamily("bouquetd_disk_size_bytes", "Size of the file system.", labels=["folder"])
    for name, path in folders.items():
        try:
            found = os.statvfs(path)
        except OSError:  # made when it is first needed
            continue
        free.add_metric([name], found.f_bavail * found.f_frsize)
        size.add_metric([name], found.f_blocks * found.f_frsize)
    yield free
    yield size


def _gauges(of: Iterable[tuple[str, str, float | None]]) -> Iterator[Metric]:
    return (
        GaugeMetricFamily(f"bouquetd_{name}", help_, value) for name, help_, value in of if value is not None
    )


def _counters(of: Iterable[tuple[str, str, float | None]]) -> Iterator[Metric]:
    return (
        CounterMetricFamily(f"bouquetd_{name}", help_, value) for name, help_, value in of if value is not None
    )

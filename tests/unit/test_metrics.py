"""What Prometheus and load balancers are told."""

from __future__ import annotations

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bouquetd.config import Paths
from bouquetd.memory.history import History, Kind
from bouquetd.model import MB
from bouquetd.ops.status import STALE
from bouquetd.ops.wellness import trouble
from bouquetd.reasons import REASONS
from bouquetd.web.metrics import Metrics
from tests.harness import Recorder
from tests.web import SEEN, ask, free_port, serving


@pytest.fixture
def served(tmp_path):
    port = free_port()
    with serving(tmp_path, metrics={"listen": f"127.0.0.1:{port}"}) as served:
        served.port = port
        yield served


def scraped(port):
    families = text_string_to_metric_families(ask(port, "/metrics").text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_status_has_the_names_and_units_that_prometheus_advises(served):
    found = scraped(served.port)
    assert found["bouquetd_resident_memory_bytes",] == 154.25 * MB
    assert found["bouquetd_memory_limit_bytes",] == 500 * MB
    assert found["bouquetd_memory_ceiling_bytes",] == 4096 * MB
    assert found["bouquetd_memory_pressure_ratio",] == 0.02
    assert found["bouquetd_pauses_total",] == 1
    assert found["bouquetd_pause_seconds_total",] == 7.5
    assert [found["bouquetd_files_total", o] for o in ("stored", "failed", "duplicate")] == [12, 4, 5]
    assert found["bouquetd_failed_files_total", "too_large"] == 3
    assert found["bouquetd_chunks_total",] == 480
    assert found["bouquetd_queue_oldest_age_seconds",] == 75
    assert found["bouquetd_start_time_seconds",] == 1.7e9
    assert found["bouquetd_recent_deaths",] == 0
    assert any(key[0] == "bouquetd_build_info" and "1.2.3" in key for key in found)
    assert found["bouquetd_disk_free_bytes", "state"] > 0


def test_every_reason_is_there_from_the_start_so_that_its_first_file_is_seen_as_an_increase(served):
    assert {key[1] for key in scraped(served.port) if key[0] == "bouquetd_failed_files_total"} == {*REASONS}


@pytest.mark.parametrize("state", ["working", "idle", "throttled", "paused", "holding", "hung"])
def test_exactly_one_state_is_one(served, state):
    served.seen |= {"state": state}
    found = {key[1]: value for key, value in scraped(served.port).items() if key[0] == "bouquetd_state"}
    assert {name for name, value in found.items() if value} == {state}
    assert len(found) == 6


def test_stages_are_histograms_up_to_their_deadline(served):
    for seconds in (0.002, 0.02, 100.0, 500.0):
        served.metrics.heard("embed", seconds)
    found = scraped(served.port)
    assert found["bouquetd_stage_duration_seconds_count", "embed"] == 4
    assert found["bouquetd_stage_duration_seconds_bucket", "0.003", "embed"] == 1
    assert found["bouquetd_stage_duration_seconds_bucket", "120.0", "embed"] == 3


def test_scrapes_do_not_grow_and_have_nothing_of_the_process_at_large(served):
    first = ask(served.port, "/metrics").text
    for _ in range(20):
        last = ask(served.port, "/metrics").text
    assert len(last.splitlines()) == len(first.splitlines()) < 200
    assert "python_gc" not in last
    assert "_created" not in last


def test_before_the_first_status_there_is_nothing_to_tell(served):
    served.seen = None
    assert "bouquetd_state" not in ask(served.port, "/metrics").text
    assert ask(served.port, "/readyz").status == 503


def test_deaths_are_those_of_the_last_day(tmp_path):
    days = iter([3.0, 0.9, 0.5, 0.1])
    history = History(tmp_path / "history.db", Recorder(), lambda: time.time() - 86400 * next(days))
    for kind in (Kind.DIED, Kind.DIED, Kind.STOPPED, Kind.DIED):
        history.note(kind, "why", 0)
    history.close()
    metrics = Metrics(lambda: SEEN | {"at": time.time()}, Paths(), tmp_path / "history.db")
    [family] = [family for family in metrics.collect() if family.name == "bouquetd_recent_deaths"]
    assert family.samples[0].value == 2


# -- health -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "status", "text"),
    [
        ({"state": "working"}, 200, "working"),
        ({"state": "idle"}, 200, "idle"),
        ({"state": "throttled", "why": "memory"}, 200, "throttled"),
        ({"state": "paused", "why": "memory, for 9 s"}, 200, "paused"),
        ({"state": "paused", "why": "by the operator (a.pdf)"}, 503, "paused: it takes no files"),
        ({"state": "holding", "why": "/srv/a.pdf cannot be moved"}, 503, "holding: it waits for something"),
        ({"state": "working", "hung": "no progress in a.pdf"}, 503, "hung: it makes no progress"),
    ],
)  # fmt: skip
def test_health_is_a_word_while_all_is_well_and_else_the_kind_of_trouble(served, more, status, text):
    served.seen |= more
    for path in ("/healthz", "/readyz"):
        answer = ask(served.port, path)
        assert answer.status == status
        assert answer.text.startswith(text)
        assert "a.pdf" not in answer.text
    assert scraped(served.port)["bouquetd_healthy",] == float(status == 200)


def test_a_daemon_that_says_nothing_any_more_is_not_well():
    seen = SEEN | {"at": 1000.0}
    assert trouble(seen, 1000.0 + STALE) is None
    assert trouble(seen, 1031.0) == "hung: the daemon has said nothing for 31 s"
    assert trouble(None, 0.0) == "stopped: no daemon runs"

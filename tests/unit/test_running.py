import re
import time

from bouquetd.config import LIVE, OPTIONS, changed
from bouquetd.memory.history import FILE
from bouquetd.memory.recorded import read
from bouquetd.model import MB
from bouquetd.observing import chronicled
from bouquetd.ops import status
from bouquetd.tending import Publisher, Reloader, merged
from tests.harness import Home, Recorder


def test_merged_settings_take_the_named_values_and_keep_all_others(tmp_path):
    old = Home(tmp_path / "a").config.settings
    new = Home(
        tmp_path / "a",
        {"profile": "speed", "memory": {"limit": "900MB", "throttle": "90%"}, "chunk": {"size": 700}},
    ).config.settings
    taken = merged(old, new, ["profile", "memory.limit"])
    assert set(changed(old, taken)) == {"profile", "memory.limit"}
    assert taken.memory.limit == new.memory.limit
    assert taken.memory.throttle == old.memory.throttle
    assert taken.chunk == old.chunk
    assert merged(old, new, []) == old
    assert merged(old, new, list(OPTIONS)) == new


def test_a_reload_applies_every_live_option_names_those_that_need_a_restart_and_leaves_them_alone(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, log), chronicled(parts, log) as chronicle:
        config = home.config
        home.configure(
            inbox={"settle": "3s", "rescan": "7s", "max_file_size": "9MB", "ignore": ["*.no"]},
            pipeline={"batch_size": 7, "max_attempts": 9},
            memory={
                "limit": "800MB", "throttle": "85%", "resume": "60%", "pause_limit": "9s",
                "operation": "6MB", "pressure": "44%",
            },
            logging={"level": "warning", "memory": "chunk"},
            chunk={"size": 444},
        )  # fmt: skip
        Reloader(config, parts, chronicle, log)()
        assert parts.queue.settle == 3
        assert parts.intake.rescan == 7
        assert parts.intake.ignore("x.no")
        assert parts.gate.configured == 7
        assert parts.gate.pause_limit == parts.health.pause_limit == 9
        assert (parts.governor.limits.limit, parts.governor.limits.throttle) == (800 * 1024 * 1024, 0.85)
        assert (parts.governor.limits.resume, parts.governor.limits.pressure) == (0.6, 0.44)
        assert parts.meter.allowance == 6 * 1024 * 1024
        assert parts.worker.settings.inbox.max_file_size == 9 * 1024 * 1024
        assert parts.worker.settings.logging.memory == "chunk"
        assert parts.worker.settings.chunk.size == 800
        assert parts.worker.settings.pipeline.max_attempts == 3
        applied = next(text for level, text in log.lines if text.startswith("Reloaded: now in force"))
        assert {key for key in LIVE if key in applied} >= {
            "inbox.settle",
            "memory.limit",
            "pipeline.batch_size",
        }
        restart = next(text for level, text in log.lines if "need a restart" in text)
        assert "chunk.size" in restart
        assert "pipeline.max_attempts" in restart
        chronicle.end(0)
        now = time.time()
        history = read(home.root / "state" / FILE, now - 60, now)
        assert [event.kind for event in history.events] == ["started", "reloaded", "stopped"]
        assert "memory.limit" in history.events[1].text
        assert history.marks[:3] == (680 * 1024 * 1024, 480 * 1024 * 1024, 800 * 1024 * 1024)


def test_a_reload_of_an_unchanged_or_a_broken_file_changes_nothing(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, log), chronicled(parts, log) as chronicle:
        before, config = parts.settings, home.config
        Reloader(config, parts, chronicle, log)()
        assert ("info", "Reloaded: nothing to apply") in log.lines
        home.yaml.write_text("memory: [")
        Reloader(config, parts, chronicle, log)()
        assert any(level == "error" and text.startswith("Reload refused: ") for level, text in log.lines)
        assert parts.settings == before == parts.worker.settings


def test_a_reload_that_leaves_no_room_above_what_is_taken_already_is_refused_as_a_start_would_be(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, log), chronicled(parts, log) as chronicle:
        before, config, parts.baseline = parts.settings, home.config, 300 * MB
        home.configure(memory={"limit": "400MB"}, inbox={"settle": "3s"})
        Reloader(config, parts, chronicle, log)()
        refused = next(text for _, text in log.lines if text.startswith("Reload refused: "))
        assert re.search(r"memory\.limit: .* is too small: 300.* are taken before the first file", refused)
        assert parts.settings == before
        assert parts.governor.limits.limit == before.memory.limit


SEEN = {
    "state": "working", "why": "", "rss_mb": 171.2, "limit_mb": 500.0, "queue": {"files": 3, "bytes": 9},
    "current": {"source": "a.txt", "size": 9, "share": 0.25, "chunks": 4}, "chunks_per_second": 41.6,
    "documents": 12, "failed": 1,
}  # fmt: skip


class Lines:
    def __init__(self):
        self.lines = []

    def status(self, line):
        self.lines.append(line)


def test_the_status_is_published_as_a_file_and_as_one_line(tmp_path):
    lines = Lines()
    Publisher(tmp_path, lines, Recorder())(SEEN)
    assert status.read(tmp_path) == SEEN
    assert lines.lines == [
        "Working; 171 of 500 MB; 3 files waiting; a.txt 25%, 4 chunks, 42 chunks/s; 12 stored, 1 failed"
    ]


def test_a_status_file_that_cannot_be_written_is_mentioned_once_until_it_can_again(tmp_path):
    folder, log = tmp_path / "gone", Recorder()
    publish = Publisher(folder, Lines(), log)
    publish(SEEN)
    publish(SEEN)
    assert [level for level, _ in log.lines] == ["warning"]
    folder.mkdir()
    publish(SEEN)
    assert status.read(folder) == SEEN
    assert len(log.lines) == 1


def test_a_status_file_that_is_missing_or_no_json_reads_as_none(tmp_path):
    assert status.read(tmp_path) is None
    (tmp_path / status.FILE).write_text("{")
    assert status.read(tmp_path) is None

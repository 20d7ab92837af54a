"""The operator's pause: what it holds up, what it does not, and how it ends."""

import re
import signal

import pytest

from bouquetd.errors import Paused
from bouquetd.health import Health
from bouquetd.pause import FILE, LONGEST, Pause
from tests.harness import Home, prose, work


def status(daemon):
    """What it says of itself, once it does."""
    return daemon.status if (daemon.home.runtime / "status.json").exists() else {}


def test_it_is_kept_in_a_file_that_another_process_finds(tmp_path):
    Pause(tmp_path).begin("new disk")
    other = Pause(tmp_path)
    assert re.fullmatch(r"by the operator since \d\d:\d\d \(new disk\)", other.now.reason)
    assert other.now.remedy == "bouquetd resume"
    with pytest.raises(Paused, match="new disk"):
        other.check()
    assert Pause(tmp_path).end()
    assert other.look() is None
    other.check()
    assert not other.end()


def test_a_second_one_keeps_the_time_of_the_first_and_takes_a_new_reason_only_where_there_is_one(tmp_path):
    (tmp_path / FILE).write_text('{"since": 0, "reason": "first"}')
    pause = Pause(tmp_path)
    assert "since 1970-01-01" in pause.begin(None).reason
    assert pause.now.reason.endswith("(first)")
    assert pause.begin("second\n" + "x" * 500).reason.endswith("x)")
    assert len(pause.now.reason) < LONGEST + 100
    assert pause.now.reason.isprintable()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"since": "x", "reason": null}', "\x00\xff", '{"since": 1}'])
def test_a_broken_file_counts_as_a_pause_that_says_what_is_wrong_and_resume_mends_it(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    pause = Pause(tmp_path)
    assert "cannot be read" in pause.now.reason
    assert FILE in pause.now.reason
    assert pause.end()
    assert pause.now is None


def test_the_watchdog_is_fed_however_long_it_lasts():
    health = Health(60.0)
    health.resting(0.0)
    health.resting(10.0)
    assert health.trouble(1e9, waiting=5) is None


def test_nothing_is_taken_meanwhile_and_what_was_asked_is_answered(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "The first.")
    with home.engine() as (parts, log):
        work(parts)
        parts.worker.pause.begin("for a look")
        home.put("b.txt", "The second.")
        parts.marks.add("b.txt")
        for _ in range(3):
            assert parts.worker.step() > 0
        asked = parts.worker.requests.ask(lambda: parts.service.forget({"patterns": ["a.txt"]}))
        parts.worker.step()
        assert asked.result(0)["done"] == ["a.txt"]
        assert (parts.queue.count(), home.states()) == (1, {"a.txt": "forgotten"})
        assert parts.worker.pause.end()
        work(parts)
        assert home.states()["b.txt"] == "filed"
    assert log.text.count("Paused by the operator") == log.text.count("pause is over") == 1


def test_once_refuses_with_the_remedy(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "Later.")
    assert "No daemon runs; the next one starts paused." in home.cli("pause", "--reason", "audit").out
    assert "  paused   The intake is paused by the operator since " in home.cli("status").out
    done = home.once()
    assert done.status == 69
    assert re.search(r"paused by the operator since .* \(audit\)\. Go on with `bouquetd resume`\.", done.err)
    assert home.states() == {}
    assert "the pause is over" in home.cli("resume").out.lower()
    assert home.once().status == 0
    assert "not paused" in home.cli("resume").out


def test_the_batch_in_hand_is_finished_and_the_file_goes_on_behind_it(tmp_path):
    home = Home(tmp_path / "home")
    home.put("long.txt", prose(200_000))
    with home.engine() as (parts, _log):
        told = parts.worker._pipeline.watch

        def watch(batch):
            told(batch)
            if batch[0][1].number == 20:
                parts.worker.pause.begin("now")

        parts.worker._pipeline.watch = watch
        while parts.worker.paused is None:
            parts.worker.step()
        entry = home.entries()["long.txt"]
        assert (entry.state, entry.chunks, entry.document.attempts) == ("storing", 40, 0)
        assert parts.ledger.trail("long.txt")[0].detail == parts.worker.paused.reason
        assert (home.inbox / "long.txt").exists()
        parts.worker.pause.end()
        work(parts)
        assert home.states() == {"long.txt": "filed"}
        chunks = home.entries()["long.txt"].chunks
    assert sorted(int(id_.rpartition(":")[2]) for id_ in home.stored()) == list(range(chunks))


@pytest.mark.long
def test_a_file_in_hand_stays_and_goes_on_at_its_chunk_after_a_restart_and_the_end_of_the_pause(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"batch_size": 10}})
    home.put("long.txt", prose(1_500_000))
    with home.daemon() as daemon:
        daemon.until(lambda: (status(daemon).get("current") or {}).get("chunks"), "some of it is stored")
        assert "aused by the operator" in home.cli("pause", "--reason", "night").out
        daemon.until(lambda: status(daemon).get("state") == "paused", "it is paused")
        assert daemon.status["why"].endswith("(night)")
        entry = home.entries()["long.txt"]
        assert (entry.state, entry.document.attempts) == ("storing", 0)
        assert (home.inbox / "long.txt").exists()
        assert home.cli("search", "lantern").status == 0
        daemon.signal(signal.SIGKILL)
        daemon.process.wait()
    with home.daemon() as daemon:
        daemon.until(lambda: status(daemon).get("state") == "paused", "it is paused still")
        assert home.entries()["long.txt"].chunks == entry.chunks
        assert "goes on" in home.cli("resume").out
        daemon.reaches({"long.txt": "filed"})
        assert daemon.log.count("Paused by the operator") == daemon.log.count("pause is over") == 1
        assert home.entries()["long.txt"].chunks > entry.chunks
        first = [int(n) for n in re.findall(r"Embedding chunk (\d+)", daemon.log)]
        assert min(first) == entry.chunks

"""Real daemons in a world that stops them, fills their disks, and asks them for things."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from bouquetd.model import MB
from tests.harness import AS_NOBODY_SPECIAL, OWN_MOUNTS, PROGRAM, Home, prose, until

EMBEDDING = re.compile(r"\[MEMORY\] Embedding chunk (\d+): \d+\.\d\d MB RSS")


def embedded(log):
    """The numbers of the chunks before which a memory line was logged."""
    return [int(n) for n in EMBEDDING.findall(log)]


def assert_same(stored, undisturbed):
    """Every id, text, metadata (but the time of ingestion) and vector equal."""
    assert stored.keys() == undisturbed.keys()
    for id_, record in stored.items():
        other = undisturbed[id_]
        assert record.text == other.text
        assert {**record.metadata, "ingested_at": 0} == {**other.metadata, "ingested_at": 0}
        assert np.allclose(record.vector, other.vector, rtol=0, atol=1e-5)


# -- stopping and going on ----------------------------------------------------------------------------------


@pytest.mark.long
def test_a_stop_in_the_middle_of_a_50_mb_file_is_graceful_and_the_next_start_goes_on_at_the_very_chunk(
    tmp_path,
):
    home = Home(tmp_path / "home")
    page = prose(1 * MB).encode()[: 1 * MB]
    home.put("large.txt", page * 50)
    with home.daemon() as daemon:
        daemon.until(lambda: len(embedded(daemon.log)) > 10, "ten batches")
        assert daemon.stop() == 0
        assert "Stopping without waiting" not in daemon.log
        assert daemon.log.rstrip().endswith("Stopped")
    [entry] = home.entries().values()
    assert (entry.state, entry.document.attempts) == ("storing", 0)
    assert entry.chunks >= 200
    with home.daemon() as daemon:
        daemon.until(lambda: len(embedded(daemon.log)) > 1, "the next batch")
        daemon.stop()
        assert embedded(daemon.log)[0] == entry.chunks
    [entry] = home.entries().values()
    numbers = sorted(r.metadata["chunk"] for r in home.stored().values())
    assert numbers == list(range(entry.chunks))


@pytest.mark.long
def test_a_file_interrupted_by_stops_and_kills_is_stored_as_in_an_undisturbed_run(tmp_path):
    options = {"store": {"batch_size": 50, "shard_chunks": 200}}
    home, quiet = Home(tmp_path / "home", options), Home(tmp_path / "quiet", options)
    for where in (home, quiet):
        where.put("long.txt", prose(2_000_000))  # so long that no end comes before the signal
    assert quiet.once().status == 0
    seen = []
    for end in (signal.SIGTERM, signal.SIGKILL):
        with home.daemon() as daemon:
            daemon.until(lambda d=daemon: len(embedded(d.log)) > 5, "some batches")
            daemon.signal(end)
            daemon.process.wait()
            seen += embedded(daemon.log)
    assert home.once().status == 0
    assert home.states() == {"long.txt": "filed"}
    assert_same(home.stored(), quiet.stored())
    assert home.cli("verify").status == 0


# -- systemd ------------------------------------------------------------------------------------------------


class Systemd:
    """The other end of ``$NOTIFY_SOCKET``."""

    def __init__(self, path):
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.05)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self):
        while not self._over.is_set():
            try:
                self.messages.append(self._socket.recv(8192).decode())
            except TimeoutError:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._socket.close()

    @property
    def turns(self):
        """What was said besides the status lines, repetitions left out."""
        said = [m for m in self.messages if not m.startswith(("STATUS=", "EXTEND_TIMEOUT_USEC=", "WATCHDOG="))]
        return [message for message, _ in itertools.groupby(said)]

    def count(self, message):
        return self.messages.count(message)


def test_systemd_is_told_of_readiness_status_reload_and_stop_and_only_a_sound_yaml_is_taken_over(tmp_path):
    home = Home(tmp_path / "home")
    with (
        Systemd(tmp_path / "notify") as systemd,
        home.daemon(env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as daemon,
    ):
        daemon.until(lambda: any(m.startswith("STATUS=Idle; ") for m in systemd.messages), "a status line")
        assert systemd.turns == ["READY=1"]

        home.configure(memory={"limit": "400MB"}, logging={"memory": "document"}, chunk={"size": 500})
        daemon.signal(signal.SIGHUP)
        daemon.says("Reloaded: now in force: memory.limit, logging.memory")
        daemon.says("Reloaded: these need a restart: chunk.size")
        daemon.until(lambda: daemon.status["limit_mb"] == 400, "the status shows the new limit")

        home.yaml.write_text("memory:\n  limt: 300MB\n  throttle: 5%\n")
        daemon.signal(signal.SIGHUP)
        daemon.says("Reload refused: ", 2)
        assert f"{home.yaml}:2: memory.limt" in daemon.log
        assert "throttle" in daemon.log
        os.unlink(home.yaml)
        daemon.signal(signal.SIGHUP)
        daemon.says("Reload refused: ", 3)
        assert daemon.status["limit_mb"] == 400

        daemon.until(lambda: systemd.turns.count("READY=1") == 4, "ready after each reload")
        assert daemon.stop() == 0
        kinds = [turn.split("=")[0] for turn in systemd.turns]
        assert kinds == ["READY", *["RELOADING", "READY"] * 3, "STOPPING"]
        assert all(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", t) for t in systemd.turns if t[:3] == "REL")
    assert "WATCHDOG=1" not in systemd.messages


HANGS = """
import time
import bouquetd.extract
def hang(file, reading):
    while True:
        time.sleep(0.1)
    yield
bouquetd.extract.EXTRACTORS['text/html'] = hang
"""


def test_the_watchdog_is_fed_only_while_there_is_progress_and_a_second_sigterm_ends_a_hang(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"stage_deadline": "1s"}})
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with Systemd(tmp_path / "notify") as systemd, home.daemon(patch=HANGS, env=env) as daemon:
        home.put("sound.txt", prose(20_000))
        daemon.reaches({"sound.txt": "filed"})
        fed = systemd.count("WATCHDOG=1")
        daemon.until(lambda: systemd.count("WATCHDOG=1") >= fed + 5, "pings while idle")
        home.put("hangs.html", "<html><p>It never ends")
        daemon.says("No watchdog ping: no progress in take for")
        fed = systemd.count("WATCHDOG=1")
        statuses = sum(m.startswith("STATUS=") for m in systemd.messages)
        daemon.until(
            lambda: sum(m.startswith("STATUS=") for m in systemd.messages) >= statuses + 8,
            "the loop goes on turning",
        )
        assert systemd.count("WATCHDOG=1") == fed
        daemon.signal(signal.SIGTERM)
        daemon.until(lambda: "STOPPING=1" in systemd.messages, "it is stopping")
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(60) == 128 + signal.SIGTERM


# -- commands beside a running daemon -----------------------------------------------------------------------


def test_commands_ask_the_running_daemon_and_a_second_daemon_is_told_who_holds_the_lock(tmp_path):
    home = Home(tmp_path / "home")
    assert home.cli("status").status == 1
    with home.daemon() as daemon:
        home.put("nest.txt", "The magpie builds a domed nest of thorny twigs.")
        home.put("gate.txt", "The western gate is locked at sunset.")
        daemon.reaches({"nest.txt": "filed", "gate.txt": "filed"})

        found = home.cli("search", "Where does the magpie nest?", "--json", "-n", "1")
        assert (found.status, [hit["source"] for hit in found.json]) == (0, ["nest.txt"])
        assert home.cli("verify", "--json").json["documents"] == 2

        second = home.process("run")
        assert second.status == 69
        assert re.search(rf"is held by pid {daemon.process.pid} \(.*bouquetd run", second.err)
        assert home.process("once").status == 69

        shown = home.cli("status", "--json")
        assert shown.status == 0
        assert shown.json["pid"] == daemon.process.pid
        assert (shown.json["running"], shown.json["state"], shown.json["states"]["filed"]) == (True, "idle", 2)
        assert "bouquetd is idle" in home.cli("status").out
        assert "nest.txt" in home.cli("top").out

        assert home.cli("forget", "nest.*").out == "nest.txt: forgotten\n"
        assert home.cli("forget", "nest.*").status == 1
        sources = [hit["source"] for hit in home.cli("search", "magpie", "--json").json]
        assert sources == ["gate.txt"]
        assert home.cli("search", "  ").status == 69
        assert daemon.stop() == 0
    assert list(home.texts()) == ["gate.txt"]
    assert home.cli("status").status == 1


@pytest.mark.long
def test_whoever_reads_the_status_file_finds_a_whole_one_each_time(tmp_path):
    home = Home(tmp_path / "home")
    with home.daemon() as daemon:
        file = home.runtime / "status.json"
        daemon.until(file.exists, "the status file")
        versions = set()
        while len(versions) < 4:
            with open(file) as stream:
                versions.add(os.fstat(stream.fileno()).st_ino)
                seen = json.load(stream)
            assert seen["pid"] == daemon.process.pid
        assert os.listdir(home.runtime) in (["status.json", "control.sock"], ["control.sock", "status.json"])


def test_a_search_while_a_long_file_is_ingested_finds_what_of_it_was_just_stored(tmp_path):
    home = Home(tmp_path / "home")
    home.put("long.txt", "The heron sleeps standing in the reeds. " + prose(5 * MB))
    with home.daemon() as daemon:
        daemon.until(lambda: len(embedded(daemon.log)) > 3, "some batches")
        hits = home.cli("search", "The heron sleeps standing in the reeds", "--json").json
        assert (hits[0]["source"], hits[0]["chunk"]) == ("long.txt", 0)
        seen = daemon.until(lambda: daemon.status["current"] and daemon.status, "a file in hand")
        assert seen["state"] == "working"
        assert seen["current"]["source"] == "long.txt"
        assert 0 < seen["current"]["share"] < 1


# -- memory -------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_daemon_under_a_low_limit_throttles_pauses_reclaims_resumes_and_finishes(tmp_path):
    options = {
        "chunk": {"size": 200, "overlap": 0},
        "pipeline": {"batch_size": 50},
        "store": {"batch_size": 1000},
    }
    home = Home(tmp_path / "home", options)
    with home.daemon() as daemon:
        daemon.says("Ready: ")
        daemon.until(lambda: "baseline_mb" in daemon.status, "a status of the daemon at work")
        baseline = daemon.status["baseline_mb"]
    # Above the baseline there is room for a part of a shard, so that the shard drives it to its limit.
    limit = baseline + 45
    marks = {
        name: f"{100 * (baseline + above) / limit:.0f}%" for name, above in (("throttle", 38), ("resume", 30))
    }
    home.configure(**options, memory={"limit": f"{limit:.0f}MB", **marks})
    home.put("long.txt", prose(650_000))
    with home.daemon() as daemon:
        daemon.reaches({"long.txt": "filed"})
        daemon.stop()
        told = re.findall(r"\[MEMORY\] (Throttled|Paused|Reclaimed|Resumed|High memory usage)", daemon.log)
        modes = [word for word in told if word in ("Throttled", "Paused", "Resumed")]
        # Each change is told once, and a warning comes with each that leaves the normal state.
        assert {"Throttled", "Paused", "Resumed"} == set(modes)
        assert all(one != other for one, other in itertools.pairwise(modes))
        crossings = sum(one == "Resumed" for one, _ in itertools.pairwise(["Resumed", *modes]))
        assert told.count("High memory usage") == crossings
        assert "Reclaimed" in told
        assert re.search(rf"Paused: \d+\.\d\d MB RSS at the limit of {limit:.0f} MB; reclaiming", daemon.log)
        assert re.search(r"Resumed after \d+\.\d s: \d+\.\d\d MB RSS, under \d+% of the limit", daemon.log)
    assert home.cli("verify").status == 0


def test_a_daemon_whose_limit_is_below_its_baseline_refuses_to_start_and_says_what_does_not_fit(tmp_path):
    home = Home(tmp_path / "home", {"memory": {"limit": "100MB"}})
    home.put("a.txt", "It stays where it is.")
    refused = home.process("run")
    assert refused.status == 78
    assert re.search(
        r"memory\.limit: 100 MB is too small: \d+\.\d\d MB are taken before the first file,"
        r" and work resumes only below 70\.00 MB \(70%\)",
        refused.err,
    )
    assert (home.inbox / "a.txt").exists()
    home.configure()
    assert home.once().status == 0


# -- full and read-only disks -------------------------------------------------------------------------------


def mounted(home, *commands):
    """A command that runs the daemon with mounts of its own, made by shell ``commands`` in the home."""
    return [*OWN_MOUNTS, "sh", "-c", " && ".join([f"cd {home.root}", *commands, 'cd / && exec "$@"']), "sh"]


def within(daemon, home, command):
    """Run a shell command where the daemon's mounts are seen."""
    enter = ["nsenter", "-t", str(daemon.process.pid), "-m"]
    if os.geteuid() != 0:
        enter += ["-U", "--preserve-credentials"]
    subprocess.run([*enter, "sh", "-c", f"cd {home.root} && {command}"], check=True, capture_output=True)


@contextmanager
def full(folder):
    """Fill the file system of a folder to the last byte."""
    ballast = folder / "ballast.tmp"
    with open(ballast, "wb", buffering=0) as stream:
        for size in (65536, 4096, 1):
            while True:
                try:
                    stream.write(bytes(size))
                except OSError:
                    break
    try:
        yield
    finally:
        os.unlink(ballast)


@pytest.mark.long
def test_a_full_disk_under_the_state_holds_the_intake_costs_no_attempt_and_loses_nothing(tmp_path):
    home = Home(tmp_path / "home", {"paths": {"runtime": "runtime"}, "pipeline": {"max_attempts": 1}})
    home.root.joinpath("state").mkdir()
    with home.daemon(wrap=mounted(home, "mount -t tmpfs -o size=3m tmpfs state")) as daemon:
        inside = home.seen_by(daemon)
        home.put("before.txt", "There was room for this one.")
        daemon.says("Stored before.txt")
        with full(inside.root / "state"):
            home.put("during.txt", "There was no room for this one.")
            daemon.says("Holding the intake, trying again by itself. ")
            assert "ledger.db cannot be used: database or disk is full" in daemon.log
            assert "Look at the free space" in daemon.log
        daemon.says("Stored during.txt")
        daemon.says("Going on: what was missing is back")
        # A file whose journal alone is more than fits, so that it fills up in its midst.
        home.put("large.txt", prose(1 * MB))
        daemon.says("Holding the intake, trying again by itself. ", 2)
        within(daemon, home, "mount -o remount,size=64m state")
        daemon.says("Stored large.txt")
        assert home.cli("verify").status == 0
        assert "Rejected" not in daemon.log
        assert daemon.stop() == 0
    assert sorted(os.listdir(home.archive)) == ["before.txt", "during.txt", "large.txt"]
    numbers = [r.metadata["chunk"] for r in home.stored().values() if r.metadata["source"] == "large.txt"]
    assert sorted(numbers) == list(range(len(numbers)))


@pytest.mark.long
def test_a_full_and_then_a_read_only_archive_hold_the_file_in_the_inbox_until_it_can_go(tmp_path):
    home = Home(tmp_path / "home")
    with home.daemon(wrap=mounted(home, "mount -t tmpfs -o size=1m tmpfs archive")) as daemon:
        inside = home.seen_by(daemon)
        with full(inside.archive):
            home.put("full.txt", prose(10_000))
            daemon.says("The file full.txt cannot be moved into")
            daemon.says("Free some space on the disk that holds")
            assert home.cli("search", "stone").status == 0
            assert (home.inbox / "full.txt").exists()
            assert not [n for n in os.listdir(inside.archive) if n != "ballast.tmp"]
        daemon.reaches({"full.txt": "filed"})
        within(daemon, home, "mount -o remount,ro archive")
        home.put("shut.txt", "It cannot go away yet.")
        daemon.says("The file shut.txt cannot be moved into")
        daemon.says("Mount the file system of")
        assert (home.inbox / "shut.txt").exists()
        within(daemon, home, "mount -o remount,rw archive")
        daemon.reaches({"full.txt": "filed", "shut.txt": "filed"})
        assert inside.archive.joinpath("full.txt").read_text() == prose(10_000)
        assert daemon.stop() == 0
    assert len(home.texts()) == 2


@pytest.mark.long
def test_a_full_disk_under_the_store_holds_the_intake_and_every_vector_is_right_afterwards(tmp_path):
    options = {"store": {"batch_size": 20, "shard_chunks": 100}}
    home, quiet = Home(tmp_path / "home", options), Home(tmp_path / "quiet", options)
    quiet.put("file.txt", prose(200_000))
    assert quiet.once().status == 0
    home.root.joinpath("store").mkdir()
    with home.daemon(wrap=mounted(home, "mount -t tmpfs -o size=1500k tmpfs store")) as daemon:
        inside = home.seen_by(daemon)
        home.put("file.txt", prose(200_000))
        daemon.says("Holding the intake, trying again by itself. ")
        within(daemon, home, "mount -o remount,size=64m store")
        daemon.reaches({"file.txt": "filed"})
        assert home.cli("verify").status == 0
        # The store goes with the daemon's mounts: it is copied after the last word was written.
        daemon.signal(signal.SIGSTOP)
        subprocess.run(["cp", "-a", f"{inside.root}/store/.", home.root / "store"], check=True)
        daemon.kill()
    assert home.once().status == 0
    assert_same(home.stored(), quiet.stored())


@pytest.mark.long
def test_once_ends_with_69_when_the_archive_may_not_be_written_and_goes_on_when_it_may(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "Nowhere to go.")
    home.archive.chmod(0o555)
    outcome = home.process("once", wrap=AS_NOBODY_SPECIAL)
    home.archive.chmod(0o755)
    assert outcome.status == 69
    assert "The file a.txt cannot be moved into" in outcome.err
    assert "Let the daemon's user read and write" in outcome.err
    assert home.states() == {"a.txt": "complete"}
    assert home.once().status == 0
    assert home.states() == {"a.txt": "filed"}
    assert list(home.texts().values()) == ["Nowhere to go.\n"]


# -- the commands as they are typed ------------------------------------------------------------------------


def test_init_once_and_search_work_as_a_newcomer_types_them(tmp_path):
    def bouquetd(*arguments):
        return subprocess.run([PROGRAM, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert bouquetd("once").returncode == 78
    assert bouquetd("init", "bouquetd.yaml").returncode == 0
    (tmp_path / "inbox").mkdir(exist_ok=True)
    (tmp_path / "inbox" / "owl.txt").write_text("The owl hunts at dusk.")
    assert bouquetd("once").returncode == 0
    shown = bouquetd("search", "owl at dusk").stdout
    assert shown.startswith("1. owl.txt\n   The owl hunts at dusk.\n   1st by meaning (distance ")


@pytest.mark.long
def test_once_stops_between_two_batches_when_interrupted_and_has_lost_nothing(tmp_path):
    home = Home(tmp_path / "home")
    home.put("long.txt", prose(3 * MB))
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([PROGRAM, "once", "-c", str(home.yaml)], stderr=log)
    until(lambda: len(embedded((tmp_path / "log").read_text())) > 2, "some batches")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    [entry] = home.entries().values()
    assert (entry.state, entry.document.attempts) == ("storing", 0)
    assert (home.inbox / "long.txt").exists()

"""Real daemons that store into a real Chroma server, which dies, hangs, fills its disk and shuts its door."""

import os
import random
import signal
import subprocess
import time
import zlib
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import chromadb
import pytest

from tests.chroma_server import ChromaServer
from tests.harness import OWN_MOUNTS, Home, prose
from tests.proxy import Proxy


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with ChromaServer(folder) as server:
        yield server


def home_at(tmp_path, url, name="bouquet", **store):
    return Home(
        tmp_path / f"home-{name}",
        {"store": {"mode": "server", "url": url, "collection": name, "shard_chunks": 500, **store}},
    )


def stored(server, prefix="bouquet"):
    """What a stranger finds there: how often each chunk of each source is stored, in collections of a name."""
    client = chromadb.HttpClient(
        "127.0.0.1", server.port, settings=chromadb.config.Settings(anonymized_telemetry=False)
    )
    found = Counter()
    for collection in client.list_collections():
        if collection.name.rpartition("-")[0] == prefix:
            metadatas = collection.get(include=["metadatas"])["metadatas"]
            found.update((values["source"], values["chunk"]) for values in metadatas)
    return found


def assert_whole(home, server, sources, prefix="bouquet"):
    """Every chunk of every source is there, once, and the ledger agrees."""
    verified = home.process("verify", "--json").json
    assert verified["faults"] == 0, verified
    found = stored(server, prefix)
    assert {source for source, _ in found} == set(sources)
    assert set(found.values()) == {1}
    with home.ledger() as ledger:
        assert sum(entry.chunks for entry in ledger.entries()) == len(found)


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def idle(daemon):
    """While we wait within, hardly any work is done."""
    before, began = cpu(daemon.process.pid), time.monotonic()
    yield
    share = (cpu(daemon.process.pid) - before) / (time.monotonic() - began)
    assert share < 0.2, f"{share:.0%} of a core while there is nothing to do but to wait"


def drop(home, names, size=30_000):
    for name in names:
        home.put(name, prose(size, zlib.crc32(name.encode())))
    return names


def held(daemon, what, times=1):
    """The intake is held: the journal and the status say why."""
    daemon.says(f"Holding the intake, trying again by itself. {what}", times)
    daemon.until(lambda: daemon.status["state"] == "holding", "the status says so")
    assert what in daemon.status["why"].replace("chroma at", "Chroma at")


def filed(daemon, home, names):
    daemon.reaches(dict.fromkeys(names, "filed"))
    daemon.until(lambda: daemon.status["state"] == "idle", "the status says that all is done")


def test_a_server_that_is_killed_and_stays_away_holds_the_intake_until_it_is_back(tmp_path, server):
    home = home_at(tmp_path, server.url)
    with home.daemon() as daemon:
        names = drop(home, ["a.txt", "b.txt"])
        daemon.says("Stored a.txt")
        server.kill()
        names += drop(home, ["c.txt"])
        daemon.says("Holding the intake")
        assert home.process("search", "stone").status == 69
        server.start()
        filed(daemon, home, names)
        assert daemon.log.count("Holding the intake") <= 5
        assert "Going on: what was missing is back" in daemon.log
        assert_whole(home, server, names)


@pytest.mark.long
def test_a_server_that_hangs_is_given_up_after_the_time_out_and_taken_up_when_it_moves_again(tmp_path, server):
    home = home_at(tmp_path, server.url, timeout="1s")
    with home.daemon() as daemon:
        names = drop(home, ["a.txt"])
        filed(daemon, home, names)
        os.kill(server.pid, signal.SIGSTOP)
        names += drop(home, ["b.txt"])
        try:
            held(daemon, f"Chroma at {server.url} did not answer within 1 s")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        filed(daemon, home, names)
        assert_whole(home, server, names)


@pytest.mark.long
def test_a_server_that_hangs_for_two_minutes_costs_nothing_but_the_time(tmp_path, server):
    home = home_at(tmp_path, server.url, timeout="10s")
    with home.daemon() as daemon:
        names = drop(home, [f"{n}.txt" for n in range(30)])
        daemon.says("Stored 3.txt")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            held(daemon, f"Chroma at {server.url} did not answer within 10 s")
            with idle(daemon):
                time.sleep(120)  # the outage itself
        finally:
            os.kill(server.pid, signal.SIGCONT)
        filed(daemon, home, names)
        assert daemon.log.count("Holding the intake") <= 5
        assert max(entry.document.attempts for entry in home.entries().values()) <= 1
        assert_whole(home, server, names)


@pytest.mark.long
def test_a_refused_token_holds_the_intake_and_the_right_one_is_taken_without_a_restart(tmp_path, server):
    file = tmp_path / "token"
    file.write_text("right")
    with Proxy(server.port) as proxy:
        proxy.token = "Bearer right"
        home = home_at(tmp_path, proxy.url, token_file=str(file))
        with home.daemon() as daemon:
            names = drop(home, ["a.txt"])
            filed(daemon, home, names)
            proxy.token = "Bearer changed"
            names += drop(home, ["b.txt"])
            held(daemon, f"Chroma at {proxy.url} did not accept the token (401)")
            assert "Put the right token into store.token_file" in daemon.log
            with idle(daemon):
                asked = len(proxy.asked)
                daemon.until(lambda: len(proxy.asked) > asked + 2, "it is tried again")
            assert daemon.log.count("Holding the intake") == 1
            assert "right" not in daemon.log.replace("right token", "").replace("put right", "")
            file.write_text("changed")
            filed(daemon, home, names)
            assert "Rebuilt shard" not in daemon.log
        assert_whole(home, server, names)


@pytest.mark.long
def test_a_server_that_takes_a_second_for_each_request_is_waited_for(tmp_path, server):
    with Proxy(server.port) as proxy:
        home = home_at(tmp_path, proxy.url)
        with home.daemon() as daemon:
            proxy.delay = 1.0
            names = drop(home, [f"{n}.txt" for n in range(20)])
            with idle(daemon):
                filed(daemon, home, names)
            assert "Holding" not in daemon.log
            assert "No watchdog ping" not in daemon.log
            proxy.delay = 0.0
        assert_whole(home, server, names)


@contextmanager
def small_disk(folder):
    """A file system of 4 MB on a folder, in mounts of its own; a command's beginning that leads into them."""
    mount = f"mount -t tmpfs -o size=4m tmpfs {folder} && echo mounted && exec sleep infinity"
    holder = subprocess.Popen([*OWN_MOUNTS, "sh", "-c", mount], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"mounted\n"
        user = () if os.geteuid() == 0 else ("-U", "--preserve-credentials")
        yield ["nsenter", "-t", str(holder.pid), "-m", *user]
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.long
def test_a_full_disk_under_the_server_holds_the_intake_and_loses_nothing(tmp_path):
    """Chroma 1.5 may not recover by itself: here its database stays locked until it is started again."""
    folder = tmp_path / "server"
    (folder / "data").mkdir(parents=True)
    with small_disk(folder / "data") as enter, ChromaServer(folder, wrap=enter) as server:
        # After calls of half the size it was seen to go on once there was room.
        home = home_at(tmp_path, server.url, timeout="5s", batch_size=500)
        with home.daemon() as daemon:
            names = drop(home, [f"{n}.txt" for n in range(30)], 60_000)
            daemon.says("Holding the intake, trying again by itself. Chroma at")
            assert "Look at the free space" in daemon.log
            subprocess.run([*enter, "mount", "-o", "remount,size=256m", str(folder / "data")], check=True)
            daemon.says(f"Chroma at {server.url} did not answer within 5 s. Restart it if it hangs")
            server.kill()
            server.start()
            filed(daemon, home, names)
            assert daemon.log.count("Holding the intake") <= 5
            assert max(entry.document.attempts for entry in home.entries().values()) <= 1
            assert_whole(home, server, names)


def three(tmp_path, server, count):
    """Three daemons on one server, each with files of its own and some that the others have as well."""
    chance = random.Random(4)
    homes = [home_at(tmp_path, server.url, name) for name in ("north", "south", "east-1")]
    with ExitStack() as stack:
        daemons = [stack.enter_context(home.daemon()) for home in homes]
        names = []
        for home in homes:
            names.append([f"{n}.txt" for n in chance.sample(range(2 * count), count)])
            for name in names[-1]:
                seed = int(name.partition(".")[0])
                home.put(name, prose(500 + 100 * (seed % 40), seed))
        for daemon, home, own in zip(daemons, homes, names, strict=True):
            filed(daemon, home, own)
            assert "Holding" not in daemon.log
    for home, own in zip(homes, names, strict=True):
        assert_whole(home, server, own, home.options["store"]["collection"])


@pytest.mark.long
@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.campaign)])
def test_three_daemons_with_overlapping_files_share_a_server_without_a_trace_of_each_other(
    tmp_path, server, count
):
    three(tmp_path, server, count)

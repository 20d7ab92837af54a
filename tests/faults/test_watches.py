"""More folders than the kernel lets one user watch: its real limit, in a user namespace of the test's own."""

import subprocess

import pytest

from bouquetd.ops.status import line
from tests.harness import PROGRAM, Home

FEW = ("unshare", "--user", "--map-root-user", "sh", "-c")
"""Put before a command, it gives it a user namespace, whose limits vanish with it."""

LIMIT = "/proc/sys/user/max_inotify_watches"


def few(most):
    return (*FEW, f'echo {most} >{LIMIT} && exec "$@"', "few")


def within(daemon, command):
    """What a command prints in the daemon's namespace."""
    inside = ["nsenter", "--user", "--preserve-credentials", "--target", str(daemon.process.pid)]
    done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def told(daemon, home):
    """What the operator is told of the watches, by place."""
    doctor = within(daemon, [PROGRAM, "doctor", "-c", str(home.yaml)])
    return {
        "status": within(daemon, [PROGRAM, "status", "-c", str(home.yaml)]),
        "doctor": doctor,
        "STATUS": line(daemon.status),
        "journal": daemon.log,
    }


REMEDY = "sysctl user.max_inotify_watches=524288"


@pytest.fixture
def home(tmp_path):
    """An inbox with a folder in it, looked through each second."""
    home = Home(tmp_path / "home", {"inbox": {"rescan": "1s"}})
    (home.inbox / "first").mkdir()
    return home


@pytest.mark.long
@pytest.mark.parametrize("most", [1, 2], ids=["at the start", "when a folder is made"])
def test_where_watches_run_out_all_places_say_so_files_are_found_by_rescans_and_the_remedy_works(home, most):
    with home.daemon(wrap=few(most)) as daemon:
        home.put("second/late.txt", "The kernel does not tell of this one.")
        daemon.reaches({"second/late.txt": "filed"})
        daemon.until(lambda: daemon.status["watches_full"], "the limit is noticed")
        for place, said in told(daemon, home).items():
            assert REMEDY in said, (place, said)
        assert daemon.log.count(REMEDY) == 1
        within(daemon, REMEDY.split())
        assert within(daemon, ["cat", LIMIT]) == "524288\n"
    with home.daemon(wrap=few(524288)) as daemon:
        for place, said in told(daemon, home).items():
            assert "sysctl" not in said, (place, said)
        assert daemon.status["watch"] == "events"

"""What the journal holds when the daemon itself fails."""

import signal

import pytest

from tests.harness import Home

BROKEN = """
from bouquetd.{module} import {name}
def broken(*_):
    if __import__('os').path.exists({trigger!r}):
        raise RuntimeError('nobody foresaw this')
    return sound(*_)
sound, {name}.{method} = {name}.{method}, broken
"""


@pytest.mark.parametrize(
    ("module", "name", "method", "status"),
    [
        ("worker", "Worker", "_step", 70),
        pytest.param("snapshot", "Snapshot", "take", 1, marks=pytest.mark.long),
    ],
)
def test_what_nobody_foresaw_ends_the_daemon_with_the_stacks_of_all_threads(
    tmp_path, module, name, method, status
):
    home = Home(tmp_path / "home")
    trigger = tmp_path / "now"
    with home.daemon(
        patch=BROKEN.format(module=module, name=name, method=method, trigger=str(trigger))
    ) as daemon:
        trigger.touch()
        home.put("a.txt", "Something to wake it.")
        assert daemon.process.wait(30) == status
        assert "RuntimeError: nobody foresaw this" in daemon.log
        assert daemon.log.count("hread 0x") >= 2
        assert "in _work" in daemon.log
    assert home.once().status == 0
    assert home.states() == {"a.txt": "filed"}


@pytest.mark.long
def test_a_fatal_signal_such_as_the_watchdogs_leaves_the_stacks_of_all_threads(tmp_path):
    home = Home(tmp_path / "home")
    with home.daemon() as daemon:
        daemon.process.send_signal(signal.SIGABRT)
        assert daemon.process.wait(30) == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log
        assert daemon.log.count("hread 0x") >= 2

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bouquetd.errors import Unavailable
from bouquetd.lock import Held, hold

HOLD = """
import pathlib, sys
from bouquetd.lock import hold
with hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_holds_it(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(Held, match=rf"held by pid {holder.pid} \(-c .*, since \d{{4}}-") as caught:
        hold(path)
    assert caught.value.pid == holder.pid
    assert f"kill {holder.pid}" in caught.value.remedy


def test_a_killed_holder_holds_nothing(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    hold(path).release()


def test_within_one_process_it_excludes_too_and_release_frees_it(path: Path) -> None:
    with hold(path) as lock:
        with pytest.raises(Held) as caught:
            hold(path)
        assert caught.value.pid == os.getpid()
    lock.release()
    hold(path).release()


def test_a_holder_that_has_not_signed_yet_is_another_process(path: Path) -> None:
    with hold(path):
        path.write_text("")
        with pytest.raises(Held, match="held by another process") as caught:
            hold(path)
    assert caught.value.pid is None


def test_the_file_is_for_its_owner_alone_and_is_not_inherited(path: Path) -> None:
    with hold(path) as lock:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert lock._descriptor is not None
        assert not os.get_inheritable(lock._descriptor)


def test_a_longer_note_of_an_earlier_holder_leaves_no_trace(path: Path) -> None:
    path.write_text("x" * 10_000)
    with hold(path):
        assert "x" * 100 not in path.read_text()


def test_a_symlink_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    path.symlink_to(target)
    with pytest.raises(Unavailable, match="it is a symbolic link"):
        hold(path)
    assert not target.exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_plain_file_is_refused(path: Path, make: object) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(Unavailable, match="cannot lock"):
        hold(path)


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory") as caught:
        hold(tmp_path / "missing" / "lock")
    assert str(tmp_path / "missing") in caught.value.remedy

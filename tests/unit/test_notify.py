from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bouquetd.notify import Notifier, watchdog_interval


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # An abstract address of the kernel's choice: short enough wherever the tests run.
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + listener.getsockname()[1:].decode())
        yield listener


def heard(systemd: socket.socket) -> str:
    return systemd.recv(8192).decode()


def test_each_message_is_what_systemd_expects(systemd: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.watchdog()
    notifier.stopping()
    notifier.extend(1.5)
    assert [heard(systemd) for _ in range(4)] == [
        "READY=1",
        "WATCHDOG=1",
        "STOPPING=1",
        "EXTEND_TIMEOUT_USEC=1500000",
    ]


def test_a_reload_carries_the_monotonic_time(systemd: socket.socket) -> None:
    Notifier().reloading()
    first, second = heard(systemd).split("\n")
    name, usec = second.split("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert abs(time.monotonic() - int(usec) / 1e6) < 60


def test_a_status_is_one_clean_line(systemd: socket.socket) -> None:
    Notifier().status("12 files,\n\x1b[31mnow\x00  bad\udce9name.pdf\nREADY=1")
    assert heard(systemd) == "STATUS=12 files, [31mnow bad name.pdf READY=1"


def test_a_status_travels_in_utf_8(systemd: socket.socket) -> None:
    Notifier().status("Größe, 漢字, 🌸")
    assert heard(systemd) == "STATUS=Größe, 漢字, 🌸"


def test_a_status_is_never_longer_than_systemd_reads(systemd: socket.socket) -> None:
    Notifier().status("🌸" * 5000)
    assert len(systemd.recv(8192)) < 4096


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = Notifier()
    notifier.ready()
    notifier.status("fine")


def test_systemd_going_away_is_survived(systemd: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier()
    systemd.close()
    notifier.watchdog()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_must_be(
    environ: dict[str, str], interval: float | None
) -> None:
    assert watchdog_interval(environ, 7) == interval

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bouquetd import control
from bouquetd.control import PARALLEL, NoDaemon, Server, request
from bouquetd.errors import Rejected, Stopped, Unavailable


def refuse(_: dict[str, Any]) -> None:
    raise Rejected("no such file", "look again")


def unavailable(_: dict[str, Any]) -> None:
    raise Unavailable("store is down", "start it")


def stopped(_: dict[str, Any]) -> None:
    raise Stopped("on the way out")


def crash(_: dict[str, Any]) -> None:
    raise KeyError("oops")


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path, gate: threading.Event) -> Iterator[Server]:
    server = Server(
        path,
        {
            "echo": lambda arguments: arguments,
            "refuse": refuse,
            "unavailable": unavailable,
            "stopped": stopped,
            "crash": crash,
            "wait": lambda _: gate.wait(30),
            "unsayable": lambda _: object(),
            "flood": lambda _: "x" * control.LONGEST_ANSWER,
        },
    )
    server.start()
    yield server
    gate.set()
    server.stop()


def raw(path: Path, message: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        try:
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with connection.makefile("rb") as file:
            answer: dict[str, Any] = json.loads(file.readline())
            return answer


@pytest.mark.usefixtures("server")
def test_an_answer_comes_back_as_it_was_given(path: Path) -> None:
    arguments = {"text": "Größe 🌸", "n": 5, "deep": {"list": [1.5, None, True]}}
    assert request(path, "echo", timeout=10, **arguments) == arguments


@pytest.mark.usefixtures("server")
def test_file_names_that_are_no_utf_8_survive(path: Path) -> None:
    assert request(path, "echo", 10, name="a\udce9\n.pdf") == {"name": "a\udce9\n.pdf"}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("op", "kind", "reason"),
    [
        ("refuse", Rejected, "no such file"),
        ("unavailable", Unavailable, "store is down"),
        ("stopped", Unavailable, "on the way out"),
        ("crash", Unavailable, "the daemon failed: KeyError"),
        ("unsayable", Unavailable, "the daemon failed: TypeError"),
        ("flood", Rejected, "the answer is larger than 16 MB"),
        ("dance", Rejected, "does not know the request 'dance'"),
    ],
)
def test_a_failure_reaches_the_asker_with_its_reason(
    path: Path, op: str, kind: type[Rejected | Unavailable], reason: str
) -> None:
    with pytest.raises((Rejected, Unavailable), match=reason) as caught:
        request(path, op, 10)
    assert type(caught.value) is kind
    assert caught.value.remedy
    assert request(path, "echo", 10, still="there") == {"still": "there"}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"hello\n", "no JSON"),
        (b"[1]\n", "no JSON object"),
        (b"\xff\n", "no JSON"),
        (b"[" * 60_000 + b"\n", "no JSON"),
        (b'{"op": "echo"}', "cut off or too long"),
        (b'{"op": "' + b"x" * control.LONGEST_REQUEST + b'"}\n', "cut off or too long"),
        (b'{"op": ["list"]}\n', "does not know"),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(path: Path, message: bytes, reason: str) -> None:
    answer = raw(path, message)
    assert answer["ok"] is False
    assert answer["error"]["kind"] == "rejected"
    assert reason in answer["error"]["reason"]
    assert request(path, "echo", 10) == {}


@pytest.mark.usefixtures("server")
def test_a_vector_of_as_many_dimensions_as_settings_allow_is_no_request_too_long(path: Path) -> None:
    vector = [-sys.float_info.min] * 16_384
    assert request(path, "echo", 10, question=vector) == {"question": vector}


@pytest.mark.usefixtures("server")
def test_a_request_far_too_long_is_answered_although_it_was_not_read(path: Path) -> None:
    with pytest.raises(Rejected, match="too long"):
        request(path, "echo", 10, text="x" * 5_000_000)


@pytest.mark.usefixtures("server")
def test_a_client_that_says_nothing_holds_up_nobody(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert request(path, "echo", 10) == {}


@pytest.mark.usefixtures("server")
def test_a_client_that_dribbles_is_cut_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.1)
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(10)
        slow.connect(str(path))
        slow.sendall(b"{")
        assert slow.recv(10) == b""


def test_one_request_too_many_is_told_to_come_again(path: Path, gate: threading.Event) -> None:
    begun = threading.Semaphore(0)

    def handler(_: dict[str, Any]) -> None:
        begun.release()
        gate.wait(30)

    server = Server(path, {"wait": handler})
    server.start()
    waiting = [threading.Thread(target=request, args=(path, "wait", 30)) for _ in range(PARALLEL)]
    for thread in waiting:
        thread.start()
    assert all(begun.acquire(timeout=30) for _ in waiting)
    with pytest.raises(Unavailable, match="the daemon is busy"):
        request(path, "wait", 10)
    gate.set()
    for thread in waiting:
        thread.join()
    server.stop()


def test_with_nobody_there_it_says_so(path: Path) -> None:
    with pytest.raises(NoDaemon, match="no daemon listens on"):
        request(path, "echo", 1)


def test_a_dead_daemons_socket_is_nobody_and_a_new_one_takes_its_place(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoDaemon):
        request(path, "echo", 1)
    server = Server(path, {"echo": lambda arguments: arguments})
    server.start()
    assert request(path, "echo", 10) == {}
    server.stop()


def test_after_stop_the_socket_is_gone_and_stop_may_be_said_twice(path: Path) -> None:
    server = Server(path, {})
    server.start()
    server.stop()
    server.stop()
    assert not path.exists()
    with pytest.raises(NoDaemon):
        request(path, "echo", 1)


def test_stop_lets_a_request_in_hand_finish(path: Path) -> None:
    begun, go, answers = threading.Event(), threading.Event(), []

    def handler(_: dict[str, Any]) -> str:
        begun.set()
        go.wait(30)
        return "done"

    server = Server(path, {"work": handler})
    server.start()
    asking = threading.Thread(target=lambda: answers.append(request(path, "work", 30)))
    asking.start()
    begun.wait(30)
    stopping = threading.Thread(target=server.stop, args=(30,))
    stopping.start()
    go.set()
    stopping.join()
    asking.join()
    assert answers == ["done"]


@pytest.mark.usefixtures("server")
def test_owner_and_group_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.usefixtures("server")
def test_a_daemon_that_takes_too_long_is_not_waited_for(path: Path) -> None:
    with pytest.raises(Unavailable, match=r"did not answer 'wait' within 0\.1 s"):
        request(path, "wait", 0.1)


def test_a_daemon_that_dies_in_mid_answer_is_told(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(path))
        dying.listen()

        def die() -> None:
            connection, _ = dying.accept()
            connection.recv(100)
            connection.sendall(b'{"ok": tr')
            connection.close()

        thread = threading.Thread(target=die)
        thread.start()
        with pytest.raises(Unavailable, match="went away before it had answered"):
            request(path, "echo", 10)
        thread.join()


def test_what_is_no_socket_is_not_removed(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(Unavailable, match="something that is no socket"):
        Server(path, {}).start()
    assert path.read_text() == "precious"


def test_a_missing_folder_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot listen on") as caught:
        Server(tmp_path / "missing" / "control.sock", {}).start()
    assert "folder" in caught.value.remedy


def test_a_path_longer_than_the_kernel_takes_works(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    server = Server(path, {"echo": lambda arguments: arguments})
    server.start()
    assert path.is_socket()
    assert request(path, "echo", 10, a=1) == {"a": 1}
    server.stop()
    assert not path.exists()
    with pytest.raises(NoDaemon):
        request(path, "echo", 1)


def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()

    def round_trip() -> int:
        server = Server(folder / "s", {"echo": lambda arguments: arguments})
        server.start()
        request(folder / "s", "echo", 10)
        server.stop()
        return len(os.listdir("/proc/self/fd"))

    assert round_trip() == round_trip()

"""The server: its bounds, and what it does with those who keep to none."""

from __future__ import annotations

import socket
import stat
import threading
import time

import pytest

from bouquetd.config import Listen
from bouquetd.errors import Unavailable
from bouquetd.web import server as web
from bouquetd.web.server import LARGEST, PARALLEL, Response, Server
from tests.web import ask, free_port


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def serving(port):
    started = []

    def start(routes, where=None):
        started.append(Server(where or Listen("127.0.0.1", port), routes))
        started[-1].start()
        return port

    yield start
    for server in started:
        server.stop()


def echo(request):
    return Response(repr(sorted(request.fields.items())).encode())


def raw(port, data, close=True):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(data)
        if close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while got := connection.recv(65536):
            answer += got
    return answer


def test_fields_come_from_the_query_and_of_a_post_from_the_form(serving):
    port = serving({("GET", "/"): echo, ("POST", "/"): echo})
    assert ask(port, "/?a=1&b=%C3%A9&a=2").text == "[('a', '2'), ('b', 'é')]"
    assert ask(port, "/?a=1", {"b": "x y"}).text == "[('a', '1'), ('b', 'x y')]"


def test_a_head_has_the_length_and_no_body(serving):
    answer = ask(serving({("GET", "/"): echo}), "/", method="HEAD")
    assert (answer.status, answer.text, answer.headers["Content-Length"]) == (200, "", "2")


def test_what_is_not_there_or_not_asked_so_is_refused(serving):
    port = serving({("GET", "/here"): echo})
    assert ask(port, "/there").status == 404
    refused = ask(port, "/here", {})
    assert (refused.status, refused.headers["Allow"]) == (405, "GET")
    assert ask(port, "/here", method="DELETE").status == 501


def test_every_answer_keeps_browsers_from_running_or_fetching_what_is_not_ours(serving):
    port = serving({("GET", "/"): echo})
    for answer in (ask(port, "/"), ask(port, "/nowhere"), ask(port, "/", method="PUT")):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Python" not in answer.headers["Server"]


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * (2 * LARGEST) + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * (2 * LARGEST) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (LARGEST // 4) + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nabc",
        b"POST / HTTP/1.1\r\n\r\nabc",
        b"GET /?" + b"a=1&" * 30 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_what_is_too_large_or_no_request_is_answered_with_an_error_or_not_at_all(serving, data):
    port = serving({("GET", "/"): echo, ("POST", "/"): echo})
    try:
        answer = raw(port, data)
    except OSError:  # hung up on in the middle of it
        answer = b""
    assert answer == b"" or 400 <= int(answer.split()[1]) < 500
    assert ask(port, "/").status == 200


def test_an_address_that_cannot_be_read_is_answered(serving):
    assert b" 400 " in raw(serving({("GET", "/"): echo}), b"GET http://[ HTTP/1.1\r\n\r\n").splitlines()[0]


def test_who_says_nothing_is_hung_up_on_in_time(serving, monkeypatch):
    monkeypatch.setattr(web, "PATIENCE", 0.2)
    port = serving({("GET", "/"): echo})
    began = time.monotonic()
    assert raw(port, b"GET / HTTP/1.1\r\nHost: ", close=False) == b""
    assert time.monotonic() - began < 3


def test_one_more_than_can_be_answered_at_once_is_told_to_come_again(serving):
    held, inside = threading.Event(), threading.Semaphore(0)

    def slow(_request):
        inside.release()
        held.wait(10)
        return Response(b"done")

    port = serving({("GET", "/"): slow})
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask(port, "/"))) for _ in range(PARALLEL)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=10)
    turned_away = ask(port, "/")
    held.set()
    for thread in threads:
        thread.join(10)
    assert (turned_away.status, turned_away.headers["Retry-After"]) == (503, "1")
    assert [answer.status for answer in found] == [200] * PARALLEL


def test_a_failure_within_is_answered_without_telling_what_it_was(serving):
    def fails(_request):
        raise RuntimeError("secret")

    answer = ask(serving({("GET", "/"): fails}), "/")
    assert answer.status == 500
    assert "secret" not in answer.text
    assert "log" in answer.text


def test_a_unix_socket_is_for_owner_and_group_however_long_its_path(serving, tmp_path):
    path = tmp_path / ("long" * 30) / "page.sock"
    path.parent.mkdir()
    serving({("GET", "/"): echo}, Listen(path=path))
    assert path.is_socket()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_socket_that_was_left_behind_is_taken_over_and_a_file_is_not(tmp_path):
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(left))
    server = Server(Listen(path=left), {("GET", "/"): echo})
    server.start()
    assert ask(left, "/").status == 200
    server.stop()
    assert not left.exists()
    left.write_text("mine")
    with pytest.raises(Unavailable, match="cannot listen on unix:"):
        server.start()
    assert left.read_text() == "mine"


def test_an_address_that_is_taken_is_told_with_what_to_do(serving, port):
    serving({})
    with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}") as caught:
        Server(Listen("127.0.0.1", port), {}).start()
    assert "page.listen" in caught.value.remedy


def test_a_stopped_server_has_answered_what_was_in_hand(serving, port):
    began = threading.Event()

    def slow(_request):
        began.set()
        time.sleep(0.2)
        return Response(b"done")

    server = Server(Listen("127.0.0.1", port), {("GET", "/"): slow})
    server.start()
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(port, "/").text))
    thread.start()
    assert began.wait(10)
    server.stop()
    thread.join(10)
    assert found == ["done"]
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/")


def test_ipv6_is_served_too(port):
    server = Server(Listen("::1", port), {("GET", "/"): echo})
    server.start()
    with socket.create_connection(("::1", port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    server.stop()

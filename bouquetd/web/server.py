"""A small HTTP server: one address, a few routes, and a bound for everything that comes from outside.

A request has one connection, a number of bytes and a number of seconds; a thread answers it, and when all are
busy the next one is told to come again.
"""

from __future__ import annotations

import io
import socket
import socketserver
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bouquetd import log
from bouquetd.config import Listen
from bouquetd.errors import Unavailable
from bouquetd.model import printable
from bouquetd.sockets import Bounded, clear, unix_address

LARGEST = 32 * 1024
"""Bytes of one request, its first line, headers and body together."""

PARALLEL = 8
"""Requests that are answered at once."""

PATIENCE = 5.0
"""Seconds a client may take to say its request, and again to take the answer."""

LOOK = 10.0
"""Seconds between two looks whether to stop, where nothing is asked: a thread that sleeps costs nothing."""

FIELDS = 20
"""Fields of a query or a form."""

TEXT = "text/plain; charset=utf-8"

SAFE: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with none at all a form of ours would come from the origin `null`
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer, after OWASP's HTTP Headers Cheat Sheet: nothing inline, nothing from elsewhere."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: ``fields`` are those of the query and, of a POST, of the form."""

    method: str
    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]
    """By their names in small letters."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]
Routes = Mapping[tuple[str, str], Answer]
"""By method and path."""


def said(status: int, text: str, **headers: str) -> Response:
    """A line of text; of a header's name ``_`` stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(f"{text}\n".encode("utf-8", "backslashreplace"), status=status, headers=named)


class Server:
    """Serves ``routes`` on an address from ``start`` to ``stop``."""

    def __init__(self, where: Listen, routes: Routes) -> None:
        self._where = where
        self._routes = routes
        self._listener: _Tcp | _Unix | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Listen; a unix socket has mode 0660. Raises ``Unavailable`` where that cannot be done."""
        try:
            self._listener = _unix(self._where.path) if self._where.path else _tcp(self._where)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {printable(str(self._where))}: {error.strerror or error}",
                "free that address or name another in metrics.listen or page.listen, then restart",
            ) from error
        self._listener.routes = self._routes
        self._thread = Thread(target=self._listener.serve_forever, args=(LOOK,), name="web", daemon=True)
        self._thread.start()

    def stop(self, grace: float = 2.0) -> None:
        """Listen no more, and wait at most ``grace`` seconds for the requests in hand."""
        if self._listener is None or self._thread is None:
            return
        with suppress(OSError):
            self._listener.socket.shutdown(socket.SHUT_RDWR)  # it looks at once
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        if self._where.path:
            with suppress(FileNotFoundError):
                self._where.path.unlink()
        self._listener.drain(grace)
        self._listener = self._thread = None


class _Listener(Bounded):
    parallel = PARALLEL
    allow_reuse_address = True
    routes: Routes

    def turn_away(self, request: socket.socket) -> None:
        request.setblocking(False)  # noqa: FBT003
        request.send(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        log.get().exception("A request to the page or to the metrics could not be answered")


class _Tcp(_Listener, socketserver.TCPServer):
    pass


class _Tcp6(_Tcp):
    address_family = socket.AF_INET6


class _Unix(_Listener, socketserver.UnixStreamServer):
    pass


def _tcp(where: Listen) -> _Tcp:
    kind = _Tcp6 if ":" in where.host else _Tcp
    return kind(("127.0.0.1" if where.host == "localhost" else where.host, where.port), _Conversation)


def _unix(path: Path) -> _Unix:
    clear(path)
    with unix_address(path) as address:
        listener = _Unix(address, _Conversation, bind_and_activate=False)
        try:
            listener.server_bind()
            Path(address).chmod(0o660)  # Before it listens: until then nobody can connect.
            listener.server_activate()
        except BaseException:
            listener.server_close()
            raise
    return listener


class _TooLarge(Exception):
    """A request has more than ``LARGEST`` bytes."""


class _Incoming(io.RawIOBase):
    """A connection as a stream: ``_TooLarge`` after so many bytes, ``TimeoutError`` after so many seconds."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._left = LARGEST
        self._until = time.monotonic() + PATIENCE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the request took too long")
        if not self._left:
            raise _TooLarge
        self._connection.settimeout(seconds)
        got = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= got
        return got


class _Conversation(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # and not 0.9, whose answers have no status
    server: _Listener  # type: ignore[assignment]

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Incoming(self.connection), 8192)

    def handle(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # It said nothing in time, or hung up.
            try:
                self.handle_one_request()
            except _TooLarge:
                self.requestline, self.request_version = "", self.default_request_version
                self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _answer(self) -> None:
        method = "GET" if self.command == "HEAD" else self.command
        try:
            asked = urlsplit(self.path)
        except ValueError:
            self._send(said(400, "that is no address"))
            return
        answer = self.server.routes.get((method, asked.path))
        if answer is None:
            known = ", ".join(way for way, path in self.server.routes if path == asked.path)
            response = (
                said(405, f"only {known} is answered here", Allow=known)
                if known
                else said(404, "there is nothing here")
            )
        else:
            response = self._response(method, asked.path, asked.query, answer)
        self._send(response)

    def _response(self, method: str, path: str, query: str, answer: Answer) -> Response:
        try:
            fields = _fields(query) | (_fields(self._form()) if method == "POST" else {})
        except ValueError as error:
            return said(400, str(error))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return answer(Request(method, path, fields, headers))
        except Unavailable as error:
            return said(503, error.told)
        except Exception:
            log.get().exception("A request to the page or to the metrics failed")
            return said(500, "The daemon failed to answer; its log has the whole story.")

    def _form(self) -> str:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
            raise ValueError(f"a form has a Content-Length of at most {LARGEST} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ValueError("the form is cut off")
        return body.decode("utf-8", "replace")

    def _send(self, response: Response) -> None:
        self.connection.settimeout(PATIENCE)
        self.send_response(response.status)
        for name, value in {**SAFE, **response.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library finds wrong with a request, in a line."""
        self.command = getattr(self, "command", None) or "GET"
        self._send(said(code, message or HTTPStatus(code).phrase))

    def version_string(self) -> str:
        """Nobody is told of which Python this is."""
        return "bouquetd"

    def log_message(self, *_: object) -> None:
        """Requests are not logged: a page that is open asks every two seconds."""


def _fields(text: str) -> dict[str, str]:
    """The last value of each field. Raises ``ValueError`` for too many."""
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))

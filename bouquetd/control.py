"""The daemon's ear: commands ask it over a unix socket, one line of JSON there, one line back."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bouquetd.errors import BouquetdError, Rejected, Unavailable
from bouquetd.model import MB, printable
from bouquetd.sockets import Bounded, clear, unix_address

if TYPE_CHECKING:
    from bouquetd.log import Log

Handler = Callable[[dict[str, Any]], Any]
"""Takes a request's arguments, returns anything that JSON can say."""

SOCKET = "control.sock"
"""In the runtime directory."""

LONGEST_REQUEST = MB // 2
LONGEST_ANSWER = 16 * MB
"""Bytes of one line. A vector of 16,384 dimensions, as many as settings allow, is a request of up to 416 KB."""

PARALLEL = 8
"""Requests that are worked on at once; one more is told to come again."""

PATIENCE = 5.0
"""Seconds a client may take to say its request, and again to take the answer."""


class NoDaemon(Unavailable):
    """Nobody listens: no daemon runs on this runtime directory."""


class Server:
    """Answers requests on the socket ``path`` with ``handlers``, each in a thread of its own.

    A handler's ``Rejected`` or ``Unavailable`` reaches the asker as such; a crash is answered and logged. The
    caller holds the daemon's lock, so that a socket file found at ``path`` is known to be stale.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, with mode 0660. Raises ``Unavailable`` where the socket cannot be made."""
        try:
            clear(self._path)
            self._listener = _Listener(self._path, self._handlers)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {printable(str(self._path))}: {error.strerror or error}",
                "see that its folder exists and is writable for the daemon's user",
            ) from error
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.1,), name="control", daemon=True
        )
        self._thread.start()

    def stop(self, grace: float = 2.0) -> None:
        """Listen no more, wait at most ``grace`` seconds for the requests in hand, and remove the socket."""
        if self._listener is not None and self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._listener.server_close()
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self._listener.drain(grace)
            self._listener = self._thread = None


class _Listener(Bounded, socketserver.UnixStreamServer):
    parallel = PARALLEL

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        with unix_address(path) as address:
            super().__init__(address, _Conversation, bind_and_activate=False)
            try:
                self.server_bind()
                os.chmod(address, 0o660)  # Before it listens: until then nobody can connect.
                self.server_activate()
            except BaseException:
                self.server_close()
                raise

    def turn_away(self, request: socket.socket) -> None:
        request.settimeout(PATIENCE)
        request.sendall(_encode(_failure(Unavailable("the daemon is busy", "try again in a moment"))))

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        _log().exception("A request over the control socket could not be answered")


class _Conversation(socketserver.BaseRequestHandler):
    """One request and its answer."""

    server: _Listener
    request: socket.socket

    def handle(self) -> None:
        try:
            line = _read_line(self.request, LONGEST_REQUEST, PATIENCE)
        except OSError:  # It said nothing in time, or hung up.
            return
        answer = self._answer(line) if line else b""
        self.request.settimeout(PATIENCE)
        with suppress(OSError):
            self.request.sendall(answer)

    def _answer(self, line: bytes) -> bytes:
        op = "?"
        try:
            request = _decode(line)
            op = str(request.pop("op", ""))
            handler = self.server.handlers.get(op)
            if handler is None:
                raise Rejected(
                    f"the daemon does not know the request {op[:40]!r}",
                    "daemon and command are of different versions: restart the daemon",
                )
            answer = _encode({"ok": True, "result": handler(request)})
            if len(answer) > LONGEST_ANSWER:
                raise Rejected("the answer is larger than 16 MB", "ask for less at once")
        except BouquetdError as error:
            return _encode(_failure(error))
        except Exception as error:
            _log().exception("A request over the control socket failed", op=op)
            return _encode(_failure(error))
        return answer


def request(path: Path, op: str, /, timeout: float, **arguments: Any) -> Any:
    """Ask the daemon that listens on ``path`` and return its result.

    ``timeout`` in seconds, for the whole exchange. Raises ``NoDaemon`` when nobody listens, ``Rejected`` when
    the daemon refuses the request, ``Unavailable`` when it cannot answer now.
    """
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            with unix_address(path) as address:
                connection.connect(address)
            # It may hang up before it has heard all, and still have answered.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(_encode({**arguments, "op": op}))
            line = _read_line(connection, LONGEST_ANSWER, until - time.monotonic())
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoDaemon(f"no daemon listens on {printable(str(path))}", "start it: bouquetd run") from error
        except TimeoutError as error:
            raise Unavailable(
                f"the daemon did not answer {op!r} within {timeout:g} s", "try again, or see bouquetd status"
            ) from error
        except OSError as error:
            raise Unavailable(
                f"cannot talk to the daemon on {printable(str(path))}: {error.strerror or error}",
                "run the command as the daemon's user or in its group, and see that the daemon is well",
            ) from error
    return _result(line)


def _log() -> Log:
    from bouquetd import log  # a command that asks needs none

    return log.get()


def _result(line: bytes) -> Any:
    try:
        answer = _decode(line)
    except Rejected as error:
        raise Unavailable(
            "the daemon went away before it had answered", "see its log, then try again"
        ) from error
    if answer.get("ok"):
        return answer.get("result")
    failure = answer.get("error", {})
    kind = Rejected if failure.get("kind") == "rejected" else Unavailable
    raise kind(str(failure.get("reason")), str(failure.get("remedy")))


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, Rejected | Unavailable):
        kind = "rejected" if isinstance(error, Rejected) else "unavailable"
        reason, remedy = error.reason, error.remedy
    elif isinstance(error, BouquetdError):
        kind, reason, remedy = "unavailable", str(error), "see the daemon's log, then try again"
    else:
        kind, reason = "internal", f"the daemon failed: {type(error).__name__}: {str(error)[:1000]}"
        remedy = "see the daemon's log for the whole story, and report it"
    return {"ok": False, "error": {"kind": kind, "reason": reason, "remedy": remedy}}


def _encode(message: dict[str, Any]) -> bytes:
    """One line; ASCII, so that lone surrogates from file names survive."""
    return json.dumps(message).encode("ascii") + b"\n"


def _decode(line: bytes) -> dict[str, Any]:
    remedy = f"send one JSON object on one line of at most {LONGEST_REQUEST // 1024} KB"
    if not line.endswith(b"\n"):
        raise Rejected("the message is cut off or too long", remedy)
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the message is no JSON: {error}", remedy) from error
    if not isinstance(message, dict):
        raise Rejected("the message is no JSON object", remedy)
    return message


def _read_line(connection: socket.socket, longest: int, patience: float) -> bytes:
    """Up to and with the first line break, or what came before the end, at most ``longest`` bytes.

    Raises ``TimeoutError`` after ``patience`` seconds in all.
    """
    until = time.monotonic() + patience
    line = bytearray()
    while len(line) < longest and not line.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        got = connection.recv(min(64 * 1024, longest - len(line)))
        if not got:
            break
        line += got
    return bytes(line)

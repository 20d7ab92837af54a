"""What stands before a Chroma server in the world: TLS, a token, a limit for a request, slowness, bad days."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Passes requests on to a server on loopback, as far as its attributes let them; use it in a ``with``.

    ``token`` is what a request must bring in ``header``, ``largest`` the bytes its body may have, ``quota``
    the records it may give or ask for, as in Chroma Cloud, ``delay`` the seconds before each answer, ``status``
    an answer given instead of the server's, ``version`` what it says of the server's version.
    """

    def __init__(self, port: int, certificate: Path | None = None) -> None:
        """``certificate`` is a PEM file with key and certificate; with it the proxy speaks TLS."""
        self.token: str | None = None
        self.header = "Authorization"
        self.largest: int | None = None
        self.quota: int | None = None
        self.delay = 0.0
        self.status: int | None = None
        self.version: str | None = None
        self.asked: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.asked.append(f"{self.command} {self.path}")
                time.sleep(proxy.delay)
                status, answer = proxy._answer(self, port, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_DELETE = do_PUT = _pass  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        name = "localhost" if certificate else "127.0.0.1"
        self.url = f"{'https' if certificate else 'http'}://{name}:{self._server.server_port}"

    def _answer(self, request: BaseHTTPRequestHandler, port: int, body: bytes) -> tuple[int, bytes]:
        if self.status is not None:
            return self.status, b"not today"
        if self.token is not None and request.headers.get(self.header) != self.token:
            return 401, b"who are you?"
        if self.largest is not None and len(body) > self.largest:
            return 413, b"<html>too large</html>"
        if self.quota is not None and (many := _records(request.path, body)) > self.quota:
            return 422, json.dumps({"error": "ChromaError", "message": f"Quota exceeded: {many}"}).encode()
        if self.version is not None and request.path.endswith("/version"):
            return 200, f'"{self.version}"'.encode()
        passed = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            kind = {"Content-Type": request.headers.get("Content-Type") or "application/json"}
            passed.request(request.command, request.path, body, kind)
            answer = passed.getresponse()
            return answer.status, answer.read()
        except OSError as error:
            return 502, str(error).encode()
        finally:
            passed.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _records(path: str, body: bytes) -> float:
    """How many records, or collections, a request gives or asks for; without end where it does not say."""
    address = urlsplit(path)
    match address.path.rpartition("/")[2]:
        case "collections":
            return float(parse_qs(address.query).get("limit", ["inf"])[0]) if not body else 1
        case "get":
            asked = json.loads(body)
            return asked.get("limit") or len(asked.get("ids") or ()) or float("inf")
        case "query":
            return json.loads(body)["n_results"]
        case "add" | "update" | "upsert" | "delete":
            return len(json.loads(body)["ids"])
    return 0


class Silent:
    """Accepts connections and never says a word, as a process does that was stopped."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def certificate(folder: Path) -> Path:
    """A certificate for localhost that vouches for itself, with its key, in one file."""
    path = folder / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with open(path, "ab") as file:
        file.write((folder / "cert.pem").read_bytes())
    return path

"""A server of models on loopback that speaks OpenAI's API, well or badly, for tests of whoever asks one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class ModelServer:
    """Use it in a ``with``.

    ``key`` is what a request must bring; ``longest`` the characters that one text, ``most`` the texts that one
    request may have; ``status`` is what it answers with instead of its own, with ``headers`` and ``body``
    (bytes as they are, all else as JSON); ``mangle`` changes the vectors of an answer; ``entities`` is what its
    chat says of any text. ``asked`` has what it was asked for, the latest 1,000.
    """

    def __init__(self, dimensions: int = 8, port: int = 0) -> None:
        self.dimensions = dimensions
        self.key: str | None = None
        self.longest: int | None = None
        self.most: int | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: Any = None
        self.mangle: Callable[[list[Any]], Any] = lambda rows: rows
        self.entities: Any = []
        self.asked: list[dict[str, Any]] = []
        self._free = threading.Event()
        self._free.set()
        self._ended = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = self.headers.get("Authorization")
                server.asked.append({"path": self.path, "key": key, **question})
                del server.asked[:-1000]
                server._free.wait()
                if server._ended:
                    self.close_connection = True
                    return
                status, answer = server._answer(self.path, key, question)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**server.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def _answer(self, path: str, key: str | None, question: dict[str, Any]) -> tuple[int, Any]:
        if self.key is not None and key != f"Bearer {self.key}":
            return 401, {"error": {"message": f"who is {key}?"}}
        if self.status != 200 or self.body is not None:
            return self.status, self.body
        if path == "/v1/chat/completions":
            content = json.dumps({"entities": self.entities})
            return 200, {"choices": [{"message": {"role": "assistant", "content": content}}]}
        if path != "/v1/embeddings":
            return 404, b"nothing here"
        texts = question["input"]
        if self.most is not None and len(texts) > self.most:
            said = f"batch size {len(texts)} > maximum allowed batch size {self.most}"
            return 422, {"error": said, "error_type": "Validation"}
        if self.longest is not None and max(map(len, texts)) > self.longest:
            return 400, {"error": {"message": "the input length exceeds the context length"}}
        rows = [{"index": i, "embedding": self.vector(text)} for i, text in enumerate(texts)]
        return 200, {"object": "list", "data": self.mangle(rows)}

    def vector(self, text: str) -> list[float]:
        """What it answers for a text: numbers that depend on nothing else, and are of no particular length."""
        digest = hashlib.shake_256(text.encode()).digest(self.dimensions)
        return [byte / 16 + 0.01 for byte in digest]

    @property
    def texts(self) -> list[str]:
        """All texts whose vectors were asked for."""
        return [text for question in self.asked for text in question.get("input", [])]

    def hang(self) -> None:
        """Answer nothing any more."""
        self._free.clear()

    def go_on(self) -> None:
        """Answer again, those too that wait."""
        self._free.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._free.set()
        self._server.shutdown()
        self._server.server_close()

"""A Chroma server, here or elsewhere: it lives and dies for itself, and others read from it meanwhile."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bouquetd.errors import ConfigError
from bouquetd.store.chroma import OWN, Chroma

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

PATIENCE = 60.0
"""Seconds a request may take; a full batch takes 1 to 2 on two slow cores."""

OWNER = "bouquetd"
"""The key in a collection's metadata that says which bouquetd it belongs to."""


class Server(Chroma):
    """Collections in a server. Those that another ``owner`` made are never touched.

    Without an ``owner``, for one who only reads, whoever made them.
    """

    apart = True
    remedy = "see that it runs and is well (systemctl status bouquetd-chroma), and that store.url is right"

    def __init__(self, url: str, collection: str = OWN, *, owner: str | None) -> None:
        super().__init__(url, collection)
        self.owner = owner
        self._url = urlsplit(url)
        self._pulse: http.client.HTTPConnection | None = None

    def _connect(self) -> ClientAPI:
        """A fresh client."""
        import chromadb
        from chromadb.config import Settings

        secure = self._url.scheme == "https"
        client = chromadb.HttpClient(
            host=self._url.hostname or "localhost",
            port=self._url.port or (443 if secure else 8000),
            ssl=secure,
            settings=Settings(anonymized_telemetry=False),
        )
        # Chroma's client waits for ever and offers no setting for it.
        client._server._session.timeout = PATIENCE  # type: ignore[attr-defined]
        return client

    def _api(self) -> ClientAPI:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _reach(self, name: str) -> ClientAPI:  # noqa: ARG002
        return self._api()

    def _listed(self) -> Iterator[tuple[str, bool]]:
        """The collections of our names, whoever made them, and whether that was us."""
        for collection in self._api().list_collections():
            if name := self._inner(collection.name):
                yield name, self.owner in (None, (collection.metadata or {}).get(OWNER))

    def names(self) -> set[str]:
        """Our collections; asks the server."""
        with self._translated():
            return {name for name, mine in self._listed() if mine}

    def create(self, name: str) -> None:
        """Make an empty collection that says whose it is."""
        with self._translated():
            self._make(self._api(), name, {OWNER: self.owner})

    def delete(self, name: str) -> None:
        """Have the server remove a collection."""
        with self._translated():
            self._api().delete_collection(self._outer(name))

    def greet(self) -> None:
        """Raise ``Unavailable`` unless the server answers, ``ConfigError`` where our names are taken."""
        with self._translated():
            foreign = sorted(self._outer(name) for name, mine in self._listed() if not mine)
        if foreign:
            raise ConfigError(
                [
                    f"store.collection: {foreign[0]} at {self.where} belongs to another bouquetd; give each one"
                    f" a name of its own there (now {self._prefix}), or delete that collection if it is not"
                    " needed any more"
                ]
            )

    # A server that dies and is back at once is not noticed by a client that connects anew by itself, but what
    # it was writing may be torn. One connection that is never made again tells.

    def begin(self) -> None:
        """Open the connection that lives as long as the server."""
        self.end()
        kind: Any = http.client.HTTPConnection
        given: dict[str, Any] = {}
        if self._url.scheme == "https":
            kind, given = http.client.HTTPSConnection, {"context": ssl.create_default_context()}
        with self._translated():
            pulse = kind(self._url.hostname or "localhost", self._url.port, timeout=PATIENCE, **given)
            pulse.connect()
            pulse.auto_open = 0
            self._pulse = pulse

    def confirm(self) -> None:
        """The server that answers on the connection of ``begin`` is the one that was there then."""
        with self._translated():
            if self._pulse is None:
                raise ConnectionError("nothing was begun")
            self._pulse.request("GET", "/api/v2/heartbeat")
            answer = self._pulse.getresponse()
            answer.read()
            if answer.status >= http.client.BAD_REQUEST:
                raise ConnectionError(f"the server answered with status {answer.status}")

    def end(self) -> None:
        """Let go of that connection."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

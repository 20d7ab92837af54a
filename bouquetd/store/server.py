"""A Chroma server, here or elsewhere: it lives and dies for itself, and others read from it meanwhile.

One code path for ``chroma run`` on this machine, one behind a proxy with TLS and tokens, a distributed Chroma
and Chroma Cloud: they speak the same API.

Past 400 lines because all of it is one class: what a server wants otherwise than Chroma in this process.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from bouquetd.embed import Embedder
from bouquetd.errors import ConfigError, Unavailable
from bouquetd.model import Filter, Record, printable
from bouquetd.store.chroma import OWN, PAGE, Chroma, Refused
from bouquetd.store.package import chromadb
from bouquetd.store.restart import Restart

if TYPE_CHECKING:
    import httpx
    from chromadb.api import ClientAPI
    from chromadb.config import Settings

T = TypeVar("T")

OWNER = "bouquetd"
"""The key in a collection's metadata that says which bouquetd it belongs to."""

SPOKEN = "1."
"""How the version of a server begins that we can speak to. ``chroma run`` of any 1.x calls itself 1.0.0."""

CLOUD = "trychroma.com"
"""The domain of Chroma Cloud."""

SYNC_THRESHOLD = 1000
"""Changes after which Chroma writes an index to disk, its default."""

SAID = 300
"""Characters quoted of what a server or a proxy before it says."""

_REFUSALS = {
    401: "did not accept the token",
    403: "did not let us in",
    413: "found a single chunk too large",
    429: "wants fewer requests",
}
"""Answers after which nothing was done, by HTTP status."""

_REMEDIES = {
    401: "put the right token into store.token_file; it is read again by itself",
    403: "see what the token in store.token_file is allowed to do; it is read again by itself",
    413: "raise the limit for a request, of the server or of the proxy before it, or lower chunk.size",
    429: "nothing is to be done if it passes; else raise the limit there, or lower store.batch_size",
}


@dataclass(frozen=True, slots=True)
class Access:
    """How to enter a server.

    ``token_file`` is read at each connection, and its token sent in ``token_header`` (``Authorization`` puts
    ``Bearer`` before it). ``ca_file`` has the authorities that may vouch for an https server. ``timeout`` is
    in seconds, for one request.
    """

    tenant: str = "default_tenant"
    database: str = "default_database"
    token_file: Path | None = None
    token_header: str = "Authorization"
    ca_file: Path | None = None
    timeout: float = 60.0

    def headers(self) -> dict[str, str]:
        """What to send with each request. Raises ``Unavailable`` when the token cannot be read."""
        if self.token_file is None:
            return {}
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"the token for Chroma in {printable(str(self.token_file))} cannot be read: {error}",
                "mend store.token_file or the file's owner and mode; it is read again by itself",
            ) from error
        return {self.token_header: f"Bearer {token}" if self.token_header == "Authorization" else token}


class Server(Chroma):
    """Collections in a server. Those that another ``owner`` made are never touched.

    Without an ``owner``, for one who only reads, whoever made them.
    """

    apart = True
    remedy = "start it if it does not run: systemctl start bouquetd-chroma; else see that store.url is right"

    def __init__(
        self,
        url: str,
        collection: str = OWN,
        *,
        owner: str | None,
        access: Access | None = None,
        restart: Restart | None = None,
        embedder: Embedder | None = None,
        batch_size: int = PAGE,
    ) -> None:
        """``batch_size``: the most records or collections that one request gives or asks for."""
        super().__init__(url, collection, embedder)
        self.owner = owner
        self._access = access or Access()
        self._restart = restart or Restart()
        self._url = urlsplit(url)
        self._secure = self._url.scheme == "https"
        self._cloud = f".{self._url.hostname}".endswith(f".{CLOUD}")
        self._pulse: http.client.HTTPConnection | None = None
        self._batch_size = batch_size
        self._page = min(PAGE, batch_size)
        self._most: int | None = None
        self._written: set[str] = set()
        self._settings: Settings | None = None

    # -- getting in ---------------------------------------------------------------------------------------

    def _api(self) -> ClientAPI:
        if self._client is None:
            self.close()  # what an attempt left that failed half-way
            self._client = self._connect()
        return self._client

    def _reach(self, name: str) -> ClientAPI:  # noqa: ARG002
        return self._api()

    def _connect(self) -> ClientAPI:
        """A fresh client, with the token that the file has now."""
        config = chromadb().config
        from bouquetd.store.client import Patient

        access, headers = self._access, self._access.headers()
        self._knock(headers)
        self._settings = config.Settings(
            anonymized_telemetry=False,
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=self._url.hostname or "localhost",
            chroma_server_http_port=self._url.port or (443 if self._secure else 8000),
            chroma_server_ssl_enabled=self._secure,
            chroma_server_ssl_verify=str(access.ca_file) if access.ca_file else None,
            chroma_server_headers=headers,
        )
        client = Patient(self._settings, access.tenant, access.database, access.timeout)
        if self._most is None:
            most = client.get_max_batch_size()
            self._most = min(most, self._batch_size) if most > 0 else self._batch_size
        return client

    def close(self) -> None:
        """Close the client, and what Chroma's own ``close`` forgets of it: 0.8 MB each time."""
        super().close()
        if self._settings is not None:
            for identifier, system in _systems().copy().items():
                if system.settings is self._settings:
                    del _systems()[identifier]
                    system.stop()
            self._settings = None

    def _knock(self, headers: dict[str, str]) -> None:
        """See that somebody answers in time, speaks our version, and knows tenant and database.

        Chroma's client asks for the latter two as well, but without an end to its patience.
        """
        import httpx

        access = self._access
        verify = ssl.create_default_context(cafile=access.ca_file) if access.ca_file else True
        with httpx.Client(
            base_url=self.where, headers=headers, verify=verify, timeout=access.timeout, trust_env=False
        ) as door:
            answer = _asked(
                door,
                "/api/v2/version",
                f"Chroma at {self.where} does not answer as one of version 1.x does",
                "see that store.url leads to a Chroma server, and upgrade one that is older",
            )
            if not str(version := answer.json()).startswith(SPOKEN):
                told = printable(str(version))[:40]
                raise Unavailable(
                    f"Chroma at {self.where} has version {told}; bouquetd speaks to 1.x",
                    "upgrade the server, or name another in store.url",
                )
            _asked(
                door,
                f"/api/v2/tenants/{access.tenant}/databases/{access.database}",
                f"Chroma at {self.where} knows no database {access.database} of a tenant {access.tenant}",
                "make it there, or mend store.tenant and store.database",
            )

    def greet(self) -> None:
        """Raise ``Unavailable`` unless the server answers, ``ConfigError`` where our names are taken."""
        if foreign := self._foreign():
            reason, remedy = self._taken(foreign[0])
            raise ConfigError([f"store.collection: {reason}; {remedy}"])

    def knock(self) -> None:
        """Raise ``Unavailable`` unless a server of our version lets us in and has our database.

        It changes nothing, does without Chroma's package, and takes no longer than ``Access.timeout`` twice.
        """
        with self._translated():
            self._knock(self._access.headers())

    # -- collections --------------------------------------------------------------------------------------

    def _listed(self) -> Iterator[tuple[str, bool]]:
        """The collections of our names, of any generation, whoever made them, and whether that was us."""
        api, start = self._api(), 0
        while page := api.list_collections(limit=self._page, offset=start):
            for collection in page:
                if self._generation_of(collection.name) is not None:
                    owner = (collection.metadata or {}).get(OWNER)
                    yield collection.name, self.owner in (None, owner)
            start += len(page)

    def _foreign(self) -> list[str]:
        with self._translated():
            return sorted(name for name, mine in self._listed() if not mine)

    def _taken(self, outer: str) -> tuple[str, str]:
        """What is to be said of a collection that has a name of ours and is not ours, and what to do."""
        return (
            f"{outer} at {self.where} belongs to another bouquetd",
            f"give each one a name of its own there (store.collection, now {self._first_word}), or delete that"
            " collection if it is not needed any more",
        )

    def _outers(self) -> set[str]:
        """Asks the server."""
        with self._translated():
            return {name for name, mine in self._listed() if mine}

    def create(self, name: str) -> None:
        """Make an empty collection that says whose it is."""
        try:
            with self._translated():
                self._make(self._api(), name, {OWNER: self.owner})
        except Unavailable:
            if (outer := self._outer(name)) in self._foreign():  # whose it is was asked before it was there
                raise Unavailable(*self._taken(outer)) from None
            raise

    def delete(self, name: str) -> None:
        """Have the server remove a collection."""
        with self._translated():
            self._api().delete_collection(self._outer(name))
        self._written.discard(name)

    def add(self, name: str, records: Sequence[Record]) -> None:
        """Add records whose ids are not there yet, in as many requests as all limits ask for."""
        self._written.add(name)
        self._in_parts(records, partial(super().add, name))

    def _in_parts(self, all_: Sequence[T], send: Callable[[Sequence[T]], object]) -> None:
        rest = all_
        while rest:
            part = rest[: self._most or self._batch_size]
            try:
                send(part)
            except Refused as error:
                if error.status != http.client.REQUEST_ENTITY_TOO_LARGE or len(part) == 1:
                    raise
                self._most = len(part) // 2  # a proxy's limit is found by trying
            else:
                rest = rest[len(part) :]

    def remove(self, name: str, ids: Sequence[str]) -> None:
        """Remove records; ids that are not there are passed over."""
        self._written.add(name)
        super().remove(name, ids)

    def persist(self) -> None:
        """Have the server write to disk what it still has in memory of the indexes we changed.

        A server that keeps only so many indexes (config/chroma.yaml) drops one with the changes since it was
        last written, 999 at most, and does not read them from its log before it is started again: what came
        last would not be found meanwhile. There is no call for it, so it is given as many changes as it waits
        for, of records that are not there. Chroma Cloud, which keeps no such memory, needs none of it; another
        server does not say whether it does.
        """
        ids = [f"-:{number}" for number in range(SYNC_THRESHOLD)]
        for name in () if self._cloud else sorted(self._written):
            self._in_parts(ids, partial(self._change, name))
        self._written.clear()

    def _change(self, name: str, ids: Sequence[str]) -> None:
        with self._translated():
            self._collection(name).update(ids=list(ids), metadatas=[{"source": ""}] * len(ids))

    def ids(self, name: str, where: Mapping[str, Any] | None = None) -> set[str]:
        """The ids of all records of a collection, or of those whose metadata fit, a page in each answer."""
        return {id_ for page in self._pages(name, [], Filter(where)) for id_ in page["ids"]}

    def count(self, name: str, only: Filter) -> int:
        """How many records of a collection fit a filter, counted a page at a time."""
        return sum(len(page["ids"]) for page in self._pages(name, [], only))

    # A server that dies and is back at once is not noticed by a client that connects anew by itself, but what
    # it was writing may be torn. One connection that is never made again tells. Behind https there is a proxy,
    # whose connections say nothing of the server: there a death is seen only if it falls into a request, and
    # else by what is missing when the full shard is compared with the journal.

    def begin(self) -> None:
        """Open the connection that lives as long as the server."""
        self.end()
        if self._secure:
            return
        with self._translated():
            pulse = http.client.HTTPConnection(
                self._url.hostname or "localhost", self._url.port or 8000, timeout=self._access.timeout
            )
            pulse.connect()
            pulse.auto_open = 0
            self._pulse = pulse

    def confirm(self) -> None:
        """The server that answers on the connection of ``begin`` is the one that was there then."""
        with self._translated():
            if self._secure:
                self._api().heartbeat()
                return
            if self._pulse is None:
                raise ConnectionError("nothing was begun")
            self._pulse.request("GET", "/api/v2/heartbeat", headers=self._access.headers())
            answer = self._pulse.getresponse()
            answer.read()
            if answer.status >= http.client.BAD_REQUEST:
                raise ConnectionError(f"the server answered with status {answer.status}")

    def end(self) -> None:
        """Let go of that connection."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    # -- what went wrong ----------------------------------------------------------------------------------

    def _unavailable(self, error: BaseException) -> Unavailable:
        import httpx

        status = _status(error)
        if status in _REFUSALS:
            reason = f"Chroma at {self.where} {_REFUSALS[status]} ({status})"
            return Refused(reason, _REMEDIES[status], status)
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            remedy = (
                "it is started again by itself; store.timeout is how long we wait"
                if self._restart()
                else "restart it if it hangs (systemctl restart bouquetd-chroma), as Chroma 1.5 does after its"
                " disk was full; store.timeout is how long we wait"
            )
            return Unavailable(
                f"Chroma at {self.where} did not answer within {self._access.timeout:g} s", remedy
            )
        if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error).upper():
            return Unavailable(
                f"Chroma at {self.where} shows a certificate that nobody we know vouches for: {error}",
                "name the authority's certificate in store.ca_file, and see that store.url has the right host",
            )
        if isinstance(error, httpx.ConnectError | ConnectionRefusedError):
            return Unavailable(f"Chroma at {self.where} cannot be reached: {error}", self.remedy)
        if isinstance(error, httpx.TransportError | OSError | http.client.HTTPException):
            return Unavailable(f"Chroma at {self.where} broke off: {printable(str(error))[:SAID]}", self.remedy)
        said = f"{status}, " if status else ""
        return Unavailable(
            f"Chroma at {self.where} failed: {said}{type(error).__name__}: {printable(str(error))[:SAID]}",
            "look at the free space where its data lie (df) and at its log (journalctl -u bouquetd-chroma);"
            " restart it if that does not pass",
        )


def _systems() -> dict[str, Any]:
    """What Chroma's clients in this process hold open, by names that it makes up."""
    from chromadb.api.shared_system_client import SharedSystemClient

    return SharedSystemClient._identifier_to_system


def _status(error: BaseException | None) -> int | None:
    """The HTTP status behind an error; Chroma's client raises its own ones while it handles it."""
    import httpx

    if "chromadb" in sys.modules:  # else it is none of Chroma's, and costs 50 MB to tell
        from chromadb.errors import ChromaError

        if isinstance(error, ChromaError):
            return error.code()
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code
        error = error.__context__
    return None


def _asked(door: httpx.Client, path: str, missing: str, remedy: str) -> httpx.Response:
    """What is at a path. Raises ``Unavailable`` with these words where there is nothing."""
    answer = door.get(path)
    if answer.status_code == http.client.NOT_FOUND:
        raise Unavailable(missing, remedy)
    return answer.raise_for_status()

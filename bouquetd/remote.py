"""A server of models on another machine, or another process here: one that speaks OpenAI's HTTP API.

Ollama, vLLM, TEI and LocalAI do. What every provider behind such a server needs is here: its key, patience and
its end, what each refusal means and what to do about it. A key stands in no message, log or setting, and goes
to no other address than the one in the settings.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from bouquetd.errors import Unavailable
from bouquetd.model import MB, printable

if TYPE_CHECKING:
    import httpx

TRIES = 3
"""Requests before a hiccup counts as an outage."""

PAUSE = 0.25
"""Seconds before the second of them, about; four times as many before the third."""

LONGEST = 600.0
"""Seconds that a server may ask to be left alone, at most."""

LARGEST = 4 * MB
"""Bytes of an answer that are read. A hundred vectors of 1,536 numbers are 3 MB of JSON."""

KNOCK = 5.0
"""Seconds that a connection may take to come about."""

SAID = 300
"""Characters quoted of what a server says."""

_HICCUPS = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
_TOO_LONG = re.compile(
    r"context (length|size|window)|too (long|large)|maximum (input |sequence |model )?length|"
    r"less than \d+ tokens|too many (tokens|inputs)|batch size",
    re.IGNORECASE,
)
_SECRET = re.compile(r"[\x21-\x7e]{1,4096}")


class TooLong(Unavailable):
    """The server would not take so much text at once, or not in one piece."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is, and how to get at it.

    ``section`` of the settings that names it, ``what`` it is there for, in words. ``key_file``: absolute, or
    the name of a systemd credential; without one the key is in the variable ``BOUQUETD_<SECTION>_KEY``, if
    anywhere. ``timeout`` in seconds, for one request.
    """

    section: str
    what: str
    url: str
    model: str
    key_file: str = ""
    timeout: float = 30.0

    @property
    def where(self) -> str:
        """Whom to name in a message."""
        return f"{self.what} at {self.url}"

    @property
    def variable(self) -> str:
        """The environment variable with the key."""
        return f"BOUQUETD_{self.section.upper()}_KEY"

    def key(self) -> str:
        """The key as it is now, empty for none. Raises ``Unavailable`` when it cannot be read."""
        if not self.key_file:
            return self._sound(os.environ.get(self.variable, ""), f"the variable {self.variable}")
        option, place = f"{self.section}.key_file", os.environ.get("CREDENTIALS_DIRECTORY")
        name = printable(self.key_file)
        if not os.path.isabs(self.key_file) and not place:
            raise Unavailable(
                f"the systemd credential {name}, which {option} names, was not given to us",
                f"add LoadCredential={name}:/path/of/the/key to the unit, or write the path here",
            )
        path = Path(place or "/", self.key_file)
        try:
            key = path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
            raise Unavailable(
                f"the key for {self.what} in {printable(str(path))} cannot be read: {said}",
                f"mend {option}, or the file's owner and mode; it is read again by itself",
            ) from None
        if not key.strip():
            raise Unavailable(
                f"the key for {self.what} in {printable(str(path))} is empty",
                "put the key into the file; it is read again by itself",
            )
        return self._sound(key, printable(str(path)))

    def _sound(self, key: str, place: str) -> str:
        key = key.strip()
        if key and not _SECRET.fullmatch(key):
            raise Unavailable(
                f"what {place} has for {self.what} is no key, but has spaces or other characters no key has",
                "put the key there alone, on one line",
            )
        return key


class Client:
    """Asks one endpoint; any thread may ask. The connection is made with the first request, and kept."""

    def __init__(
        self,
        endpoint: Endpoint,
        pulse: Callable[[], None] = lambda: None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``pulse`` is called before each request and may raise ``Stopped``; ``chance`` is from 0 to 1."""
        self.endpoint = endpoint
        self._pulse = pulse
        self._sleep = sleep
        self._chance = chance
        self._opening = threading.Lock()
        self._http: httpx.Client | None = None

    def post(self, path: str, question: Mapping[str, object]) -> Any:
        """The JSON that the server answers with.

        Asks again after a hiccup. Raises ``TooLong`` where the question was too long, ``Unavailable`` where
        there is no answer for another reason.
        """
        body = orjson.dumps(question)
        for tried in range(1, TRIES + 1):
            self._pulse()
            try:
                return self._asked(path, body)
            except _Hiccup as hiccup:
                if tried == TRIES:
                    raise hiccup.outage from hiccup.__cause__
                self._sleep(PAUSE * 4 ** (tried - 1) * (0.5 + self._chance()))
        raise AssertionError

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _connection(self) -> httpx.Client:
        with self._opening:
            if self._http is None:
                self._http = _opened(self.endpoint)
            return self._http

    def _asked(self, path: str, body: bytes) -> Any:
        import httpx

        endpoint = self.endpoint
        key = endpoint.key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            with self._connection().stream(
                "POST", endpoint.url + path, content=body, headers=headers
            ) as answer:
                found = self._read(answer)
        except httpx.ConnectTimeout:
            raise self._away(f"nobody answers within {KNOCK:g} s") from None
        except httpx.TimeoutException:
            raise self._late() from None
        except httpx.TransportError as error:
            said = printable(str(error))[:SAID]
            if "CERTIFICATE" in said.upper():
                raise Unavailable(
                    f"{endpoint.where} shows a certificate that nobody we know vouches for: {said}",
                    f"give the authority's certificate to this machine (update-ca-certificates), and see that"
                    f" {endpoint.section}.url has the right host",
                ) from error
            raise _Hiccup(self._away(said)) from error
        if answer.status_code != HTTPStatus.OK:
            raise self._refusal(answer, path, _quoted(found, key))
        try:
            return json.loads(found)  # not orjson, which takes NaN for no JSON; whoever asked says it better
        except (ValueError, RecursionError):
            raise self.nonsense("what is no JSON") from None

    def _read(self, answer: httpx.Response) -> bytes:
        """The body, as far as it is not too large. It was asked for unpacked, and is not unpacked here."""
        until, found = time.monotonic() + self.endpoint.timeout, bytearray()
        for part in answer.iter_raw():
            found += part
            if len(found) > LARGEST:
                if answer.status_code != HTTPStatus.OK:
                    return b""
                raise self.nonsense(f"more than {LARGEST // MB} MB")
            if time.monotonic() > until:
                raise self._late()
        return bytes(found)

    def nonsense(self, what: str) -> Unavailable:
        """What to raise where the server answers with what is no answer."""
        endpoint = self.endpoint
        return Unavailable(
            f"{endpoint.where} answers with {what}",
            f"see that {endpoint.section}.url leads to an OpenAI-compatible server (it mostly ends in /v1) and"
            f" {endpoint.section}.model to a model for this, and look at its log; nothing of it was stored",
        )

    def _away(self, why: str) -> Unavailable:
        endpoint = self.endpoint
        return Unavailable(
            f"{endpoint.where} cannot be reached: {why}",
            f"see that it runs, that {endpoint.section}.url is right, and that the unit lets us out to it"
            " (IPAddressAllow)",
        )

    def _late(self) -> Unavailable:
        endpoint = self.endpoint
        return Unavailable(
            f"{endpoint.where} did not answer within {endpoint.timeout:g} s",
            f"see that it is well; {endpoint.section}.timeout is how long we wait",
        )

    def _refusal(self, answer: httpx.Response, path: str, said: str) -> Exception:
        """What an answer other than 200 comes to."""
        endpoint, status = self.endpoint, answer.status_code
        section, model, told = endpoint.section, printable(endpoint.model), f": {said}" if said else ""
        after = _after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
        mild = status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, *_HICCUPS)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (mild and _TOO_LONG.search(said)):
            return TooLong(
                f"{endpoint.where} found a text too long ({status}){told}",
                "raise what it takes at once, or lower chunk.size",
            )
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return Unavailable(
                    f"{endpoint.where} did not accept the key (401)",
                    f"put the right one into the file in {section}.key_file, which is read again by itself, or"
                    f" into the variable {endpoint.variable}, and restart",
                )
            case HTTPStatus.FORBIDDEN:
                return Unavailable(
                    f"{endpoint.where} does not let us have {model} (403)",
                    f"see what the key is allowed to do; {section}.key_file is read again by itself",
                )
            case HTTPStatus.NOT_FOUND:
                return Unavailable(
                    f"{endpoint.where} has no model {model}, or nothing at {path} (404){told}",
                    f"load the model there (ollama pull {model}), or mend {section}.model or {section}.url,"
                    " which mostly ends in /v1",
                )
            case HTTPStatus.TOO_MANY_REQUESTS:
                return Unavailable(
                    f"{endpoint.where} wants fewer requests (429)",
                    "nothing is to be done if it passes; else raise the limit there",
                    after,
                )
            case HTTPStatus.SERVICE_UNAVAILABLE:
                return Unavailable(
                    f"{endpoint.where} is not ready (503){told}",
                    "nothing is to be done while it starts or is busy; else look at its log",
                    after,
                )
            case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
                return Unavailable(
                    f"{endpoint.where} does not accept what we ask ({status}){told}",
                    f"see that {section}.model ({model}) is a model for this",
                )
        if answer.is_redirect:
            return Unavailable(
                f"{endpoint.where} sends us elsewhere ({status})",
                f"write the final address into {section}.url; no key is sent to another by itself",
            )
        outage = Unavailable(f"{endpoint.where} failed ({status}){told}", "look at its log")
        return _Hiccup(outage) if status in _HICCUPS else outage


class _Hiccup(Exception):
    """What may be over in a moment; ``outage`` is what it is if not."""

    def __init__(self, outage: Unavailable) -> None:
        super().__init__()
        self.outage = outage


def _opened(endpoint: Endpoint) -> httpx.Client:
    """A connection pool that takes nothing from the environment: no proxy, no other key."""
    import httpx

    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # of nobody, and quickly made
    if endpoint.url.startswith("https"):
        import certifi

        trust = ssl.create_default_context()  # whom this machine trusts, its owner's own authority among them
        trust.load_verify_locations(certifi.where())
    return httpx.Client(
        verify=trust,
        trust_env=False,
        timeout=httpx.Timeout(endpoint.timeout, connect=min(KNOCK, endpoint.timeout)),
        headers={"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "bouquetd"},
    )


def _quoted(body: bytes, key: str) -> str:
    """What a server says went wrong, on one line, without the key; nothing where it says so in no known way."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(said, dict):
            said = said.get(name, said)
    if not isinstance(said, str):
        return ""
    return printable((said.replace(key, "***") if key else said).strip().rstrip("."))[:SAID]


def _after(value: str, now: datetime) -> float:
    """The seconds that a ``Retry-After`` asks for, as a number or a date; 0 where it asks for none."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (TypeError, ValueError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST) if math.isfinite(seconds) else 0.0

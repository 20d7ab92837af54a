"""Who may see the page, and from where it may be told to do something.

Without a token the page is for whoever can reach it: this machine, or what a proxy lets through. A browser on
this machine must not be led there by others. So the name that it asks for must be this machine's (against DNS
rebinding), and a form must come from the page itself: it has a secret of this process, and its ``Origin``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from bouquetd.config import Listen
from bouquetd.errors import Unavailable
from bouquetd.log import Log
from bouquetd.model import printable
from bouquetd.web.server import Answer, Request, Response, said

COOKIE = "bouquetd"

FORM = "form"
"""The field with the secret of a form."""

SHORTEST, LONGEST = 16, 4096
"""Characters of a token."""

_THIS = ("localhost", "127.0.0.1", "[::1]")
"""This machine, as a browser on it may call it, besides by the address of the page."""

_PORT = re.compile(r":\d+\Z")
"""That of a tunnel, perhaps."""

_ENTRANCE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>bouquetd</title>
<meta http-equiv="refresh" content="0;url=."><p><a href=".">Go on to the page</a></p></html>
"""
# No redirect: after a link from elsewhere the browser keeps a cookie that is `SameSite=Strict` to itself.


class Guard:
    """Lets requests to the page through, or answers them itself; ``form`` is the secret of the page's forms."""

    def __init__(self, where: Listen, token_file: Path | None, log: Log) -> None:
        self.form = secrets.token_urlsafe(24)
        self._local = bool(where.host) and not where.wide
        self._names = {*_THIS, str(where).rpartition(":")[0]}
        self._token_file = token_file
        self._log = log
        self._told = ""

    def check(self) -> None:
        """Say in the log where there should be a token and is none."""
        try:
            self._token()
        except Unavailable as error:
            self._tell(error)

    def lets(self, answer: Answer) -> Answer:
        """The same answer for those who may have it."""

        def guarded(request: Request) -> Response:
            return self._refusal(request) or answer(request)

        return guarded

    def token_only(self, answer: Answer) -> Answer:
        """The same answer for those with the token, if there is one, by whatever name they ask."""

        def guarded(request: Request) -> Response:
            return self._stranger(request) or answer(request)

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        if self._local and _PORT.sub("", request.headers.get("host", "")) not in self._names:
            return said(421, "This page is for this machine: ask for it by its address, or as localhost.")
        return self._stranger(request) or (self._foreign(request) if request.method == "POST" else None)

    def _stranger(self, request: Request) -> Response | None:
        try:
            token = self._token()
        except Unavailable as error:
            self._tell(error)
            return said(503, "The page is shown to nobody now; the daemon's log says why.")
        self._told = ""
        if token is None:
            return None
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(shown.strip(), token):
            return None
        if _same(_cookie(request), _worn(token)):
            return None
        if request.method == "GET" and _same(request.fields.get("token", ""), token):
            kept = f"{COOKIE}={_worn(token)}; Path=/; HttpOnly; SameSite=Strict"
            return Response(_ENTRANCE, "text/html; charset=utf-8", headers={"Set-Cookie": kept})
        return said(
            401, "The token in page.token_file is wanted: `Authorization: Bearer TOKEN`, or once /?token=TOKEN",
            WWW_Authenticate="Bearer",
        )  # fmt: skip

    def _foreign(self, request: Request) -> Response | None:
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
            return said(
                403, "This form comes from another page. Behind a proxy, let it pass on the Host as it is."
            )
        if not _same(request.fields.get(FORM, ""), self.form):
            return said(403, "The daemon was restarted since this page was loaded. Load it again.")
        return None

    def _tell(self, error: Unavailable) -> None:
        """Once, until it is another trouble: the log is for who runs the daemon, an answer for anybody."""
        if error.told != self._told:
            self._told = error.told
            self._log.error(f"The page is shown to nobody. {error.told}", what="web")

    def _token(self) -> str | None:
        """What is in the file now, so that it can be changed at any time."""
        if self._token_file is None:
            return None
        name = printable(str(self._token_file))
        try:
            with open(self._token_file, encoding="ascii") as file:
                token = file.read(LONGEST + 1).strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise Unavailable(
                f"the token of the page cannot be read from {name}: {why}",
                "see that page.token_file names a file that the daemon's user may read",
            ) from None
        if not SHORTEST <= len(token) <= LONGEST:
            raise Unavailable(
                f"the token of the page in {name} has {len(token)} characters",
                f"make one that nobody guesses, of {SHORTEST} or more: openssl rand -hex 24",
            )
        return token


def _cookie(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _worn(token: str) -> str:
    """What the cookie holds: it opens the page as long as the token is the same, and does not tell it."""
    return hmac.new(token.encode(), b"the cookie of bouquetd's page", hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

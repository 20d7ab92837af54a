"""Chroma's client of a server, with an end to its patience; imported late, as all of Chroma is."""

from __future__ import annotations

from chromadb.api.client import Client
from chromadb.auth import UserIdentity
from chromadb.config import Settings


class Patient(Client):
    """Waits ``timeout`` seconds for an answer, from the first request on.

    Chroma's own waits for ever, offers no setting for it, and makes three requests before it can be told.
    """

    def __init__(self, settings: Settings, tenant: str, database: str, timeout: float) -> None:
        self._timeout = timeout
        super().__init__(tenant, database, settings)

    def get_user_identity(self) -> UserIdentity:
        """The first request; what goes wrong with it is raised as it is."""
        self._server._session.timeout = self._timeout  # type: ignore[attr-defined]
        return self._server.get_user_identity()

    def _validate_tenant_database(self, tenant: str, database: str) -> None:
        """Nothing: ``Server`` has asked, and here it would be another session, without a timeout."""

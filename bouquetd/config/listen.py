"""An address to listen on: ``127.0.0.1:9464``, ``[::1]:9464``, ``unix:/path``, or "" for none."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from bouquetd.config.units import shown

NOWHERE = ""
"""Nothing listens."""

EXAMPLE = "write for instance 127.0.0.1:9464, [::1]:9464 or unix:/run/bouquetd/page.sock"

_TCP = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: a ``host`` (an IP address or localhost) with a ``port``, or a unix socket's ``path``."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def of(cls, text: str) -> Listen:
        """Read an address. Raises ``ValueError`` that says what to write instead."""
        if text == NOWHERE:
            return cls()
        if text.startswith("unix:"):
            return cls(path=Path(text.removeprefix("unix:")))
        match = _TCP.fullmatch(text)
        if match is None:
            raise ValueError(f"{shown(text)} is not an address; {EXAMPLE}")
        host, port = match[1] or match[2], int(match[3])
        if not 0 < port < 65536:
            raise ValueError(f"{shown(text)} has no port between 1 and 65535; {EXAMPLE}")
        try:
            host = host if host == "localhost" else str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{shown(text)} names no IP address; {EXAMPLE}, or 0.0.0.0 for all") from None
        return cls(host, port)

    @property
    def wide(self) -> bool:
        """Whether other machines may reach it."""
        return bool(self.host) and self.host != "localhost" and not ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        if not self.host:
            return NOWHERE
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

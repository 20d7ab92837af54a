"""May the daemon reach the servers that the configuration names: the packaged unit lets nothing out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from bouquetd.config import LOOPBACK, Settings
from bouquetd.ops.doctor.finding import Finding, passed, warned
from bouquetd.ops.doctor.surroundings import Surroundings


def allowed(around: Surroundings) -> Iterator[Finding]:
    """The unit's IPAddressAllow= has the addresses of every server that is elsewhere."""
    service, servers = around.service, list(_servers(around.settings))
    if service is None or not service.facts.get("IPAddressDeny") or not servers:
        return
    open_ = [ipaddress.ip_network(word) for word in service.facts.get("IPAddressAllow", "").split()]
    found = {host: [ipaddress.ip_address(text) for text in around.resolve(host)] for host in servers}
    shut = [
        host
        for host, addresses in found.items()
        if addresses and not any(address in network for address in addresses for network in open_)
    ]
    if shut:
        # The drop-in is written anew, so it has the servers that an earlier one let in, too.
        named = " ".join(dict.fromkeys(str(address) for addresses in found.values() for address in addresses))
        yield warned(
            f"{service.name} does not let the daemon reach {' and '.join(shut)} (IPAddressDeny=).",
            around.drop_in("network", {"IPAddressAllow": named}),
        )
    else:
        yield passed(f"{service.name} lets the daemon reach {', '.join(servers)}.")


def _servers(settings: Settings) -> Iterator[str]:
    """The hosts elsewhere, each once."""
    used = (
        (settings.store.url, settings.store.mode == "server"),
        (settings.embed.url, settings.embed.provider == "openai"),
        (settings.entities.url, settings.entities.provider == "openai"),
    )
    hosts = dict.fromkeys(urlsplit(url).hostname for url, wanted in used if wanted)
    yield from (host for host in hosts if host and host not in LOOPBACK)

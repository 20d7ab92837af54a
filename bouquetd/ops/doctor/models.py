"""Are the models there, whole, those that the store was filled with, and the servers among them reachable."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bouquetd.embed.folder import REMEDIES
from bouquetd.entities import choice
from bouquetd.errors import ConfigError
from bouquetd.ops import models
from bouquetd.ops.doctor.finding import Finding, ended, failed, passed
from bouquetd.ops.doctor.installation import extra
from bouquetd.ops.doctor.surroundings import PATIENCE, Surroundings


def sound(around: Surroundings) -> Iterator[Finding]:
    """The embedder's model is installed, and is the file that was installed."""
    embed = around.settings.embed
    try:
        asked = around.asked(around.settings)
        place = models.place(embed)
    except ConfigError as error:
        for problem in error.problems:
            yield failed(ended(problem), _install(around))
        return
    faults = [] if place is None else models.altered(place)
    for fault in faults:
        yield failed(ended(fault), _install(around))
    if not faults:
        yield passed(f"The embedder {asked.embedder} is there ({asked.dimensions} dimensions).")


def entities(around: Surroundings) -> Iterator[Finding]:
    """What finds entities is installed."""
    try:
        choice.require(around.settings.entities)
    except ConfigError as error:
        for problem in error.problems:
            yield failed(ended(problem), extra(around, "spacy"))


def matches(around: Surroundings) -> Iterator[Finding]:
    """The store was filled by the embedder and chunker of the settings."""
    seen = around.seen()
    if seen is None or not seen.filled or seen.recipe is None:
        yield passed("The store is empty: it takes any embedder.")
        return
    try:
        asked = around.asked(around.settings)
    except ConfigError:
        return  # said by ``sound``
    if seen.recipe == asked:
        yield passed("The store was filled with the embedder and chunker of the settings.")
        return
    service = around.service
    stop = f"{around.systemctl} stop {service.name} && " if service and service.active else ""
    yield failed(
        f"The store was filled with {seen.recipe.told}, and the settings ask for {asked.told}; set that"
        " back, or move the store over.",
        f"{stop}{around.own('reindex')}",
    )


def servers(around: Surroundings) -> Iterator[Finding]:
    """Servers of models that the settings name answer."""
    settings = around.settings
    for section, provider, url in (
        ("embed", settings.embed.provider, settings.embed.url),
        ("entities", settings.entities.provider, settings.entities.url),
    ):
        if provider != "openai":
            continue
        address = urlsplit(url)
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            around.connect(address.hostname or "", port)
        except OSError as error:
            late = f"no answer within {PATIENCE:g} s" if isinstance(error, TimeoutError) else str(error)
            why = error.strerror or late
            yield failed(f"Nobody answers at {url} ({section}.url): {why}.", f"curl -sS -m 5 {url}/models")
        else:
            yield passed(f"Somebody answers at {url} ({section}.url).")


def _install(around: Surroundings) -> str:
    if around.settings.embed.provider == "minilm":
        return REMEDIES["minilm"].partition(": ")[2].replace("bouquetd", around.program, 1)
    if around.settings.embed.provider == "static":
        return extra(around, "static")
    return around.edit

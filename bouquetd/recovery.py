"""What comes before anything else at a start: a Chroma that answers, and a ledger that can be trusted."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from bouquetd import ledger as ledger_
from bouquetd.config import LOOPBACK, Embed, Entities, Settings, Store
from bouquetd.embed import Embedder
from bouquetd.errors import BouquetdError, ConfigError, Unavailable, sentence
from bouquetd.inbox.opening import digest, open_source
from bouquetd.ledger import Corrupt, Ledger, set_aside
from bouquetd.log import Log
from bouquetd.model import MB, Fingerprint, printable
from bouquetd.recipe import Recipe, unrecorded
from bouquetd.store import rebuild
from bouquetd.store.chroma import Chroma
from bouquetd.store.embedded import Embedded
from bouquetd.store.kept import Kept
from bouquetd.store.restart import Restart
from bouquetd.store.server import Access, Server
from bouquetd.store.words import Words

S = TypeVar("S", Embed, Entities, Store)

LEDGER, NEXT = ledger_.FILE, ledger_.NEXT
"""The ledger in the state directory, and the folder there with that of the next generation."""

RECIPE, EMBED, GENERATION, OWNER = "recipe", "embed", "generation", "owner"
"""Facts in the ledger: how the store is filled, the section ``embed`` of the settings then, which generation of
the store the ledger is of (none: the first, 0), and who we are to a Chroma server."""

AGAIN = 1.0
"""Seconds between two looks for a server that does not answer yet."""

QUIET = 5.0
"""Seconds before that is worth a warning: at boot both start together."""


ASK = "BOUQUETD_ASK_RESTART"
"""The variable with the path that ``store.restart`` asks at; the unit of the service sets it."""

PART_OF_DEADLINE = 0.5
"""The share of ``pipeline.stage_deadline`` that a request to a server may take: its hang must not be ours."""


def chroma(settings: Settings, embedder: Embedder | None = None) -> Embedded | Server:
    """The Chroma that ``store.mode`` asks for, not yet spoken to, its new collections those of an embedder."""
    store = settings.store
    if store.mode == "server":
        ask = os.environ.get(ASK) if urlsplit(store.url).hostname in LOOPBACK else None
        return server(
            patient(store, settings),
            _owner(settings.paths.state),
            Restart(Path(ask) if ask else None),
            embedder,
        )
    return Embedded(settings.paths.store, store.collection, embedder)


def patient(section: S, settings: Settings) -> S:
    """A section about a server whose hang ends before the watchdog takes it for one of ours."""
    timeout = min(section.timeout, PART_OF_DEADLINE * settings.pipeline.stage_deadline)
    return section.but(timeout=timeout)


def server(
    store: Store, owner: str | None, restart: Restart | None = None, embedder: Embedder | None = None
) -> Server:
    """The Chroma server of these settings, not yet spoken to; without an ``owner`` for one who only reads."""
    access = Access(
        store.tenant, store.database, store.token_file, store.token_header, store.ca_file, store.timeout
    )
    return Server(
        store.url, store.collection, owner=owner, access=access, restart=restart, embedder=embedder,
        batch_size=store.batch_size,
    )  # fmt: skip


def meet(
    greet: Callable[[], object],
    who: str,
    log: Log,
    stopping: threading.Event,
    patience: float,
    beat: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until ``greet`` raises ``Unavailable`` no more; ``patience`` in seconds of the clock.

    ``who`` is greeted, for the log. Raises ``Unavailable`` when patience ends, whatever else ``greet`` raises,
    and what ``beat`` does, as ``Stopped``.
    """
    began, said = clock(), False
    while True:
        beat()
        try:
            greet()
        except Unavailable as error:
            waited = clock() - began
            if waited >= patience:
                raise
            if not said and waited >= QUIET:
                log.warning(f"Waiting for {who} before anything else. {error.told}")
                said = True
            stopping.wait(AGAIN)
        else:
            if said:
                log.info(f"Going on: {who} answers", what="resumed")
            return


def _owner(state: Path) -> str:
    """Who we are to a server: whom the ledger remembers, wherever it lies by now.

    Without one it is another for each state directory and machine, and the same as before the ledger was lost.
    """
    # A state directory and its copy pass for one bouquetd. That only one of them runs is up to the operator.
    with suppress(Corrupt, Unavailable):  # told when it is opened in earnest
        if (state / LEDGER).exists():
            with closing(Ledger(state / LEDGER, check=False)) as ledger:
                if known := ledger.fact(OWNER):
                    return known
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        machine = os.uname().nodename
    return hashlib.sha256(f"bouquetd {machine} {os.path.realpath(state)}".encode()).hexdigest()[:32]


def open_ledger(settings: Settings, recipe: str, chroma: Chroma, log: Log, beat: Callable[[], None]) -> Ledger:
    """Open the ledger; one that is corrupt, or gone, is built anew from what Chroma's metadata say."""
    path = settings.paths.state / LEDGER
    damage: Corrupt | None = None
    if path.exists():
        try:
            ledger = Ledger(path, recipe)
        except Corrupt as error:
            damage = error
        else:
            chroma.generation = generation(ledger)
            return _signed(ledger, chroma)
    if damage:
        aside = set_aside(path)
        log.error(
            f"{sentence(damage.reason)} It was set aside as {printable(str(aside))} and is rebuilt from the"
            " store. Look after the disk; nothing else is to be done"
        )
    chroma.generation = chroma.in_force()
    if chroma.made or chroma.generation:
        _rebuild_ledger(settings, path, recipe, chroma, log, beat)
    return _signed(Ledger(path, recipe), chroma)


def _signed(ledger: Ledger, chroma: Chroma) -> Ledger:
    """Have a ledger remember who we are to the server, so that it may be moved."""
    if isinstance(chroma, Server) and chroma.owner and ledger.fact(OWNER) != chroma.owner:
        ledger.remember(OWNER, chroma.owner)
    return ledger


def _rebuild_ledger(
    settings: Settings, path: Path, recipe: str, chroma: Chroma, log: Log, beat: Callable[[], None]
) -> None:
    # Under another name until it is whole: one that was interrupted must not pass for the ledger.
    fresh = path.with_name(f"{path.name}.rebuilding")
    for stale in (fresh.name, f"{fresh.name}-wal", f"{fresh.name}-shm", f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(stale).unlink(missing_ok=True)
    ledger = Ledger(fresh, recipe)
    try:
        locate = partial(_locate, settings.paths.archive, settings.paths.inbox)
        facts = {GENERATION: str(chroma.generation)}
        if found := Recipe.of(chroma.recorded()):
            facts[RECIPE] = json.dumps(found.recorded())
        whole, dropped = rebuild.ledger_from(chroma, ledger, locate, beat)
        ledger.remember_all(facts)
    finally:
        ledger.close()
    fresh.rename(path)
    log.warning(
        f"Rebuilt the ledger from the store: {whole} documents found whole; {dropped} that were not are"
        " ingested again if their files are still in the inbox"
    )


# -- what the store was filled with -----------------------------------------------------------------------


def generation(ledger: Ledger) -> int:
    """The generation of the store that a ledger is of."""
    return int(ledger.fact(GENERATION) or 0)


def kept(settings: Settings, number: int) -> Kept:
    """The kept records of a generation of the store."""
    return Kept(settings.paths.state / _kept(number))


def words(settings: Settings, number: int) -> Words:
    """The index of words of a generation of the store."""
    return Words(settings.paths.state / f"{_words(number)}.db")


def _kept(number: int) -> str:
    return f"kept-g{number}" if number else "kept"


def _words(number: int) -> str:
    return f"words-g{number}" if number else "words"


def recorded(ledger: Ledger, settings: Settings) -> Recipe:
    """What the store was filled with."""
    chunk, fact = settings.chunk, ledger.fact(RECIPE)
    found = Recipe.of(json.loads(fact)) if fact else None
    return found or unrecorded(chunk.size, chunk.overlap)


def embedded_by(ledger: Ledger, settings: Settings) -> Embed:
    """The section ``embed`` that the store was filled with; guessed by the embedder's name where it is lost."""
    try:
        return Embed.read(dict(json.loads(ledger.fact(EMBED) or "")))
    except (ValueError, TypeError):
        provider = recorded(ledger, settings).embedder.partition("/")[0]
        return settings.embed.but(provider=provider)


def record(ledger: Ledger, settings: Settings, recipe: Recipe) -> None:
    """Remember how the store is filled from here on."""
    embed = json.dumps(vars(settings.embed), separators=(",", ":"))
    facts = {RECIPE: json.dumps(recipe.recorded()), EMBED: embed}
    if any(ledger.fact(key) != value for key, value in facts.items()):
        ledger.remember_all(facts)


def fit(ledger: Ledger, settings: Settings, recipe: Recipe, chroma: Chroma) -> None:
    """Record the recipe of the settings, which an empty store takes whatever it was.

    Raises ``ConfigError`` when the store was filled by another.
    """
    before = recorded(ledger, settings)
    if before != recipe:
        if ledger.filled():
            raise ConfigError([_refusal(before, recipe, embedded_by(ledger, settings), settings)])
        for name in sorted(chroma.names()):
            chroma.delete(name)
        ledger.clear_shards()
    record(ledger, settings, recipe)


def _refusal(before: Recipe, recipe: Recipe, was: Embed, settings: Settings) -> str:
    options = {
        f"embed.{name}": getattr(was, name)
        for name in Embed.options
        if before.embedder != recipe.embedder and getattr(was, name) != getattr(settings.embed, name)
    }
    revision, size, overlap = before.chunker.rsplit("/", 2)
    if recipe.chunker.startswith(f"{revision}/"):
        wanted = {"size": size, "overlap": overlap}
        options |= {
            f"chunk.{name}": value
            for name, value in wanted.items()
            if value != str(getattr(settings.chunk, name))
        }
    back = (
        "set " + " and ".join(f"{name}: {value}" for name, value in options.items()) + " again"
        if options
        else "go back to the bouquetd that filled it"
    )
    key = next(iter(options), "embed.provider")
    return (
        f"{key}: the store was filled with {before.told}; the settings ask for {recipe.told}. Either {back}, or"
        " move the store over with `bouquetd reindex`"
    )


def sweep(ledger: Ledger, settings: Settings, chroma: Chroma) -> bool:
    """Remove what is of another generation than the one in force; whether a half-filled one was among it."""
    state, own = settings.paths.state, generation(ledger)
    half = (state / NEXT / LEDGER).exists()
    remove(settings, chroma, *(chroma.generations() - {own}))
    for folder in state.glob("kept*"):
        if re.fullmatch(r"kept(-g\d+)?", folder.name) and folder.name != _kept(own):
            shutil.rmtree(folder, ignore_errors=True)
    for file in state.glob("words*.db*"):
        if file.name.partition(".")[0] != _words(own):
            file.unlink(missing_ok=True)
    return half


def remove(settings: Settings, chroma: Chroma, *generations: int) -> None:
    """Remove the ledger of a generation that is not in force, and all else there is of some."""
    shutil.rmtree(settings.paths.state / NEXT, ignore_errors=True)
    for number in generations:
        chroma.drop(number)
        shutil.rmtree(settings.paths.state / _kept(number), ignore_errors=True)
        for file in settings.paths.state.glob(f"{_words(number)}.db*"):
            file.unlink(missing_ok=True)


def _locate(archive: Path, inbox: Path, source: str, sha: str) -> tuple[Fingerprint, str | None] | None:
    """The file of that content, in the archive or still in the inbox; hashed, since a name proves nothing."""
    for root, destination in ((archive, source), (inbox, None)):
        try:
            with open_source(root, source) as file:
                if digest(file, MB) == sha:
                    return Fingerprint.of(os.fstat(file.fileno())), destination
        except (BouquetdError, OSError):
            continue
    return None

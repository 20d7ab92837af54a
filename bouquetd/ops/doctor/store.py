"""Is the store there and whole: the Chroma server, the ledger, the shards, the index of words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bouquetd.errors import Unavailable
from bouquetd.ledger import Corrupt
from bouquetd.ops.doctor.finding import Finding, failed, passed, warned
from bouquetd.ops.doctor.installation import reinstall
from bouquetd.ops.doctor.surroundings import NoRights, Surroundings
from bouquetd.ops.figures import count


def server(around: Surroundings) -> Iterator[Finding]:
    """A Chroma server answers, in our version, lets us in, and has our database."""
    settings = around.settings.store
    if settings.mode == "embedded":
        return
    try:
        around.reach(around.settings)
    except Unavailable as error:
        yield failed(error.told, _mend(around, error))
    else:
        yield passed(f"Chroma answers at {settings.url}.")


def ledger(around: Surroundings) -> Iterator[Finding]:
    """The ledger opens, is undamaged and of this bouquetd."""
    try:
        seen = around.ledger(around.settings)
        proven = seen is not None and not seen.running and around.prove(around.settings)
    except Corrupt as error:
        yield failed(error.told, around.restart)
        return
    except Unavailable as error:
        if "an older bouquetd" in error.reason:
            yield warned(
                "The ledger is of an older bouquetd; the next start brings it up to date.", around.start
            )
        elif "a newer bouquetd" in error.reason:
            told = "The ledger is of a newer bouquetd than this one; install that again."
            yield failed(told, reinstall(around))
        elif not error.reason.startswith("the ledger"):
            yield warned(f"The ledger cannot be asked for: {error.told}", around.ours("status"))
        else:
            yield failed(error.told, f"df -h {shlex.quote(str(around.settings.paths.state))}")
        return
    if seen is None:
        yield passed("There is no ledger yet: nothing was ingested.")
    elif seen.running:
        yield passed(f"The daemon has the ledger open: {seen.chunks} chunks in {count(seen.shards, 'shard')}.")
    else:
        how = "is undamaged" if proven else "opens, and the next start proves it undamaged"
        yield passed(f"The ledger {how}: {seen.chunks} chunks in {count(seen.shards, 'shard')}.")


def shards(around: Surroundings) -> Iterator[Finding]:
    """No shard is in doubt after a stop that was none."""
    seen = around.seen()
    if seen is None or not seen.shards:
        return
    if seen.dirty and not seen.running:
        yield warned(
            f"The last stop was not in good order: {seen.dirty} of {count(seen.shards, 'shard')} in doubt; the"
            " next start fills such anew.",
            around.start,
        )
    elif seen.dirty:
        yield passed(f"{count(seen.dirty, 'shard')} of {seen.shards} may be written to at this moment.")
    else:
        yield passed("No shard is in doubt.")


def words(around: Surroundings) -> Iterator[Finding]:
    """The index of words is there."""
    seen = around.seen()
    if seen is None or not seen.chunks:
        return
    try:
        there = around.words(around.settings, seen.generation)
    except NoRights:
        return  # ``rights.folders`` says that the state is not ours to see
    if there:
        yield passed("The index of words is there.")
    else:
        yield warned(
            "There is no index of words: searches go by meaning alone until the daemon has made it anew,"
            " which it does when it has nothing else to do.",
            around.start if around.daemon is None else around.ours("status"),
        )


def _mend(around: Surroundings, error: Unavailable) -> str:
    if "token" in error.reason or "certificate" in error.reason or "database" in error.reason:
        return around.edit
    if around.systemd and "127.0.0.1" in around.settings.store.url:
        return f"{around.sudo}systemctl restart bouquetd-chroma.service"
    return f"curl -sS -m 5 {around.settings.store.url}/api/v2/heartbeat"

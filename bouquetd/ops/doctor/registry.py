"""The checks in their order, and the examination: each bounded in time, none brings the others down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bouquetd.errors import Explained
from bouquetd.model import printable
from bouquetd.ops.doctor import (
    clock,
    configuration,
    daemon,
    disk,
    inbox,
    installation,
    memory,
    models,
    network,
    restarts,
    rights,
    store,
    unit,
)
from bouquetd.ops.doctor.finding import Finding, warned
from bouquetd.ops.doctor.surroundings import NoRights, NotKnown, SaidElsewhere, Surroundings

ONE, ALL = 20.0, 90.0
"""Seconds that one check may take, and all of them."""

T = TypeVar("T")

Look = Callable[[Surroundings], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; what it finds is shown under ``group``."""

    group: str
    name: str
    look: Look


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found; None where it could not be made, for want of a sound configuration."""

    check: Check
    findings: tuple[Finding, ...] | None


CHECKS: tuple[Check, ...] = (
    Check("Configuration", "valid", configuration.valid),
    Check("Configuration", "advice", configuration.advice),
    Check("Daemon", "runs", daemon.runs),
    Check("Daemon", "works", daemon.works),
    Check("Daemon", "failures", daemon.failures),
    Check("Service", "installed", unit.installed),
    Check("Service", "active", unit.active),
    Check("Service", "shipped", unit.shipped),
    Check("Service", "restarts", restarts.deaths),
    Check("Memory", "limit", memory.limit),
    Check("Memory", "slice", memory.slice_),
    Check("Memory", "available", memory.available),
    Check("Memory", "swap", memory.swap),
    Check("Inbox", "there", inbox.there),
    Check("Inbox", "noticed", inbox.noticed),
    Check("Inbox", "watches", inbox.watches),
    Check("Inbox", "times", inbox.times),
    Check("Disk", "free", disk.free),
    Check("Disk", "rights", rights.folders),
    Check("Disk", "sandbox", rights.sandbox),
    Check("Store", "server", store.server),
    Check("Store", "ledger", store.ledger),
    Check("Store", "shards", store.shards),
    Check("Store", "words", store.words),
    Check("Models", "sound", models.sound),
    Check("Models", "entities", models.entities),
    Check("Models", "matches", models.matches),
    Check("Models", "servers", models.servers),
    Check("Models", "network", network.allowed),
    Check("Machine", "dependencies", installation.dependencies),
    Check("Machine", "sqlite", installation.sqlite),
    Check("Machine", "recognition", installation.recognition),
    Check("Machine", "clock", clock.sane),
)


def examine(
    around: Surroundings,
    checks: tuple[Check, ...] = CHECKS,
    *,
    one: float = ONE,
    most: float = ALL,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Result]:
    """Make every check, in order; ``one`` and ``most`` are seconds for each and for all.

    A check that crashes, or does not come to an end, is a warning that names it.
    """
    end = now() + most
    for check in checks:
        yield Result(check, _bounded(check, around, min(one, end - now())))


def _bounded(check: Check, around: Surroundings, seconds: float) -> tuple[Finding, ...] | None:
    """The findings within some seconds."""
    if seconds <= 0:
        return (warned(f"{check.name} was not looked at: the checks before it took too long."),)
    found = within(seconds, lambda: (_made(check, around),), check.name)
    return (
        (warned(f"{check.name} did not come to an end within {seconds:.0f} s."),) if found is None else found[0]
    )


def within(seconds: float, function: Callable[[], T], name: str) -> T | None:
    """What a function returns; None where it takes longer. Its thread is left behind: nothing waits for it."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(function()), name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def _made(check: Check, around: Surroundings) -> tuple[Finding, ...] | None:
    made: list[Finding] = []
    try:
        made += check.look(around)
    except NotKnown:
        return None
    except SaidElsewhere:
        pass
    except (NoRights, PermissionError) as error:
        made.append(warned(f"{check.name} cannot be told: {printable(str(error))}.", around.again))
    except Explained as error:
        made.append(warned(f"{check.name} cannot be told: {error.told}"))
    except Exception as error:
        made.append(warned(f"{check.name} failed: {type(error).__name__}: {printable(str(error))[:300]}."))
    return tuple(made)

"""Is it well, and what would fit this machine."""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bouquetd.cli.app import FAILED, OK, ConfigOption, JsonOption, app, print_json
from bouquetd.errors import ConfigError

if TYPE_CHECKING:
    from bouquetd.config import Settings
    from bouquetd.ops.doctor import Result, Surroundings
    from bouquetd.ops.doctor.surroundings import Seen
    from bouquetd.recipe import Recipe

ASKING = 10.0
"""Seconds that the daemon may take to answer from its ledger."""

STARTING = 30.0
"""Seconds that it may take to read the configuration and ask systemd: a dead network file system hangs."""

LARGEST = 1024
"""MB of a ledger that is read through: some 10 s of a slow disk."""

MARKS = {"pass": "ok", "warn": "warn", "fail": "FAIL"}


@app.command()
def doctor(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Look at all that must be right, and say how to mend what is not.

    Works whether the daemon runs or not, and with a broken configuration. Exit status 1 when something fails;
    warnings are no failure. Some of it only root or the daemon's user may see: it says so.
    """
    from bouquetd.ops.doctor import CHECKS, Result, examine, within
    from bouquetd.ops.doctor.finding import failed

    around = within(STARTING, partial(_surroundings, config), "surroundings")
    if around is None:
        told = f"The configuration, its folders or systemd do not answer within {STARTING:.0f} s."
        results: Any = [Result(CHECKS[0], (failed(told, "findmnt -t nfs,nfs4,cifs,fuse,9p"),))]
    else:
        results = examine(around)
    counts = _as_json(list(results)) if as_json else _as_text(results)
    sys.stdout.flush()
    sys.exit(FAILED if counts["fail"] else OK)


def _as_json(results: "list[Result]") -> Counter[str]:
    findings = [
        {
            "group": made.check.group,
            "check": made.check.name,
            "level": str(found.level),
            "told": found.told,
            "remedy": found.remedy,
        }
        for made in results
        for found in made.findings or ()
    ]
    counts = Counter(str(found["level"]) for found in findings)
    left_out = [made.check.name for made in results if made.findings is None]
    print_json(
        {"counts": {level: counts[level] for level in MARKS}, "left_out": left_out, "findings": findings}
    )
    return counts


def _as_text(results: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    left_out = 0
    for group, made in groupby(results, key=lambda result: result.check.group):
        titled = False
        for result in made:
            left_out += result.findings is None
            for found in result.findings or ():
                if not titled:
                    print(group)
                    titled = True
                counts[str(found.level)] += 1
                print(f"  {MARKS[found.level]:<4}  {found.told}", flush=True)
                if found.remedy:
                    print(f"        {found.remedy}", flush=True)
    if left_out:
        print(f"{left_out} checks wait for a sound configuration.")
    well, warned, failed = (counts[level] for level in MARKS)
    print(f"{well} ok, {warned} {'warning' if warned == 1 else 'warnings'}, {failed} failed.")
    return counts


def _surroundings(path: Path | None) -> "Surroundings":
    """This machine and this configuration, as they are."""
    from bouquetd import config
    from bouquetd.inbox.scan import Ignore
    from bouquetd.ops.doctor import Surroundings, machine
    from bouquetd.ops.doctor.surroundings import run

    found: Path | None = None
    loaded: config.Config | None = None
    problems: tuple[str, ...] = ()
    try:
        found = Path(os.path.abspath(config.find(path, os.environ, Path.cwd())))
        loaded = config.load(found)
    except ConfigError as error:
        problems = error.problems
    home = Path.home()
    unit = machine.service(found, home) if found is not None else None
    who = machine.account(unit, loaded.settings.paths.state if loaded else None)
    now, ignore = time.time(), Ignore(loaded.settings.inbox.ignore if loaded else ())
    return Surroundings(
        config_file=found, named=path is not None, config=loaded, problems=problems, program=_program(),
        interpreter=sys.executable,
        uid=os.getuid(), account=who, home=home, now=now,
        systemd=os.path.isdir("/run/systemd/system"), service=unit,
        packages=machine.packages(), memory=machine.memory(), run=run, read=machine.read, room=machine.room,
        may=partial(machine.may, who=who), walk=cache(partial(machine.walk, now=now, ignore=ignore)),
        shipped=machine.shipped, status=_status, alive=_alive, ledger=_once(_seen), prove=_prove,
        ends=_ends,
        words=_words, asked=_once(_asked), reach=_reach, connect=machine.connect,
        resolve=machine.resolve,
    )  # fmt: skip


def _program() -> str:
    """What to type for this program: its name where that is found, else its path."""
    name = os.path.basename(sys.argv[0])
    return "bouquetd" if shutil.which("bouquetd") or name != "bouquetd" else os.path.abspath(sys.argv[0])


def _status(settings: "Settings") -> dict[str, Any] | None:
    from bouquetd.ops import status
    from bouquetd.ops.doctor import machine

    path = settings.paths.runtime / status.FILE
    return None if machine.read(str(path)) is None else status.read(path.parent)


def _alive(seen: Mapping[str, Any]) -> bool:
    from bouquetd.cli.daemon import alive

    return alive(seen)


def _once(function: Any) -> Any:
    """Asked once; an error is raised again each time."""
    kept: list[tuple[Any, BaseException | None]] = []

    def ask(settings: "Settings") -> Any:
        if not kept:
            try:
                kept.append((function(settings), None))
            except Exception as problem:
                kept.append((None, problem))
        value, error = kept[0]
        if error is not None:
            raise error
        return value

    return ask


def _seen(settings: "Settings") -> "Seen | None":
    """What the ledger says: by the daemon, or, where none runs, read by ourselves and proven undamaged."""
    import json

    from bouquetd.control import NoDaemon, request
    from bouquetd.ledger import Ledger
    from bouquetd.ops.consistency import consistency
    from bouquetd.ops.doctor import NoRights
    from bouquetd.ops.doctor.surroundings import Seen
    from bouquetd.recipe import Recipe
    from bouquetd.recovery import GENERATION, LEDGER, RECIPE
    from bouquetd.running import SOCKET

    asked = {"facts": [RECIPE, GENERATION]}
    path, running = settings.paths.state / LEDGER, True
    try:
        found = request(settings.paths.runtime / SOCKET, "consistency", ASKING, **asked)
    except NoDaemon:
        running = False
        try:
            os.stat(path)
        except FileNotFoundError:
            return None
        except OSError:
            raise NoRights(f"{path.parent} is not yours to read") from None
        if not os.access(path, os.R_OK):
            raise NoRights(f"{path} is not yours to read") from None
        ledger = Ledger(path, read_only=True, check=False)
        try:
            found = consistency(ledger, settings.paths, asked)
        finally:
            ledger.close()
    facts = found.pop("facts")
    recipe = Recipe.of(json.loads(facts[RECIPE])) if facts.get(RECIPE) else None
    return Seen(running=running, recipe=recipe, generation=int(facts.get(GENERATION) or 0), **found)


def _ends(settings: "Settings", since: float) -> list[tuple[float, str]]:
    from bouquetd.memory import history, recorded

    found = recorded.read(settings.paths.state / history.FILE, since, time.time(), most=1)
    return [(e.at, e.text) for e in found.events if e.kind in (history.Kind.DIED, history.Kind.STUCK)]


def _prove(settings: "Settings") -> bool:
    from bouquetd.ledger import Ledger
    from bouquetd.model import MB
    from bouquetd.recovery import LEDGER

    path = settings.paths.state / LEDGER
    if path.stat().st_size > LARGEST * MB:
        return False
    Ledger(path, read_only=True).close()
    return True


def _words(settings: "Settings", generation: int) -> bool:
    from bouquetd import recovery
    from bouquetd.ops.doctor import NoRights

    path = recovery.words(settings, generation).path
    if not os.access(path.parent, os.X_OK):
        raise NoRights(f"{path.parent} is not yours to read")
    return path.exists()


def _asked(settings: "Settings") -> "Recipe":
    from bouquetd.assembly import recipe
    from bouquetd.embed.choice import chosen

    return recipe(chosen(settings.embed), settings)


def _reach(settings: "Settings") -> None:
    from bouquetd import recovery
    from bouquetd.ops.doctor.surroundings import PATIENCE

    quick = settings.store.but(timeout=min(PATIENCE, settings.store.timeout))
    recovery.server(quick, None).knock()

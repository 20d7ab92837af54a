"""What would fit this machine, and writing it down."""

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bouquetd.cli.app import ConfigOption, JsonOption, app, load, print_json
from bouquetd.errors import Unavailable
from bouquetd.model import MB, printable

if TYPE_CHECKING:
    from bouquetd.config import Config
    from bouquetd.ops.fit import Unit
    from bouquetd.ops.tune.facts import Facts, Proposal


@app.command()
def tune(
    apply: Annotated[
        bool, typer.Option("--apply", help="Write what is proposed; without it, nothing is written.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure for seconds only, and no other numbers of threads.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Measure this machine and propose what fits it. Profile, limits, threads, the unit's limits.

    The daemon may run meanwhile, but takes its share of what is measured. Half of RAM is left to others.
    """
    from bouquetd.extract import ocr
    from bouquetd.ops import fit
    from bouquetd.ops.tune import measure, policy

    loaded = load(config)
    known = fit.unit_of(loaded.path, Path.home())
    unit = fit.ask(known[0], user=known[1]) if known else None
    recognising = ocr.find(loaded.settings.ocr)
    page = 0 if isinstance(recognising, str) else recognising.memory
    facts = measure.machine(loaded, quick=quick)
    proposal = policy.propose(facts, loaded.settings, unit, page)
    written = _write(loaded, proposal, unit) if apply and not proposal.empty else []
    if as_json:
        print_json({"facts": asdict(facts), "proposal": asdict(proposal), "written": written})
        return
    _print(loaded, facts, proposal, unit)
    if written:
        print("Written:", *written, sep="\n  ")
        print("To put it into force:", *_then(unit, proposal), sep="\n  ")
    elif not proposal.empty:
        shown = shlex.quote(printable(str(loaded.path)))
        print(f"Nothing was written. To write it: bouquetd tune --apply -c {shown}")


def _print(config: "Config", facts: "Facts", proposal: "Proposal", unit: "Unit | None") -> None:
    from bouquetd.ops.figures import count, lasting

    settings = config.settings
    cores = count(facts.cores, "core")
    runs = settings.embed.provider in ("minilm", "onnx")
    by = {n: f" with {count(n, 'thread')}" if runs else "" for n in facts.embedded}
    rates = ", ".join(f"{rate:,.1f}{by[n]}" for n, rate in sorted(facts.embedded.items()))
    print("Measured")
    print(f"  machine        {facts.ram // MB:,} MB of RAM, {cores}")
    store = f", {facts.flush_store * 1000:.1f} ms for paths.store" if settings.store.mode == "embedded" else ""
    print(f"  disk           a flush takes {facts.flush_state * 1000:.1f} ms for paths.state{store}")
    print(f"  embedder       {settings.embed.provider}, chunks a second: {rates}")
    if facts.stored:
        print(f"  store          {facts.stored:,.0f} chunks a second")
    print(f"  memory         {facts.rss // MB} MB at most for embedder and store")
    print(
        f"Expected         {proposal.rate:,.1f} chunks a second, 1 GB of text in {lasting(proposal.gigabyte)}"
    )
    print("Proposed" if not proposal.empty else "Nothing is to be changed: what is in force fits this machine.")
    for change in proposal.changes:
        print(f"  {change.key}: {change.then}    # now {change.now}")
        print(f"      {change.why}")
    if proposal.unit is not None and unit is not None:
        limits = proposal.unit
        print(f"  {unit.name}: MemoryHigh={limits.high // MB}M MemoryMax={limits.maximum // MB}M")
        print(f"      now {_size(unit.high)} and {_size(unit.maximum)}; {limits.why}")
    for note in proposal.notes:
        print(f"Note: {note}")


def _write(config: "Config", proposal: "Proposal", unit: "Unit | None") -> list[str]:
    """Write the proposal; returns what was written, a line each."""
    from bouquetd.config.edit import rewrite
    from bouquetd.ops import systemd

    written = []
    if proposal.changes:
        backup = rewrite(config.path, {change.key: change.then for change in proposal.changes})
        written.append(f"{printable(str(config.path))} (as it was: {printable(str(backup))})")
    if proposal.unit is not None and unit is not None:
        path = systemd.drop_in(unit.name, "memory", user=unit.user, home=Path.home())
        limits = proposal.unit
        options = {"MemoryHigh": f"{limits.high // MB}M", "MemoryMax": f"{limits.maximum // MB}M"}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                os.replace(path, path.with_name(f"{path.name}.bak"))
            path.write_text(systemd.text(options), encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror}", "run it as root") from error
        written.append(str(path))
    return written


def _then(unit: "Unit | None", proposal: "Proposal") -> list[str]:
    """The commands that put it into force."""
    if unit is None:
        return ["start the daemon again: bouquetd run"]
    systemctl = "systemctl --user" if unit.user else "systemctl"
    reload = [f"{systemctl} daemon-reload"] if proposal.unit is not None else []
    return [*reload, f"{systemctl} restart {unit.name}"]


def _size(size: int | None) -> str:
    return "no limit" if size is None else f"{size // MB}M"

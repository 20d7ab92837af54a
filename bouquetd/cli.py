"""The command line: what people type, what they see, and the exit status."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from bouquetd import __version__
from bouquetd.errors import BouquetdError, ConfigError, Explained, Stopped, Unavailable, sentence
from bouquetd.model import State, printable

if TYPE_CHECKING:
    from bouquetd.config import Config

OK, FAILED, USAGE, UNAVAILABLE, CONFIG = 0, 1, 2, 69, 78
"""Exit statuses; the last two as in sysexits.h. A daemon may also end with 70 or 75, see ``daemon``."""

EPILOG = (
    "Exit status: 0 all well; 1 something was not (files failed, nothing found, verify unclean); 2 wrong usage;"
    " 69 something needed is not there; 70 internal error; 75 memory stayed short, start afresh; 78 the"
    " configuration or the machine does not fit, a restart would not help."
)

app = typer.Typer(
    help="Drop files into a folder, find them in Chroma. bouquetd watches the inbox and streams every file"
    " into the store, within a fixed amount of memory.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", metavar="FILE", show_default=False,
        help="The YAML to use; else $BOUQUETD_CONFIG, ./bouquetd.yaml, /etc/bouquetd/bouquetd.yaml.",
    ),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


_NO_OPTION = re.compile(r"-+[^-a-zA-Z]|(?!--[a-z-]+=)-.*\s", re.DOTALL)


class Search(TyperCommand):
    """Takes a sentence that begins with a dash, as a number below zero does, for what it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put sentences where no option is looked for."""
        if "--" not in args:
            texts = [arg for arg in args if _NO_OPTION.match(arg)]
            args = [*(arg for arg in args if not _NO_OPTION.match(arg)), "--", *texts] if texts else args
        return super().parse_args(ctx, args)


def main() -> None:
    """The entry point ``bouquetd``."""
    try:
        app()
    except ConfigError as error:
        _die(CONFIG, *error.problems)
    except Explained as error:
        _die(UNAVAILABLE, error.told)
    except (Stopped, KeyboardInterrupt):
        sys.exit(OK)
    except BouquetdError as error:
        _die(UNAVAILABLE, str(error))
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(OK)


@app.callback(invoke_without_command=True)
def _about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)
    ] = False,
) -> None:
    if version:
        print(f"bouquetd {__version__}")
        raise typer.Exit


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground; this is what systemd starts.

    SIGTERM stops it after the batch in hand, SIGHUP reads the configuration again.
    """
    from bouquetd.running import serve

    loaded = _load(config)
    sys.exit(serve(loaded))


@app.command()
def once(config: ConfigOption = None) -> None:
    """Ingest what is in the inbox and leave; exit status 1 when a file failed."""
    from bouquetd.running import drain

    loaded = _load(config)
    sys.exit(drain(loaded))


@app.command(cls=Search)
def search(
    text: Annotated[str, typer.Argument(help="What you look for, in your own words.")],
    n: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many passages.")] = 5,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only passages whose metadata fit: 'media_type = \"application/pdf\" and page <= 3'.",
        ),
    ] = None,
    containing: Annotated[
        list[str] | None,
        typer.Option(
            "--containing",
            metavar="TEXT",
            help="Only passages in which this stands, capitals and all; may be given more than once.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find passages by meaning and by words; sees what was stored a moment ago."""
    from bouquetd.ops.where import parse

    try:
        condition = parse(where) if where is not None else None
    except ValueError as error:
        raise typer.BadParameter(
            f"{sentence(str(error))} Write for instance --where 'name = \"a.pdf\" and page <= 3'",
            param_hint="--where",
        ) from None
    hits = _ask(_load(config), "search", text=text, n=n, where=condition, texts=containing or [])
    if as_json:
        _print_json(hits)
    else:
        for rank, hit in enumerate(hits, start=1):
            _print_hit(rank, hit)
        if not hits and (where or containing):
            print("Nothing found that fits --where and --containing.")
        elif not hits:
            print("Nothing found: the store is empty. Drop files into the inbox; see `bouquetd status`.")
    sys.exit(OK if hits else FAILED)


@app.command()
def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Say what the daemon is doing; exit status 1 when none runs or it is held up."""
    from bouquetd.ops.status import read

    loaded = _load(config)
    now, found = time.time(), read(loaded.settings.paths.runtime)
    running = found is not None and now - found["at"] < 10 and _alive(found["pid"])
    shown: dict[str, Any] = {
        **(found or {}), "running": running, "states": _ask_ledger(loaded, "counts")
    }  # fmt: skip
    if not running:
        shown["state"] = "stopped"
    if as_json:
        _print_json(shown)
    else:
        _print_status(shown)
    sys.exit(OK if running and shown["state"] not in ("holding", "paused") else FAILED)


@app.command()
def files(
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only these; may be given more than once.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 100,
    ignored: Annotated[
        bool,
        typer.Option(
            "--ignored", help="What lies in the inbox and is ignored for its name, and by which rule."
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List documents with their states, the ones that changed last first."""
    if ignored:
        loaded = _load(config)
        names = _ask_ledger(loaded, "ignored", patterns=list(loaded.settings.inbox.ignore))
        if as_json:
            _print_json(names)
        else:
            for item in names:
                print(f"{item['source']}: {item['reason']}")
            print(f"{len(names)} ignored." if names else "Nothing in the inbox is ignored.")
        return
    found = _ask_ledger(_load(config), "files", states=[str(s) for s in state or ()], limit=limit)
    if as_json:
        _print_json(found)
        return
    rows, alone = found["documents"], found["left_alone"]
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["updated"]))
        why = f"  {sentence(row['reason'])} {sentence(row['remedy'])}" if row["reason"] else ""
        why = f"  {sentence(row['note'])}" if row["note"] and not why else why
        print(f"{when}  {row['state']:<9} {row['chunks']:>6} chunks  {row['source']}{why}")
    for item in alone:
        print(f"{'':16}  left alone               {item['source']}  {item['reason']}")
    if not rows and not alone:
        print("No documents" + (" in that state." if state else " yet. Drop files into the inbox."))


@app.command()
def retry(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources or globs, as `files` shows them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All failed files.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put failed files back into the inbox for a new try."""
    if not sources and not every:
        raise typer.BadParameter(
            "name files or globs, or say --all; `bouquetd files --state failed` lists them"
        )
    done = _ask_ledger(_load(config), "retry", patterns=["*"] if every else sources)
    if as_json:
        _print_json(done)
    else:
        for item in done:
            print(f"{item['source']}: {item['error'] or 'put back into the inbox'}")
        if not done:
            print("No failed file of that name; `bouquetd files --state failed` lists them.")
    sys.exit(FAILED if not done or any(item["error"] for item in done) else OK)


@app.command()
def forget(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources or globs, as `files` shows them.")
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="With inbox.after: keep, all whose files are gone from the inbox.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Remove the chunks of documents from the store; their files stay where they are."""
    if not sources and not missing:
        raise typer.BadParameter("name files or globs, or say --missing; `bouquetd files` lists them")
    gone = _ask(_load(config), "forget", patterns=sources or [], missing=missing)
    if as_json:
        _print_json(gone)
    else:
        for source in gone:
            print(f"{source}: forgotten")
        if not gone:
            print("No document of that name in the store; `bouquetd files` lists them.")
    sys.exit(OK if gone else FAILED)


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is wrong.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare ledger and store chunk by chunk; exit status 1 when they differ."""
    report = _ask(_load(config), "verify", repair=repair)
    if as_json:
        _print_json(report)
    else:
        for line in report["repaired"]:
            print(f"Repaired: {line}")
        for finding in report["findings"]:
            print(f"Shard {finding['shard']}: {finding['source']}: {finding['problem']}")
        print(
            f"{report['documents']} documents, {report['chunks']} chunks in {report['shards']} shards: "
            + ("all there, none too many." if not report["faults"] else f"{report['faults']} faults."
               + ("" if repair else " Put them right with: bouquetd verify --repair"))
        )  # fmt: skip
    sys.exit(FAILED if report["faults"] else OK)


@app.command()
def check(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print what is wrong only.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Validate the configuration; print every value in effect and where it came from."""
    from bouquetd.config import advise, render
    from bouquetd.extract import ocr
    from bouquetd.extract.plugins import installed
    from bouquetd.memory.probe import Probe
    from bouquetd.ops import fit

    loaded = _load(config)
    known = fit.unit_of(loaded.path, Path.home())
    with Probe() as probe:
        ceiling = probe.ceiling()
    unit = fit.ask(known[0], user=known[1]) if known else None
    fits = fit.advise(loaded.settings.memory.limit, ceiling, unit)
    rows, advice, plugins = render(loaded), [*advise(loaded.settings), *fits], installed()
    recognition = ocr.told(loaded.settings.ocr)
    if as_json:
        values = {key: {"value": value, "origin": origin} for key, value, origin in rows}
        extractors = {found.plugin.media_type: found.origin for found in plugins}
        path = printable(str(loaded.path))
        _print_json(
            {"file": path, "values": values, "extractors": extractors, "ocr": recognition, "warnings": advice}
        )
        return
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in () if quiet else rows:
        print(f"{key:<{width}}  {value:<28}  {origin}")
    for found in () if quiet else plugins:
        print(f"{'extractor':<{width}}  {found.plugin.media_type:<28}  {found.origin}")
    for line in advice:
        print(f"Warning: {line}")
    if not quiet:
        print(f"OCR: {recognition}")
        print(f"{printable(str(loaded.path))} is valid.")


@app.command()
def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The YAML to write; its folders lie beside it.")
    ] = None,
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="NAME", help="For bouquetd@NAME: /etc/bouquetd/NAME.yaml."),
    ] = None,
) -> None:
    """Write a fresh, commented configuration."""
    from bouquetd.config import SYSTEM, for_system, write_fresh

    if (file is None) == (system is None):
        raise typer.BadParameter("name a FILE, or say --system NAME")
    if system is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", system):
        raise typer.BadParameter("a NAME has up to 31 lower-case letters, digits, - and _")
    path = file or SYSTEM / f"{system}.yaml"
    write_fresh(path, for_system(system) if system else None)
    shown = printable(str(path))
    unit = "bouquetd" if system == "bouquetd" else f"bouquetd@{system}"
    then = f"systemctl enable --now {unit}" if system else f"bouquetd run -c {shown}"
    print(f"Wrote {shown}. Look through it, then: {then}")


@app.command()
def install(
    user: Annotated[bool, typer.Option("--user", help="For you alone, without root.")] = False,
) -> None:
    """Put a service of your own in place: a unit and a configuration in your home."""
    from bouquetd.ops.install import for_me

    if not user:
        raise typer.BadParameter(
            "say --user; for the whole system install the package (README, As a system service)"
        )
    for line in for_me(Path.home(), os.environ, Path(sys.argv[0])):
        print(line)


def _load(path: Path | None) -> Config:
    from bouquetd.config import find, load

    return load(find(path, os.environ, Path.cwd()))


def _ask(config: Config, op: str, **arguments: Any) -> Any:
    """Have the daemon answer, or, where none runs, take the store ourselves and answer."""
    from bouquetd.running import answer, ask

    return ask(config, op, arguments, partial(answer, config))


def _ask_ledger(config: Config, op: str, **arguments: Any) -> Any:
    """Have the daemon answer from its ledger, or, where none runs, open that ourselves."""
    from bouquetd.assembly import recipe
    from bouquetd.control import NoDaemon, request
    from bouquetd.ledger import Ledger
    from bouquetd.ops.documents import LIGHT, NOTHING
    from bouquetd.recovery import LEDGER
    from bouquetd.running import SOCKET

    settings = config.settings
    with suppress(NoDaemon):
        return request(settings.paths.runtime / SOCKET, op, 60.0, **arguments)
    path = settings.paths.state / LEDGER
    try:
        there = path.exists()
    except PermissionError:
        raise Unavailable(
            f"no daemon runs, and {printable(str(path.parent))} is not yours to read",
            "start the daemon, or run the command as its user",
        ) from None
    if not there:
        return NOTHING[op]
    ledger = Ledger(path, recipe(settings), check=False)
    try:
        return LIGHT[op](ledger, settings.paths, arguments)
    finally:
        ledger.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _print_hit(rank: int, hit: dict[str, Any]) -> None:
    place = next((f", {key} {hit[key]}" for key in ("page", "row") if hit.get(key)), "")
    section = f", {' > '.join(hit['headings'])}" if hit.get("headings") else ""
    print(f"{rank}. {hit['source']}{place}{section}  (chunk {hit['chunk']}, distance {hit['distance']:.3f})")
    print("   " + " ".join(hit["text"].split())[:300] + "\n")


def _print_status(shown: dict[str, Any]) -> None:
    why = f": {shown['why']}" if shown.get("why") else ""
    print(f"bouquetd is {shown['state']}{why}")
    if shown["running"]:
        rss, limit, peak = (f"{shown[key]:.0f} MB" for key in ("rss_mb", "limit_mb", "peak_mb"))
        print(f"  memory   {rss} RSS of {limit}, peak {peak}, VSZ {shown['vsz_mb']:.0f} MB")
        print(f"  inbox    {shown['queue']['files']} waiting, watched by {shown['watch']}")
        if current := shown["current"]:
            print(
                f"  now      {current['source']}, {current['share']:.0%} read, {current['chunks']} chunks,"
                f" {shown['chunks_per_second']:.0f} a second"
            )
    else:
        print("  start it with: bouquetd run, or systemctl start bouquetd")
    states = ", ".join(f"{n} {state}" for state, n in shown["states"].items() if n)
    print(f"  ledger   {states or 'no documents yet'}")


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _die(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(f"bouquetd: {line}", file=sys.stderr)
    sys.exit(code)

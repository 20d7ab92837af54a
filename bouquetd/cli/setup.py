"""Configurations and units: check them, write them, put them in place."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bouquetd.cli.app import CONFIG, OK, ConfigOption, JsonOption, app, load, print_json
from bouquetd.errors import ConfigError, Unavailable
from bouquetd.model import printable

if TYPE_CHECKING:
    from bouquetd.config import Settings


@app.command()
def check(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print what is wrong only.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Validate the configuration. Print every value in effect and where it came from.

    Exit status 78 when it cannot work: an option is wrong, or a model that it names is missing.
    """
    from bouquetd.config import advise, render
    from bouquetd.extract import ocr
    from bouquetd.extract.plugins import installed
    from bouquetd.memory.probe import Probe
    from bouquetd.ops import fit

    loaded = load(config)
    known = fit.unit_of(loaded.path, Path.home())
    with Probe() as probe:
        ceiling = probe.ceiling()
    unit = fit.ask(known[0], user=known[1]) if known else None
    recognising = ocr.find(loaded.settings.ocr)
    page = 0 if isinstance(recognising, str) else recognising.memory
    fits = fit.advise(loaded.settings.memory.limit, ceiling, unit, page)
    rows, advice, plugins = render(loaded), [*advise(loaded.settings), *fits], installed()
    recognition = ocr.told(recognising)
    missing, unread = _missing(loaded.settings)
    advice += unread
    if as_json:
        values = {key: {"value": value, "origin": origin} for key, value, origin in rows}
        extractors = {found.plugin.media_type: found.origin for found in plugins}
        path = printable(str(loaded.path))
        print_json(
            {
                "file": path, "values": values, "extractors": extractors, "ocr": recognition,
                "warnings": advice, "missing": missing,
            }
        )  # fmt: skip
        sys.exit(CONFIG if missing else OK)
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in () if quiet else rows:
        print(f"{key:<{width}}  {value:<28}  {origin}")
    for found in () if quiet else plugins:
        print(f"{'extractor':<{width}}  {found.plugin.media_type:<28}  {found.origin}")
    for line in advice:
        print(f"Warning: {line}")
    if not quiet:
        print(f"OCR: {recognition}")
    if missing:
        raise ConfigError(missing)
    if not quiet:
        print(f"{printable(str(loaded.path))} is valid.")


def _missing(settings: "Settings") -> tuple[list[str], list[str]]:
    """What the models want that is not there, and what cannot be told by whoever asks; none is loaded."""
    from bouquetd.embed import choice as embed
    from bouquetd.entities import choice as entities

    missing: list[str] = []
    unread: list[str] = []
    for look in (lambda: embed.chosen(settings.embed), lambda: entities.require(settings.entities)):
        try:
            look()
        except ConfigError as error:
            missing += error.problems
        except Unavailable as error:
            unread.append(error.told)
    return missing, unread


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
    if system == "chroma":
        raise typer.BadParameter("/var/lib/bouquetd-chroma is the Chroma server's folder; take another NAME")
    path = file or SYSTEM / f"{system}.yaml"
    write_fresh(path, for_system(system) if system else None)
    shown = printable(str(path))
    unit = "bouquetd" if system == "bouquetd" else f"bouquetd@{system}"
    then = f"systemctl enable --now {unit}" if system else f"bouquetd run -c {shlex.quote(shown)}"
    print(f"Wrote {shown}. Look through it, then: {then}")


@app.command()
def install(
    user: Annotated[bool, typer.Option("--user", help="For you alone, without root.")] = False,
) -> None:
    """Put a service of your own in place. A unit and a configuration in your home."""
    from bouquetd.ops.install import for_me

    if not user:
        raise typer.BadParameter(
            "say --user; for the whole system install the package (README, As a system service)"
        )
    for line in for_me(Path.home(), os.environ, Path(sys.argv[0])):
        print(line)

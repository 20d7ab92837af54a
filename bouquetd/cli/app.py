"""What all commands share: the application, its options and exit statuses, and how the daemon is asked."""

import json
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bouquetd import __version__
from bouquetd.errors import BouquetdError, ConfigError, Explained, Stopped, Unavailable
from bouquetd.model import printable

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
    rich_markup_mode=None,  # rich would take ``--help`` as long again as all else
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


def run() -> None:
    """Do what the command line asks for, and leave with its exit status."""
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


def load(path: Path | None) -> "Config":
    """The configuration that the option names, or the one that is found where it does not."""
    from bouquetd import config

    return config.load(config.find(path, os.environ, Path.cwd()))


def ask(config: "Config", op: str, **arguments: Any) -> Any:
    """Have the daemon answer, or, where none runs, take the store ourselves and answer."""
    from bouquetd import running

    return running.ask(config, op, arguments, partial(running.answer, config))


def ask_ledger(config: "Config", op: str, *, patience: float = 60.0, **arguments: Any) -> Any:
    """Have the daemon answer from its ledger, in ``patience`` seconds; where none runs, open that ourselves."""
    from bouquetd.control import SOCKET, NoDaemon, request

    settings = config.settings
    with suppress(NoDaemon):
        return request(settings.paths.runtime / SOCKET, op, patience, **arguments)
    from bouquetd.ledger import FILE, Ledger
    from bouquetd.ops.documents import LIGHT, without_ledger

    path = settings.paths.state / FILE
    try:
        there = path.exists()
    except PermissionError:
        raise Unavailable(
            f"no daemon runs, and {printable(str(path.parent))} is not yours to read",
            "start the daemon, or run the command as its user",
        ) from None
    if not there:
        return without_ledger(op, settings.paths, arguments)
    ledger = Ledger(path, check=False)
    try:
        return LIGHT[op](ledger, settings.paths, arguments)
    finally:
        ledger.close()


def print_json(value: Any) -> None:
    """For ``--json``."""
    print(json.dumps(value, indent=2))


def _die(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(f"bouquetd: {line}", file=sys.stderr)
    sys.exit(code)

"""Write a fresh, commented YAML: beside its folders, for a system service, or for a user's own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bouquetd.errors import ConfigError
from bouquetd.model import printable

SYSTEM = Path("/etc/bouquetd")
"""Where the configurations of system services lie, ``NAME.yaml`` for each."""


def write_fresh(path: Path, values: Mapping[str, str] | None = None) -> None:
    """Write the commented file with every option at its default, but for ``values`` by dotted key.

    Raises ``ConfigError`` when ``path`` is there already or cannot be written.
    """
    name = printable(str(path))
    text = (defaults() / "bouquetd.yaml").read_text(encoding="utf-8")
    for key, value in (values or {}).items():
        text = _with(text, key, value)
    try:
        with open(path, "x", encoding="utf-8") as stream:
            try:
                stream.write(text)
                stream.flush()
            except OSError:
                os.unlink(path)
                raise
    except FileExistsError:
        raise ConfigError(
            [f"{name}: is there already and is left as it is; move it away or name another"]
        ) from None
    except OSError as error:
        reason = error.strerror
        raise ConfigError(
            [f"{name}: cannot be written ({reason}); check its folder and the room there"]
        ) from None


def for_system(name: str) -> dict[str, str]:
    """The places of the service ``bouquetd`` or of the instance ``bouquetd@NAME``, storing in a server."""
    own = "" if name == "bouquetd" else f"-{name}"
    spool, library = f"/var/spool/bouquetd{own}", f"/var/lib/bouquetd{own}"
    return {
        "paths.inbox": f"{spool}/inbox",
        "paths.archive": f"{spool}/archive",
        "paths.failed": f"{spool}/failed",
        "paths.state": f"{library}/state",
        "paths.store": f"{library}/store",
        "paths.runtime": f"/run/bouquetd{own}",
        "store.mode": "server",
        "store.collection": f"bouquet{own}",
    }


def for_user(runtime: Path) -> dict[str, str]:
    """The places of a user's own service; ``runtime`` is ``$XDG_RUNTIME_DIR``."""
    return {
        "paths.inbox": "~/bouquetd/inbox",
        "paths.archive": "~/bouquetd/archive",
        "paths.failed": "~/bouquetd/failed",
        "paths.state": "~/.local/state/bouquetd",
        "paths.store": "~/.local/share/bouquetd",
        "paths.runtime": f"{runtime}/bouquetd",
    }


def defaults() -> Path:
    """The folder with the commented file and the profiles: in the installed package, or of the checkout.

    Raises ``ConfigError`` when it is in neither place.
    """
    return shipped("defaults", "config", "bouquetd.yaml")


def shipped(installed: str, checkout: str, witness: str) -> Path:
    """A folder that comes with the program: ``installed`` in the package, ``checkout`` beside it in a checkout.

    Raises ``ConfigError`` when ``witness`` is in neither.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / installed, package.parent / checkout):
        if (folder / witness).is_file():
            return folder
    raise ConfigError([f"{printable(str(package / installed))}: {witness} is missing; install bouquetd again"])


def _with(text: str, key: str, value: str) -> str:
    """The YAML with another value for one option; the comment behind it keeps its column where it can."""
    section, option = key.split(".")
    head, found, rest = text.partition(f"\n{section}:\n")
    line = re.compile(rf"^(  {option}: )(\S+)( *)", re.MULTILINE)
    if not found or not line.search(rest):
        raise KeyError(key)

    def exchanged(match: re.Match[str]) -> str:
        room = len(match[2]) + len(match[3]) - len(value)
        return match[1] + value + " " * max(2, room)

    return head + found + line.sub(exchanged, rest, count=1)

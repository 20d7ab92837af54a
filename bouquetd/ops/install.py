"""``bouquetd install --user``: a service of one's own, without root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from bouquetd.config import for_user, shipped, write_fresh
from bouquetd.errors import ConfigError
from bouquetd.model import printable


def for_me(home: Path, environ: Mapping[str, str], program: Path) -> list[str]:
    """Write unit and configuration where systemd looks for a user's; returns what to tell.

    A configuration that is there stays as it is. Raises ``ConfigError`` when either cannot be written.
    """
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    unit, yaml = config / "systemd" / "user" / "bouquetd.service", config / "bouquetd" / "bouquetd.yaml"
    told = []
    try:
        unit.parent.mkdir(parents=True, exist_ok=True)
        yaml.parent.mkdir(parents=True, exist_ok=True)
        template = shipped("units", "systemd", "user/bouquetd.service") / "user" / "bouquetd.service"
        called = str(_found(program)).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        text = template.read_text(encoding="utf-8").replace("@BOUQUETD@", called)
        unit.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            [f"{printable(str(error.filename))}: cannot be written ({error.strerror}); check its folder"]
        ) from None
    told.append(f"Wrote {printable(str(unit))}.")
    if yaml.exists():
        told.append(f"Left {printable(str(yaml))} as it is.")
    else:
        runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
        write_fresh(yaml, for_user(runtime))
        told.append(f"Wrote {printable(str(yaml))}; files are to be dropped into ~/bouquetd/inbox.")
    told.append("Then: systemctl --user daemon-reload && systemctl --user enable --now bouquetd")
    told.append("To have it run while you are logged out: loginctl enable-linger")
    return told


def _found(program: Path) -> Path:
    """The program as systemd is to call it: in full, and what lies there, not how it was called."""
    found = shutil.which(str(program)) or str(program)
    return Path(os.path.abspath(found))

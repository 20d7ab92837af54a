"""Find a configuration, load it with its profile beneath it, compare two, print one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from bouquetd.config.folders import folder_conflicts
from bouquetd.config.fresh import SYSTEM, defaults
from bouquetd.config.section import Invalid, Surroundings
from bouquetd.config.settings import OPTIONS, PROFILES, Settings, conflicts, notation, value
from bouquetd.config.source import Problem, Source, read
from bouquetd.errors import ConfigError
from bouquetd.model import printable

Origin = Literal["default", "profile", "file"]

SYSTEM_FILE = SYSTEM / "bouquetd.yaml"


@dataclass(frozen=True, slots=True)
class Config:
    """A loaded configuration: its file, the effective settings, and where each dotted key's value came from."""

    path: Path
    settings: Settings
    origin: Mapping[str, Origin]


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The configuration to use: ``-c``, else ``$BOUQUETD_CONFIG``, ``./bouquetd.yaml``, the one in ``/etc``.

    A file that was named is returned whether it is there or not, for ``load`` to complain about. Raises
    ``ConfigError`` when none was named and none is there.
    """
    named = explicit or environ.get("BOUQUETD_CONFIG")
    if named:
        return cwd / named
    for path in (cwd / "bouquetd.yaml", SYSTEM_FILE):
        if os.path.lexists(path):
            return path
    raise ConfigError(
        [
            f"no configuration: neither -c, $BOUQUETD_CONFIG, {printable(str(cwd / 'bouquetd.yaml'))} nor"
            f" {SYSTEM_FILE}; write a fresh one with `bouquetd init bouquetd.yaml`"
        ]
    )


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Load ``path``: defaults, below the profile it names, below its own values.

    Raises ``ConfigError`` with every problem at once, each ``FILE:LINE: dotted.key: what is wrong; what
    to do``.
    """
    path = Path(os.path.abspath(path))
    own = read(path, OPTIONS)
    profile = own.values.get("profile", OPTIONS["profile"].default)
    overlay = (
        read(defaults() / "profiles" / f"{profile}.yaml", OPTIONS) if profile in PROFILES else Source(path)
    )

    settings, faults = _validate({**overlay.values, **own.values}, Surroundings(path.parent, environ))
    problems = [*overlay.problems, *own.problems]
    problems += [_placed((key,), text, own, overlay) for key, text in faults.items()]
    broken = {problem.key for problem in problems}
    problems += [
        _placed(conflict.keys, conflict.text, own, overlay)
        for conflict in [*conflicts(settings), *folder_conflicts(settings, path)]
        if broken.isdisjoint(conflict.keys)
    ]
    if problems:
        problems.sort(key=lambda problem: (problem.file != path, problem.line))
        raise ConfigError([str(problem) for problem in problems])
    return Config(path, settings, MappingProxyType({key: _origin(key, own, overlay) for key in OPTIONS}))


def changed(old: Settings, new: Settings) -> list[str]:
    """The dotted keys whose values differ."""
    return [key for key in OPTIONS if value(old, key) != value(new, key)]


def render(config: Config) -> list[tuple[str, str, str]]:
    """Every option as (dotted key, effective value in the YAML's own notation, origin)."""
    return [(key, notation(config.settings, key), config.origin[key]) for key in OPTIONS]


def _validate(values: Mapping[str, object], around: Surroundings) -> tuple[Settings, Mapping[str, str]]:
    """The settings, and what is wrong by dotted key; a wrong one takes its default, to judge the others."""
    try:
        return Settings.read(_nested(values), around), {}
    except Invalid as error:
        faults = error.faults
    sound = {key: item for key, item in values.items() if key not in faults}
    return Settings.read(_nested(sound), around), faults


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, Any] = {}
    for key, item in values.items():
        section, _, option = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[option] = item
    return nested


def _placed(keys: tuple[str, ...], text: str, own: Source, overlay: Source) -> Problem:
    """A problem at the line of the first of ``keys`` that somebody wrote, the operator before the profile."""
    for source in (own, overlay):
        for key in keys:
            if key in source.lines:
                return Problem(source.file, source.lines[key], key, text)
    return Problem(own.file, 1, keys[0], text)


def _origin(key: str, own: Source, overlay: Source) -> Origin:
    if own.values.get(key) is not None:
        return "file"
    return "profile" if key in overlay.values else "default"

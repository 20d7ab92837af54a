"""Change single values in a YAML that people wrote: all else stays as it is, byte for byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from bouquetd.config.loader import changed, load
from bouquetd.config.settings import OPTIONS, Settings, notation
from bouquetd.config.source import MAX_BYTES, Source, read
from bouquetd.errors import ConfigError
from bouquetd.model import printable

Changes = Mapping[str, str]
"""Values in the YAML's notation by dotted key."""

PROFILED = ("stream.read_size", "inbox.max_file_size", "pipeline.batch_size", "entities.max_concurrent")
"""What another profile may change besides itself."""


def edited(text: str, changes: Changes) -> str:
    """The YAML ``text`` with other values for some options; one that is not there yet begins its section.

    Raises ``ValueError`` where a value is not one plain word, or a section is written within braces.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = [_edit(text, root, key, value) for key, value in changes.items()]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def rewrite(path: Path, changes: Changes) -> Path:
    """Write ``changes`` into the configuration ``path``; returns the copy of what it was, ``NAME.bak``.

    The result is loaded before it takes the file's place. Raises ``ConfigError``, and leaves all as it was,
    when anything else would come out changed, or nothing can be written.
    """
    real = Path(os.path.realpath(path))
    name, fresh, backup = (
        printable(str(path)),
        real.with_name(f"{real.name}.new"),
        real.with_name(f"{real.name}.bak"),
    )
    before = load(path)
    try:
        with open(real, encoding="utf-8", newline="") as file:
            text = file.read(MAX_BYTES)
        with open(fresh, "w", encoding="utf-8", newline="") as file:
            file.write(edited(text, changes))
            file.flush()
            os.fsync(file.fileno())
        _verify(before.settings, read(real, OPTIONS), fresh, changes)
        shutil.copystat(real, fresh)
        if os.geteuid() == 0:
            shutil.chown(fresh, real.stat().st_uid, real.stat().st_gid)
        shutil.copy2(real, backup)
        os.replace(fresh, real)
    except ValueError as error:
        raise ConfigError(
            [f"{name}: cannot be changed in place ({error}); write the values yourself"]
        ) from None
    except OSError as error:
        raise ConfigError(
            [f"{name}: cannot be written ({error.strerror}); run it as the file's owner"]
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
    return backup


def _edit(text: str, root: yaml.Node | None, key: str, value: str) -> tuple[int, int, str]:
    """Where to cut, to where, and what to put in, in characters."""
    section, _, option = key.rpartition(".")
    inside = _child(root, section)[1] if section else root
    if (found := _child(inside, option)[1]) is not None:
        if not isinstance(found, yaml.ScalarNode) or found.style in ("|", ">"):
            raise ValueError(f"{key} is no single word there")
        start, end = found.start_mark.index, found.end_mark.index
        return start, end, value if end > start else f" {value}"
    newline = "\r\n" if "\r\n" in text else "\n"
    if not section:
        return _first(root), _first(root), f"{option}: {value}{newline}"
    at, inside = _child(root, section)
    if isinstance(inside, yaml.MappingNode) and not inside.flow_style and inside.value:
        first = inside.value[0][0].start_mark
        return first.index, first.index, f"{option}: {value}{newline}{' ' * first.column}"
    if at is not None:
        raise ValueError(f"the section {section} is not written line by line")
    end = "" if not text or text.endswith("\n") else newline
    return len(text), len(text), f"{end}{section}:{newline}  {option}: {value}{newline}"


def _child(node: yaml.Node | None, name: str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Key and value of that name in a mapping."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                return key, value
    return None, None


def _first(root: yaml.Node | None) -> int:
    """Where the first option stands."""
    if isinstance(root, yaml.MappingNode) and not root.flow_style and root.value:
        return int(root.value[0][0].start_mark.index)
    raise ValueError("the file is not written line by line")


def _verify(before: Settings, written: Source, fresh: Path, changes: Changes) -> None:
    """Raises ``ValueError`` unless the new file says what the old one did, but for the changes."""
    says, after = read(fresh, OPTIONS), load(fresh).settings
    others = {key: value for key, value in says.values.items() if key not in changes}
    if others != {key: value for key, value in written.values.items() if key not in changes} or says.problems:
        raise ValueError("other options would come out changed")
    if odd := set(changed(before, after)) - {*changes, *(PROFILED if "profile" in changes else ())}:
        raise ValueError(f"{min(odd)} would come out changed")
    if wrong := [key for key, value in changes.items() if notation(after, key) != value]:
        raise ValueError(f"{wrong[0]} would not come out as {changes[wrong[0]]}")

"""A YAML file as dotted keys with their lines; what is wrong with its shape is collected, not raised."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from bouquetd.config.units import closest, shown
from bouquetd.errors import ConfigError
from bouquetd.model import printable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MAX_BYTES = 256 * 1024
"""A configuration is never larger; some forty times the commented file."""

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, as one line. ``key`` is empty where no option is meant."""

    file: Path
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{printable(str(self.file))}:{self.line}: {key}{self.text}"


@dataclass(slots=True)
class Source:
    """What a YAML file gives: values and lines by dotted key, and problems of shape.

    Every value is text, a list of text, or ``None`` for null, whatever YAML would make of it: ``no`` is not
    ``False`` here and ``1:30`` is not 90.
    """

    file: Path
    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def blame(self, node: yaml.Node, key: str, text: str) -> None:
        """Collect a problem at the line where ``node`` starts."""
        self.problems.append(Problem(self.file, node.start_mark.line + 1, key, text))


def read(path: Path, known: Collection[str]) -> Source:
    """Read ``path``, whose options may be those of the dotted keys ``known``.

    Raises ``ConfigError`` when the file cannot be read or is not YAML: nothing else can be said about it then.
    """
    source = Source(path)
    root = _compose(path)
    if isinstance(root, yaml.MappingNode):
        _section(source, "", root, known)
    elif root is not None and not _is_null(root):
        source.blame(root, "", "the file holds no options; write lines such as `profile: balanced`")
    return source


def _compose(path: Path) -> yaml.Node | None:
    text = _text(path)
    with suppress(yaml.YAMLError, ValueError, OverflowError, RecursionError, AttributeError):
        # libyaml's, ten times as quick. What it does not take is read again, for words that say what is wrong.
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(str(error.problem or error.context).split())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character {shown(chr(error.character))} is not allowed"
    except (ValueError, OverflowError):
        line, what = 1, "a \\u escape names no character"
    except RecursionError:
        line, what = 1, "it is nested too deeply"
    hint = "mind the indentation (spaces, no tabs) and put quotes around text with * & ! % @ : or #"
    raise ConfigError([str(Problem(path, line, "", f"not valid YAML: {what}; {hint}"))]) from None


def _text(path: Path) -> str:
    name = printable(str(path))
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        told = f"{name}: no such file; write a fresh one with `bouquetd init {shlex.quote(name)}`"
        raise ConfigError([told]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{name}: cannot be read ({reason}); check its path and permissions"]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(
            [f"{name}: is larger than {MAX_BYTES // 1024} KB, so it is no configuration; name another"]
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([str(Problem(path, line, "", "is not UTF-8; save the file as UTF-8"))]) from None


def _section(source: Source, prefix: str, node: yaml.MappingNode, known: Collection[str]) -> None:
    """Take in the keys of one mapping. The options are two levels deep, so no more is ever descended."""
    for name_node, value_node in node.value:
        if not isinstance(name_node, yaml.ScalarNode):
            source.blame(
                name_node, "", "a key must be a plain word; remove the brackets or the `?` in front of it"
            )
            continue
        name = name_node.value
        key = prefix + name
        is_option = "." not in name and key in known
        is_section = "." not in name and any(option.startswith(f"{key}.") for option in known)
        if not is_option and not is_section:
            source.blame(name_node, _quoted(key), f"unknown option; {_advice(prefix, name, known)}")
            continue
        if key in source.lines:
            source.blame(name_node, key, f"given twice, first in line {source.lines[key]}; keep one of them")
            if is_option:
                continue
        source.lines.setdefault(key, name_node.start_mark.line + 1)
        if is_option:
            _option(source, key, value_node)
        elif isinstance(value_node, yaml.MappingNode):
            _section(source, f"{key}.", value_node, known)
        elif not _is_null(value_node):
            example = next(option for option in known if option.startswith(f"{key}.")).removeprefix(f"{key}.")
            source.blame(
                value_node, key, f"is a section; write its options under it, for instance `{example}: ...`"
            )


def _option(source: Source, key: str, node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode):
        source.values[key] = _scalar(node)
    elif isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        source.values[key] = [_scalar(item) for item in node.value]
    else:
        source.blame(node, key, "has options of its own here; write one value behind the colon")


def _scalar(node: yaml.ScalarNode) -> str | None:
    return None if _is_null(node) else str(node.value)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def _advice(prefix: str, name: str, known: Collection[str]) -> str:
    """What the writer of an unknown key should do: a name misspelt here, or one that belongs elsewhere."""
    elsewhere = [key for key in known if key in (name, prefix + name) or key.rpartition(".")[2] == name]
    if elsewhere:
        section, _, option = elsewhere[0].rpartition(".")
        return f"write `{option}` under `{section}:`" if section else f"write `{option}` at the left margin"
    here = dict.fromkeys(key.removeprefix(prefix).partition(".")[0] for key in known if key.startswith(prefix))
    if meant := closest(name, here):
        return f"did you mean `{meant}`?"
    if meant := closest(name, {key.rpartition(".")[2]: key for key in known}):
        return f"did you mean `{next(key for key in known if key.rpartition('.')[2] == meant)}`?"
    return f"remove it, or use one of {', '.join(here)}"


def _quoted(key: str) -> str:
    """A key as it stands if it is a plain one, else quoted."""
    return key if len(key) <= 60 and key.replace(".", "").replace("_", "").isalnum() else shown(key)

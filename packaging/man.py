"""Man pages: bouquetd(1) from the command line itself, bouquetd.yaml(5) from the commented YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from bouquetd import __version__
from bouquetd.cli import EPILOG, app, everything

ROOT = Path(__file__).resolve().parents[1]


def pages(date: str) -> dict[str, str]:
    """The text of each page in roff by its file name; ``date`` is printed at its foot."""
    daemon = (ROOT / "packaging" / "man" / "bouquetd.8").read_text(encoding="utf-8")
    return {
        "man1/bouquetd.1": _command(date),
        "man5/bouquetd.yaml.5": _yaml(date),
        "man8/bouquetd.8": daemon.replace("@DATE@", date).replace("@VERSION@", __version__),
    }


def _head(name: str, section: int, date: str, purpose: str) -> str:
    return (
        f'.TH {name.upper()} {section} "{date}" "bouquetd {__version__}"\n'
        f".SH NAME\n{_text(name)} \\- {_text(purpose)}\n"
    )


def _command(date: str) -> str:
    everything()
    group = typer.main.get_command(app)
    context = group.make_context("bouquetd", [], resilient_parsing=True)
    lines = [
        _head("bouquetd", 1, date, "drop files into a folder, find them in Chroma"),
        ".SH SYNOPSIS\n.B bouquetd\n.I command\n[\\fIoptions\\fR]",
        f".SH DESCRIPTION\n{_text(group.help)}\n.PP\nThe service itself is described in\n.BR bouquetd (8).",
        ".SH COMMANDS",
    ]
    for name, command in _commands(group, context):
        parameters = [p for p in command.params if p.name != "help"]
        arguments = " ".join(f"[{_named(p)}]" for p in parameters if p.param_type_name == "argument")
        lines.append(f".SS bouquetd {name} {arguments}")
        lines += [_text(part) + "\n.PP" for part in (command.help or "").split("\n\n")]
        for parameter in parameters:
            if parameter.param_type_name == "option":
                value = "" if parameter.is_flag else f" {_named(parameter)}"
                names = ", ".join(f"\\fB{_text(o)}\\fR" for o in parameter.opts)
                lines.append(f".TP\n{names}{value}\n{_text(parameter.help or '')}")
            elif help_ := getattr(parameter, "help", None):
                lines.append(
                    f".TP\n\\fI{_text(parameter.metavar or parameter.name.upper())}\\fR\n{_text(help_)}"
                )
    status = EPILOG.removeprefix("Exit status: ").rstrip(".")
    lines.append(".SH EXIT STATUS")
    lines += [f".TP\n.B {number}\n{_text(meaning)}" for number, meaning in _statuses(status)]
    lines.append(
        ".SH FILES\n.TP\n.I /etc/bouquetd/bouquetd.yaml\nThe configuration; see\n.BR bouquetd.yaml (5)."
    )
    lines.append(".SH SEE ALSO\n.BR bouquetd (8),\n.BR bouquetd.yaml (5),\n.BR journalctl (1)")
    return "\n".join(lines) + "\n"


def _commands(group: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """Each command by what is typed, those of a group one by one."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        for part in getattr(command, "commands", {}):
            yield f"{name} {part}", command.commands[part]
        if not hasattr(command, "commands"):
            yield name, command


def _named(parameter: Any) -> str:
    return f"\\fI{_text(parameter.metavar or parameter.name.upper())}\\fR"


def _statuses(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("; "):
        number, _, meaning = part.partition(" ")
        yield number, meaning


def _yaml(date: str) -> str:
    text = (ROOT / "config" / "bouquetd.yaml").read_text(encoding="utf-8")
    lines = [
        _head("bouquetd.yaml", 5, date, "configuration of bouquetd"),
        ".SH DESCRIPTION\nThe service\n.BR bouquetd (8)",
        "reads this file when it starts and when it is reloaded.",
        ".B bouquetd check\nsays whether it is sound, which values hold, and where each came from.",
        ".PP\nOptions that are commented out follow the profile. Those marked [live] change on a reload.",
        ".SH THE COMMENTED FILE\n.nf\n.ft CW",
    ]
    lines += [_verbatim(line) for line in text.splitlines()]
    lines.append(".ft R\n.fi\n.SH FILES\n.I /etc/bouquetd/bouquetd.yaml")
    lines.append(".SH SEE ALSO\n.BR bouquetd (1),\n.BR bouquetd (8)")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    one = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    one = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", one)
    return re.sub(r"^([.'])", r"\\&\1", one)


def _verbatim(line: str) -> str:
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", line)

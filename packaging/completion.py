"""Completion for bash and zsh from the command line itself: words only, so that a TAB starts no Python."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from bouquetd.cli import app, everything
from bouquetd.model import State

BASH = """\
# Completion of bouquetd for bash, made from its command line.
_bouquetd() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=""
    case "$before" in
        -c|--config) COMPREPLY=($(compgen -f -X '!*.y*ml' -- "$word") $(compgen -d -S / -- "$word")); return ;;
{values}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}}" in
{options}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o filenames -o bashdefault -F _bouquetd bouquetd
"""

ZSH = """\
#compdef bouquetd
# Completion of bouquetd for zsh, made from its command line.
_bouquetd() {{
    local -a commands
    commands=(
{commands}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{options}
    esac
}}
_bouquetd "$@"
"""


@dataclass(frozen=True, slots=True)
class Option:
    """``values`` it takes one of; ``argument`` when it takes any."""

    names: tuple[str, ...]
    about: str
    argument: bool
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand; ``about`` is the first sentence of its help, ``parts`` are the commands of a group."""

    name: str
    about: str
    options: tuple[Option, ...]
    parts: tuple[str, ...]


def scripts() -> dict[str, str]:
    """The scripts by where they go beneath /usr/share."""
    commands = _commands()
    return {
        "bash-completion/completions/bouquetd": _bash(commands),
        "zsh/vendor-completions/_bouquetd": _zsh(commands),
    }


def _commands() -> list[Command]:
    everything()
    group = typer.main.get_command(app)
    context = group.make_context("bouquetd", [], resilient_parsing=True)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        parts = getattr(command, "commands", {})
        known = {p.name: p for each in (command, *parts.values()) for p in each.params}
        options = tuple(
            Option(
                tuple(p.opts), (p.help or "").split(";")[0].rstrip("."), not p.is_flag,
                tuple(State) if "--state" in p.opts else (),
            )
            for p in known.values()
            if p.param_type_name == "option"
        )  # fmt: skip
        found.append(
            Command(name, (command.help or "").split("\n")[0].split(";")[0].rstrip("."), options, tuple(parts))
        )
    return found


def _bash(commands: list[Command]) -> str:
    values = {
        "|".join(o.names): " ".join(o.values) for command in commands for o in command.options if o.values
    }
    return BASH.format(
        commands=" ".join(c.name for c in commands),
        values="\n".join(
            f'        {names}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;'
            for names, words in values.items()
        ),
        options="\n".join(f'            {c.name}) words="{" ".join(_words(c))} --help" ;;' for c in commands),
    )


def _words(command: Command) -> list[str]:
    return [*command.parts, *(name for option in command.options for name in option.names)]


def _zsh(commands: list[Command]) -> str:
    lines = []
    for command in commands:
        specs = " ".join(_spec(option) for option in command.options)
        first = f"'1:command:({' '.join(command.parts)})' " if command.parts else ""
        lines.append(
            f"        {command.name}) _arguments {specs} '--help[show what it does]' {first}'*:file:_files' ;;"
        )
    return ZSH.format(
        commands="\n".join(f"        '{c.name}:{_quoted(c.about)}'" for c in commands), options="\n".join(lines)
    )


def _spec(option: Option) -> str:
    about = _quoted(option.about).replace("[", "(").replace("]", ")").replace(":", ",")
    if option.values:
        tail = f":value:({' '.join(option.values)})"
    elif "--config" in option.names:
        tail = ":file:_files -g '*.y(a|)ml'".replace("'", "'\\''")
    else:
        tail = ":value:" if option.argument else ""
    names = option.names
    alone = f"'({' '.join(names)})'{{{','.join(names)}}}" if len(names) > 1 else f"{names[0]}"
    return f"{alone}'[{about}]{tail}'"


def _quoted(text: str) -> str:
    return " ".join(text.split()).replace("'", "'\\''")

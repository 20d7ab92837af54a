"""What a check finds: well, worth a look, or broken; one sentence, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    ``told`` is one sentence; ``remedy`` a command that may be pasted into a shell as it stands, "" for none.
    """

    level: Level
    told: str
    remedy: str = ""


def ended(line: str) -> str:
    """A line as a sentence; its first word stays as it is, for it may be an option or a file."""
    return f"{line.rstrip('.')}."


def passed(told: str, remedy: str = "") -> Finding:
    """It is as it should be; a remedy then says what more there could be."""
    return Finding(Level.PASS, told, remedy)


def warned(told: str, remedy: str = "") -> Finding:
    """It works, but wants a look, or could not be looked at."""
    return Finding(Level.WARN, told, remedy)


def failed(told: str, remedy: str = "") -> Finding:
    """It does not work like that."""
    return Finding(Level.FAIL, told, remedy)

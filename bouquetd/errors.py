"""The error tree: a file's fault, the world's fault, the operator's fault, or a request to stop.

Whoever catches one of these knows what to do with the file by its class alone:

* ``Rejected``: the file can never be ingested as it is. It goes to ``failed/`` with the reason.
* ``Changed``: the file moved under our hands. It stays where it is and is looked at again.
* ``Unavailable``: something around us is missing. Keep the file, burn no attempt, back off.
* ``Paused``: the operator wants the intake to rest. Keep the file, burn no attempt, wait to be told.
* ``Stopped``: the daemon was asked to stop. Keep the file, burn no attempt, leave.
* ``ConfigError``: the YAML or the machine does not fit. Do not start; a restart would not help.
"""

from __future__ import annotations

from collections.abc import Sequence


class BouquetdError(Exception):
    """The root of everything bouquetd raises on purpose."""


class Explained(BouquetdError):
    """An error with two sentences for a person: ``reason`` says what is wrong, ``remedy`` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy

    @property
    def told(self) -> str:
        """Both as sentences: "Disk full. Free some space."."""
        return f"{sentence(self.reason)} {sentence(self.remedy)}"


class Rejected(Explained):
    """The file's fault: it can never be ingested as it is."""


class Changed(BouquetdError):
    """The file was modified, replaced or removed while it was being read."""


class Unavailable(Explained):
    """The world's fault: keep the file and try again later; ``after`` so many seconds, where it says."""

    def __init__(self, reason: str, remedy: str, after: float = 0.0) -> None:
        super().__init__(reason, remedy)
        self.after = after


class Paused(Unavailable):
    """The operator wants the intake to rest, as ``bouquetd pause`` says."""

    @property
    def told(self) -> str:
        """As a sentence of its own, with the command that ends it."""
        return f"The intake is paused {self.reason}. Go on with `{self.remedy}`."


class Stopped(BouquetdError):
    """A graceful stop reached a point between two batches."""


class ConfigError(BouquetdError):
    """The configuration or the machine cannot carry this daemon; ``problems`` has one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def sentence(text: str) -> str:
    """A phrase as a sentence: a capital first, one full stop last."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."

"""The headers of a message, by the standard library, which stumbles over some that are broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.policy import default as policy
from email.utils import parsedate_to_datetime

from bouquetd.model import Facts

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_ADDRESS = re.compile(r'(?:"[^"]*"|[^,"])+')  # of several; a name in quotes may have a comma
_MOST_RECIPIENTS = 20
_LONGEST_ADDRESS, _LONGEST_SUBJECT = 200, 300
_STUMBLES = (HeaderParseError, ValueError, IndexError, AttributeError, TypeError, LookupError)


def parsed(headers: bytes) -> EmailMessage:
    """The headers of a message; none of them where one cannot be read."""
    try:
        return message_from_bytes(headers, policy=policy)
    except _STUMBLES:
        return EmailMessage()


def shown(headers: EmailMessage) -> Iterator[tuple[str, str]]:
    """What a mail program shows above the text, as far as it is known."""
    for name in _SHOWN:
        if said := value(headers, name):
            yield name, said


def value(headers: EmailMessage, name: str) -> str:
    """What one of them says, in one line; nothing where it is missing or broken."""
    try:
        return " ".join(str(headers.get(name, "")).split())
    except _STUMBLES:
        return ""


def facts(headers: EmailMessage) -> Facts:
    """Subject, sender, recipients and date."""
    recipients = [
        address.strip()[:_LONGEST_ADDRESS]
        for name in ("To", "Cc")
        for address in _ADDRESS.findall(value(headers, name))
    ]
    try:
        when: float | None = parsedate_to_datetime(value(headers, "Date")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        when = None
    return Facts(
        title=value(headers, "Subject")[:_LONGEST_SUBJECT] or None,
        author=value(headers, "From")[:_LONGEST_ADDRESS] or None,
        created_at=when,
        recipients=tuple(filter(None, recipients))[:_MOST_RECIPIENTS],
    )


def file_name(headers: EmailMessage) -> str:
    """The name of the file that a part is, if it has one."""
    try:
        return " ".join((headers.get_filename() or "").split())[:200]
    except _STUMBLES:
        return ""

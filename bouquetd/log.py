"""Structured logs that read well: coloured lines on a terminal, native entries in the journal, or JSON."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Literal, TextIO

import structlog
from logging_journald import JournaldTransport
from structlog.typing import EventDict, Processor, WrappedLogger

Log = structlog.stdlib.BoundLogger
"""What everybody logs to: ``log.info("text", field=value)``."""

Style = Literal["auto", "console", "journal", "json"]

SPOKEN = frozenset({"what", "stage", "rss_mb", "grown_mb", "document", "digest"})
"""Fields for machines: the text of the line says the figure or names the file; lines for people omit them.

``what`` happened, in a word or two; ``stage`` of the pipeline; ``document`` and ``digest`` in hand; RSS in MB.
"""

JOURNAL = "/run/systemd/journal/socket"
"""Where journald takes native entries."""

LONGEST = 16 * 1024
"""Characters of one event, field or traceback that are kept; the journal itself cuts lines at 48 KB."""

_TRACES = ("stack", "exception")
_FIELDS = "bouquetd_fields"
_PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_COLOUR = {
    "critical": "\x1b[1;31m",
    "error": "\x1b[31m",
    "warning": "\x1b[33m",
    "info": "\x1b[32m",
    "debug": "\x1b[2m",
}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def get() -> Log:
    """The logger. It may be made before ``configure``."""
    logger: Log = structlog.wrap_logger(
        logging.getLogger("bouquetd"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def plain() -> Log:
    """A logger for a guest: the program it runs in has set up logging as it likes."""
    logger: Log = structlog.wrap_logger(
        logging.getLogger("bouquetd"),
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def configure(style: Style = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Send our own lines from ``level`` up, and those of libraries from WARNING up, to ``stream`` (stderr).

    ``auto`` takes ``journal`` when systemd's journal reads that stream, else ``console``. ``journal`` for
    another reader is lines behind their priority. It may be called again, for another level say.
    """
    stream = stream or sys.stderr
    if style == "auto":
        style = "journal" if reaches_journal(os.environ, stream) else "console"
    native = style == "journal" and os.path.exists(JOURNAL) and reaches_journal(os.environ, stream)
    handler = JournalHandler(JournaldTransport(JOURNAL)) if native else logging.StreamHandler(stream)
    ending = (
        [_attach] if native else _ending(style, coloured=stream.isatty() and not os.environ.get("NO_COLOR"))
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.format_exc_info,
            ],
            processors=[_record_aside, *ending],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("bouquetd").setLevel(level.upper())
    logging.captureWarnings(capture=True)


class JournalHandler(logging.Handler):
    """Writes native entries: the line that people read, its priority, and each field as ``BOUQUETD_...``.

    Where journald cannot be reached the line goes to stderr, which is the journal's too.
    """

    def __init__(self, transport: JournaldTransport) -> None:
        super().__init__()
        self._transport = transport

    def emit(self, record: logging.LogRecord) -> None:
        """Send one entry."""
        try:
            fields: dict[str, object] = {}
            setattr(
                record, _FIELDS, fields
            )  # the formatter works on a copy of the record, but of the same dict
            text = self.format(record)
            try:
                self._transport.send(
                    [
                        ("MESSAGE", text),
                        ("PRIORITY", _PRIORITY.get(record.levelname.lower(), 6)),
                        ("SYSLOG_IDENTIFIER", "bouquetd"),
                        *((_field_name(key), value) for key, value in fields.items()),
                    ]
                )
            except OSError:
                sys.stderr.write(text + "\n")
        except Exception:
            self.handleError(record)


def reaches_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Whether ``stream`` is the one that systemd connected to its journal (``$JOURNAL_STREAM``)."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every text safe to print and to encode; only tracebacks keep their line breaks."""
    return {_escape(key): _trace(value) if key in _TRACES else _safe(value) for key, value in event.items()}


def _trace(value: object) -> str:
    text = str(value)
    if len(text) > LONGEST:  # The end says what went wrong.
        text = f"{text[: LONGEST // 2]}\n…\n{text[-LONGEST // 2 :]}"
    return "\n".join(map(_escape, text.splitlines()))


def _safe(value: object) -> object:
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {_escape(str(key)): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(item) for item in value]
    text = str(value)
    return _escape(text) if len(text) <= LONGEST else _escape(text[:LONGEST]) + "…"


def _escape(text: str) -> str:
    """Control characters, invisible ones and lone surrogates as the escapes Python writes for them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _ending(style: Style, *, coloured: bool) -> list[Processor]:
    """The processors that turn an event into what is written."""
    if style == "json":
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        return [stamp, _json]
    if style == "journal":
        return [_journal]
    return [structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False), _console(coloured=coloured)]


def _record_aside(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Clean the fields, and put them aside for a handler that wants them apart from the line."""
    record = event.pop("_record")
    event.pop("_from_structlog")
    event.pop(_FIELDS, None)  # of a library's record it counts as a field
    event = clean(logger, method, event)
    getattr(record, _FIELDS, {}).update(
        (key, value) for key, value in event.items() if key not in ("event", "level", *_TRACES)
    )
    return event


def _attach(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    event.pop("level")
    return "\n".join(_lines(event))


def _field_name(key: str) -> str:
    name = "EVENT" if key == "what" else re.sub(r"[^A-Z0-9_]", "_", key.upper())
    return f"BOUQUETD_{name}"


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return json.dumps({**first, **event})


def _journal(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Each line behind the priority that sd-daemon(3) defines; the journal has the time itself."""
    prefix = f"<{_PRIORITY.get(event.pop('level'), 6)}>"
    return "\n".join(prefix + line for line in _lines(event))


def _console(*, coloured: bool) -> Callable[[WrappedLogger, str, EventDict], str]:
    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        time, level = event.pop("timestamp"), event.pop("level")
        if coloured:
            start = f"{_DIM}{time}{_PLAIN} {_COLOUR.get(level, _PLAIN)}{level:<8}{_PLAIN} "
        else:
            start = f"{time} {level:<8} "
        return start + "\n".join(_lines(event))

    return render


def _lines(event: EventDict) -> list[str]:
    """The event's text and its fields on one line, a traceback on those that follow."""
    text = str(event.pop("event", ""))
    traces = [event.pop(key) for key in _TRACES if key in event]
    fields = [f"{key}={_field(value)}" for key, value in event.items() if key not in SPOKEN]
    return [" ".join([text, *fields]), *(line for trace in traces for line in str(trace).split("\n"))]


def _field(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    bare = value and not any(c in value for c in ' "=')
    return value if bare else '"' + value.replace('"', '\\"') + '"'

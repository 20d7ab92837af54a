from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bouquetd import log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Hand the root logger back as it was: the test runner listens there too."""
    root, ours = logging.getLogger(), logging.getLogger("bouquetd")
    before = root.handlers[:], root.level, ours.level
    root.handlers[:] = []
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(False)
    structlog.reset_defaults()


def written(style: log.Style, level: str = "info", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    log.configure(style, level, stream)
    return stream


def test_a_console_line_has_time_level_text_and_then_the_fields() -> None:
    out = written("console")
    log.get().info("Stored a.pdf", chunks=12, took=0.5, title="two words", empty="", kept=True)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info     "
        r'Stored a\.pdf chunks=12 took=0\.5 title="two words" empty="" kept=true\n',
        out.getvalue(),
    )


def test_a_memory_line_ends_as_the_guide_shows_it() -> None:
    out = written("console")
    log.get().info("[MEMORY] Embedding chunk 0: 46.12 MB RSS", rss_mb=46.12)
    assert out.getvalue().endswith("info     [MEMORY] Embedding chunk 0: 46.12 MB RSS\n")


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, coloured = written("console"), Terminal()
    log.get().warning("x")
    log.configure("console", "info", coloured)
    log.get().warning("x")
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[33mwarning" in coloured.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = written("console", stream=Terminal())
    log.get().warning("x")
    assert "\x1b" not in out.getvalue()


def test_journal_lines_carry_priorities_and_no_time() -> None:
    out = written("journal", "debug")
    logger = log.get()
    for write in (logger.debug, logger.info, logger.warning, logger.error, logger.critical):
        write("x", n=1)
    assert out.getvalue().splitlines() == ["<7>x n=1", "<6>x n=1", "<4>x n=1", "<3>x n=1", "<2>x n=1"]


def test_a_traceback_in_the_journal_has_its_priority_on_every_line() -> None:
    out = written("journal")
    try:
        raise ValueError("bad\x1b[31m\nfile")
    except ValueError:
        log.get().exception("It failed")
    lines = out.getvalue().splitlines()
    assert lines[0] == "<3>It failed"
    assert lines[1] == "<3>Traceback (most recent call last):"
    assert all(line.startswith("<3>") for line in lines)
    assert "\x1b" not in out.getvalue()


def test_json_is_one_object_a_line_with_everything_in_it() -> None:
    out = written("json")
    log.get().bind(document="d1").info("Größe", rss_mb=1.5, nested={"a": [1, None]}, path=Path("/x"))
    entry = json.loads(out.getvalue())
    assert list(entry)[:3] == ["timestamp", "level", "event"]
    assert entry | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "Größe",
        "document": "d1",
        "rss_mb": 1.5,
        "nested": {"a": [1, None]},
        "path": "/x",
    }


@pytest.mark.parametrize("style", ["console", "journal", "json"])
def test_hostile_text_can_neither_forge_lines_nor_crash_the_logger(style: log.Style) -> None:
    out = written(style)
    nasty = 'a\nb\r\x1b[2J\x07\u202e\x85\u2028\udce9\ud800 "x=1.pdf'
    log.get().info(nasty, name=nasty, many=[nasty], table={nasty: nasty}, odd=float("nan"))
    text = out.getvalue()
    assert text.count("\n") == 1
    assert len(text.splitlines()) == 1
    assert all(c.isprintable() for c in text.rstrip("\n"))
    text.encode()
    if style == "json":
        assert json.loads(text)["name"] == 'a\\nb\\r\\x1b[2J\\x07\\u202e\\x85\\u2028\\udce9\\ud800 "x=1.pdf'


def test_a_huge_text_is_cut() -> None:
    out = written("journal")
    log.get().info("x" * 1_000_000, name="y" * 1_000_000)
    assert len(out.getvalue()) < 3 * log.LONGEST


def test_of_a_huge_traceback_the_end_is_kept() -> None:
    out = written("journal")
    try:
        raise ValueError("z" * 1_000_000 + " the end")
    except ValueError:
        log.get().exception("It failed")
    assert len(out.getvalue()) < 3 * log.LONGEST
    assert out.getvalue().endswith("the end\n")


def test_levels_below_the_configured_one_are_left_out() -> None:
    out = written("journal", "warning")
    log.get().info("quiet")
    log.get().warning("loud")
    assert out.getvalue() == "<4>loud\n"


def test_libraries_are_heard_from_warning_up_with_their_names() -> None:
    out = written("journal", "debug")
    logging.getLogger("chromadb.api").info("chatter")
    logging.getLogger("chromadb.api").warning("disk %s\n", "full")
    logging.getLogger("odd").log(35, "notice")
    assert out.getvalue().splitlines() == ["<4>disk full\\n logger=chromadb.api", "<6>notice logger=odd"]


def test_warnings_of_libraries_go_the_same_way() -> None:
    out = written("journal")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", stacklevel=1)
    assert "UserWarning: old" in out.getvalue()


def test_configuring_again_replaces_what_was() -> None:
    first = written("journal")
    second = written("journal", "error")
    log.get().error("x")
    assert (first.getvalue(), second.getvalue()) == ("", "<3>x\n")


def test_a_logger_made_before_configure_obeys_it() -> None:
    logger = log.get()
    out = written("journal")
    logger.info("x")
    assert out.getvalue() == "<6>x\n"


def test_auto_finds_the_journal_by_the_stream_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    monkeypatch.setattr(log, "JOURNAL", str(tmp_path / "no socket"))
    with path.open("w") as stream:
        stat = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        log.configure("auto", "info", stream)
        log.get().info("x")
        assert log.reaches_journal(os.environ, stream)
        assert not log.reaches_journal({}, stream)
        assert not log.reaches_journal(os.environ, io.StringIO())
    assert path.read_text() == "<6>x\n"


def test_auto_without_a_journal_is_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    out = written("auto")
    log.get().info("x")
    assert out.getvalue().endswith(" info     x\n")


def test_a_stream_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    out = written("journal")
    out.close()
    log.get().info("x")


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket as journald has one, and stderr connected to it as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, tempfile.TemporaryDirectory() as short:
        listener.bind(f"{short}/socket")
        listener.settimeout(5)
        monkeypatch.setattr(log, "JOURNAL", f"{short}/socket")
        with (tmp_path / "stream").open("w+") as stream:
            stat = os.fstat(stream.fileno())
            monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
            monkeypatch.setattr(sys, "stderr", stream)
            log.configure()
            yield listener


def entry(journald: socket.socket) -> dict[str, str]:
    """One entry as journald reads it: ``KEY=value``, or a key, a length and a value with line breaks."""
    data, ancillary, _, _ = journald.recvmsg(65536, socket.CMSG_SPACE(4))
    if ancillary:  # too large for a datagram: a descriptor of a file
        with os.fdopen(int.from_bytes(ancillary[0][2], sys.byteorder), "rb") as file:
            file.seek(0)
            data = file.read()
    fields = {}
    while data:
        head, _, data = data.partition(b"\n")
        if b"=" in head:
            key, _, value = head.partition(b"=")
        else:
            size = int.from_bytes(data[:8], sys.byteorder)
            key, value, data = head, data[8 : 8 + size], data[9 + size :]
        fields[key.decode()] = value.decode()
    return fields


def test_an_entry_of_the_journal_has_the_line_its_priority_and_its_fields(journald: socket.socket) -> None:
    log.get().warning(
        "[MEMORY] Paused: 501.00 MB RSS", what="paused", stage="embed", document="d1", rss_mb=501.0, n=3
    )
    assert entry(journald) == {
        "MESSAGE": "[MEMORY] Paused: 501.00 MB RSS n=3",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "bouquetd",
        "BOUQUETD_EVENT": "paused",
        "BOUQUETD_STAGE": "embed",
        "BOUQUETD_DOCUMENT": "d1",
        "BOUQUETD_RSS_MB": "501.0",
        "BOUQUETD_N": "3",
    }


def test_a_traceback_is_one_entry_of_the_journal(journald: socket.socket) -> None:
    try:
        raise ValueError("bad\x1b[31m\nfile")
    except ValueError:
        log.get().exception("It failed")
    found = entry(journald)
    assert found["PRIORITY"] == "3"
    assert found["MESSAGE"].startswith("It failed\nTraceback (most recent call last):\n")
    assert "\x1b" not in found["MESSAGE"]


def test_a_library_is_heard_in_the_journal_too(journald: socket.socket) -> None:
    logging.getLogger("pypdf.reader").warning("odd\nPRIORITY=0")
    found = entry(journald)
    assert (found["MESSAGE"], found["PRIORITY"]) == ("odd\\nPRIORITY=0 logger=pypdf.reader", "4")


def test_an_entry_larger_than_a_datagram_arrives_whole(journald: socket.socket) -> None:
    fields = {f"field{n}": "x" * 16_000 for n in range(20)}
    log.get().info("large", **fields)
    assert entry(journald)["BOUQUETD_FIELD19"] == "x" * 16_000


def test_without_journald_the_line_goes_to_stderr(journald: socket.socket) -> None:
    journald.close()
    log.get().info("still said")
    sys.stderr.seek(0)
    assert sys.stderr.read() == "still said\n"

"""Extractors of other packages, as installed ones: a module and its metadata on the path."""

import io
import sys

import pytest

from bouquetd.errors import ConfigError
from bouquetd.extract import Reading, extract, media_type
from bouquetd.extract.plugins import installed

LINES = """
from bouquetd.errors import Rejected
from bouquetd.model import Piece

protocol = 1
media_type = "text/x-lines"

def claims(head, name):
    return head.startswith(b"LINES") or name.endswith(".lines")

def extract(file, *, read_size):
    for number, line in enumerate(file, start=1):
        if line == b"broken\\n":
            raise Rejected("it is broken", "Mend it.")
        yield Piece(line.decode(), row=number)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package with one extractor where Python looks for packages."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, source, entry=None):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[bouquetd.extractors]\n{name} = {entry or name}\n")

    yield install
    for name in [m for m in sys.modules if m.startswith("plug_")]:
        del sys.modules[name]


def plugins():
    return [found.plugin for found in installed()]


def read(data, name):
    file = io.BytesIO(data)
    kind = media_type(file, name, plugins())
    pieces = extract(file, kind, Reading(1024, 1024), plugins=plugins())
    return kind, [(piece.row, piece.text) for piece in pieces]


def test_without_plugins_there_are_none():
    assert installed() == []


def test_a_plugin_reads_what_it_claims_and_no_more(install):
    install("plug_lines", LINES)
    assert read(b"LINES\ntwo\n", "a.html") == ("text/x-lines", [(1, "LINES\n"), (2, "two\n")])
    assert read(b"one\n", "a.lines")[0] == "text/x-lines"
    assert read(b"one\n", "a.txt")[0] == "text/plain"
    assert read(b"<html>one</html>", "a.html")[0] == "text/html"


def test_an_empty_file_is_empty_for_a_plugin_too(install):
    install("plug_lines", LINES)
    with pytest.raises(Exception, match="the file is empty"):
        read(b"", "a.lines")


def test_a_plugin_says_what_is_wrong_with_a_file(install):
    install("plug_lines", LINES)
    with pytest.raises(Exception, match="it is broken"):
        read(b"one\nbroken\n", "a.lines")


def test_a_plugin_takes_the_place_of_a_built_in_kind(install):
    install("plug_html", LINES.replace("text/x-lines", "text/html"))
    assert read(b"<b>one</b>\n", "a.lines") == ("text/html", [(1, "<b>one</b>\n")])


def test_check_can_say_where_a_plugin_comes_from(install):
    install("plug_lines", LINES)
    assert [found.origin for found in installed()] == ["plug_lines of plug_lines 1.2"]


@pytest.mark.parametrize(
    ("source", "entry", "why"),
    [
        ("1 / 0", None, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", None, "SystemExit: 3"),
        (LINES, "plug_broken:gone", "AttributeError"),
        (LINES, "plug_absent", "ModuleNotFoundError"),
        (LINES.replace("def claims", "def claim"), None, "it has no claims"),
        (LINES.replace("protocol = 1", "protocol = 2"), None, "it is written for protocol 2, this is 1"),
        (LINES.replace("text/x-lines", "lines"), None, "its media_type is 'lines'"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_with_the_reason_and_the_way_out(install, source, entry, why):
    install("plug_broken", source, entry)
    with pytest.raises(ConfigError) as raised:
        installed()
    (problem,) = raised.value.problems
    assert problem.startswith("the extractor plug_broken of plug_broken 1.2 cannot be used: ")
    assert why in problem
    assert problem.endswith("install a version for protocol 1, or uninstall it")


def test_two_plugins_for_one_kind_are_refused_and_all_problems_are_told_at_once(install):
    install("plug_a", LINES)
    install("plug_b", LINES)
    install("plug_c", "1 / 0")
    with pytest.raises(ConfigError) as raised:
        installed()
    assert len(raised.value.problems) == 2
    assert "plug_a of plug_a 1.2 and plug_b of plug_b 1.2 both read text/x-lines" in raised.value.problems[0]

"""The story of one file, told by a command whether a daemon runs or not."""

import os
import shlex

import pytest

from bouquetd.model import pasted
from bouquetd.ops.explain import _verdict
from tests.harness import Home, prose, work

SLOWLY = """
import time
from bouquetd.ledger import Ledger
journal = Ledger.journal
Ledger.journal = lambda self, parts: (journal(self, parts), time.sleep(0.5))
"""
"""A daemon that takes its time with each batch, so that it can be killed within a small file."""


def story(home, file):
    return home.cli("explain", file, "--json").json["story"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Files of many fates."""
    home = Home(tmp_path_factory.mktemp("explain") / "home", {"inbox": {"max_file_size": "1MB"}})
    home.put("good.txt", "A letter to ada@example.org about the harbour.")
    home.put("bad.pdf", "%PDF-1.4 no more of it")
    home.put(os.fsdecode(b"odd \xff.txt"), "An odd name.")
    assert home.once().status == 1
    home.put("sub/copy.txt", "A letter to ada@example.org about the harbour.")
    assert home.once().status == 0
    return home


def test_of_a_stored_one_it_says_when_where_and_what_is_in_it(home):
    told = home.cli("explain", "good.txt")
    assert told.status == 0
    lines = told.out.splitlines()
    assert lines[0] == "good.txt: filed"
    assert "46 B, text/plain; filed 20" in lines[1]
    assert lines[2] == "  chunks      1, in shard 1 (0-0); 1 entity"
    assert lines[3] == f"  lies in     {home.archive / 'good.txt'}"
    assert lines[4].startswith("  attempt 1   20")
    assert lines[4].endswith(" s: stored")
    assert lines[5] == "  what to do  Nothing: it can be found."


@pytest.mark.parametrize(
    "form", ["bad.pdf", "{failed}/bad.pdf", "{failed}/bad.pdf.error", "{inbox}/bad.pdf", "b*d.pdf"]
)
def test_a_failed_one_is_found_by_each_of_its_names_with_reason_and_remedy(home, form):
    told = home.cli("explain", form.format(failed=home.failed, inbox=home.inbox)).out
    assert told.startswith("bad.pdf: failed\n")
    assert "  attempt 1   " in told
    assert "s: failed: " in told
    assert "Then drop it again." in told.splitlines()[-1]
    assert str(home.failed / "bad.pdf") in told


def test_a_path_may_be_relative_to_where_one_is(home, monkeypatch):
    monkeypatch.chdir(home.archive)
    assert story(home, "sub/../good.txt")["source"] == "good.txt"


def test_a_duplicate_names_the_one_that_is_stored(home):
    told = story(home, "sub/copy.txt")
    assert (told["state"], told["documents"][0]["duplicate_of"]) == ("duplicate", "good.txt")
    assert told["to_do"] == "nothing: it can be found as good.txt"
    assert [step["outcome"] for step in told["trail"]] == ["duplicate"]


def test_several_that_fit_are_listed(home):
    told = home.cli("explain", "*.txt")
    assert (told.status, told.out.splitlines()[-1]) == (1, "3 documents fit; name one of them.")
    assert "odd \\xff.txt" in told.out
    assert home.cli("explain", "odd \\xff.txt").status == 0


def test_of_one_that_is_not_there_it_says_how_to_drop_it(home):
    told = home.cli("explain", "nowhere.txt")
    assert told.status == 1
    assert f"Drop it: copy it to {home.inbox / 'nowhere.txt'}." in told.out
    assert "nothing of that name was found in good.txt" in story(home, "good.txt!/a")["to_do"]


WILD = "x';id>pwned;'"


def test_a_quote_in_a_name_is_no_end_of_a_command_to_be_pasted(home):
    (home.inbox / WILD).mkdir()
    try:
        [_, command] = story(home, WILD)["to_do"].split(": ", 1)
    finally:
        (home.inbox / WILD).rmdir()
    assert shlex.split(command) == ["bouquetd", "files", f"{WILD}/*"]
    [_, command] = story(home, f"{WILD}.zip!/a")["to_do"].split("; see ")
    assert shlex.split(command) == ["bouquetd", "explain", f"{WILD}.zip"]


def test_a_failed_one_whose_remedy_does_not_say_so_is_tried_again_by_a_command_of_its_very_name(home):
    shown = {"source": WILD, "daemon": True, "now": None, "inbox": None}
    document = {"state": "failed", "remedy": "Get it again.", "there": True}
    [_, command] = _verdict({**shown, "documents": [document]})[1].split("Then: ")
    assert shlex.split(command) == ["bouquetd", "retry", WILD]


def test_names_that_look_like_options_are_pasted_as_names():
    assert shlex.split(pasted("a", "-n")) == ["--", "a", "-n"]
    assert pasted("a b") == "'a b'"


def test_what_lies_in_the_inbox_and_is_not_taken_says_by_which_rule(home):
    home.put("part.tmp", "x")
    home.put("big.txt", "x" * 1_100_000)
    home.put("waits.txt", "soon")
    os.symlink("good.txt", home.inbox / "link.txt")
    try:
        assert story(home, "part.tmp")["inbox"]["why"] == "it is ignored: inbox.ignore has *.tmp"
        assert "it is too large and will be refused: 1.0 MB" in story(home, "big.txt")["inbox"]["why"]
        assert "it is a symbolic link" in story(home, "link.txt")["inbox"]["why"]
        assert "no daemon runs; start it" in story(home, str(home.inbox / "waits.txt"))["to_do"]
    finally:
        for name in ("part.tmp", "big.txt", "waits.txt", "link.txt"):
            (home.inbox / name).unlink()


def test_a_file_that_is_gone_from_where_it_was_put_is_said_to_be(home):
    aside = home.root / "aside"
    os.rename(home.archive / "good.txt", aside)
    try:
        assert "but it is not there" in home.cli("explain", "good.txt").out
        assert "no longer where it was put" in story(home, "good.txt")["to_do"]
    finally:
        os.rename(aside, home.archive / "good.txt")


def test_before_anything_was_ingested_it_still_answers(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "soon")
    assert home.cli("explain", "a.txt").out.startswith("a.txt: in the inbox\n")
    assert story(home, "b.txt")["state"] == "not there"


def test_a_running_daemon_says_what_waits_and_where_in_line(tmp_path):
    home = Home(tmp_path / "home")
    with home.engine() as (parts, _log):
        work(parts)
        for name in ("a", "b", "c"):
            home.put(f"{name}.txt", name)
            parts.marks.add(f"{name}.txt")
        parts.intake.refresh()
        seen = parts.worker.look("c.txt")
        assert (seen["state"], seen["place"], seen["files"], seen["held"]) == ("queued", 3, 3, None)
        assert parts.worker.look("d.txt")["state"] == ""
        asked = {"file": "b.txt", "path": "/b.txt", "ignore": [], "max_file_size": 100}
        told = parts.service.handlers(lambda function: function())["explain"](asked)["story"]
        assert (told["state"], told["now"]["place"]) == ("waiting in the inbox", 2)


@pytest.mark.long
def test_of_one_whose_daemon_was_killed_it_says_that_the_process_died_in_its_attempt(tmp_path):
    home = Home(tmp_path / "home")
    home.put("long.txt", prose(150_000))
    with home.daemon(patch=SLOWLY) as daemon:
        daemon.until(lambda: home.entries()["long.txt"].chunks if home.entries() else 0, "some of it is stored")
        told = home.cli("explain", "long.txt").out
        assert told.startswith(("long.txt: in hand\n", "long.txt: read, on its way into the store\n"))
        assert ": under way" in told
        daemon.kill()
    told = home.cli("explain", "long.txt").out
    assert "attempt 1" in told
    assert "the process died in it" in told
    assert "Start the daemon: it goes on by itself." in told
    with home.daemon() as daemon:
        daemon.reaches({"long.txt": "filed"})
        steps = story(home, "long.txt")["trail"]
        assert [(step["attempt"], step["outcome"]) for step in steps] == [(1, "died"), (2, "stored")]

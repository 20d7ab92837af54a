"""What nobody should drop, dropped: each with the reason that its owner and the log are given."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from bouquetd.errors import sentence
from tests import samples
from tests.harness import AS_NOBODY_SPECIAL, Home, prose

SECRET = "the launch code is marzipan"
LONG_LINES = [{"n": n, "text": prose(400, n)} for n in range(300)]
BROKEN_LATE = samples.jsonl(LONG_LINES) + b'{"n": 300, "text": \n' + samples.jsonl([{"n": 301}])

REJECTED = {
    "empty.txt": (b"", "the file is empty"),
    "blank.txt": (b" \n\t\n" * 10, "there is no text in the file"),
    "large.txt": (prose(70_000).encode(), r"too large: 0\.1 MB, inbox\.max_file_size is 0\.0625 MB"),
    "encrypted.pdf": (samples.encrypted_pdf(), "the PDF is encrypted and needs a password"),
    "truncated.pdf": (samples.truncated_pdf(), "the PDF is truncated"),
    "scanned.pdf": (samples.scanned_pdf(), "the PDF has no text"),
    "pictures.zip": (samples.zip_of_pictures(), "none of the 2 file.* can be read; a.png: it is a PNG picture"),
    "half.docx": (samples.docx(["text"])[:-40], "damaged or incomplete"),
    "junk.txt": (samples.binary_junk(), "it looks binary"),
    "zeros.txt": (bytes(1000), "it looks binary"),
    "invalid.json": (b'{"a": 1, "b": }', "it is not valid JSON"),
    "invalid.jsonl": (b'{"a": 1}\n{"b": 2}\n{"c": \n{"d": 4}\n', "line 3 is not valid JSON"),
    "picture.md": (b"\x89PNG\r\n\x1a\n" + samples.binary_junk(), "it is a PNG picture"),
}


TOGETHER = pytest.mark.xdist_group("drained")


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """All bad files at once, and a sound one among them."""
    home = Home(
        tmp_path_factory.mktemp("bad"), {"inbox": {"max_file_size": "64KB"}, "stream": {"read_size": "64KB"}}
    )
    for name, (content, _) in REJECTED.items():
        home.put(f"from a friend/{name}", content)
    home.put("sound.txt", "A sound file among the bad ones.")
    outcome = home.process("once")
    return home, outcome, home.stored()


@TOGETHER
@pytest.mark.parametrize("name", REJECTED)
def test_a_bad_file_is_rejected_with_its_reason_in_the_note_the_log_and_the_ledger(drained, name):
    home, outcome, _ = drained
    content, reason = REJECTED[name]
    source = f"from a friend/{name}"
    assert (home.failed / source).read_bytes() == content
    note = home.note(source)
    assert note.startswith(f"bouquetd could not ingest {source}\n")
    why, todo = re.search(r"^Why: +(.+)\nTo do: +(.+)$", note, re.M).groups()
    assert re.search(reason, why, re.I), why
    [line] = [line for line in outcome.err.splitlines() if f"Rejected {source}: " in line]
    assert why in line
    assert todo in line
    entry = home.entries()[source]
    assert (str(entry.state), sentence(entry.reason), entry.destination) == ("failed", why, source)


@TOGETHER
@pytest.mark.parametrize("name", REJECTED)
def test_a_rejected_file_leaves_no_chunk_behind(drained, name):
    assert [r.id for r in drained[2].values() if r.metadata["name"] == name] == []


@TOGETHER
def test_once_says_by_its_exit_status_that_files_failed_and_ingests_the_others(drained):
    home, outcome, stored = drained
    assert outcome.status == 1
    assert f"1 documents, 1 chunks, 0 already there, {len(REJECTED)} failed" in outcome.err
    assert [r.text for r in stored.values()] == ["A sound file among the bad ones."]
    assert os.listdir(home.inbox) == []


def test_of_a_jsonl_file_broken_late_not_even_the_lines_before_the_fault_are_kept(tmp_path):
    options = {"pipeline": {"batch_size": 2}, "store": {"batch_size": 20, "shard_chunks": 50}}
    home = Home(tmp_path / "home", options)
    home.put("late.jsonl", BROKEN_LATE)
    outcome = home.once()
    assert outcome.status == 1
    stored_before = [int(n) for n in re.findall(r"Embedding chunk (\d+)", outcome.err)]
    assert max(stored_before) > 100, "nothing was stored before the fault: the test shows nothing"
    assert "Line 301 is not valid JSON" in home.note("late.jsonl")
    assert home.stored() == {}
    assert home.cli("verify").status == 0


@pytest.mark.long
def test_links_fifos_and_sockets_are_left_alone_reported_once_and_what_they_lead_to_is_never_read(tmp_path):
    home = Home(tmp_path / "home")
    (home.root / "secret.txt").write_text(SECRET)
    (home.root / "secrets").mkdir()
    (home.root / "secrets" / "more.txt").write_text(SECRET)
    os.symlink("../secret.txt", home.inbox / "link.txt")
    os.symlink("../secrets", home.inbox / "folder")
    os.mkfifo(home.inbox / "fifo.txt")
    with home.daemon() as daemon:
        daemon.says("Left alone link.txt: it is a symbolic link")
        daemon.says("Left alone folder: it is a symbolic link")
        daemon.says("Left alone fifo.txt: it is a FIFO")
        home.put("sound.txt", "A sound file.")
        daemon.reaches({"sound.txt": "filed"})
        os.utime(home.inbox / "link.txt", follow_symlinks=False)
        home.put("later.txt", "Another sound file.")
        daemon.reaches({"sound.txt": "filed", "later.txt": "filed"})
        assert daemon.stop() == 0
        first = daemon.log
    with home.daemon() as daemon:
        home.put("last.txt", "The last sound file.")
        daemon.reaches({"sound.txt": "filed", "later.txt": "filed", "last.txt": "filed"})
        assert daemon.stop() == 0
        assert (first + daemon.log).count("Left alone") == 3
    assert sorted(os.listdir(home.inbox)) == ["fifo.txt", "folder", "link.txt"]
    assert not any(SECRET in r.text for r in home.stored().values())
    alone = home.cli("files", "--json").json["left_alone"]
    assert [item["source"] for item in alone] == ["fifo.txt", "folder", "link.txt"]


@pytest.mark.long
def test_a_folder_that_may_not_be_changed_keeps_its_files_which_are_read_once_all_the_same(tmp_path):
    home = Home(tmp_path / "home")
    shut = home.inbox / "shut"
    for name in ("a.txt", "b.txt"):
        home.put(f"shut/{name}", f"In a folder of somebody else, {name}.")
    shut.chmod(0o555)
    first = home.process("once", wrap=AS_NOBODY_SPECIAL)
    assert (first.status, first.err.count("Left alone shut: ")) == (0, 1)
    assert "chmod g+w" in first.err
    again = home.process("once", wrap=AS_NOBODY_SPECIAL)
    assert (again.status, again.err.count("Left alone"), again.err.count("tored ")) == (0, 0, 0)
    assert sorted(home.texts()) == ["shut/a.txt", "shut/b.txt"]
    shut.chmod(0o755)
    assert home.process("once", wrap=AS_NOBODY_SPECIAL).status == 0
    assert sorted(path.name for path in (home.archive / "shut").iterdir()) == ["a.txt", "b.txt"]
    assert not shut.exists()
    assert home.cli("files", "--json").json["left_alone"] == []


@pytest.mark.long
def test_a_file_that_may_not_be_read_is_rejected_and_can_be_retried_once_it_may(tmp_path):
    home = Home(tmp_path / "home")
    home.put("mine.txt", "For my eyes only.").chmod(0)
    shut = home.inbox / "shut"
    shut.mkdir()
    (shut / "in.txt").write_text("In a shut folder.")
    shut.chmod(0)
    outcome = home.process("once", wrap=AS_NOBODY_SPECIAL)
    shut.chmod(0o700)
    assert outcome.status == 1
    assert "Cannot be read: permission denied" in home.note("mine.txt")
    assert "Rejected mine.txt: Cannot be read: permission denied" in outcome.err
    assert "Left alone shut: the folder may not be read" in outcome.err
    (home.failed / "mine.txt").chmod(0o600)
    assert home.cli("retry", "mine.txt").status == 0
    assert not (home.failed / "mine.txt.error").exists()
    assert home.once().status == 0
    assert home.states() == {"mine.txt": "filed", "shut/in.txt": "filed"}


SLOWLY = """
import time
from bouquetd import extract
sound = extract.EXTRACTORS['text/plain']
def slowly(file, reading):
    for piece in sound(file, extract.Reading(4096)):
        time.sleep(0.02)
        yield piece
extract.EXTRACTORS['text/plain'] = slowly
"""


@pytest.mark.long
def test_a_file_that_vanishes_or_changes_while_it_is_read_leaves_nothing_half_stored(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"batch_size": 2}, "store": {"batch_size": 20}})
    with home.daemon(patch=SLOWLY) as daemon:
        home.put("going.txt", prose(200_000, 1))
        daemon.says("[MEMORY] Embedding chunk", 3)
        os.unlink(home.inbox / "going.txt")
        daemon.says("Put back going.txt: it was modified, replaced or removed while it was read")
        home.put("growing.txt", prose(200_000, 2))
        daemon.until(lambda: home.states().get("growing.txt") == "storing", "the second file is being stored")
        home.put("growing.txt", "In the end it was short.")
        daemon.reaches({"growing.txt": "filed"})
        assert daemon.stop() == 0
    assert home.texts() == {"growing.txt": "In the end it was short.\n"}
    assert home.cli("verify").status == 0


@pytest.mark.long
def test_an_inbox_deleted_while_running_is_waited_for(tmp_path):
    home = Home(tmp_path / "home")
    with home.daemon() as daemon:
        home.put("before.txt", "Before the accident.")
        daemon.reaches({"before.txt": "filed"})
        os.rename(home.inbox, home.root / "elsewhere")
        daemon.says("Holding the intake, trying again by itself. The folder ")
        daemon.until(lambda: daemon.status["state"] == "holding", "the status says that it holds")
        assert home.cli("search", "accident").status == 0
        os.rename(home.root / "elsewhere", home.inbox)
        home.put("after.txt", "After the accident.")
        daemon.reaches({"before.txt": "filed", "after.txt": "filed"})
        daemon.says("Going on: what was missing is back")
        assert daemon.stop() == 0


KILLS_ITSELF = """
import os, signal
from bouquetd import extract
sound = extract.EXTRACTORS['text/plain']
def poisoned(file, reading):
    for piece in sound(file, reading):
        if 'poison' in piece.text:
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece
extract.EXTRACTORS['text/plain'] = poisoned
from bouquetd.cli import main
main()
"""


@pytest.mark.long
def test_a_file_that_kills_the_daemon_each_time_is_quarantined_and_those_around_it_are_ingested(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"max_attempts": 2}})
    for number, (name, text) in enumerate(
        [("a.txt", "A sound file."), ("b.txt", prose(30_000) + " poison"), ("c.txt", "Sound as well.")]
    ):
        os.utime(home.put(name, text), (number, number))
    ends = []
    while not ends or ends[-1] != 1:
        assert len(ends) < 4
        ends.append(
            subprocess.run(
                [sys.executable, "-c", KILLS_ITSELF, "once", "-c", str(home.yaml)],
                capture_output=True,
                timeout=60,
            ).returncode
        )
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, 1]
    assert "The daemon was killed 2 times while reading it" in home.note("b.txt")
    assert home.states() == {"a.txt": "filed", "b.txt": "failed", "c.txt": "filed"}
    assert home.texts() == {"a.txt": "A sound file.\n", "c.txt": "Sound as well.\n"}
    assert home.cli("verify").status == 0


def test_a_failed_file_is_listed_with_its_reason_and_ingested_again_after_retry(tmp_path):
    home = Home(tmp_path / "home")
    home.put("notes/broken.json", '{"a": ')
    assert home.once().status == 1
    listed = home.cli("files", "--state", "failed", "--json").json["documents"]
    assert [(row["source"], "not valid JSON" in row["reason"]) for row in listed] == [
        ("notes/broken.json", True)
    ]
    (home.failed / "notes/broken.json").write_text(json.dumps({"a": "mended"}))
    retried = home.cli("retry", "notes/*", "--json")
    assert (retried.status, retried.json) == (0, [{"source": "notes/broken.json", "error": None}])
    assert not list(home.failed.iterdir())
    assert home.once().status == 0
    assert home.states() == {"notes/broken.json": "filed"}
    assert home.cli("retry", "notes/*").status == 1


def test_the_log_tells_of_each_bad_file_in_one_line_that_no_file_name_can_break(tmp_path):
    home = Home(tmp_path / "home")
    name = "line\nbreak \x1b[31mred\x1b[0m " + os.fsdecode(b"\xff") + ".txt"
    home.put(name, b"")
    outcome = home.once()
    [line] = [line for line in outcome.err.splitlines() if "Rejected" in line]
    assert r"Rejected line\nbreak \x1b[31mred\x1b[0m \xff.txt: The file is empty" in line
    assert (home.failed / name).exists()
    [note] = [p for p in home.failed.iterdir() if p.name.endswith(".error")]
    assert r"could not ingest line\nbreak \x1b[31mred" in note.read_text()
    assert os.listdir(home.inbox) == []

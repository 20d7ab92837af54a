"""What becomes of files, with all parts real and in this process; see tests/faults for whole daemons."""

import os
import shutil
from unittest import mock

import pytest

from bouquetd.backoff import SPREAD
from bouquetd.errors import Stopped, Unavailable
from bouquetd.ledger import Corrupt
from tests.harness import Home, prose, until, work

ODD = [
    "with space.txt",
    "new\nline.txt",
    'it\'s "so".txt',
    os.fsdecode(b"caf\xe9 \xff.txt"),
    "-rf *.txt",
    "ünï ☃.txt",
]


def home_with(tmp_path, after="archive", **inbox):
    return Home(tmp_path / "home", {"inbox": {"after": after, **inbox}})


def tree(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def drain(home):
    """Ingest what is in the inbox; returns what was logged."""
    with home.engine() as (parts, log):
        parts.worker.reconcile()
        work(parts)
    return log.text


def test_a_dropped_tree_is_ingested_filed_under_the_same_folders_and_its_empty_folders_go(tmp_path):
    home = home_with(tmp_path)
    for source in ("a.txt", "deep/er/b.txt", "deep/c.txt", "other/d.txt"):
        home.put(source, f"The file {source}.")
    (home.inbox / "waiting").mkdir()
    drain(home)
    assert tree(home.inbox) == ["waiting"]
    assert tree(home.archive) == [
        "a.txt",
        "deep",
        "deep/c.txt",
        "deep/er",
        "deep/er/b.txt",
        "other",
        "other/d.txt",
    ]
    assert home.texts() == {
        s: f"The file {s}.\n" for s in ("a.txt", "deep/er/b.txt", "deep/c.txt", "other/d.txt")
    }
    assert set(home.states().values()) == {"filed"}


def test_files_of_any_name_are_ingested_archived_and_listed(tmp_path):
    home = home_with(tmp_path)
    for n, name in enumerate(ODD):
        home.put(f"{name}.d/{name}", f"Content number {n}.")
    log = drain(home)
    assert home.states() == {f"{name}.d/{name}": "filed" for name in ODD}
    assert home.inbox.exists()
    assert tree(home.inbox) == []
    for n, name in enumerate(ODD):
        assert (home.archive / f"{name}.d" / name).read_text() == f"Content number {n}."
    rows = {
        bytes.fromhex(hexed) if (hexed := r.metadata.get("source_hex")) else r.metadata["source"].encode()
        for r in home.stored().values()
    }
    assert rows == {os.fsencode(f"{name}.d/{name}") for name in ODD}
    assert all(line.isprintable() for line in log.splitlines())
    assert len(home.cli("files", "--json").json["documents"]) == len(ODD)


def test_ignored_names_stay_where_they_are_and_are_not_mentioned(tmp_path):
    home = home_with(tmp_path)
    names = [".hidden", "a.part", "b.tmp", "c.crdownload", "d.filepart", "~$e.docx", "f.swp"]
    for name in names:
        home.put(name, "Not yet.")
    log = drain(home)
    assert sorted(os.listdir(home.inbox)) == sorted(names)
    assert home.states() == {}
    assert "part" not in log
    listed = home.cli("files", "--ignored").out
    assert "a.part: inbox.ignore has *.part" in listed
    assert f"{len(names)} ignored." in listed
    assert {item["source"] for item in home.cli("files", "--ignored", "--json").json} == set(names)


def test_ignored_names_are_listed_before_anything_was_ever_ingested(tmp_path):
    home = home_with(tmp_path)
    assert "Nothing in the inbox is ignored." in home.cli("files", "--ignored").out
    home.put("a.part", "Not yet.")
    assert "a.part: inbox.ignore has *.part" in home.cli("files", "--ignored").out
    assert "No documents yet." in home.cli("files").out


# -- afterwards ---------------------------------------------------------------------------------------------


def test_with_delete_the_file_is_gone_and_its_chunks_stay(tmp_path):
    home = home_with(tmp_path, "delete")
    home.put("folder/a.txt", "Kept in the store.")
    drain(home)
    assert tree(home.inbox) == tree(home.archive) == []
    assert home.texts() == {"folder/a.txt": "Kept in the store.\n"}
    assert home.entries()["folder/a.txt"].destination == ""


def test_with_keep_a_known_unchanged_file_is_never_opened_again(tmp_path):
    home = home_with(tmp_path, "keep")
    home.put("a.txt", "Once is enough.")
    home.put("copy.txt", "Once is enough.")
    drain(home)
    assert tree(home.inbox) == ["a.txt", "copy.txt"]
    assert sorted(home.states().values()) == ["duplicate", "filed"]
    with mock.patch("bouquetd.worker.open_source", side_effect=AssertionError("opened again")):
        drain(home)
    home.put("a.txt", "Now there is more.")
    drain(home)
    # The old content stays, for the copy still has it.
    assert sorted(r.text for r in home.stored().values()) == ["Now there is more.", "Once is enough."]


def test_with_keep_a_deleted_file_takes_its_chunks_with_it(tmp_path):
    home = home_with(tmp_path, "keep")
    for n in range(3):
        home.put(f"{n}.txt", f"File number {n}.")
    drain(home)
    os.unlink(home.inbox / "1.txt")
    log = drain(home)
    assert "Forgot 1.txt: its file was deleted" in log
    assert list(home.texts()) == ["0.txt", "2.txt"]
    assert home.states() == {"0.txt": "filed", "2.txt": "filed"}


def test_with_keep_a_renamed_file_stays_findable_under_its_new_name(tmp_path):
    home = home_with(tmp_path, "keep")
    home.put("old.txt", "It only changes its name.")
    drain(home)
    os.rename(home.inbox / "old.txt", home.inbox / "new.txt")
    drain(home)
    assert home.texts() == {"new.txt": "It only changes its name.\n"}
    assert home.states() == {"new.txt": "filed"}


def test_with_keep_a_copy_stays_findable_when_the_first_is_deleted(tmp_path):
    home = home_with(tmp_path, "keep")
    home.put("first.txt", "One content, two names.")
    drain(home)
    home.put("second.txt", "One content, two names.")
    drain(home)
    assert home.states() == {"first.txt": "filed", "second.txt": "duplicate"}
    os.unlink(home.inbox / "first.txt")
    assert home.once().status == 0
    assert home.texts() == {"second.txt": "One content, two names.\n"}


def test_with_keep_a_mass_deletion_is_held_until_the_operator_says_so(tmp_path):
    home = home_with(tmp_path, "keep")
    for n in range(12):
        home.put(f"{n}.txt", f"File number {n}.")
    drain(home)
    for n in range(8):
        os.unlink(home.inbox / f"{n}.txt")
    log = drain(home)
    assert "Holding the chunks of 8 missing files: 8 of 12 files are missing at once" in log
    assert len(home.texts()) == 12
    gone = [f"{n}.txt" for n in range(8)]
    assert home.cli("forget", "--missing", "--dry-run", "--json").json == {"sources": gone, "number": 8}
    assert home.cli("forget", "--missing", "9.txt").status == 2
    assert len(home.texts()) == 12
    forgotten = home.cli("forget", "--missing", "--json")
    assert (forgotten.status, sorted(forgotten.json)) == (0, gone)
    assert sorted(home.texts()) == sorted(f"{n}.txt" for n in range(8, 12))
    assert home.cli("forget", "--missing", "-n").out == "0 would be forgotten.\n"


def test_with_keep_a_forgotten_file_is_not_read_again_until_it_changes(tmp_path):
    home = home_with(tmp_path, "keep")
    home.put("a.txt", "To be forgotten.")
    drain(home)
    assert home.cli("forget", "a.txt").status == 0
    drain(home)
    os.utime(home.inbox / "a.txt")
    drain(home)
    assert home.stored() == {}
    home.put("a.txt", "Something new.")
    drain(home)
    assert home.texts() == {"a.txt": "Something new.\n"}


# -- the same again, and something else ---------------------------------------------------------------------


def test_the_same_content_under_another_name_is_filed_as_a_duplicate_and_not_stored_again(tmp_path):
    home = home_with(tmp_path)
    home.put("first.txt", "One content.")
    drain(home)
    home.put("second.txt", "One content.")
    log = drain(home)
    assert "Duplicate second.txt: the same content is stored as first.txt" in log
    assert home.states() == {"first.txt": "filed", "second.txt": "duplicate"}
    assert list(home.texts()) == ["first.txt"]
    assert tree(home.archive) == ["first.txt", "second.txt"]


def test_the_same_content_twice_in_one_go_is_stored_once(tmp_path):
    home = home_with(tmp_path)
    for n in range(5):
        home.put(f"{n}.txt", "One content.")
    drain(home)
    assert sorted(home.states().values()) == ["duplicate"] * 4 + ["filed"]
    assert len(home.stored()) == 1


def test_with_duplicates_keep_each_name_is_stored(tmp_path):
    home = home_with(tmp_path, duplicates="keep")
    home.put("first.txt", "One content.")
    home.put("second.txt", "One content.")
    drain(home)
    assert home.texts() == {"first.txt": "One content.\n", "second.txt": "One content.\n"}


def test_the_same_file_dropped_again_is_archived_and_not_stored_again(tmp_path):
    home = home_with(tmp_path)
    for age in range(2):
        os.utime(home.put("a.txt", "The very same."), (1_000_000 * age, 1_000_000 * age))
        log = drain(home)
    assert "Already stored a.txt" in log
    assert tree(home.archive) == ["a (2).txt", "a.txt"]
    assert len(home.stored()) == 1


def test_a_new_content_replaces_the_old_one_and_both_files_are_in_the_archive(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", "The first version. " + prose(5_000, 1))
    drain(home)
    home.put("a.txt", "The second version.")
    drain(home)
    assert home.texts() == {"a.txt": "The second version.\n"}
    assert tree(home.archive) == ["a (2).txt", "a.txt"]
    assert home.cli("verify").status == 0


@pytest.mark.parametrize("after", ["archive", "keep"])
def test_a_source_that_goes_back_to_an_earlier_content_has_that_one_and_no_other(tmp_path, after):
    home = home_with(tmp_path, after)
    for text in ("Version A.", "Version B.", "Version A."):
        home.put("a.txt", text)
        drain(home)
    assert home.texts() == {"a.txt": "Version A.\n"}
    home.put("copy.txt", "Version A.")
    drain(home)
    home.put("a.txt", "Version B.")
    drain(home)
    assert sorted(r.text for r in home.stored().values()) == ["Version A.", "Version B."]
    home.put("a.txt", "Version A.")
    drain(home)
    assert home.texts() == {"a.txt": "Version A.\n"}


def test_a_replaced_document_whose_copy_has_its_content_keeps_that_findable(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", "Shared content.")
    drain(home)
    home.put("copy.txt", "Shared content.")
    drain(home)
    home.put("a.txt", "A content of its own.")
    drain(home)
    hits = home.cli("search", "Shared content", "--json").json
    assert hits[0]["text"] == "Shared content."
    assert home.cli("verify").status == 0


def test_a_document_forgotten_and_dropped_again_is_ingested_again_however_often(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"max_attempts": 1}})
    for _ in range(3):
        home.put("a.txt", "Here today.")
        drain(home)
        assert home.states() == {"a.txt": "filed"}
        assert home.cli("forget", "a.txt").status == 0
        assert home.stored() == {}


def test_a_file_that_failed_and_is_dropped_again_mended_is_ingested(tmp_path):
    home = home_with(tmp_path)
    home.put("a.json", "{")
    drain(home)
    assert home.states() == {"a.json": "failed"}
    home.put("a.json", '{"a": "mended"}')
    drain(home)
    assert home.states() == {"a.json": "filed"}


def test_the_oldest_file_goes_first(tmp_path):
    home = home_with(tmp_path)
    for age, name in enumerate(["c.txt", "a.txt", "d.txt", "b.txt"]):
        path = home.put(name, f"The file {name}.")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    log = drain(home)
    order = [line.split()[2].rstrip(":") for line in log.splitlines() if "Stored" in line]
    assert order == ["b.txt", "d.txt", "a.txt", "c.txt"]


# -- what the world does ------------------------------------------------------------------------------------


def at_once(parts):
    """Have what is missing tried without waiting, as a reload does."""
    parts.worker.apply(parts.worker.settings)


def test_new_files_do_not_have_what_is_missing_tried_before_its_time_and_a_reload_does(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", "One.")
    with home.engine() as (parts, log):
        refuse = mock.Mock(side_effect=Unavailable("Chroma is not well", "heal it"))
        parts.store._chroma.add = parts.store._chroma.add_missing = refuse
        until(lambda: parts.worker.step() and parts.worker.trouble, "it is missed")
        tried = refuse.call_count
        for n in range(20):
            home.put(f"{n}.txt", f"Number {n}.")
            parts.marks.add(f"{n}.txt")
            assert 0 < parts.worker.step() < 2
        assert refuse.call_count == tried
        assert "Going on" not in log.text
        at_once(parts)
        parts.worker.step()
        assert refuse.call_count == tried + 1
        del parts.store._chroma.add, parts.store._chroma.add_missing


def test_while_something_is_missing_it_is_said_once_nothing_is_lost_and_no_attempt_is_burnt(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"max_attempts": 1}})
    home.put("a.txt", prose(50_000))
    with home.engine() as (parts, log):
        add = parts.store._chroma.add

        def refuse(*_):
            raise Unavailable("Chroma is not well", "heal it")

        parts.store._chroma.add = parts.store._chroma.add_missing = refuse
        with mock.patch.object(parts.queue, "postpone"):
            waits = []
            while len(waits) < 9:
                wait = parts.worker.step()
                if parts.worker.trouble:
                    waits.append(wait)
                    at_once(parts)
        assert waits == [pytest.approx(wait, rel=SPREAD) for wait in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
        assert log.text.count("Holding the intake") == 1
        assert len(parts.store._gathering) < 300
        parts.store._chroma.add = add
        del parts.store._chroma.add_missing
        work(parts)
        assert parts.worker.trouble is None
        assert "Going on: what was missing is back" in log.text
    assert home.states() == {"a.txt": "filed"}
    assert home.cli("verify").status == 0


def test_an_attempt_that_cannot_be_given_back_on_a_full_disk_is_given_back_before_the_next_claim(tmp_path):
    home = Home(tmp_path / "home", {"pipeline": {"max_attempts": 1}})
    home.put("a.txt", prose(5_000))
    full = Unavailable("the disk is full", "free some space")
    with home.engine() as (parts, _):
        journal = parts.worker._pipeline.journal
        parts.worker._pipeline.journal = mock.Mock(side_effect=full)
        with mock.patch.object(parts.ledger, "give_back", side_effect=full):
            for _ in range(3):
                at_once(parts)
                until(lambda: parts.worker.step() and parts.worker.trouble, "the disk is found full")
                assert [e.document.attempts for e in parts.ledger.entries()] == [1]
        parts.worker._pipeline.journal = journal
        at_once(parts)
        until(lambda: not parts.worker.step() or parts.worker.idle, "it goes on")
        work(parts)
    assert home.states() == {"a.txt": "filed"}


def test_a_ledger_that_goes_bad_ends_the_worker_and_is_not_taken_for_the_fault_of_the_file(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", prose(5_000))
    with home.engine() as (parts, _):
        parts.worker._pipeline.journal = mock.Mock(side_effect=Corrupt("malformed"))
        with pytest.raises(Corrupt):
            until(lambda: parts.worker.step() < 0, "never")
    assert home.states() == {"a.txt": "claimed"}
    drain(home)
    assert home.states() == {"a.txt": "filed"}


def test_a_shard_sealed_in_peace_equals_its_journal_to_the_last_digit_and_is_not_rebuilt(tmp_path):
    home = Home(tmp_path / "home", {"store": {"batch_size": 20, "shard_chunks": 60}})
    for n in range(70):
        home.put(f"{n}.txt", f"On 2024-02-{1 + n % 28:02} the file number {n} was written, see RFC {n}.")
    with mock.patch("bouquetd.store.rebuild.from_journal", side_effect=AssertionError("rebuilt")):
        drain(home)
    with home.ledger() as ledger:
        assert [shard.sealed for shard in ledger.shards()] == [True, False]


def test_an_error_nobody_foresaw_rejects_that_file_with_its_name_and_goes_on_with_the_next(tmp_path):
    home = home_with(tmp_path)
    home.put("a.html", "<html><p>Something")
    home.put("b.txt", "Something else.")
    with mock.patch.dict("bouquetd.extract.EXTRACTORS", {"text/html": lambda *_, **__: 1 / 0}):
        log = drain(home)
    assert home.states() == {"a.html": "failed", "b.txt": "filed"}
    assert "ZeroDivisionError" in home.note("a.html")
    assert "Could not ingest a.html" in log


def test_more_requests_than_can_be_kept_are_refused(tmp_path):
    home = home_with(tmp_path)
    with home.engine() as (parts, _):
        futures = [parts.worker.requests.ask(lambda n=n: n) for n in range(16)]
        with pytest.raises(Unavailable, match="too many requests"):
            parts.worker.requests.ask(lambda: None)
        parts.worker.step()
        assert [future.result(0) for future in futures] == list(range(16))
        failing = parts.worker.requests.ask(lambda: 1 / 0)
        parts.worker.step()
        assert isinstance(failing.exception(0), ZeroDivisionError)


def test_after_a_while_without_work_the_store_rests(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", "Something.")
    with home.engine() as (parts, _):
        work(parts)
        parts.worker.step()
        assert parts.store.awake
        parts.worker._active -= 60
        parts.worker.step()
        assert not parts.store.awake
        assert not any(shard.dirty for shard in parts.ledger.shards())


# -- after a kill, at each state it can find ---------------------------------------------------------------


def test_a_start_finishes_what_was_complete_but_not_yet_moved(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", "Complete.")
    with mock.patch("bouquetd.filing.file_away", side_effect=Unavailable("no", "wait")):
        with home.engine() as (parts, _):
            while not parts.worker.trouble:
                parts.worker.step()
    assert home.states() == {"a.txt": "complete"}
    drain(home)
    assert home.states() == {"a.txt": "filed"}
    assert tree(home.archive) == ["a.txt"]


def test_small_files_that_are_read_and_not_yet_embedded_when_it_stops_have_their_attempts_given_back(tmp_path):
    home = home_with(tmp_path)
    for n in range(5):
        home.put(f"{n}.txt", f"The small file {n}.")
    with home.engine() as (parts, _):
        until(lambda: parts.worker.step() == 0 and len(parts.worker._pipeline.ahead) == 3, "three are read")
        parts.worker.finish()
    assert sorted(home.states().values()) == ["claimed"] * 3
    assert {entry.document.attempts for entry in home.entries().values()} == {0}
    drain(home)
    assert sorted(home.states().values()) == ["filed"] * 5
    assert len(home.texts()) == 5


def test_a_file_that_must_be_read_whole_and_has_no_room_is_refused_unread(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", prose(10_000))
    with home.engine() as (parts, _):
        parts.warm()
        parts.admission.need = lambda _kind, size: 10**6 * size
        extract = mock.Mock(side_effect=AssertionError("read"))
        parts.worker._pipeline.extract = extract
        work(parts)
    assert home.states() == {"a.txt": "failed"}
    assert "Too large to be read whole, as files of the type text/plain are" in home.note("a.txt")
    assert "set memory.limit to" in home.note("a.txt")


def killed_over(tmp_path, source):
    """A home whose daemon died when most of a file was stored."""
    home = home_with(tmp_path)
    home.put(source, prose(450_000))
    with home.engine() as (parts, _):
        with mock.patch("bouquetd.ingestion.fingerprint", side_effect=SystemExit), pytest.raises(SystemExit):
            work(parts)
    assert home.states() == {source: "storing"}
    return home


@pytest.mark.parametrize("what", ["deleted", "changed"])
def test_a_half_stored_file_that_went_away_or_changed_meanwhile_leaves_no_chunk(tmp_path, what):
    home = killed_over(tmp_path, "a.txt")
    os.unlink(home.inbox / "a.txt")
    if what == "changed":
        home.put("a.txt", "Short now.")
    drain(home)
    assert home.texts() == ({"a.txt": "Short now.\n"} if what == "changed" else {})
    assert home.cli("verify").status == 0


def test_a_half_stored_file_that_becomes_a_duplicate_of_another_leaves_no_chunk(tmp_path):
    home = killed_over(tmp_path, "b.txt")
    home.put("a.txt", prose(450_000))
    assert home.cli("ignore", "b.txt", "--yes").status == 0
    drain(home)
    assert home.states() == {"a.txt": "filed", "b.txt": "storing"}
    assert home.cli("ignore", "--remove", "b.txt").status == 0
    drain(home)
    assert home.states() == {"a.txt": "filed", "b.txt": "duplicate"}
    assert list(home.texts()) == ["a.txt"]
    assert home.cli("verify").status == 0


def test_a_start_finishes_a_rejection_whose_file_was_not_yet_moved(tmp_path):
    home = home_with(tmp_path)
    home.put("a.json", "{")
    with mock.patch("bouquetd.filing.fail_away", side_effect=Unavailable("no", "wait")):
        with home.engine() as (parts, _):
            while not parts.worker.trouble:
                parts.worker.step()
    assert home.entries()["a.json"].destination is None
    drain(home)
    assert "not valid JSON" in home.note("a.json")
    assert home.entries()["a.json"].destination == "a.json"


def test_a_stop_or_a_fault_in_the_midst_of_a_recovery_leaves_it_to_the_next_start(tmp_path):
    home = home_with(tmp_path)
    home.put("a.txt", prose(60_000))
    drain(home)
    whole = home.texts()
    with home.ledger() as ledger:
        ledger.mark_dirty(1)
    for fault in (Stopped("asked to stop"), Unavailable("disk full", "wait")):
        with mock.patch("bouquetd.store.rebuild.Chroma.add", side_effect=fault), pytest.raises(type(fault)):
            with home.engine():
                raise AssertionError("it must not get so far")
        with home.ledger() as ledger:
            assert ledger.active().dirty
    drain(home)
    assert home.texts() == whole
    assert home.cli("verify").status == 0


# -- verify and repair --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(True, id="records kept"),
        pytest.param(False, id="only the archive left", marks=pytest.mark.long),
    ],
)
def test_verify_finds_and_repairs_what_chroma_lost_from_journal_records_and_archive(tmp_path, kept):
    home = Home(tmp_path / "home", {"store": {"batch_size": 20, "shard_chunks": 60}})
    for n in range(4):
        home.put(f"{n}.txt", prose(20_000, n))
    drain(home)
    whole = home.texts()
    with home.engine() as (parts, _):
        shards = parts.ledger.shards()
        assert len(shards) > 1
        for shard in shards:
            parts.store._chroma.remove(shard.collection, sorted(parts.store._chroma.ids(shard.collection))[:2])
    if not kept:
        shutil.rmtree(home.root / "state" / "kept")
    found = home.cli("verify", "--json")
    assert (found.status, found.json["faults"]) == (1, sum(min(2, shard.chunks) for shard in shards))
    assert all("missing or damaged" in finding["problem"] for finding in found.json["findings"])
    repaired = home.cli("verify", "--repair", "--json")
    assert repaired.status == 0
    assert any("put back from the archive" in line for line in repaired.json["repaired"]) is not kept
    drain(home)
    assert home.texts() == whole
    assert home.cli("verify").out.endswith("all there, none too many.\n")


def test_verify_says_what_cannot_be_repaired_when_no_copy_was_kept(tmp_path):
    home = Home(
        tmp_path / "home", {"inbox": {"after": "delete"}, "store": {"batch_size": 20, "shard_chunks": 40}}
    )
    home.put("a.txt", prose(50_000))
    drain(home)
    with home.engine() as (parts, _):
        first = parts.ledger.shards()[0]
        parts.store._chroma.remove(first.collection, sorted(parts.store._chroma.ids(first.collection))[:1])
    shutil.rmtree(home.root / "state" / "kept")
    repaired = home.cli("verify", "--repair", "--json").json["repaired"]
    assert any("no copy of the file was kept; drop it again" in line for line in repaired)
    assert home.cli("verify").status == 0


def test_verify_counts_what_the_index_of_words_lacks_which_is_no_fault_and_repair_takes_it_in(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", prose(5_000))
    drain(home)
    (home.root / "state" / "words.db").unlink()
    found = home.cli("verify", "--json")
    assert (found.status, found.json["faults"]) == (0, 0)
    chunks = found.json["chunks"]
    assert found.json["words"] == {"missing": chunks, "stray": 0, "mendable": True}
    assert f"The index of words lacks {chunks} chunks" in home.cli("verify").out
    repaired = home.cli("verify", "--repair").out
    assert f"Repaired: index of words: {chunks} chunks taken in, 0 let go of\n" in repaired
    assert home.cli("verify", "--json").json["words"]["missing"] == 0


def test_an_index_of_words_that_cannot_be_written_is_a_fault(tmp_path):
    home = Home(tmp_path / "home")
    home.put("a.txt", prose(1_000))
    drain(home)
    (home.root / "state" / "words.db").unlink()
    (home.root / "state" / "words.db").mkdir()
    for command in (["verify"], ["verify", "--repair"]):
        found = home.cli(*command)
        assert found.status == 1
        assert "index of words: it cannot be written; look at the free space (df)" in found.out

"""Listing documents, and doing something to many of them: filters, order, pages, previews."""

import io
import shlex
from functools import partial

import pytest
import typer

from bouquetd.ledger import Ledger, Whole
from bouquetd.model import Fingerprint, State
from bouquetd.selection import Selection, Sort
from tests.harness import Home, work
from tests.unit.test_ledger import ODD, journal


def made(home, names, *, failed=(), size=1000):
    """A ledger with documents of these names, and nothing behind it."""
    (home.root / "state").mkdir(exist_ok=True)
    ledger = Ledger(home.root / "state" / "ledger.db", "recipe")
    for n, name in enumerate(names):
        document = ledger.claim(name, f"sha {n}", Fingerprint(1, n, size * (n + 1), 1, 1))
        if name in failed:
            ledger.failed(document.id, f"no text in number {n}", "look at it", name, "application/pdf")
            continue
        journal(ledger, document, 0, n + 1, whole=True)
        ledger.complete([Whole(document.id)])
        ledger.filed([(document.id, name)])
    ledger.close()


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    made(home, ["b.txt", "wrong/a.txt", "wrong/c[1].txt", "d.pdf", ODD], failed=("d.pdf",))
    return home


def names(home, *options):
    return [row["source"] for row in home.cli("files", "--json", *options).json["documents"]]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["wrong/*"], ["wrong/c[1].txt", "wrong/a.txt"]),
        (["wrong/c[1].txt"], ["wrong/c[1].txt"]),
        (["b.txt", "*.pdf"], ["d.pdf", "b.txt"]),
        (["[!w]*"], None),
        (["--state", "failed"], ["d.pdf"]),
        (["--kind", "pdf"], ["d.pdf"]),
        (["--larger", "4000"], None),
        (["--since", "1h", "d*"], ["d.pdf"]),
        (["--since", "2099-01-01"], []),
        (["--sort", "chunks", "--limit", "2", "*.txt"], None),
    ],
)
def test_a_list_is_narrowed_by_glob_state_kind_size_and_time(home, options, found):
    expected = {
        "[!w]*": ["caf\\xe9 \\n\"'/\\xff.txt", "d.pdf", "b.txt"],
        "--larger": ["caf\\xe9 \\n\"'/\\xff.txt", "d.pdf"],
        "--sort": ["caf\\xe9 \\n\"'/\\xff.txt", "wrong/c[1].txt"],
    }
    assert names(home, *options) == (expected[options[0]] if found is None else found)


def test_a_name_with_brackets_means_that_document_alone_and_where_there_is_none_it_is_a_glob(tmp_path):
    home = Home(tmp_path / "home")
    made(home, ["[x].txt", "x.txt", "y.txt"])
    assert names(home, "[x].txt") == ["[x].txt"]
    assert sorted(names(home, "[x].txt", "y*")) == ["[x].txt", "y.txt"]
    assert sorted(names(home, "[xy].txt")) == ["x.txt", "y.txt"]
    assert home.cli("forget", "[x].txt", "-n", "--json").json == {"sources": ["[x].txt"], "number": 1}


def test_a_name_as_it_is_printed_finds_it(home):
    assert names(home, "caf\\xe9 \\n\"'/\\xff.txt") == ["caf\\xe9 \\n\"'/\\xff.txt"]


def test_it_is_sorted_either_way(home):
    by_name = names(home, "--sort", "name")
    assert by_name[:2] == ["b.txt", "caf\\xe9 \\n\"'/\\xff.txt"]
    assert names(home, "--sort", "name", "--reverse") == by_name[::-1]
    assert names(home, "--sort", "size") == names(home, "--sort", "size", "--reverse")[::-1]
    assert names(home, "--sort", "size")[-1] == "b.txt"


def test_it_comes_in_pages_and_says_where_one_is(home):
    out = home.cli("files", "--limit", "2").out.splitlines()
    assert (len(out), out[-1]) == (3, "shown 1-2 of 5; next: --page 2")
    assert home.cli("files", "--limit", "2", "--page", "3").out.splitlines()[-1] == "shown 5-5 of 5"
    assert home.cli("files", "--limit", "2", "--page", "4").out == "No documents like that.\n"
    assert "shown" not in home.cli("files").out
    assert " chunks     1000 B  b.txt" in home.cli("files", "b.txt").out


def test_what_cannot_be_meant_is_refused(home):
    assert home.cli("files", "--larger", "10 elephants").status == 2
    assert home.cli("files", "--kind", "elephant").status == 2
    assert home.cli("retry").status == 2
    assert home.cli("forget").status == 2


def test_a_dry_run_says_how_many_and_does_nothing(home):
    before = home.states()
    out = home.cli("forget", "wrong/*", "-n").out
    assert out == "wrong/a.txt\nwrong/c[1].txt\n2 would be forgotten.\n"
    assert home.cli("retry", "--all", "-n").out == "d.pdf\n1 would be put back into the inbox.\n"
    assert home.cli("retry", "--reason", "NUMBER 3", "-n", "--json").json == {"sources": ["d.pdf"], "number": 1}
    assert home.cli("retry", "--reason", "other", "-n", "--json").json["number"] == 0
    assert home.states() == before


def test_of_many_a_preview_names_twenty(tmp_path):
    home = Home(tmp_path / "home")
    made(home, [f"{n:02}.txt" for n in range(25)])
    out = home.cli("forget", "*", "--dry-run").out.splitlines()
    assert out[0] == "00.txt"
    assert out[19:] == ["19.txt", "... and 5 more", "25 would be forgotten."]


@pytest.mark.parametrize(("answer", "left"), [("n\n", 3), ("y\n", 0)])
def test_on_a_terminal_many_are_asked_about(tmp_path, monkeypatch, answer, left):
    home = Home(tmp_path / "home")
    for name in ("a.bin", "b.bin", "c.bin"):
        home.put(name, b"\x00\x01\x02" * 100)
    home.once()
    asked = []

    def confirm(text, abort):
        asked.append(text)
        if answer[0] == "n":
            raise typer.Abort

    monkeypatch.setattr(typer, "confirm", confirm)
    monkeypatch.setattr("bouquetd.cli.preview.sys", Terminal)
    home.cli("retry", "a.bin", "-n")
    assert asked == []
    out = home.cli("retry", "*.bin").out
    assert asked == ["Go on?"]
    assert "3 would be put back into the inbox." in out
    assert list(home.states().values()).count("failed") == left
    home.cli("retry", "--all", "--yes")
    assert len(asked) == 1


class Terminal:
    """Somebody sits there."""

    class stdin(io.StringIO):  # noqa: N801
        isatty = staticmethod(lambda: True)

    stdout = stdin


def test_a_wrong_drop_is_undone_by_pause_forget_and_resume(tmp_path):
    home = Home(tmp_path / "home")
    for n in range(6):
        home.put(f"wrong/{n}.txt", f"Wrong number {n}.")
    assert home.once().status == 0
    home.put("wrong/late.txt", "It came last.")
    assert home.cli("pause").status == 0
    done = home.cli("forget", "wrong/*")
    assert done.out.count(": forgotten\n") == 6
    assert "1 file still in the inbox would be stored all the same: wrong/late.txt\n" in done.out
    assert "bouquetd ignore 'wrong/*'" in done.out
    assert home.cli("ignore", "wrong/*").status == 0
    assert home.cli("resume").status == 0
    assert home.once().status == 0
    assert set(home.states().values()) == {"forgotten"}
    assert home.stored() == {}


def test_a_quote_in_a_glob_is_no_end_of_the_command_that_ignores_it(tmp_path):
    home = Home(tmp_path / "home")
    home.put("it's/late.txt", "It came last.")
    told = home.cli("forget", "it's/*").out
    assert shlex.split(told.partition(", or: ")[2]) == ["bouquetd", "ignore", "it's/*"]


@pytest.mark.long
def test_of_a_hundred_thousand_documents_a_list_keeps_no_more_than_its_page(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", "recipe")
    with ledger._write() as db:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
            " INSERT INTO documents (id, source, digest, size, media_type, state, attempts, chunks, whole,"
            " since, updated, destination)"
            " SELECT printf('%032x', i), CAST('folder ' || (i % 97) || '/' || i || '.txt' AS BLOB), i,"
            " i * 7919 % 5000, 'text/plain', iif(i % 10, 'filed', 'failed'), 1, i % 900, 1, i,"
            " i * 7919 % 100000, CAST(i AS BLOB) FROM n"
        )
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    ledger._db.set_progress_handler(count, 1000)  # each thousand instructions of SQLite's machine
    for sort in Sort:
        for chosen in (Selection(), Selection(globs=("*7.txt",)), Selection(states=(State.FAILED,))):
            steps = 0
            assert len(ledger.listed(chosen, sort)) == 100
            assert ledger.number(chosen) in (100_000, 10_000)
            assert steps < 5_000, (sort, chosen)  # 50 a row: each is looked at, and only the best are kept
    steps = 0
    ledger.by_source("folder 5/5.txt")
    ledger.trail("folder 5/5.txt")
    ledger.packed("folder 5/5.txt")
    ledger.counts()
    assert steps < 2_000
    plan = ledger._db.execute("EXPLAIN QUERY PLAN SELECT * FROM documents WHERE source = x'00'").fetchall()
    assert any("documents_source" in row["detail"] for row in plan)
    ledger.close()


def test_what_was_read_behind_a_file_that_is_forgotten_and_taken_away_is_stored_all_the_same(tmp_path):
    home = Home(tmp_path / "home")
    for name in ("a.txt", "b.txt", "c.txt"):
        home.put(name, f"The letter {name}.")
    with home.engine() as (parts, _log):
        worker = parts.worker
        while worker.unfinished < 2:
            worker.step()
        first = worker._ingestion.waiting[0].document.source
        parts.service.forget({"patterns": [first]})
        (home.inbox / first).unlink()
        work(parts)
        assert worker.idle
    assert sorted(home.states().values()) == ["filed", "filed"]
    assert len(home.stored()) == 2


@pytest.mark.parametrize("command", ["retry", "forget"])
def test_of_many_each_request_does_a_round_and_the_command_all_of_them(tmp_path, monkeypatch, command):
    monkeypatch.setattr("bouquetd.ops.documents.ROUND", 3)
    home = Home(tmp_path / "home")
    for n in range(7):
        home.put(f"{n}.txt", b"\x00\x01" * 100 if command == "retry" else f"Number {n}.")
    home.once()
    with home.engine() as (parts, _log):
        asked = partial(parts.service.handlers(lambda do: do())[command], {"patterns": ["0.txt", "1.txt"]})
        assert len(asked()["done"]) == 2
    done = home.cli(command, "*", "--yes", "--json").json
    assert len(done) == 5
    assert home.cli(command, "*", "--yes").status == 1


@pytest.mark.parametrize("landed", [False, True])
def test_what_is_read_and_not_yet_filed_is_forgotten_without_a_trace_and_waits_in_the_inbox(tmp_path, landed):
    home = Home(tmp_path / "home")
    for name in ("a.txt", "b.txt", "c.txt"):
        home.put(name, f"The letter {name}.")
    with home.engine() as (parts, _log):
        worker = parts.worker
        while worker.unfinished < 2:
            worker.step()
        if landed:
            worker._pipeline.flush()  # journalled, and on its way into Chroma
        first = worker._ingestion.waiting[0].document.source
        assert parts.service.forget({"patterns": [first]})["done"] == [first]
        assert first not in home.entries()
        assert (home.inbox / first).exists()
        assert worker.unfinished == 1
        work(parts)
        assert set(home.states().values()) == {"filed"}
        assert len(home.states()) == 3
        assert parts.service.repair()["faults"] == 0
    assert len(home.stored()) == 3

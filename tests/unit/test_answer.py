"""A question and its conditions, over the real store: by the command, and by what the daemon offers."""

import json
import time
from dataclasses import asdict

import pytest

from bouquetd.errors import Rejected
from bouquetd.model import EVERYTHING, Hit
from bouquetd.ops import answer
from bouquetd.ops.filters import Conditions
from bouquetd.ops.passages import LONGEST
from tests.harness import Home, prose

pytestmark = pytest.mark.xdist_group("answer")

MAIL = """From: Ada <ada@example.org>
Subject: Herons at night
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X
Content-Type: text/plain

The herons are attached.
--X
Content-Type: text/plain; name=reeds.txt
Content-Disposition: attachment; filename=reeds.txt

Herons sleep in the reeds, says what is attached.
--X--
"""

LONG = prose(2500, 1) + " Where do grey herons sleep? They sleep standing in the reeds. " + prose(2500, 2)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    home.put("reports/long.txt", LONG)
    home.put("birds.md", "# Birds\n\n## Herons\n\nThe heron \x1b[31mwaits, says ada@example.org.")
    home.put("mail.eml", MAIL)
    assert home.once().status == 0
    return home


@pytest.fixture(scope="module")
def service(home):
    with home.engine() as (parts, _):
        yield parts.service


@pytest.fixture
def ask(service):
    search = service.handlers(lambda function: function())["search"]

    def ask(question="herons", n=10, context=0, merged=True, **conditions):
        given = json.loads(json.dumps(asdict(Conditions(**conditions))))
        return search({"question": question, "n": n, "context": context, "merged": merged, "conditions": given})

    return ask


def sources(answer):
    return {passage["source"] for passage in answer["passages"]}


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, {"reports/long.txt", "birds.md", "mail.eml", "mail.eml!/reeds.txt"}),
        ({"source": ["reports/*"]}, {"reports/long.txt"}),
        ({"source": ["mail.eml!/*", "birds.md"]}, {"mail.eml!/reeds.txt", "birds.md"}),
        ({"kind": ["mail"]}, {"mail.eml"}),
        ({"kind": ["text", "markdown"]}, {"reports/long.txt", "birds.md", "mail.eml!/reeds.txt"}),
        ({"entity": ["ada@example.org"]}, {"mail.eml", "birds.md"}),
        ({"entity": ["email:ADA@example.org"], "kind": ["markdown"]}, {"birds.md"}),
        ({"since": 0.0, "containing": ["says what"]}, {"mail.eml!/reeds.txt"}),
    ],
)
def test_a_search_is_narrowed_by_each_condition(ask, conditions, found):
    assert sources(ask(**conditions)) == found


def test_where_nothing_is_found_it_says_how_much_was_searched_and_what_fits_each_condition(ask):
    answer = ask(since=time.time() + 9, kind=["markdown"], source=["birds.md"])
    assert answer["passages"] == []
    stored = sum(len(passage["ids"]) for passage in ask(n=50)["passages"])
    assert answer["searched"] == {
        "documents": 4,
        "chunks": stored,
        "fitting": (("--source 'birds.md'", 1), ("--since", 0), ("--kind markdown", 1)),
    }


def test_neighbours_are_one_passage_unless_chunks_are_wanted_and_n_counts_passages(ask):
    merged, chunks = ask(n=3)["passages"], ask(n=50, merged=False)["passages"]
    assert len(merged) == 3
    assert all(passage["chunks"] == (passage["chunk"], passage["chunk"]) for passage in chunks)
    everything = ask(n=50)["passages"]
    assert len(everything) < len(chunks)
    assert sorted(id_ for passage in everything for id_ in passage["ids"]) == sorted(p["id"] for p in chunks)
    for passage in everything:
        if passage["source"] == "reports/long.txt":
            assert passage["text"] == LONG[passage["start"] : passage["end"]]


def test_context_brings_the_chunks_before_and_behind_from_the_store(ask):
    question = "Where do grey herons sleep?"
    [plain] = ask(question, n=1, merged=False, source=["reports"])["passages"]
    [wide] = ask(question, n=1, merged=False, source=["reports"], context=1)["passages"]
    assert wide["id"] == plain["id"]
    assert wide["chunks"] == (plain["chunk"] - 1, plain["chunk"] + 1)
    assert wide["text"] == LONG[wide["start"] : wide["end"]]
    assert plain["text"] in wide["text"]


def test_passages_side_by_side_may_be_widened_by_the_same_chunks(ask):
    for passage in ask(n=50, merged=False, source=["reports"], context=2)["passages"]:
        first, _ = passage["chunks"]
        assert first == max(0, passage["chunk"] - 2)
        assert passage["text"] == LONG[passage["start"] : passage["end"]]


def test_an_answer_has_a_bound(ask):
    with pytest.raises(Rejected, match="cannot be given"):
        ask(n=100, context=5)


def test_however_many_passages_are_wanted_the_chunks_that_they_are_made_of_have_a_bound():
    asked = []

    class Stock:
        def hits(self, _question, n, _only):
            asked.append(n)
            return [Hit(f"d:{i}", "x", {"start": i, "end": i + 1}, 0.0) for i in range(n)]

    assert len(answer._merged(Stock(), "herons", 1000, EVERYTHING)) == answer.AT_MOST // LONGEST
    assert max(asked) == answer.AT_MOST


def test_conditions_of_another_version_are_refused(service):
    with pytest.raises(Rejected, match="does not know all of the conditions colour"):
        service.search({"question": "x", "n": 1, "context": 0, "merged": True, "conditions": {"colour": "red"}})


def test_a_passage_says_why_it_was_found_and_what_it_is(ask):
    [best] = ask("grey herons", n=1, source=["reports"])["passages"]
    assert (best["by_words"], best["matched"]) == (1, ("grey herons",))
    [birds] = ask("heron", n=1, source=["birds.md"])["passages"]
    assert birds["headings"]
    assert birds["entities"] == ("email:ada@example.org",)


def test_a_passage_says_where_its_file_lies_now(ask, home):
    places = {p["source"]: (p["path"], p["member"]) for p in ask(n=50)["passages"]}
    assert places["mail.eml!/reeds.txt"] == (str(home.archive / "mail.eml"), "reeds.txt")
    assert places["mail.eml"] == (str(home.archive / "mail.eml"), None)
    assert places["reports/long.txt"] == (str(home.archive / "reports" / "long.txt"), None)


@pytest.mark.parametrize(("after", "kept"), [("keep", True), ("delete", False)])
def test_a_kept_file_is_shown_in_the_inbox_and_a_deleted_one_nowhere(tmp_path, after, kept):
    home = Home(tmp_path / "home", {"inbox": {"after": after}})
    path = home.put("a.txt", "The heron waits.")
    assert home.once().status == 0
    [found] = home.cli("search", "heron", "--json").json
    assert found["path"] == (str(path) if kept else None)

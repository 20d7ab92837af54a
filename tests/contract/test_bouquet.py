"""``Bouquet`` over a real Chroma, in each way that it reaches one: they must not differ in what they say."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from bouquetd import Bouquet
from bouquetd.errors import ConfigError, Rejected, Unavailable
from bouquetd.lock import Held, hold
from bouquetd.model import printable
from bouquetd.ops import listing
from bouquetd.ops.reader import Reader
from bouquetd.store.rebuild import collections
from bouquetd.store.server import Server
from tests.chroma_server import ChromaServer
from tests.harness import Home, prose
from tests.model_server import ModelServer
from tests.readme import APPLICATIONS, run

pytestmark = pytest.mark.xdist_group("bouquet")

SMALL = {"batch_size": 10, "shard_chunks": 20}
"""So that a few documents fill several shards."""

FILES = {
    "herons.txt": "Where do grey herons sleep? They sleep standing in the reeds. " + prose(9000, 1),
    "deep/market.md": "# Market\n\n" + prose(9000, 2),
    "birds.csv": "bird,food\nheron,fish\nfinch,seeds\n",
    "odd\x01name.txt": "A name that cannot be printed, and a text about owls.",
}


def lasting(record):
    """What is told of a chunk, but for the time, in which two stores of the same differ."""
    return record.text, {key: value for key, value in record.metadata.items() if key != "ingested_at"}


def filled(root, **store):
    home = Home(root, {"store": {**SMALL, **store}, "pipeline": {"batch_size": 10}})
    for source, text in FILES.items():
        home.put(source, text)
    outcome = home.once()
    assert outcome.status == 0, outcome.err
    return home


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ChromaServer(tmp_path_factory.mktemp("chroma")) as server:
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory, server):
    return filled(tmp_path_factory.mktemp("served"), mode="server", url=server.url)


@pytest.fixture(scope="module")
def expected(embedded):
    return embedded.stored()


@pytest.fixture(scope="module", params=["through the daemon", "without a daemon", "server", "URL"])
def bouquet(request, embedded, expected, served, server):
    if request.param == "through the daemon":
        with embedded.daemon(), Bouquet(embedded.root) as bouquet:
            yield bouquet
    else:
        places = {"without a daemon": embedded.yaml, "server": str(served.root), "URL": server.url}
        with Bouquet(places[request.param]) as bouquet:
            yield bouquet


@pytest.fixture(scope="module")
def modelled(tmp_path_factory, server):
    """A home whose collections in the server are filled with a model that is in another one."""
    with ModelServer() as models:
        embed = {"provider": "openai", "url": models.url, "model": "m", "dimensions": 8}
        store = {"mode": "server", "url": server.url, "collection": "modelled", **SMALL}
        options = {"embed": embed, "store": store, "pipeline": {"batch_size": 10}}
        home = Home(tmp_path_factory.mktemp("modelled"), options)
        home.put("herons.txt", FILES["herons.txt"])
        assert home.once().status == 0
        yield home


@pytest.fixture
def own(embedded, tmp_path):
    """A home of the test's own that holds the same."""
    shutil.copytree(embedded.root, tmp_path / "home", ignore=shutil.ignore_patterns("*.sock"))
    return Home(tmp_path / "home", embedded.options)


def test_a_question_finds_the_passage_with_all_that_is_known_of_it(bouquet, expected):
    best = bouquet.query("where do herons sleep", 3, merged=False)[0]
    stored = expected[best.id]
    assert lasting(best) == lasting(stored)
    assert (best.source, best.chunk, best.start, best.media_type) == ("herons.txt", 0, 0, "text/plain")
    assert (best.page, best.row, best.end) == (None, None, stored.metadata["end"])
    assert best.id == f"{best.document}:0"
    assert 0 < best.distance < 1


def test_a_text_is_ranked_as_the_command_ranks_it_over_all_shards(bouquet, own):
    question = "the silver lantern of sentence 2-30"
    there = json.loads(own.cli("search", question, "-n", "7", "--json").out)
    here = bouquet.query(question, 7)
    # Who reads a server without its daemon has no index of words to rank by.
    same = 1 if isinstance(bouquet._store, Reader) else 7
    assert [passage.id for passage in here][:same] == [hit["id"] for hit in there][:same]
    assert len(here) == 7


def test_a_vector_finds_what_is_nearest_to_it_in_every_shard(bouquet, expected):
    question = bouquet.embedder.embed(["seeds for a finch"])[0]
    far = sorted(expected.values(), key=lambda record: -float(record.vector @ question))
    for asked in (question, question.tolist()):
        found = bouquet.query(asked, len(expected), merged=False)
        assert {passage.id for passage in found} == expected.keys()
        assert found[0].id == far[0].id
        distances = [passage.distance for passage in found]
        assert distances == sorted(distances)
        assert distances[0] == pytest.approx(1 - float(far[0].vector @ question), abs=1e-4)


def test_a_condition_narrows_as_text_and_as_chromas_filter(bouquet):
    for where in (
        'name = "market.md" and chunk >= 3',
        {"$and": [{"name": "market.md"}, {"chunk": {"$gte": 3}}]},
    ):
        found = bouquet.query("market", 50, where=where)
        assert found
        assert all(passage.source == "deep/market.md" and passage.chunk >= 3 for passage in found)


def test_a_text_that_must_be_contained_narrows_given_alone_or_among_others(bouquet):
    for containing in ("grey herons", ["grey herons", "reeds"]):
        assert [passage.source for passage in bouquet.query("birds", containing=containing)] == ["herons.txt"]
    assert bouquet.query("birds", containing="GREY herons") == []


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ({"source": "deep"}, {"deep/market.md"}),
        ({"source": ["*.csv", "herons.txt"], "kind": "sheet"}, {"birds.csv"}),
        ({"kind": ["markdown", "text/csv"], "since": "1d"}, {"deep/market.md", "birds.csv"}),
        ({"since": datetime(2100, 1, 1, tzinfo=UTC)}, set()),
        ({"entity": "Nobody"}, set()),
    ],
)
def test_sources_kinds_times_and_entities_narrow_as_they_do_in_the_command(bouquet, options, sources):
    assert {passage.source for passage in bouquet.query("herons", 40, **options)} == sources


def test_neighbours_are_one_passage_and_context_brings_more_of_the_text(bouquet):
    [merged, *_] = bouquet.query("where do herons sleep", 1, source="herons.txt")
    [single] = bouquet.query("where do herons sleep", 1, source="herons.txt", merged=False)
    [wide] = bouquet.query("where do herons sleep", 1, source="herons.txt", merged=False, context=2)
    assert merged.document == single.document == wide.document
    assert (single.chunks, wide.chunks) == ((0, 0), (0, 2))
    assert wide.text == FILES["herons.txt"][: wide.end]
    assert wide.ids == tuple(f"{wide.document}:{n}" for n in range(3))
    assert single.matched == ("herons sleep",)
    assert single.by_meaning == 1


def test_a_passage_says_where_its_file_lies_where_the_ledger_can_be_asked(embedded, own):
    with Bouquet(own.root) as bouquet:
        [found] = bouquet.query("herons", 1, source="herons.txt")
    assert found.path is not None
    assert found.path.endswith("/archive/herons.txt")


def test_every_document_is_listed_with_its_chunks_and_its_digest(bouquet, expected):
    listed = {document.source: document for document in bouquet.documents()}
    assert listed.keys() == {printable(source) for source in FILES}
    for source, document in listed.items():
        own = [r for r in expected.values() if r.metadata["source"] == source]
        assert document.chunks == len(own)
        assert {document.digest, document.media_type} == {
            own[0].metadata["digest"],
            own[0].metadata["media_type"],
        }
        assert document.ingested_at > 1.7e9


def test_going_over_it_gives_every_chunk_once_each_documents_in_order(bouquet, expected):
    found = list(bouquet)
    assert {r.id: lasting(r) for r in found} == {r.id: lasting(r) for r in expected.values()}
    assert len(found) == len(expected)
    for source in FILES:
        numbers = [r.metadata["chunk"] for r in found if r.metadata["source"] == printable(source)]
        assert numbers == list(range(len(numbers)))
    assert all(record.vector.size == 0 for record in found)


def test_the_chunks_of_one_source_come_with_their_vectors_where_asked(bouquet, expected):
    for source in map(printable, FILES):
        found = list(bouquet.chunks(source, vectors=True))
        assert {r.id for r in found} == {i for i, r in expected.items() if r.metadata["source"] == source}
        assert all(np.allclose(r.vector, expected[r.id].vector, atol=1e-5) for r in found)
    assert list(bouquet.chunks("no such source")) == []


def test_many_threads_may_ask_at_once(bouquet):
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: bouquet.query("where do herons sleep", n), [3] * 8))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("question", "options", "says"),
    [
        (" ", {}, "question is empty"),
        ("birds", {"n": 0}, "0 passages"),
        ("birds", {"n": 1000, "context": 1}, "cannot be given"),
        ("birds", {"since": "soon"}, "no date"),
        ("birds", {"kind": "pfd"}, "there is no kind"),
        ([0.1, 0.2], {}, "no vector of 256"),
        ([float("nan")] * 256, {}, "no vector of 256"),
        ("birds", {"where": "page <="}, "expected a number"),
        ("birds", {"where": {"page": {"$most": 3}}}, "does not understand the filter"),
    ],
)
def test_a_question_that_cannot_be_asked_is_rejected_with_the_reason(bouquet, question, options, says):
    with pytest.raises(Rejected, match=says):
        bouquet.query(question, **options)


def test_without_a_daemon_the_store_is_held_from_the_first_question_to_the_close(own):
    lock, here = own.root / "state" / "bouquetd.lock", os.getcwd()
    with Bouquet(own.root) as bouquet:
        hold(lock).release()
        assert bouquet.query("herons", 1)
        with pytest.raises(Held):
            hold(lock)
        bouquet.close()
        hold(lock).release()
        assert bouquet.query("herons", 1)
    hold(lock).release()
    assert os.getcwd() == here


def test_a_page_of_long_chunks_ends_early_and_none_is_left_out(own, expected, monkeypatch):
    monkeypatch.setattr(listing, "CHARACTERS", 1000)
    monkeypatch.setattr(listing, "DOCUMENTS", 1)
    with Bouquet(own.root) as bouquet:
        assert len(list(bouquet.chunks())) == len(expected)
        assert len(list(bouquet.documents())) == len(FILES)


def test_what_goes_while_somebody_reads_shifts_nothing(own, expected, monkeypatch):
    monkeypatch.setattr(listing, "CHUNKS", 3)
    with Bouquet(own.root) as bouquet:
        reading = bouquet.chunks()
        first = next(reading)
        gone = next(source for source in ("herons.txt", "deep/market.md") if source != first.metadata["source"])
        assert bouquet._store._ask("forget", patterns=[gone], missing=False)["done"] == [gone]
        found = [record.id for record in (first, *reading)]
        stay = {id_ for id_, record in expected.items() if record.metadata["source"] != gone}
        assert sorted(found) == sorted(stay)


def test_a_shard_that_is_being_rebuilt_in_a_server_is_read_where_it_is_whole(server, served, expected):
    others = Server(server.url, owner="whoever rebuilds")
    others.create("bouquet-00001-r1")
    try:
        with Bouquet(server.url) as bouquet:
            assert {record.id for record in bouquet} == expected.keys()
            assert bouquet.query("where do herons sleep", 1)[0].source == "herons.txt"
    finally:
        others.delete("bouquet-00001-r1")
        others.close()


def test_of_two_collections_of_a_shard_the_older_counts_whatever_the_number_of_its_revision():
    assert collections({"bouquet-00001-r10", "bouquet-00001-r9", "bouquet-00002", "bouquet-00002-r1"}) == {
        1: "bouquet-00001-r9",
        2: "bouquet-00002",
    }


def test_a_collection_of_another_name_in_the_server_is_another_bouquet(server, served):
    with Bouquet(server.url, collection="another") as bouquet:
        assert bouquet.query("herons") == []
        assert list(bouquet.documents()) == []


def test_a_yaml_with_a_server_brings_the_embedder_that_its_collections_cannot(modelled):
    with Bouquet(modelled.yaml) as bouquet:
        assert bouquet.query("where do herons sleep", 1)[0].source == "herons.txt"


def test_a_vector_is_asked_at_a_url_without_the_embedder_that_made_it(modelled, server):
    with Bouquet(modelled.yaml) as bouquet:
        vector = bouquet.embedder.query("where do herons sleep")
    with Bouquet(server.url, collection="modelled") as bouquet:
        assert bouquet.query(vector, 1)[0].source == "herons.txt"
        with pytest.raises(Rejected, match="no vector of 8 finite numbers"):
            bouquet.query([0.1, 0.2])


def test_a_place_that_cannot_be_one_is_told_at_once(tmp_path, embedded):
    with pytest.raises(ConfigError, match="no such file"):
        Bouquet(tmp_path)
    with pytest.raises(ConfigError, match="is not the address of a Chroma server"):
        Bouquet("http://user@nowhere/x")
    with pytest.raises(ConfigError, match="cannot begin the name"):
        Bouquet("http://127.0.0.1:9", collection="?")
    with pytest.raises(ConfigError, match="leave the argument out"):
        Bouquet(embedded.root, collection="another")


def test_a_server_that_does_not_answer_is_told_with_what_to_do():
    with pytest.raises(Unavailable, match="Chroma at http"):
        Bouquet("http://127.0.0.1:9").query("herons")


def test_the_example_in_the_readme_prints_what_there_is(own, monkeypatch, capsys):
    monkeypatch.chdir(own.root)
    run(APPLICATIONS, "with Bouquet")
    assert "deep/market.md" in capsys.readouterr().out


def test_importing_the_package_brings_nothing_heavy_along():
    heavy = "{'chromadb', 'numpy', 'pydantic', 'structlog', 'tokenizers', 'yaml'}"
    code = f"import sys, bouquetd; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ImportError, match="Nosegay"):
        from bouquetd import Nosegay  # noqa: F401

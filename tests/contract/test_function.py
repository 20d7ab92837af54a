"""The embedder as Chroma knows it: what a plain client of a collection gets, with bouquetd and without."""

import subprocess
import sys
from contextlib import ExitStack

import chromadb
import numpy as np
import pytest

from bouquetd import EmbeddingFunction
from bouquetd.embed.static import StaticEmbedder
from bouquetd.model import Record
from bouquetd.store.embedded import Embedded
from bouquetd.store.server import Server
from tests.chroma_server import ChromaServer

NAME = "bouquet-00001"

TEXTS = ["Where do grey herons sleep?", "Seeds for a finch.", "The market opens at nine."]

STRANGER = f"""
import sys, chromadb
assert "bouquetd" not in sys.modules
def look(client):
    [listed] = client.list_collections()
    for collection in (listed, client.get_collection({NAME!r})):
        assert collection.count() == {len(TEXTS)}
        assert collection.get(ids=["d:1"])["documents"] == [{TEXTS[1]!r}]
        vector = collection.get(ids=["d:0"], include=["embeddings"])["embeddings"][0]
        assert collection.query(query_embeddings=[vector], n_results=1)["ids"] == [["d:0"]]
    try:
        collection.query(query_texts=["herons"])
    except ValueError as error:
        assert "Embedding function bouquetd not found" in str(error), error
    else:
        raise AssertionError("a text was embedded by whatever")
"""


def records(texts):
    vectors = StaticEmbedder().embed(texts)
    return [
        Record(f"d:{n}", text, {"source": "a.txt"}, vector)
        for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]


@pytest.fixture(params=["embedded", "server"])
def chroma(request, tmp_path):
    """A Chroma of ours with one collection, and the Python that makes a plain client of it."""
    with ExitStack() as stack:
        if request.param == "embedded":
            chroma = Embedded(tmp_path)
            chroma.plain = f"chromadb.PersistentClient({str(tmp_path / NAME)!r})"
        else:
            server = stack.enter_context(ChromaServer(tmp_path))
            chroma = Server(server.url, owner="this test")
            chroma.plain = f"chromadb.HttpClient(port={server.port})"
        chroma.create(NAME)
        chroma.add(NAME, records(TEXTS))
        chroma.close()
        yield chroma


def elsewhere(code, chroma):
    subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nlook({chroma.plain})"], check=True, timeout=120
    )


def test_a_client_that_knows_bouquetd_gets_the_embedder_back_with_the_collection(chroma):
    collection = eval(chroma.plain).get_collection(NAME)
    for n, text in enumerate(TEXTS):
        assert collection.query(query_texts=[text], n_results=1)["ids"] == [[f"d:{n}"]]
    answer = collection.query(query_texts=["finch"], n_results=3)
    wanted = 1 - StaticEmbedder().embed(["finch"]) @ StaticEmbedder().embed(TEXTS).T
    assert np.allclose(answer["distances"][0], sorted(wanted[0]), atol=1e-4)


def test_a_client_that_does_not_know_bouquetd_reads_asks_by_vector_and_is_told_when_it_asks_by_text(chroma):
    elsewhere(STRANGER, chroma)


def test_writing_neither_warns_nor_loads_the_model(chroma):
    made = "Server({!r}, owner='this test')" if chroma.apart else "Embedded(Path({!r}))"
    code = f"""
import numpy as np
from pathlib import Path
from bouquetd.model import Record
from bouquetd.store.embedded import Embedded
from bouquetd.store.server import Server
chroma = {made.format(chroma.where)}
chroma.add({NAME!r}, [Record("d:9", "more", {{"source": "b"}}, np.ones(256, np.float32) / 16)])
assert len(chroma.ids({NAME!r})) == {len(TEXTS) + 1}
from bouquetd.store import function
assert function._embedder.cache_info().currsize == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_a_collection_made_by_a_version_that_did_not_say_its_embedder_goes_on(tmp_path):
    client = chromadb.PersistentClient(str(tmp_path / NAME))
    client.create_collection(NAME, embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    client.close()
    chroma = Embedded(tmp_path)
    first, *rest = records(TEXTS)
    chroma.add(NAME, [first])
    chroma.add_missing(NAME, [first, *rest])
    assert [hit.id for hit in chroma.query(NAME, first.vector, 1)] == ["d:0"]
    chroma.close()
    collection = chromadb.PersistentClient(str(tmp_path / NAME)).get_collection(
        NAME, embedding_function=EmbeddingFunction()
    )
    assert collection.query(query_texts=[TEXTS[1]], n_results=1)["ids"] == [["d:1"]]


def test_an_embedder_that_this_version_does_not_have_is_refused_by_name():
    kept = EmbeddingFunction().get_config()
    assert EmbeddingFunction.build_from_config(kept).get_config() == kept
    with pytest.raises(ValueError, match="no embedder 'static/of-tomorrow'"):
        EmbeddingFunction("static/of-tomorrow")

"""The embedder as Chroma knows it: what a plain client of a collection gets, with bouquetd and without."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

import chromadb
import numpy as np
import pytest

from bouquetd import Bouquet, EmbeddingFunction
from bouquetd.config import Embed
from bouquetd.embed.choice import chosen
from bouquetd.embed.folder import ABOUT, MINILM
from bouquetd.embed.static import StaticEmbedder
from bouquetd.errors import ConfigError
from bouquetd.model import Record
from bouquetd.store import function
from bouquetd.store.embedded import Embedded
from bouquetd.store.function import behind
from bouquetd.store.server import Server
from tests.chroma_server import ChromaServer

NAME = "bouquet-00001"

PLACE = {"source": "a.txt", "start": 0, "end": 1, "media_type": "text/plain"}

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


def records(texts, embedder=None):
    vectors = (embedder or StaticEmbedder()).embed(texts)
    return [
        Record(f"d:{n}", text, {**PLACE, "chunk": n}, vector)
        for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.long)])
def chroma(request, tmp_path):
    """A Chroma of ours with one collection, and the Python that makes a plain client of it."""
    with ExitStack() as stack:
        if request.param == "embedded":
            chroma = Embedded(tmp_path, embedder=StaticEmbedder())
            chroma.plain = f"chromadb.PersistentClient({str(tmp_path / NAME)!r})"
        else:
            server = stack.enter_context(ChromaServer(tmp_path))
            chroma = Server(server.url, owner="this test", embedder=StaticEmbedder())
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


class Marking(StaticEmbedder):
    """Wants questions marked, as models behind a server may."""

    def query(self, text):
        return super().query(f"a question of birds: {text}")


def test_a_client_asks_as_the_embedder_asks_and_not_as_it_embeds_texts(chroma, monkeypatch):
    monkeypatch.setattr(function, "_embedder", lambda *_: Marking())
    collection = eval(chroma.plain).get_collection(NAME)
    answer = collection.query(query_texts=["finch"], n_results=3)
    wanted = 1 - StaticEmbedder().embed(TEXTS) @ Marking().query("finch")
    assert np.allclose(answer["distances"][0], sorted(wanted), atol=1e-4)


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
        NAME, embedding_function=EmbeddingFunction(StaticEmbedder.name)
    )
    assert collection.query(query_texts=[TEXTS[1]], n_results=1)["ids"] == [["d:1"]]


def test_an_embedder_that_this_version_does_not_have_is_refused_by_name():
    kept = EmbeddingFunction(StaticEmbedder.name).get_config()
    assert EmbeddingFunction.build_from_config(kept).get_config() == kept
    for name in ("static/of-tomorrow", "nobody/knows"):
        with pytest.raises(ValueError, match=f"no embedder {name!r}"):
            EmbeddingFunction(name)(["heron"])


# -- the default embedder ---------------------------------------------------------------------------------

PLAIN = f"""
import sys, chromadb
def look(client):
    collection = client.get_collection({NAME!r})
    for n, text in enumerate({TEXTS!r}):
        answer = collection.query(query_texts=[text], n_results=1)
        assert answer["ids"] == [[f"d:{{n}}"]], answer
        assert answer["distances"][0][0] < 0.03, answer
    collection.add(ids=["own"], documents=["Added by a stranger."])
    assert collection.query(query_texts=["a stranger"], n_results=1)["ids"] == [["own"]]
    assert "bouquetd" not in sys.modules
"""


@pytest.fixture
def cache(tmp_path):
    """A home in which Chroma finds the model of its default function, as a download would leave it."""
    place = tmp_path / "person" / ".cache" / "chroma" / "onnx_models" / "all-MiniLM-L6-v2" / "onnx"
    place.mkdir(parents=True)
    for name in ("model.onnx", "tokenizer.json", *(name for name in ABOUT if "/" not in name)):
        shutil.copyfile(MINILM / name, place / name)
    return tmp_path / "person"


@pytest.mark.parametrize("kind", ["embedded", pytest.param("server", marks=pytest.mark.long)])
def test_a_plain_client_asks_what_the_default_embedder_filled_by_text(kind, cache, tmp_path):
    embedder = chosen(Embed())
    with ExitStack() as stack:
        if kind == "embedded":
            chroma, plain = Embedded(tmp_path, embedder=embedder), f"PersistentClient({str(tmp_path / NAME)!r})"
        else:
            server = stack.enter_context(ChromaServer(tmp_path))
            chroma, plain = Server(server.url, owner="us", embedder=embedder), f"HttpClient(port={server.port})"
        chroma.create(NAME)
        chroma.add(NAME, records(TEXTS, embedder))
        assert chroma.embedder(NAME).name == embedder.name
        chroma.close()
        subprocess.run(
            [sys.executable, "-c", f"{PLAIN}\nlook(chromadb.{plain})"],
            check=True, timeout=120, env={**os.environ, "HOME": str(cache), "HTTPS_PROXY": "http://127.0.0.1:9"},
        )  # fmt: skip
        chroma.add(NAME, records([*TEXTS, "And ours goes on."], embedder)[len(TEXTS) :])
        assert len(chroma.ids(NAME)) == len(TEXTS) + 2
        chroma.close()


@pytest.mark.long
def test_a_bouquet_at_a_url_asks_with_the_embedder_that_the_collections_name(tmp_path):
    with ChromaServer(tmp_path) as server:
        for collection, settings in (("small", Embed(provider="static")), ("usual", Embed())):
            embedder = chosen(settings)
            chroma = Server(server.url, collection, owner="us", embedder=embedder)
            chroma.create(NAME)
            chroma.add(NAME, records(TEXTS, embedder))
            chroma.close()
            with Bouquet(server.url, collection=collection) as bouquet:
                assert bouquet.embedder.name == embedder.name
                assert bouquet.query(TEXTS[1], 1)[0].id == "d:1"


def test_a_collection_of_another_program_is_not_asked_with_an_embedder_of_ours():
    with pytest.raises(ValueError, match="another program"):
        behind({"name": "openai", "config": {}})
    with pytest.raises(ConfigError, match="is no folder"):
        behind({"name": "bouquetd", "config": {"embedder": "onnx/gone-00000000", "model": "/nowhere"}})

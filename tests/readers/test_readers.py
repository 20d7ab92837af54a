"""The retrievers of the README, run as they stand there; `make readers` brings what they import."""

import asyncio

import pytest

from bouquetd import Bouquet
from tests.harness import Home, prose
from tests.readme import APPLICATIONS, run

pytestmark = pytest.mark.readers

QUESTION = "where do herons sleep"


@pytest.fixture(scope="module")
def bouquet(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    home.put("herons.txt", "Where do grey herons sleep? They sleep standing in the reeds.")
    home.put("market.txt", prose(9000))
    assert home.once().status == 0
    with Bouquet(home.root) as bouquet:
        yield bouquet


def test_langchain_gets_documents_in_the_order_of_the_passages(bouquet):
    retriever = run(APPLICATIONS, "langchain_core")["BouquetRetriever"](bouquet=bouquet, n=3)
    found = retriever.invoke(QUESTION)
    wanted = bouquet.query(QUESTION, 3)
    assert [document.id for document in found] == [passage.id for passage in wanted]
    assert [document.page_content for document in found] == [passage.text for passage in wanted]
    assert found[0].metadata["source"] == "herons.txt"
    assert found == asyncio.run(retriever.ainvoke(QUESTION))


def test_a_langchain_chain_takes_it_as_a_step(bouquet):
    from langchain_core.runnables import RunnableLambda

    retriever = run(APPLICATIONS, "langchain_core")["BouquetRetriever"](bouquet=bouquet)
    chain = retriever | RunnableLambda(lambda documents: documents[0].page_content)
    assert "standing in the reeds" in chain.invoke(QUESTION)


def test_llamaindex_gets_nodes_in_the_order_of_the_passages(bouquet):
    retriever = run(APPLICATIONS, "llama_index")["BouquetRetriever"](bouquet, n=3)
    found = retriever.retrieve(QUESTION)
    wanted = bouquet.query(QUESTION, 3)
    assert [node.node_id for node in found] == [passage.id for passage in wanted]
    assert [node.text for node in found] == [passage.text for passage in wanted]
    assert [node.score for node in found] == [pytest.approx(1 - passage.distance) for passage in wanted]
    assert found[0].metadata["source"] == "herons.txt"
    assert [node.node_id for node in asyncio.run(retriever.aretrieve(QUESTION))] == [n.node_id for n in found]

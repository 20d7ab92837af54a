"""LlamaIndex: a directory reader, ``VectorStoreIndex.from_documents`` over Chroma, as its documentation shows.

HTML is read by ``HTMLTagReader``, told to take the body: by itself the directory reader keeps the markup, and
not every page has a ``<section>``, which that reader looks for by default. The default chunk of 1,024 tokens is
some 4,000 characters, so ``SentenceSplitter`` is given the tokens that make chunks of about everybody else's
size. ``from_documents`` stores 2,048 chunks at a time; the ``IngestionPipeline``, which the same documentation
shows with a vector store, hands over all at once and is refused.
"""

from __future__ import annotations

from pathlib import Path

import chromadb
from llama_index.core import Document, SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.readers.file import HTMLTagReader
from llama_index.vector_stores.chroma import ChromaVectorStore

from tests.bench.peers.taking import EMBEDDER, TOO_MANY, take

SPLITTER = SentenceSplitter(chunk_size=224, chunk_overlap=28)
"""A chunk's tokens count its file's path too."""


class Static(BaseEmbedding):
    """Our embedder, as LlamaIndex wants it."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return EMBEDDER.embed(texts).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def put(folder: Path, store: Path) -> None:
    """Read everything, then split, embed and store."""
    documents = SimpleDirectoryReader(
        str(folder), file_extractor={".html": HTMLTagReader(tag="body")}
    ).load_data()
    vectors = ChromaVectorStore(chroma_collection=_collection(store))
    VectorStoreIndex.from_documents(
        documents,
        storage_context=StorageContext.from_defaults(vector_store=vectors),
        embed_model=Static(),
        transformations=[SPLITTER],
    )


def count(store: Path) -> int:
    """How many chunks are there."""
    return _collection(store).count()


def at_once(store: Path) -> None:
    """Too many documents for a pipeline that ends in a vector store."""
    vectors = ChromaVectorStore(chroma_collection=_collection(store))
    documents = [Document(text=f"text {number}") for number in range(TOO_MANY)]
    IngestionPipeline(transformations=[Static()], vector_store=vectors).run(documents=documents)


def _collection(store: Path) -> chromadb.Collection:
    return chromadb.PersistentClient(path=str(store)).get_or_create_collection("peer")


if __name__ == "__main__":
    take(put, count, at_once)

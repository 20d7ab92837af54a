"""LangChain: directory loaders, the recursive splitter, ``Chroma.from_documents``, as its documentation shows.

Text and Markdown are read by ``TextLoader``, HTML by ``BSHTMLLoader``, one ``DirectoryLoader`` for each suffix,
for it takes one class of loaders. ``from_documents`` asks Chroma for the size of its batches and keeps to it;
``add_documents``, which the same pages show for an existing store, hands over all at once and is refused.
"""

from __future__ import annotations

from pathlib import Path

from langchain_chroma import Chroma
from langchain_community.document_loaders import BSHTMLLoader, DirectoryLoader, TextLoader
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from tests.bench.peers.taking import EMBEDDER, TOO_MANY, take

LOADERS = {"txt": TextLoader, "md": TextLoader, "html": BSHTMLLoader}
SPLITTER = RecursiveCharacterTextSplitter(chunk_size=800, chunk_overlap=100)


class Static(Embeddings):
    """Our embedder, as LangChain wants it."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts."""
        return EMBEDDER.embed(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]


def put(folder: Path, store: Path) -> None:
    """Load everything, split everything, store everything."""
    documents = [
        document
        for suffix, loader in LOADERS.items()
        for document in DirectoryLoader(str(folder), glob=f"**/*.{suffix}", loader_cls=loader).load()
    ]
    chunks = SPLITTER.split_documents(documents)
    Chroma.from_documents(chunks, Static(), persist_directory=str(store))


def count(store: Path) -> int:
    """How many chunks are there."""
    return len(_opened(store).get(include=[])["ids"])


def at_once(store: Path) -> None:
    """Too many documents for an existing store."""
    _opened(store).add_documents([Document(page_content=f"text {number}") for number in range(TOO_MANY)])


def _opened(store: Path) -> Chroma:
    return Chroma(embedding_function=Static(), persist_directory=str(store))


if __name__ == "__main__":
    take(put, count, at_once)

"""The loop to compare with: read, split, embed, upsert, and nothing else.

Written as a competent person writes it in an afternoon: batches of 100 across files, one growing collection,
the same embedder, a splitter that prefers the end of a paragraph, then of a sentence, then of a word. No
limits, no ledger, nothing survives a kill. ``python -m tests.bench.bare FILES STORE`` prints what it took, with
samples from the way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chromadb
import lxml.html
import pypdfium2

from bouquetd.embed.static import StaticEmbedder
from tests.bench.machine import memory

BATCH = 100
SIZE, OVERLAP = 800, 100
SAMPLE = 1_000
"""Chunks between two samples of the memory; one costs a tenth of a millisecond."""


def split(text: str) -> Iterator[str]:
    """Parts of at most ``SIZE`` characters that overlap by ``OVERLAP``."""
    start = 0
    while True:
        end = start + SIZE
        if end < len(text):
            for mark in ("\n\n", ". ", "\n", " "):
                found = text.rfind(mark, start + SIZE // 2, end)
                if found >= 0:
                    end = found + len(mark)
                    break
        if part := text[start:end].strip():
            yield part
        if end >= len(text):
            return
        start = end - OVERLAP


def read(path: Path) -> str:
    """The text of a file; of HTML what lxml says it is, of a PDF that of all its pages by PDFium."""
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return "\n\n".join(page.get_textpage().get_text_bounded() for page in document)
    if path.suffix == ".html":
        return str(lxml.html.fromstring(path.read_bytes()).text_content())
    return path.read_text(encoding="utf-8")


def ingest(
    files: list[Path], collection: chromadb.Collection, embedder: StaticEmbedder, look: Callable[[int], object]
) -> int:
    """Everything into the collection; returns the number of chunks. ``look`` sees each ``SAMPLE`` of it."""
    total = 0
    ids, texts, metadatas = list[str](), list[str](), list[dict[str, str | int]]()

    def flush() -> None:
        nonlocal total
        collection.upsert(
            ids=ids.copy(), embeddings=embedder.embed(texts), documents=texts.copy(), metadatas=metadatas.copy()
        )
        total += len(ids)
        for column in (ids, texts, metadatas):
            column.clear()
        if total % SAMPLE == 0:
            look(total)

    for path in files:
        for number, part in enumerate(split(read(path))):
            ids.append(f"{path.name}:{number}")
            texts.append(part)
            metadatas.append({"source": path.name, "chunk": number})
            if len(ids) == BATCH:
                flush()
    if ids:
        flush()
    return total


def main(folder: Path, store: Path) -> None:
    """Warm up, take the time, print."""
    embedder = StaticEmbedder()
    embedder.embed(["warm"] * BATCH)
    client = chromadb.PersistentClient(
        str(store), settings=chromadb.config.Settings(anonymized_telemetry=False)
    )
    collection = client.create_collection(
        "bare", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )
    files = sorted(folder.iterdir())
    samples = list[dict[str, float]]()

    def look(chunks: int) -> None:
        seconds = time.perf_counter() - began
        samples.append({"seconds": seconds, "chunks": chunks, "rss_mb": memory()[0]})

    began, cpu = time.perf_counter(), time.process_time()
    look(0)
    chunks = ingest(files, collection, embedder, look)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    look(chunks)
    if collection.count() != chunks:
        sys.exit(f"{chunks} chunks were upserted, {collection.count()} are there")
    taken = {"chunks": chunks, "seconds": seconds, "cpu": cpu, "peak_mb": memory()[1], "samples": samples}
    print(json.dumps(taken))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

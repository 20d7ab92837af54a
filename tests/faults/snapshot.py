"""Every record of a store, read with plain Chroma by a fresh process, while no daemon runs."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

PAGE = 500

LONGEST = 600.0
"""Seconds before the reader counts as hung."""


def snapshot(store):
    """What a store holds: ``collections`` with their sizes, ``records`` (text, metadata, vector) by id, and
    ids that are there ``twice``; ``hits`` vectors, each asked for in all collections, find themselves first.
    """
    fresh = get_context("forkserver")
    fresh.set_forkserver_preload(["chromadb"])  # most of a reader's time otherwise
    with ProcessPoolExecutor(1, mp_context=fresh) as reader:
        return reader.submit(read, str(store)).result(LONGEST)


def read(store):
    """Only for a process that ends afterwards: what Chroma loads here stays in memory."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(store, settings=Settings(anonymized_telemetry=False))
    collections = [client.get_collection(c.name, embedding_function=None) for c in client.list_collections()]
    records, twice = {}, []
    for collection in collections:
        for start in range(0, collection.count(), PAGE):
            page = collection.get(limit=PAGE, offset=start, include=["documents", "metadatas", "embeddings"])
            for row in zip(page["ids"], page["documents"], page["metadatas"], page["embeddings"], strict=True):
                if row[0] in records:
                    twice.append(row[0])
                records[row[0]] = row[1], row[2], np.array(row[3])
    return {
        "collections": {c.name: c.count() for c in collections},
        "records": records,
        "twice": twice,
        "hits": _hits(collections, records),
    }


def _hits(collections, records):
    ids, own = list(records), 0
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        best = {}
        for collection in collections:
            if collection.count():
                vectors = np.stack([records[i][2] for i in page])
                answer = collection.query(query_embeddings=vectors, n_results=1, include=["distances"])
                for asked, ids_found, distances in zip(page, answer["ids"], answer["distances"], strict=True):
                    nearest = distances[0], ids_found[0]
                    best[asked] = min(best.get(asked, nearest), nearest)
        own += sum(best[i][1] == i for i in page)
    return own

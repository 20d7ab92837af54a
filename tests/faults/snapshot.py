"""Every record of a store, read with plain Chroma by a fresh process, while no daemon runs."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from tests.faults.launch import CONTEXT

PAGE = 500

MOST_ASKED = 10_000
"""Vectors asked for; each takes some 4 ms in a full shard."""

LONGEST = 600.0
"""Seconds before the reader counts as hung."""


def snapshot(store):
    """What a store holds: ``collections`` with their sizes, ``records`` (text, metadata, vector) by id, and
    ids that are there ``twice``; of ``asked`` vectors, spread over all, ``hits`` find themselves first where
    they lie.
    """
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as reader:
        return reader.submit(read, str(store)).result(LONGEST)


def read(store):
    """Only for a process that ends afterwards: what Chroma loads here stays in memory."""
    import chromadb
    from chromadb.config import Settings

    collections = []
    for folder in sorted(Path(store).glob("bouquet-*")):
        client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        [found] = client.list_collections()
        collections.append(client.get_collection(found.name, embedding_function=None))
    records, places, twice = {}, {}, []
    for collection in collections:
        for start in range(0, collection.count(), PAGE):
            page = collection.get(limit=PAGE, offset=start, include=["documents", "metadatas", "embeddings"])
            for row in zip(page["ids"], page["documents"], page["metadatas"], page["embeddings"], strict=True):
                if row[0] in records:
                    twice.append(row[0])
                records[row[0]] = row[1], row[2], np.array(row[3])
                places[row[0]] = collection
    asked = sorted(records)[:: len(records) // MOST_ASKED + 1]  # the same in every store of the same chunks
    return {
        "collections": {c.name: c.count() for c in collections},
        "records": records,
        "twice": twice,
        "asked": len(asked),
        "hits": sum(_hit(places[id_], id_, records[id_][2]) for id_ in asked),
    }


def _hit(collection, id_, vector):
    return collection.query(query_embeddings=vector, n_results=1, include=[])["ids"][0] == [id_]

"""The remote embedder: any server that answers ``POST /embeddings`` as OpenAI does.

Ollama, vLLM, TEI (text-embeddings-inference), LocalAI and OpenAI itself. What it answers is believed only where
it fits: as many vectors as texts, each of ``embed.dimensions`` finite numbers, not all zero. Anything else is
``Unavailable``, and nothing of it is stored. Memory and speed of the model are the server's; here it takes 1 to
2 MB for vectors of 384 to 4,096 numbers, and no more with time (``python -m tests.bench remote``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bouquetd.config import Embed
from bouquetd.embed import Tokens
from bouquetd.errors import ConfigError, Unavailable
from bouquetd.model import printable
from bouquetd.remote import Client, Endpoint, TooLong

NUMBERS = 40_000
"""Numbers asked for in one request: about 1 MB of JSON, and as much again as objects while it is read."""

CHARACTERS = 100_000
"""Characters sent in one request, unless one text alone has more."""

SHORTEST = 32
"""Characters of a text that is not cut further: who finds that too long wants something else."""


class RemoteEmbedder:
    """Vectors from a server, brought to unit length. Any thread may ask."""

    def __init__(self, settings: Embed, pulse: Callable[[], None] = lambda: None) -> None:
        """``pulse`` is called before each request; it may raise ``Stopped``.

        Raises ``ConfigError`` for settings without what it needs, as a collection has that names this embedder.
        """
        if not (settings.url and settings.model and settings.dimensions):
            raise ConfigError(
                [
                    "embed.provider: openai needs embed.url, embed.model and embed.dimensions; a collection"
                    " does not say where its embedder is, so name the YAML, or the embedder with its url"
                ]
            )
        self.dimensions = settings.dimensions
        self._query, self._document = settings.query_prefix, settings.document_prefix
        self._most = max(1, min(settings.batch_size, NUMBERS // settings.dimensions))
        self._client = Client(
            Endpoint(
                "embed", "the embedder", settings.url, settings.model, settings.key_file, settings.timeout
            ),
            pulse,
        )

    @property
    def name(self) -> str:
        """Model, dimensions, and a digest of what stands before each text, where something does.

        Not the address: the same model elsewhere gives the same vectors.
        """
        prefix = hashlib.sha256(self._document.encode()).hexdigest()[:8] if self._document else ""
        return "/".join(filter(None, ("openai", self._client.endpoint.model, str(self.dimensions), prefix)))

    @property
    def options(self) -> Mapping[str, str]:
        """What of the section ``embed`` a collection may say to bring it back.

        Not the address, which a reader has to know himself: or whoever owns a Chroma gets readers' keys sent.
        """
        model, prefixes = self._client.endpoint.model, (self._query, self._document)
        said = {"model": model, "dimensions": str(self.dimensions)}
        both = zip(("query_prefix", "document_prefix"), prefixes, strict=True)
        return said | {name: prefix for name, prefix in both if prefix}

    def begin(self, texts: Sequence[str]) -> Tokens:
        """Nothing to begin with: the server cuts texts into tokens."""
        made: Future[Sequence[Any]] = Future()
        made.set_result(texts)
        return Tokens(made)

    def embed(self, texts: Sequence[str], _tokens: Sequence[Any] | None = None) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), dimensions)``, zero for a blank text.

        Raises ``Unavailable`` where the server has no sound answer.
        """
        return self._vectors(self._document, texts)

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape ``(dimensions,)``. Raises ``Unavailable``."""
        vector: NDArray[np.float32] = self._vectors(self._query, [text])[0]
        return vector

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _vectors(self, prefix: str, texts: Sequence[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for rows in _batches(texts, self._most):
            # What cannot be UTF-8 came with a question; no server takes it.
            out[rows] = self._asked([prefix + texts[i].encode(errors="replace").decode() for i in rows])
        return out

    def _asked(self, texts: list[str]) -> NDArray[np.float32]:
        """Their vectors; in halves where they are too much for the server, those of a single text averaged."""
        try:
            return self._request(texts)
        except TooLong:
            if len(texts) > 1:
                middle = len(texts) // 2
                return np.concatenate([self._asked(texts[:middle]), self._asked(texts[middle:])])
            halves = _halves(texts[0])
            if halves is None:
                raise
        vectors = np.concatenate([self._asked([half]) for half in halves])
        weights = [len(half) for half in halves]
        return _unit(np.average(vectors, axis=0, weights=weights)[np.newaxis].astype(np.float64))

    def _request(self, texts: list[str]) -> NDArray[np.float32]:
        asked = {"model": self._client.endpoint.model, "input": texts, "encoding_format": "float"}
        return _unit(self._checked(self._client.post("/embeddings", asked), len(texts)))

    def _checked(self, answer: Any, count: int) -> NDArray[np.float64]:
        """The vectors in an answer, in the order of the texts. Raises ``Unavailable`` for unsound ones."""
        client, dimensions = self._client, self.dimensions
        try:
            rows = [(row.get("index", i), row["embedding"]) for i, row in enumerate(answer["data"])]
        except (AttributeError, KeyError, TypeError):
            raise client.nonsense("something else than vectors") from None
        if len(rows) != count:
            raise client.nonsense(f"{len(rows)} vectors for {count} texts")
        if {at for at, _ in rows if isinstance(at, int)} != set(range(count)):
            raise client.nonsense("vectors of which it does not say of what texts they are")
        for _, numbers in rows:
            length = len(numbers) if isinstance(numbers, list) else None
            if length != dimensions:
                raise Unavailable(
                    f"{client.endpoint.where} gives vectors of {length or 'no'} numbers by"
                    f" {printable(client.endpoint.model)}, and embed.dimensions is {dimensions}",
                    "set embed.dimensions to what the model gives, or have the server run the model that the"
                    " store was filled with",
                )
        try:
            vectors = np.array([numbers for _, numbers in sorted(rows)], dtype=np.float64)
        except (TypeError, ValueError):
            vectors = np.empty(0)
        if vectors.shape != (count, dimensions):
            raise client.nonsense("vectors in which there is something else than numbers")
        if not np.isfinite(vectors).all():
            raise client.nonsense("a vector with numbers that are not finite (NaN)")
        if not vectors.any(axis=1).all():
            raise client.nonsense("a vector of zeros")
        return vectors


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Vectors, none of them zero, brought to unit length, however large or small their numbers are."""
    sane = vectors / np.abs(vectors).max(axis=1, keepdims=True)
    unit: NDArray[np.float32] = (sane / np.linalg.norm(sane, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _batches(texts: Sequence[str], most: int) -> Iterator[list[int]]:
    """Where the texts stand that are sent together; blank ones are not sent."""
    batch: list[int] = []
    size = 0
    for i, text in enumerate(texts):
        if text.isspace() or not text:
            continue
        if batch and (len(batch) == most or size + len(text) > CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(i)
        size += len(text)
    if batch:
        yield batch


def _halves(text: str) -> tuple[str, str] | None:
    """A text in two, between words where it has any; None where it is not to be cut further."""
    if len(text) < 2 * SHORTEST:
        return None
    middle = len(text) // 2
    space = text.rfind(" ", SHORTEST, middle + 1)
    at = space if space > 0 else middle
    return text[:at], text[at:]

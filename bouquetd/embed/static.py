"""The static embedder: the mean of a text's token vectors, 256 dimensions, no neural network to run.

The weights are those of the ``wordllama`` package (MIT), read straight from its wheel: 32,000 token vectors as
float16 in a 16 MB safetensors file, and the tokenizer as JSON. The package itself is not imported, for it would
cost 40 MB more and look for its tokenizer on the network. In memory each token has 256 whole numbers of 8 bits
and a scale, 8 MB instead of 32 as float32, as quick to add up; of 2,000 real chunks none has a vector of which
the cosine to the exact one is under 0.9999. About 3,400 chunks of real text a CPU second (``make bench``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Encoding, Tokenizer

from bouquetd.embed import Tokens
from bouquetd.errors import ConfigError

WEIGHTS = "wordllama/weights/l2_supercat_256.safetensors"
TOKENIZER = "wordllama/tokenizers/l2_supercat_tokenizer_config.json"


SLICE = 4_096
"""Vectors that are read from the file at a time."""

_Loaded = tuple[Tokenizer, NDArray[np.int8], NDArray[np.float32]]
"""Tokenizer, vectors, and the scale of each."""


class StaticEmbedder:
    """Token vectors averaged and brought to unit length. Any thread may use it; the first loads them."""

    name = "static/wordllama-l2-supercat-256"
    dimensions = 256
    options: Mapping[str, str] = {}

    def __init__(self, trim: Callable[[], object] = lambda: None) -> None:
        """Find the model's files. Raises ``ConfigError`` when they are not installed.

        ``trim`` gives freed memory back to the system: to load the model takes 5 MB that it does not keep.
        """
        self._trim = trim
        try:
            package = distribution("wordllama")
        except PackageNotFoundError:
            raise ConfigError(
                ["embed.provider: static needs the package wordllama; pip install 'bouquetd[static]'"]
            ) from None
        self._weights = str(package.locate_file(WEIGHTS))
        self._tokenizer_file = str(package.locate_file(TOKENIZER))
        for path in (self._weights, self._tokenizer_file):
            if not os.path.exists(path):
                raise ConfigError(
                    [f"embed.provider: static misses {path}; pip install --force-reinstall wordllama"]
                )
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="tokens")

    def _model(self) -> _Loaded:
        with self._loading:
            if (loaded := self._loaded) is None:  # another thread may drop it at any time
                loaded = self._loaded = self._load()
                self._trim()
            return loaded

    def _load(self) -> _Loaded:
        # Its own threads would take the core that the rest of the pipeline works on.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        tokenizer = Tokenizer.from_file(self._tokenizer_file)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        with safe_open(self._weights, framework="numpy") as file:
            weights = file.get_slice("embedding.weight")
            count = weights.get_shape()[0]
            parts = [
                _whole_numbers(weights[start : min(start + SLICE, count)]) for start in range(0, count, SLICE)
            ]
        vectors, scales = (np.concatenate(column) for column in zip(*parts, strict=True))
        return tokenizer, vectors, scales

    def begin(self, texts: Sequence[str]) -> Tokens:
        """Begin to cut texts into tokens; 500 of 700 characters take some 8 MB until they are embedded."""
        tokenizer, *_ = self._model()
        return Tokens(self._beside.submit(_cut, tokenizer, list(texts)))

    def embed(self, texts: Sequence[str], tokens: Sequence[Encoding] | None = None) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), 256)``, zero for a text without tokens."""
        tokenizer, vectors, scales = self._model()
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if tokens is None:
            tokens = _cut(tokenizer, list(texts))
        for row, encoding in zip(out, tokens, strict=True):
            ids = np.array(encoding.ids, np.intp)
            if len(ids):
                # One text at a time: a sum must not depend on its neighbours' lengths.
                rows = vectors.take(ids, axis=0, mode="clip").astype(np.float32)
                np.matmul(scales.take(ids, mode="clip"), rows, out=row)
                row /= np.sqrt(row.dot(row)) or 1.0
        return out

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape ``(256,)``: that of the same text in a document."""
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def close(self) -> None:
        """Drop the model, some 20 MB; the next ``embed`` loads it again in about 0.1 s."""
        self._loaded = None


def _whole_numbers(rows: NDArray[np.float16]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Vectors as 8-bit whole numbers, and what each is to be multiplied by."""
    exact = rows.astype(np.float32)
    scales = np.abs(exact).max(axis=1) / 127
    scales[scales == 0] = 1
    return np.rint(exact / scales[:, np.newaxis]).astype(np.int8), scales


def _cut(tokenizer: Tokenizer, texts: list[str]) -> Sequence[Encoding]:
    return tokenizer.encode_batch_fast(texts, add_special_tokens=False)

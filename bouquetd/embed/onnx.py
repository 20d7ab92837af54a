"""Sentence-transformers as ONNX, run by onnxruntime: ``minilm``, the default, and any other in a folder.

``minilm`` is all-MiniLM-L6-v2 in 8 bits, 384 dimensions: the space in which every plain Chroma client asks.
67 MB of RSS with onnxruntime, 62 chunks of real text a second on two cores with AVX-512, 13 on older ones
(``python -m tests.bench embedders``).

Each text is run by itself, in its own length: there is no padding, a vector cannot depend on its batch (the
scale of what is quantized at run time would), and memory is that of the longest window. So many texts are run
side by side as there are threads, each on one: two threads that share a text wait for one another six times a
layer. The first runs are of the longest window, and onnxruntime's arena keeps what they took, so that no later
text takes more, also when the heap is trimmed between two. Its plans of memory, one for every length that was
ever seen, are off. A text longer than the window is cut into windows of like length, and its vector is the mean
of theirs by their tokens, so that nothing of it is passed over.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bouquetd.embed import Tokens
from bouquetd.embed.folder import REMEDIES, Folder
from bouquetd.errors import ConfigError
from bouquetd.model import printable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

THREADS = 2
"""Texts that are run side by side unless the settings say: more leave nothing to the rest of the pipeline."""

Ids = NDArray[np.int64]

_OUTPUTS = ("last_hidden_state", "token_embeddings")
_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True, slots=True)
class _Loaded:
    tokenizer: Tokenizer
    session: Any
    inputs: Mapping[str, Any]
    output: str
    before: Ids
    after: Ids


class OnnxEmbedder:
    """A model from a folder. Any thread may use it; the first loads it, the others wait for that."""

    def __init__(
        self,
        folder: Folder,
        provider: str,
        threads: int | None = None,
        trim: Callable[[], object] = lambda: None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """``provider`` and ``options`` as in the section ``embed``; ``trim`` gives freed memory back."""
        self.name = f"{provider}/{folder.name}-{folder.revision}"
        self.dimensions = folder.dimensions
        self.options = options or {}
        self._provider = provider
        self._folder = folder
        self._threads = threads or min(THREADS, len(os.sched_getaffinity(0)))
        self._trim = trim
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="tokens")
        self._runs = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")

    def begin(self, texts: Sequence[str]) -> Tokens:
        """Begin to cut texts into tokens."""
        return Tokens(self._beside.submit(_cut, self._model().tokenizer, list(texts)))

    def embed(self, texts: Sequence[str], tokens: Sequence[Ids] | None = None) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(texts), dimensions)``, zero for a text without tokens.

        Raises ``ConfigError`` for a model that cannot be loaded or gives something else than was announced.
        """
        model = self._model()
        if tokens is None:
            tokens = _cut(model.tokenizer, list(texts))
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        room = self._folder.window - len(model.before) - len(model.after)
        parts = [
            (row, part)
            for row, ids in zip(out, tokens, strict=True)
            if len(ids)
            for part in np.array_split(ids, -(-len(ids) // room))
        ]
        vectors = self._runs.map(partial(self._vector, model), (part for _, part in parts))
        for (row, part), vector in zip(parts, vectors, strict=True):
            row += len(part) * vector
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.where(lengths, lengths, 1)
        return out

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape ``(dimensions,)``: that of the same text in a document."""
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def close(self) -> None:
        """Drop the model; the next ``embed`` loads it again in about half a second."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._states(loaded, np.zeros(1, np.int64), _shrinking())

    def _vector(self, model: _Loaded, ids: Ids) -> NDArray[np.float32]:
        states = self._states(model, np.concatenate([model.before, ids, model.after]))
        vector: NDArray[np.float32] = (
            states[0] if self._folder.pooling == "cls" else states.mean(axis=0)
        ).astype(np.float32)
        if not np.isfinite(length := np.linalg.norm(vector)):
            raise self._refused("gives vectors that are no numbers")
        return vector / (length or 1.0)

    def _states(self, model: _Loaded, ids: Ids, options: Any = None) -> Any:
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        asked = {name: given[name][np.newaxis].astype(kind) for name, kind in model.inputs.items()}
        return model.session.run([model.output], asked, options)[0][0]

    def _model(self) -> _Loaded:
        with self._loading:
            if (loaded := self._loaded) is None:  # another thread may drop it at any time
                loaded = self._loaded = self._load()
                self._trim()
            return loaded

    def _load(self) -> _Loaded:
        loaded = self._read()
        # The longest window there will be: what it takes is of the baseline, and nothing takes more.
        room = self._folder.window - len(loaded.before) - len(loaded.after)
        longest = np.full(room, loaded.before[0] if len(loaded.before) else 0, np.int64)
        vector, *_ = self._runs.map(partial(self._vector, loaded), [longest] * self._threads)
        if vector.shape != (self.dimensions,):
            raise self._refused(f"gives {vector.shape[0]} dimensions, but its config.json {self.dimensions}")
        return loaded

    def _read(self) -> _Loaded:
        # Its own threads would take the core that the rest of the pipeline works on.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._folder.tokenizer))
            session = _session(str(self._folder.model))
        except Exception as error:  # neither library has a base class for what it raises
            raise self._refused(f"cannot be loaded: {printable(str(error))[:300]}") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        inputs = {each.name: _TYPES.get(each.type) for each in session.get_inputs()}
        if strange := [name for name, kind in inputs.items() if kind is None or name not in _GIVEN]:
            raise self._refused(f"wants an input {strange[0]}, which bouquetd does not give")
        outputs = [
            each.name for each in session.get_outputs() if len(each.shape) == len(("batch", "token", "width"))
        ]
        if not outputs:
            raise self._refused("gives no vector for each token")
        probe = tokenizer.encode("a")
        own = [n for n, special in enumerate(probe.special_tokens_mask) if not special]
        ids = np.array(probe.ids, np.int64)
        before, after = ids[: own[0]], ids[own[-1] + 1 :]
        output = next((name for name in outputs if name in _OUTPUTS), outputs[0])
        return _Loaded(tokenizer, session, inputs, output, before, after)

    def _refused(self, reason: str) -> ConfigError:
        where = printable(str(self._folder.path))
        return ConfigError([f"embed.provider: the model in {where} {reason}; {REMEDIES[self._provider]}"])


_GIVEN = ("input_ids", "attention_mask", "token_type_ids")


def _session(path: str) -> Any:
    # From 1.32 on it tells its makers of each session, unless this is set before it is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    _arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@cache
def _arena() -> None:
    """Have all models of the process share an arena that grows by what is asked for.

    One that grows to the next power of two, as each model's own would, takes 8 MB more, and 5 more again when
    two long texts first are at their widest together.
    """
    import onnxruntime as ort

    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_asked_for = 1  # kSameAsRequested; -1 leaves a figure to onnxruntime
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, as_asked_for, -1, -1))


def _shrinking() -> Any:
    """What has a run give back whatever the arena has to spare, which outlives the model."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _cut(tokenizer: Tokenizer, texts: list[str]) -> Sequence[Ids]:
    cut = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids, np.int64) for encoding in cut]

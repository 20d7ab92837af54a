"""A sentence-transformer in a folder, as its authors publish it: what is to be run, and how.

``model.onnx`` (or ``onnx/model.onnx``) and ``tokenizer.json`` must be there; ``1_Pooling/config.json``,
``sentence_bert_config.json``, ``modules.json``, ``tokenizer_config.json`` and ``config.json`` are heeded where
they are. A ``facts.json`` that ``bouquetd model install`` wrote has the hashes of the files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bouquetd.errors import ConfigError, Unavailable
from bouquetd.model import printable

MINILM = Path(__file__).parents[1] / "models" / "all-MiniLM-L6-v2"
"""Where the model of ``embed.provider: minilm`` lies: in the package, put there by ``make model``."""

CHROMA = Path("~/.cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx")
"""Where Chroma's own function keeps its model; what its tokenizer file says of lengths does not hold there."""

FACTS = "facts.json"

MODELS = ("model.onnx", "onnx/model.onnx")
DATA = "_data"
"""Behind a model's name: the file with its weights, where they do not fit into it."""

TOKENIZER = "tokenizer.json"
ABOUT = (
    "config.json", "sentence_bert_config.json", "modules.json", "tokenizer_config.json",
    "special_tokens_map.json", "vocab.txt", "1_Pooling/config.json", "README.md",
)  # fmt: skip
"""What else of a folder is worth keeping."""

WIDTHS = ("config.json", "1_Pooling/config.json")
"""Which of them says how many dimensions there are: the first that is there."""

WINDOW = 256
"""Tokens that a model is shown at a time, where its folder does not say."""

LARGEST_WINDOW = 512
"""Tokens at most, whatever the folder says: attention takes memory by the square, 12 MB here."""

REMEDIES: Mapping[str, str] = {
    "minilm": "put it in place with: bouquetd model install minilm",
    "onnx": "copy a sentence-transformer there whole, with model.onnx and tokenizer.json, or name another",
}
"""What to do about a model that is not there or not whole, by ``embed.provider``."""

_KNOWN = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True)
class Folder:
    """A model: ``window`` in tokens, special ones included; ``revision``: 8 digits of a SHA-256.

    That of the bundled model is its file's, of any other that of all that its vectors depend on.
    """

    path: Path
    model: Path
    name: str
    window: int
    pooling: Literal["mean", "cls"]
    dimensions: int
    revision: str

    @property
    def tokenizer(self) -> Path:
        """Its tokenizer."""
        return self.path / TOKENIZER

    @property
    def sums(self) -> dict[str, str]:
        """The SHA-256 of each file that its vectors come of, by the name it has in ``facts.json``."""
        return _sums(self.path, self.model)


def named(provider: str, model: str) -> Folder:
    """The folder that the section ``embed`` asks for, its model not loaded; see ``read``."""
    if provider == "minilm":
        return read(MINILM, "embed.provider: the model of minilm is missing", REMEDIES[provider])
    if not model:
        option = "embed.model: none is named, and Chroma has not fetched its own"
        return read(CHROMA.expanduser(), option, "name the folder of a sentence-transformer")
    return read(Path(model), "embed.model", REMEDIES[provider])


def read(path: Path, option: str, remedy: str) -> Folder:
    """What a folder holds, its model not loaded.

    Raises ``ConfigError``, which blames ``option`` and tells ``remedy``, for one without a model that we run,
    ``Unavailable`` for one that others may read and we may not.
    """
    try:
        return _read(path, option, remedy)
    except PermissionError:
        raise Unavailable(
            f"the model in {printable(str(path))} is not ours to read",
            "run the command as the daemon's user, or mend the folder's owner and mode",
        ) from None


def _read(path: Path, option: str, remedy: str) -> Folder:
    def refused(reason: str) -> ConfigError:
        return ConfigError([f"{option}: {printable(str(path))} {reason}; {remedy}"])

    model = next((path / name for name in MODELS if (path / name).is_file()), None)
    for there, wanted in ((path.is_dir(), "is no folder"), (model, f"has no {MODELS[0]}")):
        if not there:
            raise refused(wanted)
    if model is None or not (path / TOKENIZER).is_file():
        raise refused(f"has no {TOKENIZER}")
    if not any((path / name).is_file() for name in WIDTHS):
        raise refused(f"has no {WIDTHS[0]}")
    try:
        modules: Any = _json(path / "modules.json") or ()
        pooling, config = _json(path / "1_Pooling" / "config.json"), _json(path / "config.json")
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
        modes = [
            key.removeprefix("pooling_mode_") for key, on in pooling.items() if on is True and "mode" in key
        ]
        mode = pooling.get("pooling_mode") or (modes[0] if len(modes) == 1 else "mean_tokens")
        dimensions = int(config.get("hidden_size") or pooling["word_embedding_dimension"])
        window = _window(path, config)
        noted = _json(path / FACTS).get("sha256", {}).get(MODELS[0])
    except PermissionError:
        raise
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise refused(f"is not as sentence-transformers lay it out ({type(error).__name__}: {error})") from None
    if unknown := [kind for kind in kinds if kind not in _KNOWN]:
        raise refused(f"wants a layer of kind {unknown[0]}, which bouquetd does not run")
    if len(modes) > 1 or mode not in ("mean_tokens", "mean", "cls_token", "cls"):
        raise refused(f"pools by {' and '.join(modes) or mode}, and bouquetd by mean or cls only")
    pooled: Literal["mean", "cls"] = "cls" if mode.startswith("cls") else "mean"
    if path == MINILM:
        digest = noted or sha256(model)  # stores are filled with that name
    else:
        told = json.dumps([_sums(path, model), window, pooled])
        digest = hashlib.sha256(told.encode()).hexdigest()
    name = path.parent.name if path.name == "onnx" else path.name
    return Folder(
        path, model, re.sub(r"[^A-Za-z0-9._-]+", "-", name) or "model", window, pooled, dimensions, digest[:8]
    )


def _sums(path: Path, model: Path) -> dict[str, str]:
    data = model.with_name(f"{model.name}{DATA}")
    files = {MODELS[0]: model, f"{MODELS[0]}{DATA}": data, TOKENIZER: path / TOKENIZER}
    return {name: sha256(file) for name, file in files.items() if file.is_file()}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; 90 MB take about 0.1 s."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _window(path: Path, config: Mapping[str, Any]) -> int:
    stated = (
        WINDOW if path == CHROMA.expanduser() else None,
        _json(path / "sentence_bert_config.json").get("max_seq_length"),
        _json(path / "tokenizer_config.json").get("model_max_length"),
        config.get("max_position_embeddings"),
    )
    return min(next((int(value) for value in stated if value), WINDOW), LARGEST_WINDOW)


def _json(path: Path) -> Any:
    """What a file holds; nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

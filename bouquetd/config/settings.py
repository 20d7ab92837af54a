"""Every option, with its type, range and default, and the combinations of them that cannot work.

Past 400 lines because it is one table: who looks for an option, or adds one, finds all of it here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import le, lt
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, cast, get_args

from bouquetd.config import checks
from bouquetd.config.listen import NOWHERE, Listen
from bouquetd.config.section import Option, Section, part
from bouquetd.config.units import count, duration, percent, size
from bouquetd.model import MB, printable

Profile = Literal["speed", "balanced", "safety"]
PROFILES: tuple[str, ...] = get_args(Profile)

DIMENSIONS: Mapping[str, int] = MappingProxyType({"minilm": 384, "static": 256, "onnx": 1024})
"""Length of the vectors by ``embed.provider``; of ``onnx``, whose folder says, what it is seldom above; of
``openai`` it is ``embed.dimensions``."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine."""

BYTES_PER_CHUNK = 512
"""How much RSS one chunk of an open collection costs besides its vector (measured: 2 KB with 384 dimensions, of
4 bytes each, 10,000 to 200,000 chunks)."""

SHARE_OF_SHARD = 0.06
"""The share of ``memory.limit`` that the index of the open shard may take, where the file does not say."""

SMALLEST_SHARD, LARGEST_SHARD = 2_000, 5_000
"""Chunks in a shard chosen by us. Below, each shard has its price: a question takes 25 ms with 5,000 chunks,
29 with 10,000. Above, one index misses more of what is near (section 6 of the design), each insertion takes
longer, by a quarter beyond 10,000, and so does the rebuild after a kill."""


class Paths(Section):
    """Where things lie, as absolute paths. Relative ones are read against the YAML's folder, else the cwd."""

    inbox: Annotated[Path, checks.folder] = Path("inbox")
    archive: Annotated[Path, checks.folder] = Path("archive")
    failed: Annotated[Path, checks.folder] = Path("failed")
    state: Annotated[Path, checks.folder] = Path("state")
    store: Annotated[Path, checks.folder] = Path("store")
    runtime: Annotated[Path, checks.runtime] = cast(Path, None)  # never none once it is read


class Inbox(Section):
    """How files are noticed and taken, and where they go afterwards.

    ``poll``, ``settle`` and ``rescan`` in seconds, ``max_file_size`` in bytes; each pattern of ``ignore`` is
    matched against every component of a path relative to the inbox.
    """

    after: Literal["archive", "delete", "keep"] = "archive"
    duplicates: Literal["skip", "text", "keep"] = "skip"
    watch: Literal["auto", "native", "polling"] = "auto"
    poll: Annotated[float, duration("100ms", "1h")] = 5.0
    settle: Annotated[float, duration("10ms", "1h")] = 2.0
    rescan: Annotated[float, duration("100ms", "1d")] = 60.0
    max_file_size: Annotated[int, size("1KB", "10GB")] = 50 * MB
    ignore: Annotated[tuple[str, ...], checks.patterns] = (
        ".*", "*.part", "*.tmp", "*.crdownload", "*.filepart", "~$*", "*.swp",
    )  # fmt: skip


class Stream(Section):
    """How files are read: bytes of one read, and of the largest piece of text an extractor yields."""

    read_size: Annotated[int, size("4KB", "16MB")] = 256 * 1024
    buffer_size: Annotated[int, size("1KB", "1MB")] = 64 * 1024


class Bounds(Section):
    """How far a file is followed; what goes beyond is refused with a reason that names the bound.

    ``text``: bytes of UTF-8 that come out of one document; ``ratio``: unpacked to packed size, of what is
    large; ``depth``: files packed in files packed in files; ``members``: files packed in one; ``nesting``:
    elements or containers within one another; ``attributes`` of one element; ``pages`` of a PDF or slides;
    ``cells`` of a workbook; ``time``: seconds that the reading of one document may take, without what the other
    stages take.
    """

    text: Annotated[int, size("100KB", "100GB")] = 500 * MB
    ratio: Annotated[int, count(2, 100_000)] = 100
    depth: Annotated[int, count(0, 20)] = 4
    members: Annotated[int, count(1, 1_000_000)] = 10_000
    nesting: Annotated[int, count(10, 2_000)] = 500
    attributes: Annotated[int, count(10, 100_000)] = 1_000
    pages: Annotated[int, count(1, 10_000_000)] = 20_000
    cells: Annotated[int, count(1_000, 10_000_000_000)] = 20_000_000
    time: Annotated[float, duration("1s", "1d")] = 1800.0


class Ocr(Section):
    """How scanned pages and pictures are read: by tesseract where it is installed, or not at all.

    ``languages`` as tesseract calls them, joined by ``+``; of each page, ``timeout`` in seconds and ``memory``
    in bytes of address space that reading it may take.
    """

    mode: Literal["auto", "never"] = "auto"
    languages: Annotated[str, checks.languages] = "eng"
    timeout: Annotated[float, duration("1s", "1h")] = 120.0
    memory: Annotated[int, size("150MB", "16GB")] = 300 * MB


class Chunking(Section):
    """The length of a chunk, and how much of it the next one repeats, in characters."""

    size: Annotated[int, count(50, 20_000)] = 800
    overlap: Annotated[int, count(0, 10_000)] = 100


class Remote(Section):
    """A model behind a server with OpenAI's API, where a section's ``provider`` is ``openai``.

    ``url``: all that comes before ``/embeddings`` or ``/chat/completions``; ``key_file``: absolute, or the name
    of a systemd credential, empty for none; ``timeout``: seconds that the server may take for one request.
    """

    provider: Annotated[str, checks.text] = ""
    url: Annotated[str, checks.endpoint] = ""
    model: Annotated[str, checks.model] = ""
    key_file: Annotated[str, checks.key] = ""
    timeout: Annotated[float, duration("1s", "10m")] = 60.0


class Entities(Remote):
    """What finds entities, and how many chunks it looks at side by side.

    ``model``: for ``spacy`` a pipeline, its package or folder, for ``openai`` what the server calls it;
    ``region``: whose phone numbers come without a country (two letters, as ``DE``), "" for nobody's.
    """

    provider: Literal["patterns", "spacy", "openai", "none"] = "patterns"
    region: Annotated[str, checks.country] = ""
    max_concurrent: Annotated[int, count(1, 64)] = 2


class Embed(Remote):
    """What turns a chunk into a vector.

    ``model``: for ``onnx`` the folder, absolute, empty for Chroma's own, for ``openai`` what the server calls
    it; ``threads``: texts side by side, None to have it chosen. The rest is for ``openai``. ``dimensions``:
    length of the model's vectors, 0 for not said; ``batch_size``: texts in one request; ``query_prefix`` and
    ``document_prefix`` stand before each question and each chunk.
    """

    provider: Literal["minilm", "static", "onnx", "openai"] = "minilm"
    model: Annotated[str, checks.embedder] = ""
    threads: Annotated[int | None, count(1, 64)] = None
    dimensions: Annotated[int, count(0, 16_384)] = 0
    batch_size: Annotated[int, count(1, 2048)] = 32
    query_prefix: Annotated[str, checks.prefix] = ""
    document_prefix: Annotated[str, checks.prefix] = ""


class Pipeline(Section):
    """How many chunks are in flight at once, and what a file may cost.

    ``max_attempts``: how often it may bring the daemon down before it is quarantined; ``stage_deadline``:
    seconds that one step of a stage may take before it counts as hung.
    """

    batch_size: Annotated[int, count(1, 1000)] = 20
    max_attempts: Annotated[int, count(1, 100)] = 3
    stage_deadline: Annotated[float, duration("1s", "1d")] = 120.0


class Store(Section):
    """Where Chroma runs, how to enter it, and what its collections are called.

    ``token_file`` and ``ca_file``: absolute, None for none; ``timeout``: seconds that the server may take to
    answer one request; ``shard_chunks``: chunks in one shard, 0 for one collection without end, None to have it
    chosen (``shard_chunks`` below); ``batch_size``: chunks handed to Chroma in one call (at most 5,461),
    and the most that a server is asked for in one.
    """

    mode: Literal["embedded", "server"] = "embedded"
    url: Annotated[str, checks.chroma] = "http://127.0.0.1:8000"
    tenant: Annotated[str, checks.word] = "default_tenant"
    database: Annotated[str, checks.word] = "default_database"
    token_file: Annotated[Path | None, checks.file] = None
    token_header: Literal["Authorization", "X-Chroma-Token"] = "Authorization"
    ca_file: Annotated[Path | None, checks.file] = None
    timeout: Annotated[float, duration("1s", "10m")] = 60.0
    collection: Annotated[str, checks.collection] = "bouquet"
    shard_chunks: Annotated[int | None, count(0, 200_000)] = None
    batch_size: Annotated[int, count(1, 5461)] = 250


class Memory(Section):
    """The governor's marks.

    ``limit`` and ``operation`` in bytes of RSS, ``throttle`` and ``resume`` as fractions of the limit,
    ``pause_limit`` in seconds, ``pressure`` as a fraction of time (PSI ``some avg10``; 0 turns it off).
    ``trace``: remember where each block of Python's was allocated, for memory reports.
    """

    limit: Annotated[int, size("50MB", "1TB")] = 500 * MB
    throttle: Annotated[float, percent("10%", "99%")] = 0.8
    resume: Annotated[float, percent("5%", "98%")] = 0.7
    pause_limit: Annotated[float, duration("1s", "1d")] = 300.0
    operation: Annotated[int, size("1MB", "1GB")] = 5 * MB
    pressure: Annotated[float, percent("0%", "100%")] = 0.1
    trace: Annotated[bool, checks.switch] = False


class Logging(Section):
    """How much is logged, how often a ``[MEMORY]`` line is, and in which shape."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    memory: Literal["chunk", "batch", "document"] = "batch"
    format: Literal["auto", "console", "journal", "json"] = "auto"


class Listener(Section):
    """A section that names an address: ``listen``, "" for none."""

    listen: Annotated[str, checks.address] = NOWHERE


class Metrics(Listener):
    """Figures for Prometheus."""


class Page(Listener):
    """The page for people; ``token_file``: absolute, None for none, has what a reader must know."""

    token_file: Annotated[Path | None, checks.file] = None


class Settings(Section):
    """All options. ``load`` is the gate: it also refuses the combinations that cannot work."""

    profile: Profile = "balanced"
    paths: Paths = part()
    inbox: Inbox = part()
    stream: Stream = part()
    bounds: Bounds = part()
    ocr: Ocr = part()
    chunk: Chunking = part()
    entities: Entities = part()
    embed: Embed = part()
    pipeline: Pipeline = part()
    store: Store = part()
    memory: Memory = part()
    logging: Logging = part()
    metrics: Metrics = part()
    page: Page = part()


def _options() -> Mapping[str, Option]:
    found: dict[str, Option] = {}
    for name, option in Settings.options.items():
        if option.section:
            found |= {f"{name}.{key}": each for key, each in option.section.options.items()}
        else:
            found[name] = option
    return MappingProxyType(found)


OPTIONS: Mapping[str, Option] = _options()
"""Every option by its dotted key, in the order of the commented file."""

LIVE = frozenset(
    {
        "profile",
        "inbox.settle",
        "inbox.rescan",
        "inbox.max_file_size",
        "inbox.ignore",
        "bounds.text",
        "bounds.ratio",
        "bounds.depth",
        "bounds.members",
        "bounds.nesting",
        "bounds.attributes",
        "bounds.pages",
        "bounds.cells",
        "bounds.time",
        "pipeline.batch_size",
        "pipeline.stage_deadline",
        "memory.limit",
        "memory.throttle",
        "memory.resume",
        "memory.pause_limit",
        "memory.operation",
        "memory.pressure",
        "logging.level",
        "logging.memory",
        "logging.format",
    }
)
"""The dotted keys that a reload applies without a restart."""


def value(settings: Settings, key: str) -> object:
    """The value of a dotted key."""
    return reduce(getattr, key.split("."), settings)


def shard_chunks(settings: Settings) -> int:
    """Chunks in one shard, 0 for no end; what nobody set follows from ``memory.limit`` and the dimensions."""
    store = settings.store
    if store.shard_chunks is not None:
        return store.shard_chunks
    room = int(settings.memory.limit * SHARE_OF_SHARD / bytes_per_chunk(settings))
    return max(store.batch_size, min(max(room // 1000 * 1000, SMALLEST_SHARD), LARGEST_SHARD))


def bytes_per_chunk(settings: Settings) -> int:
    """RSS that one chunk of an open shard takes."""
    embed = settings.embed
    return 4 * DIMENSIONS.get(embed.provider, embed.dimensions) + BYTES_PER_CHUNK


def notation(settings: Settings, key: str) -> str:
    """The value of a dotted key as the YAML would write it: ``50MB``, ``2s``, ``80%``."""
    found = value(settings, key)
    if found is None:
        return "auto" if key in ("store.shard_chunks", "embed.threads") else '""'
    if found == "" or key.endswith("_prefix") or str(found).startswith("["):
        return json.dumps(found)
    if isinstance(found, bool):
        return str(found).lower()
    if (quantity := OPTIONS[key].quantity) is not None and isinstance(found, int | float):
        return quantity.show(found)
    if isinstance(found, tuple):
        return json.dumps(found)
    return printable(str(found)) or '""'


@dataclass(frozen=True, slots=True)
class Conflict:
    """Options that cannot stand together: their dotted keys, the likelier culprit first, and what to do."""

    keys: tuple[str, ...]
    text: str


_RULES: tuple[tuple[str, str, str, Callable[[Any, Any], bool]], ...] = (
    ("memory.resume", "below", "memory.throttle", lt),
    ("memory.operation", "below", "memory.limit", lt),
    ("chunk.overlap", "less than half of", "chunk.size", lambda overlap, size: overlap * 2 < size),
    ("stream.buffer_size", "at most", "stream.read_size", le),
    ("stream.read_size", "at most", "inbox.max_file_size", le),
    ("pipeline.batch_size", "at most", "store.batch_size", le),
    ("store.batch_size", "at most", "store.shard_chunks", lambda batch, shard: not shard or batch <= shard),
)


def conflicts(settings: Settings) -> list[Conflict]:
    """The combinations that cannot work, judged without a look at the disk."""
    found = []
    for small, relation, large, holds in _RULES:
        if not holds(value(settings, small), value(settings, large)):
            less, more = (f"{key} ({notation(settings, key)})" for key in (small, large))
            text = f"{less} must be {relation} {more}; lower {small} or raise {large}"
            found.append(Conflict((small, large), text))
    found += _unguarded(settings)
    found += _missing(settings, "embed", _EMBED_NEEDS)
    return found + _missing(settings, "entities", _ENTITIES_NEED)


_ENTITIES_NEED = {
    "url": "where the server is, for instance http://127.0.0.1:11434/v1",
    "model": "what the server calls the model",
}
_EMBED_NEEDS = {**_ENTITIES_NEED, "dimensions": "how many numbers a vector of the model has, for instance 768"}


def _missing(settings: Settings, section: str, needed: Mapping[str, str]) -> list[Conflict]:
    if value(settings, f"{section}.provider") != "openai":
        return []
    return [
        Conflict((f"{section}.provider",), f"openai needs {section}.{option}; write there {what}")
        for option, what in needed.items()
        if not value(settings, f"{section}.{option}")
    ]


def _unguarded(settings: Settings) -> list[Conflict]:
    page = settings.page
    if page.token_file or not Listen.of(page.listen).wide:
        return []
    text = (
        f"whoever reaches {page.listen} could read what is stored and retry files; name a file with a token in"
        " page.token_file, or listen on 127.0.0.1 or a unix socket"
    )
    return [Conflict(("page.listen", "page.token_file"), text)]

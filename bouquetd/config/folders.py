"""What the disk says about the configured folders, do they lie apart, can files be moved; and other advice."""

from __future__ import annotations

import os
import shlex
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bouquetd.config.listen import Listen
from bouquetd.config.settings import LOOPBACK, Conflict, Paths, bytes_per_chunk, notation, shard_chunks
from bouquetd.model import MB, printable

if TYPE_CHECKING:
    from bouquetd.config.settings import Settings


def check_paths(settings: Settings) -> list[str]:
    """What is wrong with the folders on the disk, one line each: ``dotted.key: what is wrong; what to do``."""
    return [f"{conflict.keys[0]}: {conflict.text}" for conflict in folder_conflicts(settings)]


def folder_conflicts(settings: Settings, config_file: Path | None = None) -> list[Conflict]:
    """Folders that are no folders, lie in each other, or cannot give files away; links are followed.

    ``config_file`` must not lie in the inbox either, or the daemon would ingest its own configuration.
    """
    return [
        *_not_folders(settings),
        *_nested(settings),
        *_read_only_inbox(settings),
        *_swallowed(settings, config_file),
    ]


def advise(settings: Settings) -> list[str]:
    """What works but is slower or larger than it need be, one line each: ``dotted.key: what; what to do``."""
    inbox = _device(settings.paths.inbox)
    targets = {"failed": settings.paths.failed}
    if settings.inbox.after == "archive":
        targets["archive"] = settings.paths.archive
    advice = [
        f"paths.{name}: lies on another file system than paths.inbox, so files are copied there, not renamed;"
        " put both on one file system if that is too slow"
        for name, path in targets.items()
        if _device(path) != inbox
    ]
    return advice + _about_shards(settings) + _about_keys(settings) + _about_listeners(settings)


def _about_listeners(settings: Settings) -> list[str]:
    advice = []
    metrics, page = settings.metrics.listen, settings.page
    if metrics != page.listen and Listen.of(metrics).wide:
        advice.append(
            f"metrics.listen: whoever reaches {metrics} may read the figures; let nothing but Prometheus"
            " through, by the firewall or the unit's IPAddressAllow="
        )
    if page.listen and page.token_file and _absent(str(page.token_file)):
        advice.append(
            f"page.token_file: {_named(page.token_file)} is not there, and without it no page is served; make"
            " it: openssl rand -hex 24 | install -m 640 -g bouquetd /dev/stdin"
            f" {shlex.quote(_named(page.token_file))}"
        )
    if Listen.of(page.listen).wide:
        advice.append(
            f"page.listen: on {page.listen} token and texts travel unencrypted, for whoever listens on the way;"
            " put a proxy with https before it, or use a tunnel (ssh -L)"
        )
    return advice


def _about_keys(settings: Settings) -> list[str]:
    sections = {"embed": settings.embed, "entities": settings.entities}
    used = {name: section for name, section in sections.items() if section.provider == "openai"}
    absent = [
        f"{name}.key_file: {printable(section.key_file)} is not there; put the key into it"
        for name, section in used.items()
        if os.path.isabs(section.key_file) and _absent(section.key_file)
    ]
    return absent + [
        f"{name}.url: the key goes to {urlsplit(section.url).hostname} unencrypted, for whoever listens on the"
        " way; use https, or a tunnel"
        for name, section in used.items()
        if section.key_file and section.url.startswith("http://")
        if urlsplit(section.url).hostname not in LOOPBACK
    ]


def _absent(path: str) -> bool:
    """Whether there is no such file, as far as whoever asks may know."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _about_shards(settings: Settings) -> list[str]:
    if settings.store.mode == "server":  # their memory is the server's
        return []
    limit, chunks, each = notation(settings, "memory.limit"), shard_chunks(settings), bytes_per_chunk(settings)
    if not chunks:
        most = settings.memory.limit // 2 // each // 1000 * 1000
        return [
            f"store.shard_chunks: 0 puts all chunks into one collection, whose memory grows without end: at"
            f" some {most:,} chunks work stops for good at memory.limit ({limit}); leave it out to have shards"
        ]
    if chunks * each > settings.memory.limit / 4:
        return [
            f"store.shard_chunks: {chunks} chunks in a shard take some {chunks * each // MB} MB of"
            f" RSS, over a quarter of memory.limit ({limit}); lower it or raise the limit"
        ]
    return []


def _folders(settings: Settings) -> dict[str, Path]:
    return {f"paths.{name}": getattr(settings.paths, name) for name in Paths.options}


def _not_folders(settings: Settings) -> list[Conflict]:
    found = []
    for key, path in _folders(settings).items():
        there = _nearest(path)
        if not os.path.isdir(there):
            what = (
                "is there, but is not a folder"
                if there == path
                else f"cannot be made in {_named(there)}, no folder"
            )
            found.append(Conflict((key,), f"{_named(path)} {what}; move that away or name another folder"))
    return found


def _nested(settings: Settings) -> list[Conflict]:
    real = {key: Path(os.path.realpath(path)) for key, path in _folders(settings).items()}
    if real["paths.state"] in real["paths.runtime"].parents:
        del real["paths.runtime"]  # its default place, and what holds for the state holds for it
    found = []
    for first, second in combinations(real, 2):
        a, b = real[first], real[second]
        if a == b:
            text = f"{first} and {second} are the same folder ({_named(a)}); give each a folder of its own"
        elif a in b.parents:
            text = f"{second} ({_named(b)}) lies inside {first} ({_named(a)}); put them side by side"
        elif b in a.parents:
            text = f"{first} ({_named(a)}) lies inside {second} ({_named(b)}); put them side by side"
        else:
            continue
        found.append(Conflict((second, first), text))
    return found


def _read_only_inbox(settings: Settings) -> list[Conflict]:
    path = settings.paths.inbox
    if settings.inbox.after == "keep" or not _read_only(path):
        return []
    return [
        Conflict(
            ("paths.inbox", "inbox.after"),
            f"{_named(path)} lies on a read-only file system, where no file can be moved away; remount it"
            " writable, or set inbox.after: keep",
        )
    ]


def _swallowed(settings: Settings, config_file: Path | None) -> list[Conflict]:
    inbox = Path(os.path.realpath(settings.paths.inbox))
    if config_file is None or inbox not in Path(os.path.realpath(config_file)).parents:
        return []
    text = f"this very file lies inside the inbox ({_named(inbox)}) and would be ingested; move one of them"
    return [Conflict(("paths.inbox",), text)]


def _nearest(path: Path) -> Path:
    """``path``, or the nearest of its parents that exists."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path("/"))


def _device(path: Path) -> int | None:
    """The file system that ``path`` is on or would be made on; none if nobody may look."""
    try:
        return os.stat(_nearest(Path(os.path.realpath(path)))).st_dev
    except OSError:
        return None


def _read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(_nearest(Path(os.path.realpath(path)))).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _named(path: Path) -> str:
    return printable(str(path))

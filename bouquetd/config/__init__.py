"""YAML -> frozen, typed ``Settings``; every problem at once, with its file and line."""

from bouquetd.config.folders import advise, check_paths
from bouquetd.config.fresh import SYSTEM, for_system, for_user, shipped, write_fresh
from bouquetd.config.loader import Config, changed, find, load, render
from bouquetd.config.settings import (
    LIVE,
    OPTIONS,
    Bounds,
    Chunking,
    Embed,
    Entities,
    Inbox,
    Logging,
    Memory,
    Paths,
    Pipeline,
    Settings,
    Store,
    Stream,
    bytes_per_chunk,
    shard_chunks,
)

__all__ = [
    "LIVE",
    "OPTIONS",
    "SYSTEM",
    "Bounds",
    "Chunking",
    "Config",
    "Embed",
    "Entities",
    "Inbox",
    "Logging",
    "Memory",
    "Paths",
    "Pipeline",
    "Settings",
    "Store",
    "Stream",
    "advise",
    "bytes_per_chunk",
    "changed",
    "check_paths",
    "find",
    "for_system",
    "for_user",
    "load",
    "render",
    "shard_chunks",
    "shipped",
    "write_fresh",
]

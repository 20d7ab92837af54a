"""YAML -> frozen, typed ``Settings``; every problem at once, with its file and line."""

from bouquetd.config.folders import advise, check_paths
from bouquetd.config.loader import Config, changed, find, load, render, write_fresh
from bouquetd.config.settings import (
    LIVE,
    OPTIONS,
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
)

__all__ = [
    "LIVE",
    "OPTIONS",
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
    "changed",
    "check_paths",
    "find",
    "load",
    "render",
    "write_fresh",
]

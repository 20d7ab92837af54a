"""Room on disk for what an extractor has to find again later and must not hold."""

from __future__ import annotations

import os
from tempfile import SpooledTemporaryFile

IN_MEMORY = 256 * 1024
"""Bytes up to which nothing is written to disk: most files have less."""

_DISK = "/var/tmp"  # noqa: S108  # not /tmp, which is memory on many machines; the files have no names there

FOLDER = _DISK if os.access(_DISK, os.W_OK) else None
"""Where it lies; None for wherever temporary files are."""

Scratch = SpooledTemporaryFile[bytes]


def scratch() -> Scratch:
    """A file without a name that goes when it is closed; in memory while it is small."""
    return SpooledTemporaryFile(IN_MEMORY, dir=FOLDER)

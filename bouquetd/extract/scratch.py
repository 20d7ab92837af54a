"""Room on disk for what an extractor has to find again later and must not hold."""

from __future__ import annotations

import os
from tempfile import SpooledTemporaryFile

IN_MEMORY = 256 * 1024
"""Bytes up to which nothing is written to disk: most files have less."""

_FOLDER = "/var/tmp"  # noqa: S108  # not /tmp, which is memory on many machines; the file has no name there

Scratch = SpooledTemporaryFile[bytes]


def scratch() -> Scratch:
    """A file without a name that goes when it is closed; in memory while it is small."""
    return SpooledTemporaryFile(IN_MEMORY, dir=_FOLDER if os.access(_FOLDER, os.W_OK) else None)

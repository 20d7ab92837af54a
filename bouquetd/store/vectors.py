"""The vectors of sealed shards, kept beside Chroma: what a rebuild needs when the journal is gone.

Chroma's index may tear when a kill falls into a change of a sealed shard; its texts survive, in SQLite. With
the vectors, exactly as they were given to Chroma, putting the shard right embeds nothing. One file for each,
about 1 KB a chunk, written once when it is sealed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bouquetd.errors import Unavailable
from bouquetd.model import Record, Vector

ID_BYTES = 48
"""Room for a chunk id: 32 digits, a colon, and a number."""


class Vectors:
    """A folder of files, each the ids and vectors of one shard as a NumPy array of records."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self._folder = folder
        self._layout = np.dtype([("id", f"S{ID_BYTES}"), ("vector", "<f4", (dimensions,))])

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.vectors"

    def keep(self, shard: int, pages: Iterable[Sequence[Record]]) -> None:
        """Write a shard's vectors, durably; there under their name only when whole. Raises ``Unavailable``."""
        path = self._path(shard)
        partial = path.with_suffix(".partial")
        try:
            self._folder.mkdir(exist_ok=True)
            with open(partial, "wb") as file:
                for page in pages:
                    rows = np.zeros(len(page), dtype=self._layout)
                    rows["id"] = [record.id.encode() for record in page]
                    rows["vector"] = [record.vector for record in page]
                    file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            _sync(self._folder)
        except OSError as error:
            raise Unavailable(
                f"the vectors of a full shard cannot be written to {path}: {error.strerror}",
                "look at the free space (df) and the permissions there",
            ) from error

    def of(self, shard: int) -> dict[str, Vector]:
        """A shard's vectors by chunk id, mapped from the file; none when it is gone or not whole."""
        try:
            rows = np.memmap(self._path(shard), dtype=self._layout, mode="r")
        except (OSError, ValueError):
            return {}
        return {bytes(id_).decode(): vector for id_, vector in zip(rows["id"], rows["vector"], strict=True)}

    def drop(self, shard: int) -> None:
        """Remove the vectors of a shard that is no more."""
        self._path(shard).unlink(missing_ok=True)

    def sweep(self, sealed: Iterable[int]) -> None:
        """Remove what belongs to no sealed shard."""
        kept = {self._path(shard) for shard in sealed}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path not in kept:
                    path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

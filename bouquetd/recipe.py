"""What a store was filled with: embedder and chunker. Vectors of two kinds in one store find nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Recipe:
    """What besides its content makes a document what it is in the store.

    ``embedder`` is its name with the revision, ``dimensions`` the length of a vector; ``chunker`` has its
    revision, the size of a chunk and the overlap in characters, ``chunk/2/800/100``.
    """

    embedder: str
    dimensions: int
    chunker: str
    distance: str = "cosine"

    def __str__(self) -> str:
        """As it enters into every document's identity."""
        return f"{self.embedder} {self.chunker}"

    @property
    def told(self) -> str:
        """In words, for a person."""
        revision, size, overlap = self.chunker.rsplit("/", 2)
        return (
            f"{self.embedder} ({self.dimensions} dimensions, {self.distance} distance) and chunks of {size}"
            f" characters, {overlap} overlapping ({revision})"
        )

    def recorded(self) -> dict[str, str | int]:
        """Plain values, as the ledger and each collection's metadata have them."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self | None:
        """The recipe that some recorded values tell; None where they tell none."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: values[name] for name in names}) if all(n in values for n in names) else None


def unrecorded(size: int, overlap: int) -> Recipe:
    """What filled a store that has no record: there was but one embedder before there were records."""
    return Recipe("static/wordllama-l2-supercat-256", 256, f"chunk/2/{size}/{overlap}")

"""The lists of names that come with bouquetd.

``given_names.txt``: the commonest of the US Census of 1990 (public domain, as all that the Census Bureau
publishes), without those that are common words, and names of other countries; ``places.txt``: countries, parts
of countries and large cities, as English writes them.
"""

from __future__ import annotations

from importlib.resources import files


def given_names() -> frozenset[str]:
    """Some 1,750 given names."""
    return frozenset(_read("given_names.txt").split())


def places() -> frozenset[str]:
    """Some 560 places, of one word or several."""
    return frozenset(_read("places.txt").strip().split("|"))


def _read(name: str) -> str:
    return files("bouquetd.entities").joinpath(name).read_text("utf-8")

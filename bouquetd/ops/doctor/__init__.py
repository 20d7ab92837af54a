"""``bouquetd doctor``: everything that must be right, looked at and said in one line each.

A family of checks is a file; ``registry`` has their order; ``surroundings`` is all that they look at.
"""

from bouquetd.ops.doctor.finding import Finding, Level
from bouquetd.ops.doctor.registry import CHECKS, Check, Result, examine, within
from bouquetd.ops.doctor.surroundings import NoRights, Surroundings

__all__ = ["CHECKS", "Check", "Finding", "Level", "NoRights", "Result", "Surroundings", "examine", "within"]

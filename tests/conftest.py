"""What holds for all tests."""

from __future__ import annotations

import pytest


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """The name of a test with a whole file for a parameter: the time may stand in that, and differ by worker."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None

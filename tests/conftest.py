"""What holds for all tests."""

from __future__ import annotations

import pytest


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """No test is named by a whole file: the time may stand in that, and differ from worker to worker."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None

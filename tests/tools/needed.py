"""Programs that these tests need, and how they come onto the machine."""

from __future__ import annotations

import shutil

import pytest


def needed(program: str) -> str:
    """Where a program lies; fails where it is missing, since a test that is left out proves nothing."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(
            f"{program} is missing: apt-get install --no-install-recommends prometheus chromium chromium-driver"
        )
    return found

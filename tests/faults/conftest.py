"""No process that a test started outlives it, however it ended."""

import os
import signal

import pytest

from tests.faults.world import STARTED


@pytest.fixture(autouse=True)
def _no_survivors():
    yield
    while STARTED:
        process = STARTED.pop()
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()


@pytest.hookimpl(trylast=True)  # when what is not wanted has been left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The campaigns first, a short test behind each: xdist gives each worker two tests to begin with."""
    campaigns = [item for item in items if item.get_closest_marker("timeout")]
    rest = [item for item in items if item not in campaigns]
    paired = [item for pair in zip(campaigns, rest, strict=False) for item in pair]
    items[:] = [*paired, *(item for item in items if item not in paired)]

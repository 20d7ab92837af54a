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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: workers then share the rest instead of waiting for one of them."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)

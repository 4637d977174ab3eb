"""What all tests share: how they are divided over processes, and memory that is given back."""

import ctypes
import gc
import sys

import pytest

from tests.episodes_command import (  # noqa: F401 - fixtures
    fixture_folder,
    fixture_refused,
    fixture_run,
    fixture_tree,
)


@pytest.fixture(autouse=True, scope="module")
def fixture_fresh_memory():
    """Gives back what a module's graphs, kernels and tensors took."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.hookimpl(tryfirst=True)  # Before xdist reads the groups.
def pytest_collection_modifyitems(items):
    """Keeps each file in one process, and the large tests together in one, which begins first.

    Two of those at a time would need more memory than all others together.
    """
    for item in items:
        is_large = item.get_closest_marker("large") is not None
        item.add_marker(pytest.mark.xdist_group("large" if is_large else item.path.name))
        if is_large:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("large") is None)


def pytest_collection_finish():
    """Spares the collector what was imported, which stays to the end."""
    gc.collect()
    gc.freeze()

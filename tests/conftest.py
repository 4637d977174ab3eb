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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Gives back what graphs, kernels and tensors took, of a module and of each large test."""
    result = yield
    is_last = nextitem is None or nextitem.path != item.path
    if is_last and "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    if is_last or item.get_closest_marker("large"):
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
    return result


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

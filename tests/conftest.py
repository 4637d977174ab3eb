"""What all tests share: how they are divided over processes, and memory that is given back."""

import ctypes
import gc
import os
import sys

import pytest

from tests.episodes_command import (  # noqa: F401 - fixtures
    fixture_folder,
    fixture_refused,
    fixture_run,
    fixture_tree,
)

# With two processes on two cores more would take memory, for what runs at once, and no less time.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# What needs most comes while the other process still needs little.
LARGE_ORDER = ("distribution", "training", "evaluation")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Gives back what graphs, kernels and tensors took, of a module and of each large test."""
    result = yield
    is_last = nextitem is None or nextitem.path != item.path
    if is_last and "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
        _forget_custom_gradients()
    if is_last or item.get_closest_marker("large"):
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
    if is_last:
        gc.freeze()  # What is left stays to the end, and need not be looked through again.
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
    items.sort(key=_rank)


def _forget_custom_gradients():
    """Lets graphs end: TensorFlow keeps each whose custom gradient is in its private registry."""
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry
    for name in list(registry.list()):
        if name.startswith("CustomGradient-"):
            del registry._registry[name]


def _rank(item):
    wing = item.path.parent.name
    if item.get_closest_marker("large") is None:
        return len(LARGE_ORDER) + 1
    return LARGE_ORDER.index(wing) if wing in LARGE_ORDER else len(LARGE_ORDER)


def pytest_collection_finish():
    """Spares the collector what was imported, which stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(name="summary")
def fixture_summary():
    from tests.small_results import small_summary

    return small_summary()


@pytest.fixture(name="rows", scope="module")
def fixture_rows():
    from tests.small_results import small_rows

    return small_rows()

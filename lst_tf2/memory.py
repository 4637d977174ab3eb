"""What memory there is, and a check before more than that is asked for."""

import contextlib
import math
import os
import pathlib

from lst_tf2.errors import check

# Where Linux tells what a container may use.
CONTAINER_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def memory_limit() -> float:
    """Returns the bytes of memory of this machine, or what of it the process may have."""
    limits = [math.inf]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in CONTAINER_LIMITS:
        with contextlib.suppress(ValueError, OSError):
            limits.append(int(pathlib.Path(path).read_text()))
    with contextlib.suppress(ImportError):  # Windows.
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        limits.append(math.inf if limit == resource.RLIM_INFINITY else limit)
    return min(limits)


def check_memory(num_bytes: float, what: str, remedy: str, *settings: str) -> None:
    """Raises `InputError` about `settings` if `what` needs more memory than there is."""
    limit = memory_limit()
    check(
        num_bytes <= limit,
        f"at most the {_gigabytes(limit)} GB of memory that there are for {what}",
        f"a need of about {_gigabytes(num_bytes)} GB",
        remedy,
        *settings,
    )


def _gigabytes(num_bytes: float) -> str:
    return f"{float(f'{num_bytes / 1e9:.3g}'):,}"  # Three digits, and no exponent.

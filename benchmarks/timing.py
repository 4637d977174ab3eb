"""Paired timing: what is measured and its yardstick run in turn, so that the ratio holds."""

import os
import pathlib
import platform
import resource
import statistics
import time
from collections.abc import Callable

from lst_tf2.backend import has_fast_bfloat16

ROUNDS = 5


def paired(calls: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Returns median seconds of each call, run in turn after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if index:  # The first round traces.
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def processor() -> str:
    """Returns the processor's name and number of cores."""
    name = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    bfloat16 = ", bfloat16" if has_fast_bfloat16() else ""
    return f"{name}, {os.cpu_count()} cores{bfloat16}"


def peak_memory() -> float:
    """Returns the most memory that this process has held, in GiB."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # The figure below is inherited from the process that began this one.
        (line,) = [text for text in status.read_text().splitlines() if text.startswith("VmHWM")]
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

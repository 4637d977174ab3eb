"""Times the program beside the limit of the processor; one table, one JSON file.

    python -m benchmarks.suite           everything, 15 minutes on 2 cores: `make bench`
    python -m benchmarks.suite --quick   glyph size alone, a minute

Runs that are compared take turns, and each figure is a median. The limit of a step is its
convolutions alone, timed in the same run.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from benchmarks import meta_step, pretrain_step, soft_weighting
from benchmarks.timing import processor
from lst_tf2.backend import has_fast_bfloat16
from lst_tf2.cli.command import Command, run
from lst_tf2.config import EpisodeConfig, ListConfig, ModelConfig
from lst_tf2.data.layout import Catalogue, ClassImages
from lst_tf2.data.lists import sample_lists
from lst_tf2.settings import Settings, setting

SIZES = {
    "glyphs": ModelConfig(filters=(16, 32, 64, 128), image_size=32),
    "paper": ModelConfig(),
}
STEPS = {"train": "meta-train step", "test": "meta-test episode"}
PATH = pathlib.Path(__file__).with_name("results.json")


def bench_steps(sizes: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Returns seconds, limit and ratio of step and episode by size and precision."""
    precisions = ["float32", *(["bfloat16"] if has_fast_bfloat16() else [])]
    results = {}
    for size in sizes:
        for precision in precisions:
            model = ModelConfig(SIZES[size].filters, SIZES[size].image_size, precision=precision)
            for name, title in STEPS.items():
                row = meta_step.time_with_limit(name, model, rounds)
                results[f"{title}, {size}, {precision}"] = row
                print_row(f"{title}, {size}, {precision}", row["run"], row["limit"], row["ratio"])
    return results


def bench_pretraining(rounds: int) -> dict[str, dict[str, float]]:
    """Returns seconds, limit and ratio of a step of pre-training by recipe and precision."""
    results = {}
    for precision in ["float32", *(["bfloat16"] if has_fast_bfloat16() else [])]:
        model = ModelConfig(image_size=32, precision=precision)
        for recipe, row in pretrain_step.time_recipes(model, rounds).items():
            title = f"pre-train step, {recipe}, 32 pixels, {precision}"
            results[title] = row
            print_row(title, row["run"], row["limit"], row["ratio"])
    return results


def bench_soft_weighting(sizes: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Returns seconds of the SWN in both forms by size."""
    results = {}
    for size in sizes:
        row = soft_weighting.time_forms(SIZES[size], rounds)
        results[f"soft weighting, {size}"] = row
        print_row(f"soft weighting, {size} (beside: plain)", row["split"], row["plain"],
                  row["ratio"])  # fmt: skip
    return results


def bench_first_steps() -> dict[str, dict[str, float]]:
    """Returns the parts of the way to the first step, each in a process of its own."""
    results = {}
    for name in ("train", "test", "train recompute"):
        command = [sys.executable, "-m", "benchmarks.first_step", *name.split()]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        row = json.loads(output.splitlines()[-1])
        results[f"first {name}"] = row
        print(
            f"{name}: first step after {row['first']:.1f} s (import {row['import']:.1f}, build "
            f"{row['build']:.1f}, trace {row['trace']:.1f}), steady {row['steady']:.2f} s, "
            f"peak memory {row['peak_memory']:.2f} GiB"
        )
    return results


def bench_lists() -> dict[str, dict[str, float]]:
    """Returns the seconds that drawing the lists of 80,000 training episodes takes."""
    names = tuple(f"{i:04d}.png" for i in range(300))
    classes = tuple(ClassImages(f"class{c:03d}", names, names) for c in range(64))
    catalogue = Catalogue(pathlib.Path("nowhere"), "train", classes)
    start = time.perf_counter()
    sample_lists(catalogue, ListConfig("nowhere", "train", EpisodeConfig(), 80000))
    seconds = time.perf_counter() - start
    print(f"lists of 80,000 episodes drawn in {seconds:.1f} s")
    return {"lists of 80,000 episodes": {"run": seconds}}


def print_row(name: str, seconds: float, beside: float, ratio: float) -> None:
    """Prints one line of the table."""
    print(f"{name:48}{seconds:9.3f}{beside:9.3f}{ratio:8.2f}", flush=True)


@dataclasses.dataclass(frozen=True)
class SuiteFlags(Settings, group="What to measure"):
    """Holds how much to measure.

    Attributes:
        quick: Glyph size alone.
    """

    quick: bool = setting(False, flag="quick")


def main(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Prints the table and writes the JSON."""
    sizes, rounds = (["glyphs"], 5) if values.quick else (list(SIZES), 3)
    print(f"{processor()}\n{'':48}{'seconds':>9}{'limit':>9}{'ratio':>8}")
    results = bench_steps(sizes, rounds) | bench_soft_weighting(sizes, rounds) | bench_lists()
    if not values.quick:
        results |= bench_pretraining(rounds) | bench_first_steps()
    PATH.write_text(json.dumps({"processor": processor(), **results}, indent=2) + "\n")
    print(f"Written: {PATH}")


if __name__ == "__main__":
    run(Command("python -m benchmarks.suite", __doc__, main, (SuiteFlags,)), sys.argv[1:])

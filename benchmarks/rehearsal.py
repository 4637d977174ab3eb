"""Runs pre-training, meta-training and meta-test at the size of tieredImageNet: `make rehearsal`.

    python -m benchmarks.rehearsal            779,165 images of noise, 20 iterations of each phase
    python -m benchmarks.rehearsal --images_per_class=100 --folder=<folder>

The data set has the layout and the numbers of tieredImageNet, 351, 97 and 160 classes, but its
images are a few JPEGs under many names (hard links). So accuracies mean nothing; what is shown is
that the data, the steps and the memory hold at that size. At the end stand the times of whole runs
on a GPU of the H100 class, projected from counted operations.
"""

import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import flags
from PIL import Image

from benchmarks.projection import project
from lst_tf2.cli.command import Command, run
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.config import ModelConfig
from lst_tf2.errors import check
from lst_tf2.progress import Progress
from lst_tf2.settings import Settings, setting

CLASSES = {"train": 351, "val": 97, "test": 160}
# Images of tieredImageNet by split; each class gets the mean.
IMAGES = {"train": 448_695, "val": 124_261, "test": 206_209}
SIDE, DISTINCT = 84, 30
ITERATIONS, EPISODES = 20, 5
MOST_GIGABYTES = 6.0
COMMON = ["--dataset=tieredImagenet", "--cache=none"]
PHASES = {
    "pre-training": [
        *("pretrain", "--pretrain_class_num=351", f"--pretrain_iterations={ITERATIONS}"),
        *("--pre_print_step=5", "--save_minutes=0"),
    ],
    "meta-training": [
        *("train", f"--pretrain_iterations={ITERATIONS}", f"--metatrain_iterations={ITERATIONS}"),
        *("--exp_name=rehearsal", "--shot_num=1", "--meta_val_print_step=0", "--meta_print_step=5"),
        "--save_minutes=0",
    ],
    "meta-test": [
        *("test", f"--pretrain_iterations={ITERATIONS}", "--exp_name=rehearsal", "--shot_num=1"),
        *("--test_iter=last", f"--test_episode_num={EPISODES}", "--nb_ul_samples=100"),
        *("--recurrent_stage_nums=6", "--nums_in_folders=30", "--hard_selection=20"),
    ],
}


@dataclasses.dataclass(frozen=True)
class RehearsalConfig(Settings, group="Rehearsal"):
    """Describes how much is rehearsed, and where.

    Attributes:
        folder: Folder to work in, kept; by default a temporary one, removed.
        images_per_class: Images of each class; 0: as many as tieredImageNet has.
    """

    folder: str = setting("", flag="folder")
    images_per_class: int = setting(0, flag="images_per_class")


def write_noise(folder: pathlib.Path, images_per_class: int) -> int:
    """Writes the data set, half of each class labeled, and returns how many images it has."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(DISTINCT):
        blocks = rng.integers(0, 256, (7, 7, 3), np.uint8)
        Image.fromarray(blocks).resize((SIDE, SIDE)).save(sources / f"{number}.jpg")
    total = 0
    with Progress("linking", sum(CLASSES.values()), print_every=100) as progress:
        for split, count in CLASSES.items():
            images = images_per_class or round(IMAGES[split] / count)
            for c in range(count):
                link_class(folder, split, c, images)
                total += images
                progress.advance()
    return total


def link_class(folder: pathlib.Path, split: str, c: int, images: int) -> None:
    """Gives a class its images: names for the same few files."""
    name = f"{split}{c:03}"
    for pool, numbers in (
        ("labeled", range(images // 2)),
        ("unlabeled", range(images // 2, images)),
    ):
        target = folder / f"{pool}_{split}" / name
        target.mkdir(parents=True)
        for i in numbers:
            # A file system allows so many names for a file, hence a copy for each class.
            source = folder / "sources" / f"{name}_{(c + i) % DISTINCT}.jpg"
            if not source.exists():
                source.write_bytes((folder / "sources" / f"{(c + i) % DISTINCT}.jpg").read_bytes())
            os.link(source, target / f"{i:05}.jpg")


def run_phase(name: str, words: list[str], folder: pathlib.Path) -> dict[str, float]:
    """Runs a command of `lst` in `folder`, and returns its seconds and gigabytes.

    Raises:
        InputError: If it fails, or takes more memory than it may.
    """
    started_at = time.monotonic()
    command = [sys.executable, "-m", "lst_tf2.cli.main", words[0], *COMMON, *words[1:]]
    status = subprocess.run(command, cwd=folder, check=False).returncode
    check(status == 0, f"{name} to end well", f"status {status}", "see what it says above")
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    row = {"seconds": time.monotonic() - started_at, "gigabytes_so_far": gigabytes}
    print(f"{name}: {row['seconds']:.0f} s, {gigabytes:.2f} GB at most so far", flush=True)
    expected = f"{name} within {MOST_GIGABYTES:g} GB"
    check(gigabytes <= MOST_GIGABYTES, expected, f"{gigabytes:.2f} GB", "find what takes it")
    return row


def rehearse(config: RehearsalConfig, folder: pathlib.Path) -> None:
    """Writes the data set, runs the three phases and prints what whole runs would take."""
    data = folder / "data" / "tieredImagenet"
    if not data.exists():
        started_at = time.monotonic()
        total = write_noise(data, config.images_per_class)
        print(f"{total} images under {data} in {time.monotonic() - started_at:.0f} s", flush=True)
    rows = {name: run_phase(name, words, folder) for name, words in PHASES.items()}
    table, projected = project(ModelConfig())
    print(table)
    print(json.dumps({"phases": rows, "projected": projected}))


def run_rehearsal(values: flags.FlagValues, _: list[str]) -> None:
    """Rehearses in the folder that is named, or in a temporary one."""
    config = build_from(RehearsalConfig, values)
    if config.folder:
        rehearse(config, pathlib.Path(config.folder).absolute())
        return
    with tempfile.TemporaryDirectory() as folder:
        rehearse(config, pathlib.Path(folder))


REHEARSAL = Command("python -m benchmarks.rehearsal", __doc__, run_rehearsal, (RehearsalConfig,))

if __name__ == "__main__":
    run(REHEARSAL, sys.argv[1:])

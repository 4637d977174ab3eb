"""Times the input pipeline alone: no model, episodes of the paper's training.

Files decoded one by one with Pillow, as the original program does in its step, are the yardstick.
All are run in turn in one process, so that the ratios hold when the machine's pace drifts.

    python -m benchmarks.input_pipeline                  # glyph size, PNG
    python -m benchmarks.input_pipeline --size=paper     # 84x84, JPEG
    python -m benchmarks.input_pipeline --size=tiered    # memory taken by a packed tieredImageNet
"""

import dataclasses
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import flags
from PIL import Image

from benchmarks.timing import peak_memory, processor
from lst_tf2.cli.command import Command, run
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.config import CACHES, EpisodeConfig, ListConfig
from lst_tf2.data.cache import CHECKSUMS_NAME, IMAGES_NAME, PackedImages, open_images
from lst_tf2.data.feeding_order import arrange_for_training, episode_files
from lst_tf2.data.images import ImageSource
from lst_tf2.data.layout import Catalogue, ClassImages, scan_split
from lst_tf2.data.lists import EpisodeLists, sample_lists
from lst_tf2.data.pipeline import stream_meta_batches
from lst_tf2.settings import Settings, setting

ROUNDS = 7
# What Pillow does in about the time of the others, and they without what is ready beforehand.
FILE_EPISODES, STEPS, WARM_UP_STEPS = 20, 100, 10
CLASSES, IMAGES_PER_POOL = 20, 60
META_BATCH = 2
TIERED_CLASSES, TIERED_IMAGES = 351, 448_695
MEMORY_LIMIT = 2 * 10**9


def write_images(folder: pathlib.Path, side: int, suffix: str) -> Catalogue:
    """Writes coloured clouds, which compress about as photographs do."""
    rng = np.random.default_rng(0)
    for pool, entry in itertools.product(("labeled", "unlabeled"), range(CLASSES)):
        class_folder = folder / f"{pool}_train" / f"class{entry:02d}"
        class_folder.mkdir(parents=True)
        for index in range(IMAGES_PER_POOL):
            cloud = Image.fromarray(rng.integers(0, 256, (side // 4, side // 4, 3), np.uint8))
            cloud.resize((side, side)).save(class_folder / f"{index:03d}.{suffix}")
    return scan_split(folder, "train")


def draw_lists(catalogue: Catalogue, num_episodes: int) -> EpisodeLists:
    """Draws episodes of 5-way 1-shot, 15 queries, 10 unlabeled per class."""
    config = ListConfig(str(catalogue.folder), "train", EpisodeConfig(), num_episodes)
    return sample_lists(catalogue, config)


def decode_one_by_one(lists: EpisodeLists) -> None:
    """Loads episodes as the original program does."""
    for index in range(FILE_EPISODES):
        files = episode_files(lists, index, arrange_for_training)
        for paths, _ in (files.support, files.query, files.unlabeled):
            np.stack([np.asarray(Image.open(path)) for path in paths])


def seconds_of(items: Iterable, count: int, skipped: int) -> float:
    """Returns the time that `count` of `items` take after the first `skipped`."""
    iterator = iter(items)
    for _ in range(skipped):
        next(iterator)
    start = time.perf_counter()
    for _ in range(count):
        next(iterator)
    return time.perf_counter() - start


def stream_pace(lists: EpisodeLists, source: ImageSource) -> float:
    """Returns episodes per second of the stream of meta-batches."""
    steps = range(WARM_UP_STEPS + STEPS)
    stream = stream_meta_batches(lists, arrange_for_training, steps, META_BATCH, source)
    return STEPS * META_BATCH / seconds_of(stream, STEPS, WARM_UP_STEPS)


def bench(side: int, suffix: str) -> dict[str, dict[str, float]]:
    """Returns median episodes per second of each way, and the median of their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        catalogue = write_images(pathlib.Path(folder), side, suffix)
        lists = draw_lists(catalogue, 300)
        sources = {name: open_images(catalogue, side, name) for name in CACHES}
        paces = {name: [] for name in ("one by one", *sources)}
        for _ in range(ROUNDS):
            start = time.perf_counter()
            decode_one_by_one(lists)
            paces["one by one"].append(FILE_EPISODES / (time.perf_counter() - start))
            for name, source in sources.items():
                paces[name].append(stream_pace(lists, source))
    results = {}
    for name, values in paces.items():
        ratios = [a / b for a, b in zip(values, paces["one by one"], strict=True)]
        pace, ratio = statistics.median(values), statistics.median(ratios)
        results[name] = {"episodes_per_second": pace, "ratio": ratio}
    return results


def tiered_catalogue(folder: pathlib.Path) -> Catalogue:
    """Returns names for as many classes and images as tieredImageNet trains on."""
    ends = np.linspace(0, TIERED_IMAGES, TIERED_CLASSES + 1).astype(int)
    classes = []
    for entry, (start, end) in enumerate(itertools.pairwise(ends)):
        names = tuple(f"n{entry:08d}_{i:08d}.jpg" for i in range(end - start))
        middle = len(names) // 2
        classes.append(ClassImages(f"n{entry:08d}", names[:middle], names[middle:]))
    return Catalogue(folder, "train", tuple(classes))


def bench_tiered() -> dict[str, float]:
    """Streams from a packed file of the size of tieredImageNet under a limit of memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    with tempfile.TemporaryDirectory() as name:
        folder, shape = pathlib.Path(name), (TIERED_IMAGES, 84, 84, 3)
        with open(folder / IMAGES_NAME, "wb") as file:
            file.truncate(int(np.prod(shape)))  # Holes: the file takes no room.
        checksum = zlib.crc32(bytes(84 * 84 * 3))
        np.full(TIERED_IMAGES, checksum, "<u4").tofile(folder / CHECKSUMS_NAME)
        start = time.perf_counter()
        lists = draw_lists(tiered_catalogue(folder), 80_000)
        results = {"seconds for 80,000 episodes": time.perf_counter() - start}
        source = PackedImages(folder, shape)
        results["episodes per second"] = stream_pace(lists, source)
    # Counts the libraries' code as well.
    return results | {"peak memory, GiB": peak_memory()}


@dataclasses.dataclass(frozen=True)
class PipelineFlags(Settings, group="What to measure"):
    """Holds the size of the images.

    Attributes:
        size: Size of the images: glyphs, paper or tiered.
    """

    size: str = setting("glyphs", flag="size", choices=("glyphs", "paper", "tiered"))


def main(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Prints a table and writes it as JSON beside this file."""
    size = build_from(PipelineFlags, values).size
    print(f"{size} size, {processor()}")
    if size == "tiered":
        results = bench_tiered()
        for name, value in results.items():
            print(f"{name:30}{value:10.2f}")
    else:
        results = bench(84, "jpg") if size == "paper" else bench(32, "png")
        print(f"{'':20}{'episodes/s':>12}{'ratio':>8}")
        for name, row in results.items():
            print(f"{name:20}{row['episodes_per_second']:12.1f}{row['ratio']:8.2f}")
    path = pathlib.Path(__file__).with_name(f"input_pipeline_{size}.json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Written: {path}")


if __name__ == "__main__":
    NAME = "python -m benchmarks.input_pipeline"
    run(Command(NAME, __doc__, main, (PipelineFlags,)), sys.argv[1:])

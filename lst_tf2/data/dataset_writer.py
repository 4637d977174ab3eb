"""Writes the classes of a source as a data set, whole or not at all.

The images go to `{labeled,unlabeled}_{train,val,test}/<class>/<iiiii>_<source name>.png`. The
same source and recipe give the same files.
"""

import dataclasses
import os
import pathlib
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lst_tf2 import files
from lst_tf2.config import SPLITS, check, check_at_least, check_seed
from lst_tf2.data import layout
from lst_tf2.data.image_conversion import UNREADABLE, convert_image
from lst_tf2.errors import InputError
from lst_tf2.progress import Progress

POOLS = ("labeled", "unlabeled")
RECORD_NAME = "prepared.json"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Holds what determines the images, besides the source; `image_size` in pixels.

    Raises:
        InputError: If a value is out of range.
    """

    image_size: int = 84
    unlabeled_fraction: float = 0.5
    seed: int = 0

    def __post_init__(self):
        check_at_least(8, "raise --img_size", image_size=self.image_size)
        check_seed(self.seed)
        check(
            0 < self.unlabeled_fraction < 1,
            "an unlabeled_fraction above 0 and below 1",
            self.unlabeled_fraction,
            "mend --unlabeled_fraction",
        )


class SourceClass(NamedTuple):
    """Names the files of one class of the source, and the split that the class goes to."""

    name: str
    split: str
    paths: Sequence[pathlib.Path]


class Skipped(NamedTuple):
    """Names a file that is not part of the data set, and why."""

    path: pathlib.Path
    reason: str


class Report(NamedTuple):
    """Says where the data set lies and what it holds.

    `num_classes` is by split, `num_images` by pool, such as `labeled_train`.
    """

    folder: pathlib.Path
    num_classes: Mapping[str, int]
    num_images: Mapping[str, int]
    skipped: Sequence[Skipped]


def free_folder(out: str | os.PathLike) -> pathlib.Path:
    """Returns `out` as an absolute path.

    Raises:
        InputError: If a file or a folder that is not empty is there.
    """
    folder = pathlib.Path(out).resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(
            f"Expected nothing at {folder}, received files that are never overwritten; "
            "choose another --out or remove it."
        )
    return folder


def write_dataset(
    folder: pathlib.Path, source: pathlib.Path, classes: Sequence[SourceClass], recipe: Recipe
) -> Report:
    """Writes the data set and its record, whole or not at all."""
    num_images: dict[str, int] = {f"{pool}_{split}": 0 for split in SPLITS for pool in POOLS}
    skipped: list[Skipped] = []
    total = sum(len(entry.paths) for entry in classes)
    progress = Progress("images", total, print_every=max(1, total // 10))
    with files.new_folder(folder) as fresh, progress:
        for entry in classes:
            skipped += write_class(fresh, entry, recipe, progress)
            for pool in POOLS:
                written = os.listdir(fresh / f"{pool}_{entry.split}" / entry.name)
                num_images[f"{pool}_{entry.split}"] += len(written)
        num_classes = {split: sum(entry.split == split for entry in classes) for split in SPLITS}
        report = Report(folder, num_classes, num_images, skipped)
        files.write_json(fresh / RECORD_NAME, record(report, source, classes, recipe))
    return report


def write_class(
    folder: pathlib.Path, entry: SourceClass, recipe: Recipe, progress: Progress
) -> list[Skipped]:
    """Writes the images of one class into both pools and returns what it skipped.

    Raises:
        InputError: If fewer than two images can be decoded.
    """
    labeled, unlabeled = (folder / f"{pool}_{entry.split}" / entry.name for pool in POOLS)
    for pool_folder in (labeled, unlabeled):
        pool_folder.mkdir(parents=True)
    names, skipped = [], []
    for index, path in enumerate(entry.paths):
        try:
            image = convert_image(path, recipe.image_size)
        except UNREADABLE as error:
            skipped.append(Skipped(path, " ".join(str(error).split())))
        else:
            names.append(png_name(index, path))
            image.save(labeled / names[-1])
        progress.advance()
    check_class_size(entry.name, len(names))
    for name in draw_unlabeled(entry.name, names, recipe):
        os.replace(labeled / name, unlabeled / name)
    return skipped


def check_class_size(name: str, num_images: int) -> None:
    """Raises `InputError` unless a class has an image for either pool."""
    check(
        num_images >= len(POOLS),
        f"at least {len(POOLS)} images ({', '.join(layout.IMAGE_SUFFIXES)}) that can be decoded "
        f"in class folder {name!r}",
        num_images,
        "add some or remove the folder",
    )


def png_name(index: int, path: pathlib.Path) -> str:
    """Returns the file name for the image at `path`, the `index`-th of its class."""
    # The number keeps a.jpg and a.png apart; a cut keeps the name within 255 bytes.
    stem = re.sub(r"[^\w.-]", "_", path.stem)[:60]
    return f"{index:05d}_{stem}.png"


def draw_unlabeled(class_name: str, names: Sequence[str], recipe: Recipe) -> list[str]:
    """Returns the unlabeled share of `names`, at least one and not all of them."""
    count = min(max(1, round(recipe.unlabeled_fraction * len(names))), len(names) - 1)
    # A stream for each class: its pools do not depend on what other classes there are.
    rng = np.random.default_rng([recipe.seed, zlib.crc32(os.fsencode(class_name))])
    return [names[i] for i in rng.permutation(len(names))[:count]]


def record(
    report: Report, source: pathlib.Path, classes: Sequence[SourceClass], recipe: Recipe
) -> dict:
    """Returns the contents of `prepared.json`."""
    names = {split: [e.name for e in classes if e.split == split] for split in SPLITS}
    skipped = {str(path.relative_to(source)): reason for path, reason in report.skipped}
    return {**vars(recipe), "classes": names, "images": report.num_images, "skipped": skipped}

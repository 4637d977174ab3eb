"""Writes the classes of a source as a data set that appears when it is complete.

The images go to `{labeled,unlabeled}_{train,val,test}/<class>/<image>`, with `prepared.json`
beside them. The same source and settings give the same files.
"""

import dataclasses
import hashlib
import os
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.datasets.checksums import RECORD_NAME, class_digest
from lst_tf2.datasets.fit_images import UNREADABLE, is_unreadable, one_line
from lst_tf2.datasets.partial_folder import (
    PLAN_NAME,
    ClassRecord,
    PartialFolder,
    resume_folder,
)
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError, check
from lst_tf2.progress import Progress
from lst_tf2.settings import SEEDS, SIDES, Settings, setting
from lst_tf2.storage import files


@dataclasses.dataclass(frozen=True)
class PrepareConfig(Settings, group="The data set"):
    """Holds what determines the images, besides the source; `image_size` in pixels.

    `unlabeled_fraction` is None where the source has its own pools.

    Attributes:
        image_size: folder: side of an image in pixels.
        unlabeled_fraction: Unlabeled share of the images of each class; 0.6 for miniImagenet, 0.9
            for tieredImagenet and 0.5 for the others by default.
        seed: The same seed draws the same splits and pools.
    """

    image_size: int = setting(84, flag="img_size", **SIDES)
    unlabeled_fraction: float | None = setting(0.5, flag="unlabeled_fraction", kind=float)
    seed: int = setting(0, flag="seed", **SEEDS)

    def check(self) -> None:
        """Raises `InputError` for a fraction that is none."""
        check(
            self.unlabeled_fraction is None or 0 < self.unlabeled_fraction < 1,
            "an unlabeled_fraction above 0 and below 1",
            self.unlabeled_fraction,
            "choose another",
            "unlabeled_fraction",
        )


class PreparedData(NamedTuple):
    """Says where the data set lies and what it holds.

    `num_classes` is by split, `num_images` by pool, such as `labeled_train`; `skipped` has pairs
    of a file and why it is not part of the data set.
    """

    folder: pathlib.Path
    num_classes: Mapping[str, int]
    num_images: Mapping[str, int]
    skipped: Sequence[Sequence[str]]


class WrittenFile(NamedTuple):
    """Says where an image is and what it holds."""

    pool: str
    name: str
    sha256: str
    num_bytes: int


def free_folder(out: str | os.PathLike) -> pathlib.Path:
    """Returns `out` as an absolute path.

    Raises:
        InputError: If a file or a folder that is not empty is there.
    """
    folder = pathlib.Path(out).resolve()
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not (is_free or (folder / PLAN_NAME).is_file()):  # Which only waits to be tidied up.
        raise InputError(
            f"Expected nothing at {folder}, received files that are never overwritten; "
            "choose another folder or remove it."
        ).about("out")
    return folder


def write_dataset(
    folder: pathlib.Path, classes: Sequence[SourceClass], config: PrepareConfig
) -> PreparedData:
    """Writes the data set and its record, or goes on where an interrupted run stopped.

    Raises:
        InputError: If an image or a class is refused, or the interrupted run was another.
    """
    layout.check_names("the source", [entry.name for entry in classes])
    for entry in classes:
        layout.check_names(f"class {entry.name!r} of the source", entry.stems)
    digest = hashlib.sha256("".join(entry.digest() for entry in classes).encode()).hexdigest()
    with resume_folder(folder, vars(config) | {"source": digest}) as partial:
        records = write_classes(partial, classes, config)
        prepared = count_images(folder, records)
        files.write_json(partial.path / RECORD_NAME, record(prepared, records, config))
    return prepared


def write_classes(
    partial: PartialFolder, classes: Sequence[SourceClass], config: PrepareConfig
) -> list[ClassRecord]:
    """Writes the classes that are not complete yet and returns what lies there of each."""
    finished = partial.finished()
    total = sum(len(entry.stems) for entry in classes)
    done = sum(len(entry.stems) for entry in classes if (entry.split, entry.name) in finished)
    records = []
    with Progress("images", total, start=done, print_every=max(1, total // 10)) as progress:
        for entry in classes:
            key = (entry.split, entry.name)
            if key not in finished:
                partial.clear(*key)
                finished[key] = write_class(partial, entry, config, progress)
                partial.finish(finished[key])
            records.append(finished[key])
    return records


def write_class(
    partial: PartialFolder, entry: SourceClass, config: PrepareConfig, progress: Progress
) -> ClassRecord:
    """Writes the images of one class into both pools.

    Raises:
        InputError: If a pool is left without an image that can be decoded.
    """
    folders = partial.class_folders(entry.split, entry.name)
    written, skipped = [], []
    for index, stem in enumerate(entry.stems):
        try:
            suffix, content = entry.images.read(index, config.image_size)
        except UNREADABLE as error:
            if not is_unreadable(error):
                raise
            skipped.append([entry.images.describe(index), one_line(error)])
        else:
            pool = entry.pools[index] if entry.pools else "labeled"
            written.append(write_image(folders, pool, stem + suffix, content))
        progress.advance()
    check_class_size(entry.name, len(written))
    if entry.pools is None:
        written = draw_pools(folders, entry.name, written, config)
    return record_class(entry, written, skipped)


def write_image(
    folders: Mapping[str, pathlib.Path], pool: str, name: str, content: bytes
) -> WrittenFile:
    """Writes one image.

    Raises:
        InputError: If the class has an image of that name already.
    """
    try:
        with (folders[pool] / name).open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise InputError(
            f"Expected images of different names in class {folders[pool].name!r}, received two "
            f"called {name!r}; rename one."
        ) from None
    return WrittenFile(pool, name, hashlib.sha256(content).hexdigest(), len(content))


def check_class_size(name: str, num_images: int) -> None:
    """Raises `InputError` unless a class has an image for either pool."""
    check(
        num_images >= len(layout.POOLS),
        f"at least {len(layout.POOLS)} images ({', '.join(layout.IMAGE_SUFFIXES)}) that can be "
        f"decoded in class folder {name!r}",
        num_images,
        "add some or remove the folder",
    )


def draw_pools(
    folders: Mapping[str, pathlib.Path],
    class_name: str,
    written: Sequence[WrittenFile],
    config: PrepareConfig,
) -> list[WrittenFile]:
    """Moves the unlabeled share of the files and returns where all of them are."""
    unlabeled = draw_unlabeled(class_name, len(written), config)
    for index in unlabeled:
        name = written[index].name
        os.replace(folders["labeled"] / name, folders["unlabeled"] / name)
    return [
        file._replace(pool="unlabeled") if index in unlabeled else file
        for index, file in enumerate(written)
    ]


def draw_unlabeled(class_name: str, num_images: int, config: PrepareConfig) -> set[int]:
    """Returns the indices of the unlabeled images, at least one and not all of them."""
    count = min(max(1, round(config.unlabeled_fraction * num_images)), num_images - 1)
    # A stream for each class: its pools do not depend on what other classes there are.
    rng = np.random.default_rng([config.seed, zlib.crc32(os.fsencode(class_name))])
    return set(rng.permutation(num_images)[:count].tolist())


def record_class(
    entry: SourceClass, written: Sequence[WrittenFile], skipped: list[list[str]]
) -> ClassRecord:
    """Returns what a later run, or a check, has to know of a class."""
    digests = {
        f"{file.pool}_{entry.split}/{entry.name}/{file.name}": file.sha256 for file in written
    }
    num_images = {pool: sum(file.pool == pool for file in written) for pool in layout.POOLS}
    num_bytes = sum(file.num_bytes for file in written)
    return ClassRecord(
        entry.name, entry.split, class_digest(digests), num_bytes, num_images, skipped
    )


def count_images(folder: pathlib.Path, records: Sequence[ClassRecord]) -> PreparedData:
    """Returns what the data set holds in all."""
    num_classes = {split: sum(entry.split == split for entry in records) for split in SPLITS}
    num_images = {
        f"{pool}_{split}": sum(e.num_images[pool] for e in records if e.split == split)
        for split in SPLITS
        for pool in layout.POOLS
    }
    skipped = [file for entry in records for file in entry.skipped]
    return PreparedData(folder, num_classes, num_images, skipped)


def record(
    prepared: PreparedData, records: Sequence[ClassRecord], config: PrepareConfig
) -> dict[str, Any]:
    """Returns the contents of `prepared.json`; `sha256` is by split and class."""
    digests = {split: {e.name: e.sha256 for e in records if e.split == split} for split in SPLITS}
    return {
        **vars(config),
        "classes": {split: list(names) for split, names in digests.items()},
        "images": prepared.num_images,
        "sha256": digests,
        "skipped": dict(prepared.skipped),
    }

"""Prepares data sets: what goes to which split, for each kind of source."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import SPLITS
from lst_tf2.datasets.published import Published, check_counts, load_published
from lst_tf2.datasets.readers.folders import FileImages, list_classes, list_images, numbered_stems
from lst_tf2.datasets.readers.forms import find_source, read_source
from lst_tf2.datasets.source import SourceClass, WholeImages
from lst_tf2.datasets.writer import (
    PrepareConfig,
    PreparedData,
    check_class_size,
    free_folder,
    write_dataset,
)
from lst_tf2.errors import MissingInputError, check

DEFAULTS = PrepareConfig()
FOLDER_REMEDY = "name a folder of class folders of images"


def prepare_folder(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    shares: Sequence[float] = (0.64, 0.16, 0.2),
    config: PrepareConfig = DEFAULTS,
) -> PreparedData:
    """Builds a data set from any folder of class folders of JPEG and PNG images.

    Args:
        source: The folder of class folders.
        out: Folder of the data set; absent or empty.
        shares: Shares of the classes that go to train, val and test; they sum to 1.
        config: How images are cut and pools are drawn.

    Raises:
        MissingInputError: If the source, or what should be in it, is missing.
        InputError: If an argument is out of range, something is at `out`, a link leads out of
            the source or a class has fewer than two images that can be decoded.
    """
    check_shares(shares)
    folder = free_folder(out)
    source = source_folder(source)
    found = list_classes(source, source)
    if not found:
        raise MissingInputError(f"Expected class folders in {source}, found none; {FOLDER_REMEDY}.")
    for name, paths in found.items():
        check_class_size(name, len(list_images(paths)))
    splits = draw_splits(sorted(found), shares, config.seed)
    classes = [
        SourceClass(name, split, numbered_stems(found[name]), FileImages(source, found[name]))
        for split in SPLITS
        for name in sorted(splits[split])
    ]
    return write_dataset(folder, classes, config)


def source_folder(source: str | os.PathLike) -> pathlib.Path:
    """Returns `source` as an absolute path.

    Raises:
        MissingInputError: If it is not a folder.
    """
    path = find_source(source, FOLDER_REMEDY)
    if not path.is_dir():
        raise MissingInputError(f"Expected a folder, found the file {path}; {FOLDER_REMEDY}.")
    return path


def check_shares(shares: Sequence[float]) -> None:
    """Raises `InputError` unless `shares` are three positive numbers that sum to 1."""
    check(
        len(shares) == len(SPLITS) and min(shares) > 0 and math.isclose(sum(shares), 1),
        "shares of the classes for train, val and test, each above 0, that sum to 1",
        ",".join(map(str, shares)),
        "name them as 0.64,0.16,0.2",
        "shares",
    )


def draw_splits(names: Sequence[str], shares: Sequence[float], seed: int) -> dict[str, list[str]]:
    """Returns the classes of each split, drawn from `seed`.

    Raises:
        InputError: If there are too few classes to give every split one.
    """
    num_val, num_test = (max(1, round(share * len(names))) for share in shares[1:])
    num_train = len(names) - num_val - num_test
    check(
        num_train >= 1,
        f"enough classes for shares {','.join(map(str, shares))}, one for each split at least",
        len(names),
        "add class folders or change the shares",
        "shares",
    )
    drawn = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    ends = (num_train, num_train + num_val)
    parts = (drawn[: ends[0]], drawn[ends[0] : ends[1]], drawn[ends[1] :])
    return dict(zip(SPLITS, parts, strict=True))


def prepare_published(
    published: Published | str,
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    unlabeled_fraction: float | None = None,
    seed: int = 0,
) -> PreparedData:
    """Builds a published data set from any form of source that `sources.forms` knows.

    Args:
        published: The data set or its name.
        source: Folder or file of the source.
        out: Folder of the data set; absent or empty.
        unlabeled_fraction: Share of each class's images that is unlabeled; None takes that of
            the paper, or the pools of the source where it has its own.
        seed: Draws the unlabeled images.

    Raises:
        MissingInputError: If the source, or something in it, is missing.
        InputError: If an argument is out of range, something is at `out`, or the source is of no
            known form, damaged, or not the published classes with as many images.
    """
    published = load_published(published) if isinstance(published, str) else published
    folder = free_folder(out)
    fraction = published.unlabeled_fraction if unlabeled_fraction is None else unlabeled_fraction
    config = PrepareConfig(published.image_size, fraction, seed)
    classes = read_source(source, published)
    check_counts(classes, published)
    if any(entry.pools for entry in classes):
        check(
            unlabeled_fraction is None,
            f"no unlabeled_fraction, as {source} has labeled and unlabeled images",
            unlabeled_fraction,
            "leave it out",
            "unlabeled_fraction",
        )
        config = dataclasses.replace(config, unlabeled_fraction=None)
    whole = [dataclasses.replace(entry, images=WholeImages(entry.images)) for entry in classes]
    return write_dataset(folder, whole, config)

"""Prepares data sets: what goes to which split, for each kind of source."""

import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import SPLITS, check
from lst_tf2.data.cifar_fs_split import CIFAR_FS_CLASSES
from lst_tf2.data.dataset_writer import (
    Recipe,
    Report,
    check_class_size,
    free_folder,
    write_dataset,
)
from lst_tf2.data.image_sources import (
    ExactFileImages,
    FileImages,
    list_classes,
    list_images,
    numbered_stems,
    source_folder,
)
from lst_tf2.data.source_classes import SourceClass
from lst_tf2.errors import MissingInputError

DEFAULT_RECIPE = Recipe()
CIFAR_IMAGE_SIZE = 32
CIFAR_IMAGES_PER_CLASS = 600
SOURCE_HELP = {
    "cifar_fs": "pass --source=<CIFAR-100 as {train,test}/<class>/*.png>, for example a clone of "
    "https://github.com/cyizhuo/CIFAR-100-dataset",
    "folder": "pass --source=<folder of class folders of images>",
}


def prepare_folder(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    shares: Sequence[float] = (0.64, 0.16, 0.2),
    recipe: Recipe = DEFAULT_RECIPE,
) -> Report:
    """Builds a data set from any folder of class folders of JPEG and PNG images.

    Args:
        source: The folder of class folders.
        out: Folder of the data set; absent or empty.
        shares: Shares of the classes that go to train, val and test; they sum to 1.
        recipe: How images are cut and pools are drawn.

    Raises:
        MissingInputError: If the source, or what should be in it, is missing.
        InputError: If an argument is out of range, something is at `out`, a link leads out of
            the source or a class has fewer than two images that can be decoded.
    """
    check_shares(shares)
    folder = free_folder(out)
    source = source_folder(source, SOURCE_HELP["folder"])
    found = list_classes(source, source)
    if not found:
        raise MissingInputError(
            f"Expected class folders in {source}, found none; {SOURCE_HELP['folder']}."
        )
    for name, paths in found.items():
        check_class_size(name, len(list_images(paths)))
    splits = draw_splits(sorted(found), shares, recipe.seed)
    classes = [
        SourceClass(name, split, numbered_stems(found[name]), FileImages(source, found[name]))
        for split in SPLITS
        for name in sorted(splits[split])
    ]
    return write_dataset(folder, classes, recipe)


def check_shares(shares: Sequence[float]) -> None:
    """Raises `InputError` unless `shares` are three positive numbers that sum to 1."""
    check(
        len(shares) == len(SPLITS) and min(shares) > 0 and math.isclose(sum(shares), 1),
        "shares of the classes for train, val and test, each above 0, that sum to 1",
        ",".join(map(str, shares)),
        "pass for example --split=0.64,0.16,0.2",
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
        "add class folders or change --split",
    )
    drawn = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    ends = (num_train, num_train + num_val)
    parts = (drawn[: ends[0]], drawn[ends[0] : ends[1]], drawn[ends[1] :])
    return dict(zip(SPLITS, parts, strict=True))


def prepare_cifar_fs(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    unlabeled_fraction: float = 0.5,
    seed: int = 0,
) -> Report:
    """Builds CIFAR-FS (Bertinetto et al., arXiv:1805.08136) from CIFAR-100 as class folders.

    Args:
        source: Folder with `{train,test}/<class>/*.png` or `<class>/*.png`.
        out: Folder of the data set; absent or empty.
        unlabeled_fraction: Share of each class's 600 images that is unlabeled.
        seed: Draws the unlabeled images.

    Raises:
        MissingInputError: If the source or one of its classes is missing.
        InputError: If an argument is out of range, something is at `out`, a link leads out of
            the source, or it is not 600 RGB images of 32x32 pixels in each of 100 classes.
    """
    recipe = Recipe(CIFAR_IMAGE_SIZE, unlabeled_fraction, seed)
    folder = free_folder(out)
    source = source_folder(source, SOURCE_HELP["cifar_fs"])
    found = list_cifar_classes(source)
    classes = [
        cifar_class(source, name, split, list_images(found[name]))
        for split in SPLITS
        for name in CIFAR_FS_CLASSES[split]
    ]
    return write_dataset(folder, classes, recipe)


def list_cifar_classes(source: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the files of each class of CIFAR-100, those of its train half first.

    Raises:
        MissingInputError: If classes are missing.
    """
    # A class of CIFAR-100 is called "train": only a "test" beside it makes it the train half.
    has_halves = (source / "test").is_dir()
    found: dict[str, list[pathlib.Path]] = {}
    for folder in (source / "train", source / "test") if has_halves else (source,):
        for name, paths in list_classes(folder, source).items() if folder.is_dir() else ():
            found.setdefault(name, []).extend(paths)
    expected = {name for names in CIFAR_FS_CLASSES.values() for name in names}
    if missing := sorted(expected - set(found)):
        raise MissingInputError(
            f"Expected the {len(expected)} classes of CIFAR-100 as folders in {source}, found none "
            f"for {len(missing)} of them, such as {missing[0]!r}; {SOURCE_HELP['cifar_fs']}."
        )
    return found


def cifar_class(
    source: pathlib.Path, name: str, split: str, paths: Sequence[pathlib.Path]
) -> SourceClass:
    """Returns a class of CIFAR-100.

    Raises:
        InputError: If it has not its 600 images.
    """
    check(
        len(paths) == CIFAR_IMAGES_PER_CLASS,
        f"{CIFAR_IMAGES_PER_CLASS} images of class {name!r}",
        len(paths),
        "use a whole copy of CIFAR-100, its train and its test half",
    )
    return SourceClass(name, split, numbered_stems(paths), ExactFileImages(source, paths))

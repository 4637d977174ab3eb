"""Lays public and private images out as a data set.

`python -m lst_tf2.data.prepare {cifar_fs,folder} --source=DIR --out=data/<name>` writes
`<out>/{labeled,unlabeled}_{train,val,test}/<class>/<iiiii>_<source name>.png` and a record of
how it did so, whole or not at all. The same source and seed give the same images. It never
downloads.
"""

import dataclasses
import math
import os
import pathlib
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import app, flags

from lst_tf2 import files
from lst_tf2.command_help import show_on_help
from lst_tf2.config import SPLITS, check, check_at_least, check_seed
from lst_tf2.data import layout
from lst_tf2.data.cifar_fs_split import CIFAR_FS_CLASSES
from lst_tf2.data.image_conversion import UNREADABLE, convert_image, is_image_file
from lst_tf2.errors import InputError, MissingInputError, exit_on_input_error
from lst_tf2.progress import Progress

KINDS = ("cifar_fs", "folder")
POOLS = ("labeled", "unlabeled")
RECORD_NAME = "prepared.json"
CIFAR_IMAGE_SIZE = 32
CIFAR_IMAGES_PER_CLASS = 600
SOURCE_HELP = {
    "cifar_fs": "pass --source=<CIFAR-100 as {train,test}/<class>/*.png>, for example a clone of "
    "https://github.com/cyizhuo/CIFAR-100-dataset",
    "folder": "pass --source=<folder of class folders of images>",
}


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


def prepare_folder(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    shares: Sequence[float] = (0.64, 0.16, 0.2),
    recipe: Recipe = Recipe(),
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
    source = source_folder(source, "folder")
    found = list_classes(source, source)
    if not found:
        raise MissingInputError(
            f"Expected class folders in {source}, found none; {SOURCE_HELP['folder']}."
        )
    for name, paths in found.items():
        check_class_size(name, len(list_images(paths)))
    splits = draw_splits(sorted(found), shares, recipe.seed)
    classes = [
        SourceClass(name, split, found[name]) for split in SPLITS for name in sorted(splits[split])
    ]
    return write_dataset(folder, source, classes, recipe)


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
    source = source_folder(source, "cifar_fs")
    found = list_cifar_classes(source)
    classes = [
        SourceClass(name, split, list_images(found[name]))
        for split in SPLITS
        for name in CIFAR_FS_CLASSES[split]
    ]
    check_cifar_images(classes)
    return write_dataset(folder, source, classes, recipe)


def check_shares(shares: Sequence[float]) -> None:
    """Raises `InputError` unless `shares` are three positive numbers that sum to 1."""
    check(
        len(shares) == len(SPLITS) and min(shares) > 0 and math.isclose(sum(shares), 1),
        "shares of the classes for train, val and test, each above 0, that sum to 1",
        ",".join(map(str, shares)),
        "pass for example --split=0.64,0.16,0.2",
    )


def check_class_size(name: str, num_images: int) -> None:
    """Raises `InputError` unless a class has an image for either pool."""
    check(
        num_images >= len(POOLS),
        f"at least {len(POOLS)} images ({', '.join(layout.IMAGE_SUFFIXES)}) that can be decoded "
        f"in class folder {name!r}",
        num_images,
        "add some or remove the folder",
    )


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


def source_folder(source: str | os.PathLike, kind: str) -> pathlib.Path:
    """Returns `source` as an absolute path.

    Raises:
        MissingInputError: If it is not a folder.
    """
    if not source or not os.path.isdir(source):
        shown = f"no folder at {source}" if source else "no --source"
        raise MissingInputError(f"Expected a folder to read, found {shown}; {SOURCE_HELP[kind]}.")
    return pathlib.Path(source).resolve()


def list_entries(folder: pathlib.Path, source: pathlib.Path) -> list[pathlib.Path]:
    """Returns what lies in `folder`, hidden files aside, sorted by name.

    Raises:
        InputError: If something in it leads out of `source`.
    """
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in (folder, *paths):
        target = os.path.realpath(path) if path == folder or path.is_symlink() else path
        check(
            pathlib.Path(target).is_relative_to(source),
            f"everything to lie in {source}",
            f"link {path} to {target}",
            "remove the link or copy what it leads to",
        )
    return paths


def list_classes(folder: pathlib.Path, source: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns what lies in each class folder of `folder`, which is in `source`, by class."""
    entries = list_entries(folder, source)
    return {path.name: list_entries(path, source) for path in entries if path.is_dir()}


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


def list_images(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Returns those of `paths` that are named like images and are files."""
    return [path for path in paths if is_image_file(path)]


def check_cifar_images(classes: Sequence[SourceClass]) -> None:
    """Raises `InputError` unless every class has its 600 RGB images of 32x32 pixels."""
    for entry in classes:
        check(
            len(entry.paths) == CIFAR_IMAGES_PER_CLASS,
            f"{CIFAR_IMAGES_PER_CLASS} images of class {entry.name!r}",
            len(entry.paths),
            "use a whole copy of CIFAR-100, its train and its test half",
        )
    with Progress("checking", len(classes), print_every=25) as progress:
        for entry in classes:
            for path in entry.paths:
                layout.check_image(path, CIFAR_IMAGE_SIZE)
            progress.advance()


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


def summary_lines(report: Report, source: str, image_size: int, max_shown: int = 20) -> list[str]:
    """Returns what the command prints: what was skipped, what was written, what to run next."""
    lines = [f"Skipped {len(report.skipped)} files:"] if report.skipped else []
    for path, reason in report.skipped[:max_shown]:
        lines.append(f"  {os.path.relpath(path, os.path.realpath(source))!r}: {reason}")
    if len(report.skipped) > max_shown:
        lines.append(f"  and {len(report.skipped) - max_shown} more, all named in {RECORD_NAME}")
    for split, count in report.num_classes.items():
        labeled, unlabeled = (report.num_images[f"{pool}_{split}"] for pool in POOLS)
        lines.append(f"{split}: {count} classes, {labeled} labeled, {unlabeled} unlabeled images")
    lines.append(f"Wrote {sum(report.num_images.values())} images in {report.folder}")
    root, name = report.folder.parent, report.folder.name
    where = f" --data_path={root.parent}" if root != pathlib.Path("data").resolve() else ""
    if root.name == "data":
        lines.append(
            f"Next: python train.py --phase=pre --dataset={name}{where} "
            f"--img_size={image_size} --pretrain_class_num={report.num_classes['train']}"
        )
    else:
        lines.append("Next: move it into a folder named data, where train.py --dataset looks.")
    return lines


def main() -> None:
    """Runs the command `python -m lst_tf2.data.prepare`."""
    flags.DEFINE_string("source", "", "Folder to read.")
    flags.DEFINE_string("out", "", "Folder of the data set; data/<kind> by default.")
    flags.DEFINE_integer("seed", 0, "The same seed draws the same splits and pools.")
    flags.DEFINE_float("unlabeled_fraction", 0.5, "Unlabeled share of the images of each class.")
    flags.DEFINE_list(
        "split", "0.64,0.16,0.2", "folder: shares of the classes for train, val and test."
    )
    flags.DEFINE_integer("img_size", 84, "folder: side of an image in pixels; cifar_fs has 32.")
    show_on_help(("source", "out", "seed", "unlabeled_fraction", "split", "img_size"), __doc__)
    app.run(run_command)


def run_command(arguments: list[str]) -> None:
    """Prepares what the arguments and flags say and tells what to run next."""
    if len(arguments) != 2 or arguments[1] not in KINDS:
        raise app.UsageError(f"Expected one of {', '.join(KINDS)}, received {arguments[1:]}.")
    with exit_on_input_error():
        is_folder = arguments[1] == "folder"
        report = (_run_folder if is_folder else _run_cifar_fs)(flags.FLAGS)
        image_size = flags.FLAGS.img_size if is_folder else CIFAR_IMAGE_SIZE
        print("\n".join(summary_lines(report, flags.FLAGS.source, image_size)))


def _run_folder(values: flags.FlagValues) -> Report:
    try:
        shares = [float(share) for share in values.split]
    except ValueError:
        raise InputError(
            f"Expected numbers for --split, received {','.join(values.split)}; "
            "pass for example --split=0.64,0.16,0.2."
        ) from None
    recipe = Recipe(values.img_size, values.unlabeled_fraction, values.seed)
    return prepare_folder(values.source, values.out or "data/folder", shares=shares, recipe=recipe)


def _run_cifar_fs(values: flags.FlagValues) -> Report:
    for name in ("split", "img_size"):
        if values[name].present:
            raise InputError(
                f"Expected no --{name}, received one; the split and size of CIFAR-FS are "
                "published, drop the flag."
            )
    return prepare_cifar_fs(
        values.source,
        values.out or "data/cifar_fs",
        unlabeled_fraction=values.unlabeled_fraction,
        seed=values.seed,
    )


if __name__ == "__main__":
    main()

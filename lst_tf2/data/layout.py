"""The folders of a data set: `{labeled,unlabeled}_{train,val,test}/<class>/<image>`."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable

import numpy as np
from PIL import Image, UnidentifiedImageError

from lst_tf2.errors import InputError, MissingInputError, check

POOLS = ("labeled", "unlabeled")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Control characters, and bytes that are no UTF-8 as Python reads them.
UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
LAYOUT_HELP = (
    "lay the images out as <data set>/{labeled,unlabeled}_{train,val,test}/<class>/<image>"
)


@dataclasses.dataclass(frozen=True)
class ClassImages:
    """Names the images of one class, sorted by file name, in its two pools."""

    name: str
    labeled: tuple[str, ...]
    unlabeled: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Names the images of one split, classes sorted by name.

    The *row* of an image is its place in `names`.
    """

    folder: pathlib.Path
    split: str
    classes: tuple[ClassImages, ...]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Every image as `<pool>/<class>/<file>`, in order."""
        return tuple(
            f"{pool}_{self.split}/{entry.name}/{name}"
            for entry in self.classes
            for pool in POOLS
            for name in getattr(entry, pool)
        )

    def path(self, row: int) -> str:
        """Returns the path of the image in a row."""
        return os.path.join(self.folder, self.names[row])

    @functools.cached_property
    def first_rows(self) -> np.ndarray:
        """Row of the first image of each class in each pool, `[class, pool]`."""
        counts = [len(getattr(entry, pool)) for entry in self.classes for pool in POOLS]
        return np.cumsum([0, *counts[:-1]]).reshape(-1, len(POOLS))

    def labels(self) -> np.ndarray:
        """Returns the index of the class of every image, `[row]` int32."""
        counts = [len(entry.labeled) + len(entry.unlabeled) for entry in self.classes]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def require_dataset(folder: str | os.PathLike) -> None:
    """Raises `MissingInputError` where there is no folder of a data set."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        remedy = "`lst glyphs` renders" if folder.name == "glyphs" else "`lst prepare` writes"
        raise MissingInputError(
            f"Expected a data set at {folder}, found no folder; {remedy} it, or {LAYOUT_HELP}."
        )


def scan_split(folder: str | os.PathLike, split: str) -> Catalogue:
    """Returns the images that lie in the folders of `split`.

    Raises:
        MissingInputError: If the data set, a pool or a class folder is missing or empty.
    """
    folder = pathlib.Path(folder)
    require_dataset(folder)
    labeled, unlabeled = (
        _scan_pool(folder / f"{pool}_{split}") for pool in ("labeled", "unlabeled")
    )
    for name in sorted(set(labeled) ^ set(unlabeled)):
        pool = "unlabeled" if name in labeled else "labeled"
        raise MissingInputError(
            f"Expected class folder {folder / f'{pool}_{split}' / name}, as the other pool has "
            f"one, found none; {LAYOUT_HELP}."
        )
    classes = (ClassImages(name, labeled[name], unlabeled[name]) for name in sorted(labeled))
    return Catalogue(folder, split, tuple(classes))


def _scan_pool(folder: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Returns the image names of every class folder below `folder`."""
    if not folder.is_dir():
        raise MissingInputError(
            f"Expected class folders in {folder}, found no such folder; {LAYOUT_HELP}."
        )
    with os.scandir(folder) as entries:
        names = [
            entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
        ]
    if not names:
        raise MissingInputError(f"Expected class folders in {folder}, found none; {LAYOUT_HELP}.")
    check_names(folder, names)
    return {name: _scan_class(folder / name) for name in names}


def _scan_class(folder: pathlib.Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if _is_image_name(e.name)]
    if not names:
        raise MissingInputError(
            f"Expected images ({', '.join(IMAGE_SUFFIXES)}) in {folder}, found none; "
            "add some or remove the class from every pool."
        )
    check_names(folder, names)
    return tuple(sorted(names))


def check_names(folder: str | os.PathLike, names: Iterable[str]) -> None:
    """Raises `InputError` for a class or an image whose name lists of names cannot hold."""
    unfit = next(filter(UNFIT.search, names), "")
    expected = f"names of valid UTF-8 without line breaks and control characters in {folder}"
    check(not unfit, expected, repr(unfit), "rename it")


def _is_image_name(name: str) -> bool:
    # Desktop systems leave hidden files behind that only look like images.
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def digest_of_files(catalogue: Catalogue) -> str:
    """Returns a checksum over name, size and time of change of every image file.

    Raises:
        MissingInputError: If a file is gone.
    """
    digest = hashlib.sha256()
    for row, name in enumerate(catalogue.names):
        try:
            state = os.stat(catalogue.path(row))
        except OSError as error:
            raise MissingInputError(
                f"Expected an image at {catalogue.path(row)}, found none ({error}); restore it."
            ) from None
        line = f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def check_image(path: str | os.PathLike, image_size: int) -> None:
    """Checks that `path` is an RGB image of `image_size` pixels a side.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it cannot be decoded, or has another size or mode.
    """
    expected = f"an RGB image of {image_size}x{image_size} pixels at {path}"
    try:
        with Image.open(path) as image:
            image.load()
            size, mode = image.size, image.mode
    except FileNotFoundError:
        raise MissingInputError(f"Expected {expected}, found no file; restore it.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise InputError(
            f"Expected {expected}, received a file that cannot be decoded ({error}); "
            "replace or remove it."
        ) from None
    if size != (image_size, image_size):
        raise InputError(
            f"Expected {expected}, received {size[0]}x{size[1]}; "
            "resize it or set image_size to that of your images."
        ).about("image_size")
    if mode not in ("RGB", "P"):
        raise InputError(f"Expected {expected}, received mode {mode!r}; convert it to RGB.")

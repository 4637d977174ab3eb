"""Reads tieredImageNet from the few-shot files of Ren et al. (arXiv:1803.00676).

`{train,val,test}_labels.pkl` hold a pickled dict of `label_specific`, the class of each image, and
`label_specific_str`, the descriptions of the classes. The images lie in
`{train,val,test}_images_png.pkl`, a pickled list of PNG files, or in what the authors' program
unpacks it to, `{train,val,test}_images.npz` with an array `images` of `[n, 84, 84, 3]`. OpenCV
wrote both: its PNG files are in true colours, but its arrays are blue, green, red.

The classes have descriptions in place of the published WordNet numbers, so they are counted only.
"""

import dataclasses
import pathlib
import re
import zipfile
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import SPLITS
from lst_tf2.datasets.fit_images import ImageFile, fit_file
from lst_tf2.datasets.published import Published
from lst_tf2.datasets.readers.arrays import (
    ArrayImages,
    as_labels,
    check_pixels,
    file_identity,
    numbers,
)
from lst_tf2.datasets.source import Images, SourceClass
from lst_tf2.errors import MissingInputError, check
from lst_tf2.storage import pickles

SUFFIXES = ("_images_png.pkl", "_images.npz")


@dataclasses.dataclass(frozen=True)
class EncodedImages:
    """Gives the images of one class from a list of PNG files."""

    files: Sequence[pickles.PickledArray]
    rows: Sequence[int]
    file_name: str
    identity: str

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image that fits the layout; raises one of `UNREADABLE`."""
        expected = f"an array of the bytes of a PNG file at {self.describe(index)}"
        with pickles.refuse_damage(expected):
            content = pickles.as_array(self.files[self.rows[index]], "image")
            # Some versions of OpenCV give one column in place of one row.
            check_pixels(content.ravel(), (None,), "image")
        return fit_file(content.tobytes(), image_size)

    def describe(self, index: int) -> str:
        """Returns the place of an image in the list."""
        return f"entry {self.rows[index]} of {self.file_name}"

    def stamp(self) -> str:
        """Returns a text that changes when the images do."""
        return f"{self.identity} {','.join(map(str, self.rows))}"


class BgrRows:
    """Gives the images of an array in a `.npz` file one at a time, as RGB.

    Going forward is fast; to go back, the file is read again from its start.
    """

    def __init__(self, path: pathlib.Path, image_size: int):
        self.expected = f"an array `images` of [n, {image_size}, {image_size}, 3] uint8 in {path}"
        with pickles.refuse_damage(self.expected):
            member = zipfile.ZipFile(path).open("images.npy")  # noqa: SIM115 - read row by row
            version = np.lib.format.read_magic(member)
            if version != (1, 0):
                raise ValueError(f"format version {version}")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
            if (shape[1:], is_fortran, dtype) != ((image_size, image_size, 3), False, np.uint8):
                raise ValueError(f"{dtype} of {shape}")
        self.member, self.shape, self.start = member, shape, member.tell()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> np.ndarray:
        side, num_bytes = self.shape[1], 3 * self.shape[1] ** 2
        with pickles.refuse_damage(self.expected):
            self.member.seek(self.start + row * num_bytes)
            content = np.frombuffer(self.member.read(num_bytes), np.uint8)
            return content.reshape(side, side, 3)[..., ::-1]


def has_files(source: pathlib.Path) -> bool:
    """Returns whether `source` has the images of a split."""
    return any((source / (split + suffix)).is_file() for split in SPLITS for suffix in SUFFIXES)


def read_files(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of the three pairs of files.

    Raises:
        InputError: If a file is missing or damaged, or has not the published number of classes.
    """
    return [entry for split in SPLITS for entry in _read_split(source, split, published)]


def _read_split(source: pathlib.Path, split: str, published: Published) -> list[SourceClass]:
    path = _images_path(source, split, published)
    images = _load_list(path) if path.suffix == ".pkl" else BgrRows(path, published.image_size)
    labels, names = _load_labels(source / f"{split}_labels.pkl", len(images))
    num_classes = len(published.classes[split])
    check(
        len(names) == num_classes,
        f"{num_classes} classes in {split}_labels.pkl",
        len(names),
        f"get {published.where}",
    )
    gives: type[Images] = EncodedImages if path.suffix == ".pkl" else ArrayImages
    identity, classes = file_identity(path), []
    for label, name in enumerate(names):
        rows = np.flatnonzero(labels == label).tolist()
        found = gives(images, rows, path.name, identity)
        classes.append(SourceClass(folder_name(label, name), split, numbers(len(rows)), found))
    return classes


def _images_path(source: pathlib.Path, split: str, published: Published) -> pathlib.Path:
    paths = [source / (split + suffix) for suffix in SUFFIXES]
    for path in paths:
        if path.is_file():
            return path
    raise MissingInputError(
        f"Expected {paths[0].name} or {paths[1].name} in {source}, found neither; "
        f"get {published.where}."
    )


def _load_list(path: pathlib.Path) -> list[pickles.PickledArray]:
    with pickles.refuse_damage(f"a pickled list of PNG files in {path}"):
        files = pickles.load_pickle(pickles.map_file(path))
        if not isinstance(files, list):
            raise pickles.UnsafePickleError(f"{type(files).__name__} in place of a list")
    return files


def _load_labels(path: pathlib.Path, num_images: int) -> tuple[np.ndarray, list[str]]:
    """Returns the label of each image and the description of each class."""
    with pickles.refuse_damage(f"a pickled dict of labels of {num_images} images in {path}"):
        contents = pickles.load_dict(pickles.map_file(path))
        names = contents["label_specific_str"]
        if not isinstance(names, list):
            raise ValueError(f"'label_specific_str' is a {type(names).__name__}")
        labels = pickles.as_array(contents["label_specific"], "label_specific")
        labels = as_labels(labels, num_images, len(names), "label_specific")
        return labels, [pickles.as_text(name) for name in names]


def folder_name(label: int, description: str) -> str:
    """Returns the folder of a class, such as `004_house_finch_linnet`."""
    return f"{label:03d}_" + re.sub(r"[^a-z0-9]+", "_", description.lower())[:40].strip("_")

"""Images that lie in arrays, and checks of the arrays that say which is of which class."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from lst_tf2.datasets.fit_images import ImageFile, fit_array


class Rows(Protocol):
    """Gives `[H, W, 3]` uint8 RGB pixels by row."""

    def __getitem__(self, row: int) -> np.ndarray:
        """Returns the pixels of one image."""


@dataclasses.dataclass(frozen=True)
class ArrayImages:
    """Gives the images of one class from `rows` of `pixels`, which lie in a file.

    `identity` changes when the file does.
    """

    pixels: Rows
    rows: Sequence[int]
    file_name: str
    identity: str

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image that fits the layout."""
        return fit_array(np.ascontiguousarray(self.pixels[self.rows[index]]), image_size)

    def describe(self, index: int) -> str:
        """Returns the row of an image."""
        return f"row {self.rows[index]} of {self.file_name}"

    def stamp(self) -> str:
        """Returns a text that changes when the images do."""
        return f"{self.identity} {','.join(map(str, self.rows))}"


def numbers(count: int) -> list[str]:
    """Returns names for `count` images that have none."""
    return [f"{index:05d}" for index in range(count)]


def file_identity(path: pathlib.Path) -> str:
    """Returns a text that changes when a file does."""
    state = path.stat()
    return f"{path.name} {state.st_size} {state.st_mtime_ns}"


def check_pixels(pixels: np.ndarray, shape: Sequence[int | None], name: str) -> None:
    """Raises `ValueError` unless `pixels` is uint8 of `shape`; None stands for any length."""
    fits = len(pixels.shape) == len(shape) and all(
        side in (None, found) for side, found in zip(shape, pixels.shape, strict=True)
    )
    if pixels.dtype != np.uint8 or not fits:
        raise ValueError(f"{name!r} is {pixels.dtype} of {pixels.shape}")


def as_rows(value: Any, num_rows: int, name: str) -> list[int]:
    """Returns a list of row indices; raises `ValueError` unless all are in range, none twice."""
    rows = value if isinstance(value, list) else None
    if rows is None or not all(type(r) is int and 0 <= r < num_rows for r in rows):
        raise ValueError(f"the rows of {name!r} are not a list of numbers below {num_rows}")
    if len(set(rows)) != len(rows):
        raise ValueError(f"a row of {name!r} occurs twice")
    return rows


def as_labels(value: np.ndarray, num_images: int, num_classes: int, name: str) -> np.ndarray:
    """Returns `[num_images]` labels; raises `ValueError` unless all are classes."""
    labels = np.asarray(value)
    if labels.dtype.kind not in "iu" or labels.shape != (num_images,):
        raise ValueError(f"{name!r} is {labels.dtype} of {labels.shape}, not {num_images} labels")
    if num_images and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(f"{name!r} has labels outside of {num_classes} classes")
    return labels

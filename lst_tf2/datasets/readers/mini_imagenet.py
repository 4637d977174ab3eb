"""Reads miniImageNet from the few-shot files of Ren et al. (arXiv:1803.00676).

`mini-imagenet-cache-{train,val,test}.pkl` each hold a pickled dict of `image_data`, uint8 RGB of
`[n, 84, 84, 3]`, and `class_dict`, the rows of each class. The pixels stay on disk.
"""

import pathlib
from typing import Any

from lst_tf2.config import SPLITS
from lst_tf2.datasets.published import Published, check_classes
from lst_tf2.datasets.readers.arrays import (
    ArrayImages,
    as_rows,
    check_pixels,
    file_identity,
    numbers,
)
from lst_tf2.datasets.source import SourceClass
from lst_tf2.storage import pickles


def cache_path(source: pathlib.Path, split: str) -> pathlib.Path:
    """Returns the file of a split."""
    return source / f"mini-imagenet-cache-{split}.pkl"


def has_cache(source: pathlib.Path) -> bool:
    """Returns whether `source` has the file of a split."""
    return any(cache_path(source, split).is_file() for split in SPLITS)


def read_cache(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of the three files.

    Raises:
        InputError: If a file is missing or damaged, or its classes are not the published ones.
    """
    return [entry for split in SPLITS for entry in _read_split(source, split, published)]


def _read_split(source: pathlib.Path, split: str, published: Published) -> list[SourceClass]:
    path, size = cache_path(source, split), published.image_size
    with pickles.refuse_damage(f"a pickled dict of image_data and class_dict in {path}"):
        contents = pickles.load_dict(pickles.map_file(path))
        pixels = pickles.as_array(contents["image_data"], "image_data")
        check_pixels(pixels, (None, size, size, 3), "image_data")
        rows = {
            pickles.as_text(name): as_rows(_as_list(value), len(pixels), pickles.as_text(name))
            for name, value in contents["class_dict"].items()
        }
    check_classes(rows, published.classes[split], path.name, published.where)
    identity = file_identity(path)
    return [
        SourceClass(
            name,
            split,
            numbers(len(rows[name])),
            ArrayImages(pixels, rows[name], path.name, identity),
        )
        for name in published.classes[split]
    ]


def _as_list(rows: Any) -> Any:
    return rows.resolve().tolist() if isinstance(rows, pickles.PickledArray) else rows

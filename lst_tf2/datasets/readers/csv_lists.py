"""Reads a split in three CSV files beside a folder of images, as Ravi and Larochelle publish it."""

import csv
import pathlib

from lst_tf2.config import SPLITS
from lst_tf2.datasets.published import Published, check_classes
from lst_tf2.datasets.readers.folders import FileImages, list_entries
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError, MissingInputError

COLUMNS = ["filename", "label"]
IMAGES_NAME = "images"
NUM_NAMED = 3


def has_csv(source: pathlib.Path) -> bool:
    """Returns whether `source` has the list of a split."""
    return any((source / f"{split}.csv").is_file() for split in SPLITS)


def read_csv(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `{train,val,test}.csv` with `filename,label` and `images/`.

    Raises:
        InputError: If a list or an image is missing, a list is damaged, its classes are not the
            published ones or a link leads out of the source.
    """
    folder = source / IMAGES_NAME
    if not folder.is_dir():
        raise MissingInputError(
            f"Expected the images of the lists in {folder}, found no such folder; "
            f"get {published.where}."
        )
    paths = {path.name: path for path in list_entries(folder, source)}
    classes = []
    for split in SPLITS:
        names = read_list(source / f"{split}.csv")
        check_classes(names, published.classes[split], f"{split}.csv", published.where)
        classes += [
            _source_class(source, split, name, names[name], paths)
            for name in published.classes[split]
        ]
    return classes


def read_list(path: pathlib.Path) -> dict[str, list[str]]:
    """Returns the file names of each class.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it is not CSV with the columns `filename,label`.
    """
    found: dict[str, list[str]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            if next(rows, None) != COLUMNS:
                raise ValueError("another first line")
            for row in filter(None, rows):
                name, label = row
                found.setdefault(label, []).append(name)
    except FileNotFoundError:
        raise MissingInputError(f"Expected a list {path}, found none; restore it.") from None
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"Expected lines of {','.join(COLUMNS)} in {path}, received something else ({error}); "
            "restore it."
        ) from None
    return found


def _source_class(
    source: pathlib.Path, split: str, name: str, files: list[str], paths: dict[str, pathlib.Path]
) -> SourceClass:
    # Only names that lie in the folder are looked up: none can lead anywhere else.
    if missing := [file for file in files if file not in paths]:
        raise MissingInputError(
            f"Expected the images of class {name!r} in {source / IMAGES_NAME}, found none for "
            f"{len(missing)} of {len(files)} names, such as "
            f"{', '.join(map(repr, missing[:NUM_NAMED]))}; restore them."
        )
    found = [paths[file] for file in files]
    return SourceClass(name, split, [path.stem for path in found], FileImages(source, found))

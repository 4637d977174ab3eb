"""Finds the classes and images of a source that is a folder of class folders."""

import os
import pathlib
from collections.abc import Iterable

from lst_tf2.config import check
from lst_tf2.data.image_conversion import is_image_file
from lst_tf2.errors import MissingInputError


def source_folder(source: str | os.PathLike, remedy: str) -> pathlib.Path:
    """Returns `source` as an absolute path; `remedy` says where to get it.

    Raises:
        MissingInputError: If it is not a folder.
    """
    if not source or not os.path.isdir(source):
        shown = f"no folder at {source}" if source else "no --source"
        raise MissingInputError(f"Expected a folder to read, found {shown}; {remedy}.")
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


def list_images(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Returns those of `paths` that are named like images and are files."""
    return [path for path in paths if is_image_file(path)]

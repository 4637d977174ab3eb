"""Finds pictures in a user's folders, whatever lies there."""

import os
import pathlib
from collections.abc import Iterable, Iterator

from lst_tf2.config import PredictConfig
from lst_tf2.errors import MissingInputError, check
from lst_tf2.predict.backbone_names import check_name
from lst_tf2.predict.pictures import SUFFIXES

KINDS = ", ".join(SUFFIXES)


def check_places(config: PredictConfig) -> None:
    """Checks what lies where; nothing is decoded, and TensorFlow is not needed.

    Raises:
        InputError: If a file is in the way, or there is no backbone, or nothing to learn from or
            to label.
    """
    for name in ("out", "report"):
        place = pathlib.Path(getattr(config, name))
        is_free = not place.exists() or (config.overwrite and place.is_file())
        expected, remedy = f"no file at {place} yet", "pass overwrite, or name another"
        if getattr(config, name):
            check(is_free, expected, "something", remedy, name, "overwrite")
    if not config.classifier:
        find_classes(config.support)
        check_name(config.backbone)
    name, places = ("query", config.query) if config.query else ("unlabeled", config.unlabeled)
    found = next(find_pictures(places), None)
    expected = f"images to label in {', '.join(places)}"
    check(found is not None, expected, "none", f"add images ({KINDS}) or name others", name)


def find_pictures(places: Iterable[str | os.PathLike]) -> Iterator[str]:
    """Yields the paths of pictures: files as they are, of folders all below, sorted in each.

    Hidden ones are left out. Links are followed, each folder is looked into once, so that links
    in a circle end.

    Raises:
        MissingInputError: If there is nothing at one of `places`.
    """
    seen: set[str] = set()
    for place in map(os.fspath, places):
        if os.path.isdir(place):
            yield from _walk(place, seen)
        else:
            if not os.path.lexists(place):
                raise MissingInputError(
                    f"Expected a folder of images or an image at {place}, found nothing; fix the "
                    "path."
                ).about("query", "unlabeled", "support")
            yield place


def _walk(folder: str, seen: set[str]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, seen)
        elif entry.name.lower().endswith(SUFFIXES):
            yield entry.path


def find_classes(folder: str | os.PathLike) -> dict[str, list[str]]:
    """Returns the paths of the pictures in each class folder of `folder`, by class.

    Raises:
        MissingInputError: If there is no such folder, or a class folder has no pictures.
        InputError: If there are no two class folders.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise MissingInputError(
            f"Expected a folder for each class in {folder}, found no such folder; lay labeled "
            "images out as <support>/<class>/<image>."
        ).about("support")
    names = sorted(e.name for e in path.iterdir() if e.is_dir() and not e.name.startswith("."))
    check(
        len(names) > 1,
        f"folders of two classes or more in {folder}",
        ", ".join(names) or "none",
        "lay labeled images out as <support>/<class>/<image>",
        "support",
    )
    classes = {name: list(find_pictures([path / name])) for name in names}
    for name, paths in classes.items():
        if not paths:
            raise MissingInputError(
                f"Expected images ({KINDS}) in {path / name}, found none; add one or remove the "
                "folder."
            ).about("support")
    return classes

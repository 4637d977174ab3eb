"""Finds the classes and images in folders."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Sequence

from lst_tf2.data import layout
from lst_tf2.datasets.fit_images import ImageFile, fit_file, is_image_file, read_image_file
from lst_tf2.errors import check


@dataclasses.dataclass(frozen=True)
class FileImages:
    """Gives the images of one class from files at `paths`, below the folder `source`."""

    source: pathlib.Path
    paths: Sequence[pathlib.Path]

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image that fits the layout; raises one of `UNREADABLE`."""
        content = read_image_file(self.paths[index])
        file = fit_file(content, image_size)
        # A copy keeps its whole name: filename lists may refer to it.
        return ImageFile(self.paths[index].suffix, content) if file.content is content else file

    def describe(self, index: int) -> str:
        """Returns the path of an image below the source."""
        return str(self.paths[index].relative_to(self.source))

    def stamp(self) -> str:
        """Returns a text that changes when the files do."""
        states = (path.stat() if path.exists() else None for path in self.paths)
        return " ".join(f"{s.st_size} {s.st_mtime_ns}" if s else "none" for s in states)


@dataclasses.dataclass(frozen=True)
class ExactFileImages(FileImages):
    """Gives images that are published in the size that is asked for."""

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image as it is.

        Raises:
            InputError: If it cannot be decoded or has another size or mode.
        """
        layout.check_image(self.paths[index], image_size)
        return super().read(index, image_size)


def numbered_stems(paths: Sequence[pathlib.Path]) -> list[str]:
    """Returns a name without suffix for each of the files."""
    # The number keeps a.jpg and a.png apart; a cut keeps the name within 255 bytes.
    stems = (re.sub(r"[^\w.-]", "_", path.stem)[:60] for path in paths)
    return [f"{index:05d}_{stem}" for index, stem in enumerate(stems)]


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

"""Reads CIFAR-100: class folders, the archive of its authors or what is extracted from it."""

import hashlib
import pathlib
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lst_tf2.config import SPLITS
from lst_tf2.datasets.published import Published, check_classes
from lst_tf2.datasets.readers.arrays import ArrayImages, as_labels, check_pixels, numbers
from lst_tf2.datasets.readers.folders import (
    ExactFileImages,
    list_classes,
    list_images,
    numbered_stems,
)
from lst_tf2.datasets.readers.split_folders import has_pools
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError
from lst_tf2.storage import pickles

FOLDER = "cifar-100-python"
# As published beside the archive on https://www.cs.toronto.edu/~kriz/cifar.html, and those of the
# files in it.
MD5 = {
    "archive": "eb9058c3a382ffc7106e4002c42a8d85",
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
HALVES = ("train", "test")
MAX_FILE_BYTES = 1 << 28


# Class folders.


def has_class_folders(source: pathlib.Path) -> bool:
    """Returns whether `source` has folders, and none of another kind of source."""
    folders = source.iterdir() if source.is_dir() else ()
    names = {path.name for path in folders if path.is_dir() and not path.name.startswith(".")}
    return bool(names) and not names & {"val", FOLDER} and not has_pools(source)


def read_class_folders(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `{train,test}/<class>/<image>` or `<class>/<image>`.

    Raises:
        InputError: If classes are missing or a link leads out of the source.
    """
    # A class of CIFAR-100 is called "train": only a "test" beside it makes it the train half.
    folders = [source / half for half in HALVES] if (source / "test").is_dir() else [source]
    found: dict[str, list[pathlib.Path]] = {}
    for folder in folders:
        for name, paths in list_classes(folder, source).items():
            found.setdefault(name, []).extend(list_images(paths))
    check_classes(found, published.all_classes(), str(source), published.where)
    return [
        SourceClass(name, split, numbered_stems(paths), ExactFileImages(source, paths))
        for split in SPLITS
        for name, paths in ((name, found[name]) for name in published.classes[split])
    ]


# The authors' files.


def is_archive(source: pathlib.Path) -> bool:
    """Returns whether `source` is a file."""
    return source.is_file()


def read_archive(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `cifar-100-python.tar.gz`.

    Raises:
        InputError: If it is not the published file.
    """
    with source.open("rb") as file:
        _check_md5(iter(lambda: file.read(1 << 20), b""), "archive", source, published)
    with (
        pickles.refuse_damage(f"an archive of {FOLDER}/{{train,test,meta}} in {source}"),
        tarfile.open(source, "r:gz") as archive,
    ):
        # Nothing is extracted to a path that the archive names.
        contents = {name: _read_member(archive, name) for name in (*HALVES, "meta")}
    return _read_contents(contents, source, published)


def _read_member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(f"{FOLDER}/{name}")
    file = archive.extractfile(member) if member.isfile() else None
    if file is None or member.size > MAX_FILE_BYTES:
        raise ValueError(f"{member.name} is not a file of at most {MAX_FILE_BYTES} bytes")
    return file.read()


def _files_folder(source: pathlib.Path) -> pathlib.Path:
    return source / FOLDER if (source / FOLDER).is_dir() else source


def has_files(source: pathlib.Path) -> bool:
    """Returns whether `source`, or the archive's folder in it, has the file of a half."""
    return any((_files_folder(source) / half).is_file() for half in HALVES)


def read_files(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `cifar-100-python/{train,test,meta}`.

    Raises:
        InputError: If a file is missing or not the published one.
    """
    contents = {}
    for name in (*HALVES, "meta"):
        path = _files_folder(source) / name
        with pickles.refuse_damage(f"a file of CIFAR-100 at {path}"):
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
            contents[name] = path.read_bytes()
    return _read_contents(contents, source, published)


def _check_md5(
    chunks: Iterable[bytes], name: str, source: pathlib.Path, published: Published
) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    if digest.hexdigest() != MD5[name]:
        raise InputError(
            f"Expected CIFAR-100 of MD5 {MD5[name]} ({name}) in {source}, received "
            f"{digest.hexdigest()}, another file or a damaged one; get {published.where}."
        )


def _read_contents(
    contents: Mapping[str, bytes], source: pathlib.Path, published: Published
) -> list[SourceClass]:
    """Returns the classes that the three files hold, the images of the train half first."""
    for name, content in contents.items():
        _check_md5([content], name, source, published)
    with pickles.refuse_damage(f"pickled dicts of CIFAR-100 in {source}"):
        names = _class_names(pickles.load_dict(contents["meta"]))
        halves = [_load_half(pickles.load_dict(contents[half]), len(names)) for half in HALVES]
    check_classes(names, published.all_classes(), f"{source} (meta)", published.where)
    pixels, labels = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    identity = " ".join(MD5[half] for half in HALVES)
    classes = []
    for split in SPLITS:
        for name in published.classes[split]:
            rows = np.flatnonzero(labels == names.index(name)).tolist()
            images = ArrayImages(pixels, rows, source.name, identity)
            classes.append(SourceClass(name, split, numbers(len(rows)), images))
    return classes


def _class_names(meta: Mapping[str, Any]) -> list[str]:
    names = meta["fine_label_names"]
    if not isinstance(names, list):
        raise ValueError(f"'fine_label_names' is a {type(names).__name__}")
    return [pickles.as_text(name) for name in names]


def _load_half(half: Mapping[str, Any], num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the `[n, 32, 32, 3]` pixels of a half, and their labels."""
    pixels = pickles.as_array(half["data"], "data")
    check_pixels(pixels, (None, 3 * 32 * 32), "data")
    if not isinstance(half["fine_labels"], list):
        raise ValueError(f"'fine_labels' is a {type(half['fine_labels']).__name__}")
    labels = as_labels(np.array(half["fine_labels"]), len(pixels), num_classes, "fine_labels")
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels

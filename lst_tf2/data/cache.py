"""Decoded images kept for further use: in memory, or packed into a file below the data set.

A packed split is a folder `<data set>/image_cache/<split>_<side>px_<digest>`:

    images.u8      [n, side, side, 3] uint8, nothing else
    files.txt      the n images, in order
    checksums.u32  [n] CRC-32 of each image, little-endian
    record.json    what to expect of the others

The digest is over names, sizes and times of change of the image files: for a data set that
was changed there is another folder, or none yet.
"""

import math
import os
import pathlib
import shutil
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from lst_tf2.config import CACHES
from lst_tf2.data.images import ImageArray, ImageFiles, ImageSource, decode_all
from lst_tf2.data.layout import Catalogue, digest_of_files
from lst_tf2.errors import InputError, check, check_choice
from lst_tf2.memory import check_memory
from lst_tf2.progress import Progress
from lst_tf2.storage.files import new_folder, read_json, write_bytes, write_json
from lst_tf2.storage.locks import held

CACHE_FOLDER = "image_cache"
IMAGES_NAME, CHECKSUMS_NAME, RECORD_NAME = "images.u8", "checksums.u32", "record.json"
VERSION = 1


class PackedImages(ImageArray):
    """Reads the images of a packed split from its file, each compared with its checksum once.

    It is not mapped into memory: there all that was touched counts as memory of the process, and
    a file that is cut meanwhile ends it.
    """

    def __init__(self, folder: pathlib.Path, shape: tuple[int, ...]):
        self.path, self.image_shape = folder / IMAGES_NAME, shape[1:]
        self.file, self.lock = self.path.open("rb", buffering=0), threading.Lock()
        self.checksums = np.fromfile(folder / CHECKSUMS_NAME, "<u4")
        self.is_sound = np.zeros(len(self.checksums), bool)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images in `rows`.

        Raises:
            InputError: If an image was changed since it was packed.
        """
        images = np.zeros((len(rows), *self.image_shape), np.uint8)
        for image, row in zip(images, rows.tolist(), strict=True):
            with self.lock:  # Streams read from several threads.
                self.file.seek(row * image.nbytes)
                is_read = self.file.readinto(image) == image.nbytes
            is_sound = is_read and (self.is_sound[row] or zlib.crc32(image) == self.checksums[row])
            check(
                is_sound,
                f"image {row} of {self.path} as it was packed",
                "other bytes",
                f"remove {self.path.parent} to pack the images again",
            )
            self.is_sound[row] = True
        return images

    def check(self, rows: np.ndarray) -> None:
        """Raises `InputError` for the first image in `rows` that was changed since packed."""
        self.gather(rows)


def open_images(catalogue: Catalogue, image_size: int, cache: str) -> ImageSource:
    """Returns the images of `catalogue`, kept as `cache` says.

    Args:
        catalogue: The images of a split.
        image_size: Their side in pixels.
        cache: `none`, decoded at each use; `ram`, decoded now into memory; `packed`,
            decoded now into a file unless that was done before.

    Raises:
        InputError: If an image is broken, or the packed split is or cannot be written.
    """
    check_choice("cache", cache, CACHES)
    if cache == "none":
        return ImageFiles(catalogue, image_size)
    return (read_into_memory if cache == "ram" else open_packed)(catalogue, image_size)


def read_into_memory(catalogue: Catalogue, image_size: int) -> ImageArray:
    """Returns the images of `catalogue`, decoded now.

    Raises:
        InputError: If an image is broken or there is too little memory.
    """
    shape = (len(catalogue.names), image_size, image_size, 3)
    what = f"split {catalogue.split!r}"
    check_memory(math.prod(shape), what, "choose the cache `packed`", "cache")
    try:
        images = np.empty(shape, np.uint8)
    except MemoryError:
        raise InputError(
            f"Expected {math.prod(shape) / 1e9:.3g} GB of free memory for split "
            f"{catalogue.split!r}, received less; choose the cache `packed`."
        ).about("cache") from None
    row = 0
    for chunk in _decode(catalogue, image_size, "reading"):
        images[row : row + len(chunk)] = chunk
        row += len(chunk)
    return ImageArray(images)


def open_packed(catalogue: Catalogue, image_size: int) -> PackedImages:
    """Returns the packed images of `catalogue`; packs them where they are not or were changed.

    Raises:
        InputError: If an image is broken, or the packed split is or cannot be written.
    """
    digest = digest_of_files(catalogue)
    base = catalogue.folder / CACHE_FOLDER
    name = f"{catalogue.split}_{image_size}px"
    folder = base / f"{name}_{digest[:12]}"
    record = {
        "version": VERSION,
        "shape": [len(catalogue.names), image_size, image_size, 3],
        "digest": digest,
    }
    if not folder.exists():
        pack_images(catalogue, folder, record)
        for former in {*base.glob(f"{name}_*")} - {folder}:
            shutil.rmtree(former, ignore_errors=True)
            print(f"Removed {former}, packed before image files changed", file=sys.stderr)
    _check_packed(folder, record)
    return PackedImages(folder, tuple(record["shape"]))


def pack_images(catalogue: Catalogue, folder: pathlib.Path, record: dict) -> None:
    """Packs the images of `catalogue` into the new folder `folder`, completely or not at all.

    Raises:
        InputError: If an image is broken, or the folder cannot be written.
    """
    try:
        with held(folder.parent, wait=True):
            if not folder.exists():  # Another run may have packed the same ones meanwhile.
                _pack(catalogue, folder, record)
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"Expected to pack the images of split {catalogue.split!r} into {folder}, received: "
            f"{error}; choose the cache `ram` or `none`, or make that folder writable."
        ).about("cache") from None


def _pack(catalogue: Catalogue, folder: pathlib.Path, record: dict) -> None:
    with new_folder(folder) as temporary:
        _check_space(temporary, record["shape"])
        checksums = _write_images(temporary / IMAGES_NAME, catalogue, record["shape"][1])
        names = "".join(f"{name}\n" for name in catalogue.names)
        write_bytes(temporary / "files.txt", names.encode("utf-8", "surrogateescape"))
        write_bytes(temporary / CHECKSUMS_NAME, checksums.astype("<u4").tobytes())
        write_json(temporary / RECORD_NAME, record)


def _check_space(folder: pathlib.Path, shape: Sequence[int]) -> None:
    free = shutil.disk_usage(folder).free
    check(
        math.prod(shape) < free,
        f"{math.prod(shape) / 1e9:.3g} GB of free disk in {folder.parent}",
        f"{free / 1e9:.3g} GB",
        "make room or choose the cache `none`",
        "cache",
    )


def _write_images(path: pathlib.Path, catalogue: Catalogue, image_size: int) -> np.ndarray:
    """Writes the pixels of all images and returns their checksums."""
    checksums = []
    with open(path, "wb") as file:
        for images in _decode(catalogue, image_size, "packing"):
            file.write(images)
            checksums += map(zlib.crc32, images)
        file.flush()
        os.fsync(file.fileno())
    return np.array(checksums)


def _decode(catalogue: Catalogue, image_size: int, label: str) -> Iterator[np.ndarray]:
    """Yields all images of `catalogue` in order, some at a time, and shows how far it is."""
    paths = [catalogue.path(row) for row in range(len(catalogue.names))]
    label = f"{label} {catalogue.split}"
    with Progress(label, len(paths), print_every=max(10_000, len(paths) // 10)) as progress:
        for images in decode_all(paths, image_size):
            yield images
            progress.advance(len(images))


def _check_packed(folder: pathlib.Path, record: dict) -> None:
    """Raises `InputError` unless `folder` holds what `record` says, as far as sizes tell."""
    remedy = f"remove {folder} to pack the images again"
    try:
        found = read_json(folder / RECORD_NAME)
    except InputError:
        found = "no such file, or no JSON"
    check(found == record, f"{record} in {folder / RECORD_NAME}", found, remedy)
    num_images = record["shape"][0]
    sizes = {IMAGES_NAME: math.prod(record["shape"]), CHECKSUMS_NAME: 4 * num_images}
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else "no such file"
        check(found == size, f"{size} bytes in {path}", found, remedy)

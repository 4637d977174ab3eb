"""Checksums of a prepared data set, kept in its `prepared.json`: what lies there can be checked."""

import hashlib
import os
import pathlib
from collections.abc import Mapping

from lst_tf2.config import SPLITS
from lst_tf2.data import layout
from lst_tf2.errors import InputError
from lst_tf2.progress import Progress
from lst_tf2.storage import files

RECORD_NAME = "prepared.json"
NUM_NAMED = 3


def class_digest(file_digests: Mapping[str, str]) -> str:
    """Returns the checksum of a class.

    Args:
        file_digests: SHA-256 of each image by `<pool>_<split>/<class>/<file>`.

    Returns:
        SHA-256 over the lines that `sha256sum` prints for these files, sorted by name.
    """
    lines = (f"{file_digests[name]}  {name}\n" for name in sorted(file_digests))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def verify_dataset(folder: str | os.PathLike) -> int:
    """Compares a prepared data set with the checksums in its record.

    Returns:
        The number of its classes.

    Raises:
        MissingInputError: If there is no record.
        InputError: If a class differs from it.
    """
    folder = pathlib.Path(folder)
    record = files.read_json(folder / RECORD_NAME, sha256=dict)["sha256"]
    expected = {(s, name): digest for s in SPLITS for name, digest in record.get(s, {}).items()}
    found = {}
    with Progress("checking", len(expected), print_every=25) as progress:
        for split, name in expected:
            found[split, name] = folder_digest(folder, split, name)
            progress.advance()
    if changed := [f"{s}/{name}" for s, name in expected if found[s, name] != expected[s, name]]:
        raise InputError(
            f"Expected {folder} as {RECORD_NAME} records it, received {len(changed)} of "
            f"{len(expected)} classes that differ, such as {', '.join(changed[:NUM_NAMED])}; "
            "remove the folder and prepare it again."
        )
    return len(expected)


def folder_digest(folder: pathlib.Path, split: str, class_name: str) -> str:
    """Returns the checksum of what lies in both pools of a class."""
    digests = {}
    for pool in layout.POOLS:
        class_folder = folder / f"{pool}_{split}" / class_name
        for path in class_folder.iterdir() if class_folder.is_dir() else ():
            name = f"{pool}_{split}/{class_name}/{path.name}"
            digests[name] = files.checksum_of(path)
    return class_digest(digests)

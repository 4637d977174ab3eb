"""What lets results look better than they are: classes and images that stand in two places.

Comparing all images of a data set takes reading them; what was found is kept beside them in
`image_check.json`, for as long as the files stay as they are.
"""

import contextlib
import hashlib
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from lst_tf2.config import SPLITS
from lst_tf2.data.layout import Catalogue, digest_of_files, scan_split
from lst_tf2.errors import InputError, check
from lst_tf2.progress import Progress
from lst_tf2.storage.files import read_json, remove_abandoned, write_json

RECORD_NAME = "image_check.json"
# Kinds of repetition, the gravest first.
TWO_SPLITS, TWO_POOLS, TWO_CLASSES, ONE_CLASS = KINDS = (
    "in two splits",
    "in both pools of a split",
    "in two classes",
    "in one folder",
)


def scan_splits(folder: str | os.PathLike) -> dict[str, Catalogue]:
    """Returns the images of all splits that a data set has.

    Raises:
        MissingInputError: If there is no data set, or a pool of a split is missing.
    """
    folder = pathlib.Path(folder)
    found = [split for split in SPLITS if any(folder.glob(f"*labeled_{split}"))]
    return {split: scan_split(folder, split) for split in found or SPLITS[:1]}


def find_shared_classes(catalogues: Mapping[str, Catalogue]) -> dict[str, list[str]]:
    """Returns the splits of each class that stands in several."""
    splits: dict[str, list[str]] = {}
    for split, catalogue in catalogues.items():
        for entry in catalogue.classes:
            splits.setdefault(entry.name, []).append(split)
    return {name: where for name, where in splits.items() if len(where) > 1}


def find_same_images(catalogues: Mapping[str, Catalogue]) -> list[list[str]]:
    """Returns groups of image files `<pool>_<split>/<class>/<file>` of the same bytes.

    Raises:
        MissingInputError: If a file is gone meanwhile.
    """
    folder = next(iter(catalogues.values())).folder
    digests = [digest_of_files(catalogue) for catalogue in catalogues.values()]
    record = {"files": hashlib.sha256("".join(digests).encode()).hexdigest()}
    with contextlib.suppress(InputError):
        told = read_json(folder / RECORD_NAME, files=str, same=list)
        if told["files"] == record["files"] and all(map(_is_group, told["same"])):
            return told["same"]
    same = _compare(list(catalogues.values()))
    with contextlib.suppress(OSError):  # A data set that is not ours to write to.
        remove_abandoned(folder)
        write_json(folder / RECORD_NAME, record | {"same": same}, sealed=True)
    return same


def _is_group(group: object) -> bool:
    return isinstance(group, list) and all(
        isinstance(name, str) and name.count("/") == 2 for name in group
    )


def _compare(catalogues: Sequence[Catalogue]) -> list[list[str]]:
    names: dict[bytes, list[str]] = {}
    total = sum(len(catalogue.names) for catalogue in catalogues)
    with Progress("comparing images", total, print_every=max(10_000, total // 4)) as progress:
        for catalogue in catalogues:
            for row, name in enumerate(catalogue.names):
                content = pathlib.Path(catalogue.path(row)).read_bytes()
                names.setdefault(hashlib.blake2b(content, digest_size=16).digest(), []).append(name)
                progress.advance()
    return [group for group in names.values() if len(group) > 1]


def kind_of(group: Sequence[str]) -> str:
    """Returns the gravest of `KINDS` that files of the same bytes are."""
    parts = [name.split("/") for name in group]
    splits = {pool.rpartition("_")[2] for pool, *_ in parts}
    pools = {pool for pool, *_ in parts}
    classes = {name for _, name, _ in parts}
    if len(splits) > 1:
        return TWO_SPLITS
    if len(pools) > 1:
        return TWO_POOLS
    return TWO_CLASSES if len(classes) > 1 else ONE_CLASS


def check_dataset(folder: str | os.PathLike) -> None:
    """Checks what a run is about to use; warns of images that stand twice.

    Raises:
        MissingInputError: If there is no data set, or a part of it is missing.
        InputError: If a class stands in two splits.
    """
    catalogues = scan_splits(folder)
    shared = find_shared_classes(catalogues)
    name, splits = next(iter(shared.items()), ("", []))
    check(
        not shared,
        f"other classes in each split of {folder}, as few-shot learning is tested on unseen ones",
        f"{len(shared)} in several (first: {name} in {' and '.join(splits)})",
        f"leave each in one split; `lst check {folder}` lists them",
    )
    if same := find_same_images(catalogues):
        groups = sorted(same, key=lambda group: KINDS.index(kind_of(group)))
        print(
            f"warning: {folder} has {len(same)} images more than once, {count_kinds(same)} (first: "
            f"{' = '.join(groups[0][:2])}); accuracies come out too high. `lst check {folder}` "
            "lists them.",
            file=sys.stderr,
        )


def count_kinds(same: Sequence[Sequence[str]]) -> str:
    """Returns how many groups are of each kind, as text."""
    kinds = [kind_of(group) for group in same]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS if kind in kinds)

"""Takes the filename lists of the original program over as episode lists."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.layout import Catalogue, scan_split
from lst_tf2.data.lists import (
    ARRAY_NAMES,
    LISTS_FOLDER,
    EpisodeLists,
    list_folder,
    load_lists,
    save_lists,
)
from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.storage.locks import held
from lst_tf2.tf1 import list_files
from lst_tf2.tf1.list_reader import NUM_NAMED, SplitNumbers, number_images, read_tf1_lists


@dataclasses.dataclass(frozen=True)
class ImportRequest:
    """Says which lists to take from `folder`; None and absent: all that it holds.

    `num_episodes` and `unlabeled_per_class` are by split, `num_distractor_classes` is for
    test episodes: one list is made for each of its counts.
    """

    folder: pathlib.Path
    data_folder: str
    way: int
    shot: int
    splits: Sequence[str]
    num_episodes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unlabeled_per_class: Mapping[str, int] = dataclasses.field(default_factory=dict)
    num_distractor_classes: Sequence[int] | None = None
    seed: int = 0


class Imported(NamedTuple):
    """Names a list that is now stored; `is_new` unless it was there before."""

    config: ListConfig
    is_new: bool


class SplitReport(NamedTuple):
    """Says what became of the lists of one split."""

    split: str
    num_found: int
    missing: Sequence[str]
    imported: Sequence[Imported]
    problem: InputError | None


def import_lists(request: ImportRequest) -> list[SplitReport]:
    """Stores the lists of each split where `open_lists` looks for them.

    A split with a problem is left out completely, the others are stored; nothing is replaced.

    Raises:
        MissingInputError: If the folder holds no lists of the splits asked for.
    """
    listed = list_files.listed_splits(request.folder)
    splits = [split for split in listed if split in request.splits]
    if not splits:
        wanted = " or ".join(f"{split}_filenames.npy" for split in request.splits)
        raise MissingInputError(
            f"Expected lists {wanted} in {request.folder}, found none; pass the folder that the "
            "original program wrote, such as filenames_and_labels/mini_1shot_5way."
        ).about("source")
    return [import_split(request, split) for split in splits]


def import_split(request: ImportRequest, split: str) -> SplitReport:
    """Stores the lists of one split, all or none of them."""
    try:
        catalogue = scan_split(request.data_folder, split)
        numbers = number_listed(request.folder, catalogue)
        if missing := numbers.missing:
            return SplitReport(split, numbers.num_found, missing, [], missing_error(missing))
        configs = list_configs(request, split)
        lists = [read_tf1_lists(request.folder, config, catalogue) for config in configs]
        with held(pathlib.Path(request.data_folder) / LISTS_FOLDER, wait=True):
            imported = [Imported(part.config, not is_stored(part)) for part in lists]
            for part, (config, is_new) in zip(lists, imported, strict=True):
                if is_new:
                    origin = f"imported from {request.folder.resolve().name}"
                    save_lists(part, list_folder(config), origin)
    except InputError as error:
        return SplitReport(split, 0, [], [], error)
    return SplitReport(split, numbers.num_found, [], imported, None)


def missing_error(missing: Sequence[str]) -> InputError:
    """Returns what to say of images that are listed and not there."""
    first = ", ".join(missing[:NUM_NAMED])
    return InputError(
        f"Expected every image that the lists name, found {len(missing)} missing (first: {first}); "
        "use the images that the lists were drawn from, in folders of the same names."
    )


def number_listed(folder: pathlib.Path, catalogue: Catalogue) -> SplitNumbers:
    """Looks up every image that any list of the catalogue's split names."""
    numbers, split = number_images(catalogue), catalogue.split
    numbers.labeled.of(list_files.load_names(list_files.labeled_file(folder, split)))
    for path in sorted((folder / f"unlabeled_samples_for_{split}").rglob("*_filenames.npy")):
        numbers.unlabeled.of(list_files.load_names(path))
    return numbers


def list_configs(request: ImportRequest, split: str) -> list[ListConfig]:
    """Returns the settings of the lists to make of one split's files.

    Raises:
        InputError: If the files do not hold whole episodes, or a file is missing.
    """
    queries = list_files.queries_per_class(split, request.shot)
    if (count := request.num_episodes.get(split)) is None:
        count = count_episodes(request, split)
    return [
        ListConfig(
            request.data_folder,
            split,
            EpisodeConfig(request.way, request.shot, queries, unlabeled, num_distractors),
            count,
            request.seed,
        )
        for unlabeled in unlabeled_counts(request, split)
        for num_distractors in distractor_counts(request, split)
    ]


def count_episodes(request: ImportRequest, split: str) -> int:
    """Returns how many episodes the labeled list of `split` holds."""
    path = list_files.labeled_file(request.folder, split)
    per_class = request.shot + list_files.queries_per_class(split, request.shot)
    num_names, per_episode = len(list_files.load_names(path)), request.way * per_class
    check(
        num_names > 0 and num_names % per_episode == 0,
        f"whole episodes of {request.way} x {per_class} = {per_episode} names in {path}",
        f"{num_names} names",
        "give the way and shot that the lists were drawn with",
        *("way", "shot"),
    )
    return num_names // per_episode


def unlabeled_counts(request: ImportRequest, split: str) -> list[int]:
    """Returns the counts of unlabeled images per class, a list to make for each."""
    if split in request.unlabeled_per_class:
        return [request.unlabeled_per_class[split]]
    found = list_files.listed_unlabeled(request.folder, split)
    if not found:
        raise MissingInputError(
            f"Expected lists of unlabeled images in "
            f"{request.folder / f'unlabeled_samples_for_{split}'}, found none; restore them, or "
            "leave the split out."
        ).about("splits")
    return found


def distractor_counts(request: ImportRequest, split: str) -> Sequence[int]:
    """Returns the counts of distractor classes, a list to make for each."""
    if split != "test":
        return (0,)
    if request.num_distractor_classes is not None:
        return request.num_distractor_classes
    listed = list_files.listed_distractors(request.folder)
    return (
        (0, list_files.NUM_TESTED_DISTRACTORS)
        if listed >= list_files.NUM_TESTED_DISTRACTORS
        else (0,)
    )


def is_stored(lists: EpisodeLists) -> bool:
    """Tells whether the very same lists are stored already.

    Raises:
        InputError: If others are stored in their place.
    """
    folder = list_folder(lists.config)
    if not folder.exists():
        return False
    try:
        stored = load_lists(folder, lists.catalogue, lists.config)
        is_same = all(np.array_equal(getattr(lists, n), getattr(stored, n)) for n in ARRAY_NAMES)
    except InputError:
        is_same = False
    check(
        is_same,
        f"nothing or the same lists at {folder}",
        "others, which are never overwritten",
        "move that folder away, or choose another seed, here and in training and test",
        "seed",
    )
    return True

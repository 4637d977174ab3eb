"""Writes episode lists as the filename lists of the original TensorFlow 1 program."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from lst_tf2.config import ListConfig
from lst_tf2.data.layout import Catalogue, scan_split
from lst_tf2.data.lists import EpisodeLists, list_folder, load_lists, sample_lists
from lst_tf2.errors import InputError, check
from lst_tf2.storage.files import new_folder
from lst_tf2.tf1 import list_files

# Names written at once: bounds the memory of the training lists.
CHUNK = 1 << 16
NUM_TEST_UNLABELED = list_files.IMAGES_PER_FILE * list_files.NUM_UNLABELED_FILES


def lists_to_export(config: ListConfig) -> EpisodeLists:
    """Returns the stored lists of `config`, or those that its seed draws, which it leaves unstored.

    Raises:
        InputError: If there are too few images for the original's counts, or lists with
            another number of distractor classes are stored that hold other episodes.
    """
    catalogue = scan_split(config.data_folder, config.split)
    check_original_counts(config, catalogue)
    folder = list_folder(config)
    if folder.exists():
        return load_lists(folder, catalogue, config)
    lists = sample_lists(catalogue, config)
    check_stored_episodes(lists)
    return lists


def check_original_counts(config: ListConfig, catalogue: Catalogue) -> None:
    """Raises `InputError` unless test episodes can be as large as the original fixes them."""
    if config.split != "test":
        return
    most = list_files.NUM_DISTRACTOR_FILES
    count = config.episode.num_distractor_classes
    expected = f"at most {most} distractor classes"
    check(count <= most, expected, count, "lower it", "num_distractor_classes")
    for entry in catalogue.classes:
        check(
            len(entry.unlabeled) >= NUM_TEST_UNLABELED,
            f"{NUM_TEST_UNLABELED} unlabeled images, as the original lists for a test, in "
            f"{catalogue.folder / 'unlabeled_test' / entry.name}",
            len(entry.unlabeled),
            "add images, or leave test episodes out",
            "splits",
        )


def with_any_distractors(config: ListConfig) -> list[ListConfig]:
    """Returns `config` with each number of distractor classes that the original can list."""
    episodes = [
        dataclasses.replace(config.episode, num_distractor_classes=count)
        for count in range(list_files.NUM_DISTRACTOR_FILES + 1)
    ]
    return [dataclasses.replace(config, episode=episode) for episode in episodes]


def with_most_distractors(config: ListConfig) -> ListConfig:
    """Returns `config` with as many distractor classes as are stored; if none, as the original."""
    candidates = with_any_distractors(config)
    stored = [candidate for candidate in candidates[1:] if list_folder(candidate).exists()]
    return [*candidates, *stored][-1]


def check_stored_episodes(lists: EpisodeLists) -> None:
    """Raises `InputError` if lists are stored that hold other episodes, distractors aside.

    They may be imported; and the seed draws other images of the first distractor classes
    where there are more of them.
    """
    count = lists.config.episode.num_distractor_classes
    for config in with_any_distractors(lists.config):
        folder, stored_count = list_folder(config), config.episode.num_distractor_classes
        if folder.exists():
            check(
                has_same_episodes(lists, load_lists(folder, lists.catalogue, config)),
                f"the episodes stored in {folder}, with {count} distractor classes",
                "others from the seed",
                f"ask for {stored_count} to export those, or import them with {count}",
                "num_distractor_classes",
            )


def has_same_episodes(first: EpisodeLists, second: EpisodeLists) -> bool:
    """Tells whether two lists differ at most in how many distractor classes they hold."""
    common = min(first.distractors.shape[1], second.distractors.shape[1])
    pairs = [
        (getattr(first, name), getattr(second, name))
        for name in ("classes", "labeled", "unlabeled")
    ]
    for name in ("distractor_classes", "distractors"):
        pairs.append((getattr(first, name)[:, :common], getattr(second, name)[:, :common]))
    return all(np.array_equal(a, b) for a, b in pairs)


def check_free(folder: pathlib.Path) -> None:
    """Raises `InputError` if something is at `folder`."""
    if folder.exists():
        raise InputError(
            f"Expected nothing at {folder}, found files that are never overwritten; "
            "choose another folder or move it away."
        ).about("target")


def write_tf1_folder(exported: Sequence[EpisodeLists], folder: pathlib.Path, root: str) -> None:
    """Writes lists, one for each split, into the new `folder`, completely or not at all.

    Args:
        exported: Lists of splits, in any order.
        folder: The one that will hold `{split}_filenames.npy`.
        root: What the names begin with, before `/data/<dataset>`: the original's data_path.

    Raises:
        InputError: If something is at `folder`.
    """
    check_free(folder)
    with new_folder(folder) as fresh:
        for lists in exported:
            write_labeled(lists, fresh, root)
            write_unlabeled(lists, fresh, root)
            write_distractors(lists, fresh, root)


def write_labeled(lists: EpisodeLists, folder: pathlib.Path, root: str) -> None:
    """Writes the support and query images, and the classes of each episode."""
    split, (way, per_class) = lists.config.split, lists.labeled.shape[1:]
    names = PoolNames(lists.catalogue, "labeled", root)
    names.write(list_files.labeled_file(folder, split), lists.classes, lists.labeled)
    # One episode stands for all: they are alike.
    np.save(folder / f"{split}_labels.npy", np.repeat(np.arange(way, dtype=np.int64), per_class))
    class_names = np.array([entry.name for entry in lists.catalogue.classes])
    np.save(
        folder / f"{split}_labelnames.npy", _narrowed(class_names, lists.classes)[lists.classes]
    )


def write_unlabeled(lists: EpisodeLists, folder: pathlib.Path, root: str) -> None:
    """Writes the unlabeled images, for a test split over files, and their labels."""
    count, way, unlabeled = lists.unlabeled.shape
    names = PoolNames(lists.catalogue, "unlabeled", root)
    paths = list_files.unlabeled_files(folder, lists.config.split, unlabeled)
    paths[0].parent.mkdir()
    for path, images in zip(paths, np.split(lists.unlabeled, len(paths), axis=2), strict=True):
        names.write(path, lists.classes, images)
        labels = np.tile(np.repeat(np.arange(way, dtype=np.int64), images.shape[2]), count)
        np.save(path.with_name(path.name.replace("_filenames", "_labels")), labels)


def write_distractors(lists: EpisodeLists, folder: pathlib.Path, root: str) -> None:
    """Writes the images of each distractor class into a file of its own."""
    names = PoolNames(lists.catalogue, "unlabeled", root)
    for j, path in enumerate(list_files.distractor_files(folder, lists.distractors.shape[1])):
        path.parent.mkdir(exist_ok=True)
        names.write(path, lists.distractor_classes[:, [j]], lists.distractors[:, [j]])


class PoolNames:
    """Names the images of one pool as the original does."""

    def __init__(self, catalogue: Catalogue, pool: str, root: str):
        prefix = f"{root}/data/{catalogue.folder.name}/{pool}_{catalogue.split}"
        pools = [getattr(entry, pool) for entry in catalogue.classes]
        self._starts = np.cumsum([0, *map(len, pools)])[:-1]
        self._names = np.array(
            [
                f"{prefix}/{entry.name}/{name}"
                for entry, names in zip(catalogue.classes, pools, strict=True)
                for name in names
            ]
        )

    def write(self, path: pathlib.Path, classes: np.ndarray, images: np.ndarray) -> None:
        """Saves the names of `images` `[E, N, P]` of `classes` `[E, N]` as one row of strings.

        Writes them piece by piece: those of the training lists exceed a gigabyte.
        """
        indices = (self._starts[classes][..., None] + images).ravel()
        names = _narrowed(self._names, indices)
        header = {"descr": names.dtype.str, "fortran_order": False, "shape": indices.shape}
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(indices), CHUNK):
                file.write(names[indices[start : start + CHUNK]].tobytes())


def _narrowed(names: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Returns `names` as wide as the longest that is used, as the original's arrays are."""
    used = names[np.unique(indices)]
    return names.astype(f"<U{np.char.str_len(used).max()}")

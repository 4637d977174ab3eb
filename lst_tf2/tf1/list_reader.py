"""Reads the filename lists that the original TensorFlow 1 program draws."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from lst_tf2.config import ListConfig
from lst_tf2.data.layout import Catalogue
from lst_tf2.data.lists import EpisodeLists
from lst_tf2.data.sampling import INDEX_DTYPE
from lst_tf2.errors import InputError, check
from lst_tf2.tf1 import list_files
from lst_tf2.tf1.list_files import REMEDY

# An image's number is its class times this, plus its place in the class's pool.
CLASS_STRIDE = np.iinfo(INDEX_DTYPE).max + 1
NOT_FOUND = -1
# Names turned into Python strings at once: bounds the memory of the training lists.
CHUNK = 1 << 16
NUM_NAMED = 3


class ImageNumbers(dict):
    """Maps the names of one pool's images, spelled as in the lists, to their numbers.

    Resolves each spelling once, by its last three parts: the folders above are those
    of the machine that drew the lists. Collects the images that it cannot find.
    """

    def __init__(self, catalogue: Catalogue, pool: str):
        super().__init__()
        self.missing: set[str] = set()
        self._known = {
            (f"{pool}_{catalogue.split}", entry.name, name): CLASS_STRIDE * c + i
            for c, entry in enumerate(catalogue.classes)
            for i, name in enumerate(getattr(entry, pool))
        }

    def __missing__(self, name: str | bytes) -> int:
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        # Windows paths take both separators, and skip doubled ones as in `.//data`.
        parts = pathlib.PureWindowsPath(text).parts[-3:]
        self[name] = self._known.get(parts, NOT_FOUND)
        if self[name] == NOT_FOUND:
            self.missing.add("/".join(parts))
        return self[name]

    def of(self, names: np.ndarray) -> np.ndarray:
        """Returns the int64 numbers of `names`, -1 for images that are not there."""
        chunks = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
        flat = (self[name] for chunk in chunks for name in chunk.tolist())
        return np.fromiter(flat, np.int64, len(names))

    def found(self) -> set[int]:
        """Returns the numbers of the images that are there."""
        return set(self.values()) - {NOT_FOUND}


class SplitNumbers(NamedTuple):
    """Holds the numbers of both pools: an image may have the same in each."""

    labeled: ImageNumbers
    unlabeled: ImageNumbers

    @property
    def missing(self) -> list[str]:
        """Names that were looked for in vain, as `<pool>_<split>/<class>/<file>`."""
        return sorted(self.labeled.missing | self.unlabeled.missing)

    @property
    def num_found(self) -> int:
        """How many images were found, each counted once."""
        return len(self.labeled.found()) + len(self.unlabeled.found())


class Blocks(NamedTuple):
    """Holds the images of one file, a block of them for each class of each episode."""

    path: pathlib.Path
    numbers: np.ndarray  # [E, N, images]


def number_images(catalogue: Catalogue) -> SplitNumbers:
    """Returns the numbers of the images in both pools of `catalogue`."""
    return SplitNumbers(ImageNumbers(catalogue, "labeled"), ImageNumbers(catalogue, "unlabeled"))


def read_tf1_lists(
    folder: str | os.PathLike, config: ListConfig, catalogue: Catalogue
) -> EpisodeLists:
    """Returns the episodes that the original program listed in `folder`.

    They keep the order of the files, so `arrange_as_paper` feeds them as the original.
    Stored by `save_lists` in `list_folder(config)`, they are what `open_lists` opens.

    Args:
        folder: The one that holds `{split}_filenames.npy`.
        config: Names the split, the counts in an episode as the lists were drawn with, and
            how many episodes to read from the start; for test episodes, the unlabeled
            images and distractors may be fewer than listed.
        catalogue: The images of the same split, wherever they now are.

    Raises:
        MissingInputError: If a list is missing.
        InputError: If a list is damaged, does not fit `config`, contradicts another list
            or names images that `catalogue` lacks.
    """
    _check_catalogue(config, catalogue)
    _check_counts(config)
    folder, numbers = pathlib.Path(folder), number_images(catalogue)
    labeled_file, unlabeled_files, distractor_files = _read_files(folder, config, numbers)
    _check_found(numbers, folder, catalogue)
    classes, labeled = _split_numbers(labeled_file, catalogue)
    unlabeled = _join_unlabeled(unlabeled_files, classes, catalogue)
    others, distractors = _join_distractors(distractor_files, config, catalogue)
    _check_distinct(np.concatenate([classes, others], axis=1), folder)
    arrays = (a.astype(INDEX_DTYPE) for a in (classes, labeled, unlabeled, others, distractors))
    return EpisodeLists(config, catalogue, *arrays)


def _read_files(
    folder: pathlib.Path, config: ListConfig, numbers: SplitNumbers
) -> tuple[Blocks, list[Blocks], list[Blocks]]:
    """Returns what the labeled, the unlabeled and the distractor files hold."""
    episode, count = config.episode, config.num_episodes
    path = list_files.labeled_file(folder, config.split)
    shape = (count, episode.way, episode.labeled_per_class)
    labeled = _read_blocks(path, numbers.labeled, shape)
    paths = list_files.unlabeled_files(folder, config.split, episode.unlabeled_per_class)
    shape = (count, episode.way, episode.unlabeled_per_class // len(paths))
    unlabeled = [_read_blocks(path, numbers.unlabeled, shape) for path in paths]
    paths = list_files.distractor_files(folder, episode.num_distractor_classes)
    shape = (count, 1, list_files.IMAGES_PER_DISTRACTOR)
    return labeled, unlabeled, [_read_blocks(path, numbers.unlabeled, shape) for path in paths]


def _check_catalogue(config: ListConfig, catalogue: Catalogue) -> None:
    split = config.split
    remedy = f"scan the {split} split"
    check(catalogue.split == split, f"images of split {split!r}", repr(catalogue.split), remedy)
    sizes = [len(p) for entry in catalogue.classes for p in (entry.labeled, entry.unlabeled)]
    check(
        max(sizes, default=0) < CLASS_STRIDE,
        f"at most {CLASS_STRIDE - 1} images in a class folder of {catalogue.folder}",
        max(sizes, default=0),
        "remove images that the lists do not name",
    )


def _check_counts(config: ListConfig) -> None:
    episode, split = config.episode, config.split
    most = list_files.NUM_DISTRACTOR_FILES if split == "test" else 0
    check(
        episode.num_distractor_classes <= most,
        f"at most {most} distractor classes, as the original lists for split {split!r}",
        episode.num_distractor_classes,
        "lower it",
        "num_distractor_classes",
    )
    unlabeled, step = episode.unlabeled_per_class, list_files.IMAGES_PER_FILE
    most = step * list_files.NUM_UNLABELED_FILES
    check(
        split != "test" or (unlabeled % step == 0 and unlabeled <= most),
        "10, 20, ... or 100 unlabeled images a class, as each of 10 files holds 10",
        unlabeled,
        "choose such a count",
        "test_unlabeled_per_class",
    )


def _read_blocks(path: pathlib.Path, numbers: ImageNumbers, shape: tuple) -> Blocks:
    """Returns the first `prod(shape)` images of the list at `path`."""
    names = list_files.load_names(path)
    per_episode = shape[1] * shape[2]
    check(
        len(names) >= shape[0] * per_episode and len(names) % per_episode == 0,
        f"{shape[0]} or more episodes of {shape[1]} x {shape[2]} = {per_episode} names in {path}",
        f"{len(names)} names",
        REMEDY,
    )
    return Blocks(path, numbers.of(names[: shape[0] * per_episode]).reshape(shape))


def _check_found(numbers: SplitNumbers, folder: pathlib.Path, catalogue: Catalogue) -> None:
    missing = numbers.missing
    check(
        not missing,
        f"the images that {folder} lists in {catalogue.folder}",
        f"{len(missing)} missing of {numbers.num_found + len(missing)} (first: "
        f"{', '.join(missing[:NUM_NAMED])})",
        "use the images that the lists were drawn from, in folders of the same names",
    )


def _split_numbers(blocks: Blocks, catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    """Returns classes `[E, N]` and images `[E, N, images]`."""
    classes, images = np.divmod(blocks.numbers, CLASS_STRIDE)
    _check_classes(classes, classes[..., 0], blocks.path, catalogue)
    return classes[..., 0], images


def _check_classes(
    found: np.ndarray, expected: np.ndarray, path: pathlib.Path, catalogue: Catalogue
) -> None:
    """Raises `InputError` unless each block of `found` is of the class `expected` `[E, N]`."""
    wrong = np.argwhere(found != expected[..., None])
    if not len(wrong):
        return
    index, position, image = wrong[0]
    wanted = catalogue.classes[expected[index, position]].name
    received = catalogue.classes[found[index, position, image]].name
    raise InputError(
        f"Expected {found.shape[-1]} images of class {wanted} at class {position} of episode "
        f"{index} in {path}, received image {image} of class {received}; {REMEDY}."
    )


def _join_unlabeled(files: list[Blocks], classes: np.ndarray, catalogue: Catalogue) -> np.ndarray:
    """Returns images `[E, N, U]`, the files' shares one after the other in each class."""
    for blocks in files:
        _check_classes(blocks.numbers // CLASS_STRIDE, classes, blocks.path, catalogue)
    return np.concatenate([blocks.numbers for blocks in files], axis=2) % CLASS_STRIDE


def _join_distractors(
    files: list[Blocks], config: ListConfig, catalogue: Catalogue
) -> tuple[np.ndarray, np.ndarray]:
    """Returns classes `[E, X]` and images `[E, X, U]`, the first of those listed."""
    episode, count = config.episode, config.num_episodes
    if not files:
        shape = (count, 0, episode.unlabeled_per_class)
        return np.zeros(shape[:2], INDEX_DTYPE), np.zeros(shape, INDEX_DTYPE)
    classes, images = zip(*(_split_numbers(blocks, catalogue) for blocks in files), strict=True)
    unlabeled = np.concatenate(images, axis=1)[..., : episode.unlabeled_per_class]
    return np.concatenate(classes, axis=1), unlabeled


def _check_distinct(classes: np.ndarray, folder: pathlib.Path) -> None:
    """Raises `InputError` where an episode has a class twice, or as distractor too."""
    repeated = (np.diff(np.sort(classes.astype(int), axis=1), axis=1) == 0).any(axis=1)
    if repeated.any():
        index = int(repeated.argmax())
        raise InputError(
            f"Expected {classes.shape[1]} distinct classes in each episode of {folder}, "
            f"distractors included, received episode {index} with "
            f"{len(set(classes[index].tolist()))}; {REMEDY}."
        )

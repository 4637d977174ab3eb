"""The folder of filename lists that the original TensorFlow 1 program writes.

For a setting it writes a folder `{mini_,tiered_}{shot}shot_{way}way` of string arrays,
episode after episode (E) and in each class after class (N):

    {split}_filenames.npy                                            [E * N * P]
    unlabeled_samples_for_{split}/{split}_{U}_un_filenames.npy       [E * N * U]   train, val
    unlabeled_samples_for_test/test_{0..9}_un_filenames.npy          [E * N * 10]  each
    unlabeled_samples_for_test/distracting_file/test_{1..7}_dis_filenames.npy  [E * 100]

It lists 80,000 episodes to train with `P = shot + 15`, and 600 each to validate and to
test with `P = 2 * shot`. Its label arrays say nothing that the order does not.
"""

import pathlib
import re
import warnings

import numpy as np

from lst_tf2.config import SPLITS
from lst_tf2.errors import InputError, MissingInputError, check

# Fixed in the original program.
TRAIN_QUERIES = 15
# Fixed in the original program, for test episodes.
IMAGES_PER_FILE = 10
NUM_UNLABELED_FILES = 10
NUM_DISTRACTOR_FILES = 7
# Of these files, as many as a test uses unless told otherwise.
NUM_TESTED_DISTRACTORS = 3
IMAGES_PER_DISTRACTOR = 100
PREFIXES = {"miniImagenet": "mini", "tieredImagenet": "tiered"}
REMEDY = (
    "pass the way, shot, queries and unlabeled images that the lists were drawn with (the "
    "original has 15 queries a class to train, `shot` to validate and to test) and no more "
    "episodes than they hold, or restore the file"
)


def folder_name(dataset: str, shot: int, way: int) -> str:
    """Returns the name of the folder for a setting; other data sets go by their own name."""
    return f"{PREFIXES.get(dataset, dataset)}_{shot}shot_{way}way"


def parse_folder_name(name: str) -> tuple[int, int] | None:
    """Returns the shot and the way that a folder's name tells, if it does."""
    match = re.search(r"(?:^|_)(\d+)shot_(\d+)way$", name)
    return (int(match[1]), int(match[2])) if match else None


def queries_per_class(split: str, shot: int) -> int:
    """Returns how many queries the original lists for each class of an episode."""
    return TRAIN_QUERIES if split == "train" else shot


def labeled_file(folder: pathlib.Path, split: str) -> pathlib.Path:
    """Returns the list of support and query images."""
    return folder / f"{split}_filenames.npy"


def unlabeled_files(folder: pathlib.Path, split: str, count: int) -> list[pathlib.Path]:
    """Returns the lists that together hold `count` unlabeled images of each class."""
    folder = folder / f"unlabeled_samples_for_{split}"
    if split != "test":
        return [folder / f"{split}_{count}_un_filenames.npy"]
    return [folder / f"test_{j}_un_filenames.npy" for j in range(count // IMAGES_PER_FILE)]


def distractor_files(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Returns the lists of the first `count` distractor classes of the test episodes."""
    folder = folder / "unlabeled_samples_for_test" / "distracting_file"
    return [folder / f"test_{j}_dis_filenames.npy" for j in range(1, count + 1)]


def listed_splits(folder: pathlib.Path) -> list[str]:
    """Returns the splits that `folder` has lists of."""
    return [split for split in SPLITS if labeled_file(folder, split).exists()]


def listed_unlabeled(folder: pathlib.Path, split: str) -> list[int]:
    """Returns the counts of unlabeled images per class that `folder` lists for `split`."""
    pattern = rf"{split}_(\d+)_un_filenames.npy"
    numbers = _file_numbers(folder / f"unlabeled_samples_for_{split}", pattern)
    if split != "test":
        return numbers
    return [(numbers[-1] + 1) * IMAGES_PER_FILE] if numbers else []


def listed_distractors(folder: pathlib.Path) -> int:
    """Returns how many distractor classes `folder` lists for test episodes."""
    folder = folder / "unlabeled_samples_for_test" / "distracting_file"
    return max(_file_numbers(folder, r"test_(\d+)_dis_filenames.npy"), default=0)


def _file_numbers(folder: pathlib.Path, pattern: str) -> list[int]:
    matches = [re.fullmatch(pattern, path.name) for path in folder.glob("*.npy")]
    return sorted(int(match[1]) for match in matches if match)


def load_names(path: pathlib.Path) -> np.ndarray:
    """Returns the names in `path`, mapped, not read: training lists exceed a gigabyte."""
    remedy = "restore the file, or let the original program write it again"
    try:
        with warnings.catch_warnings():
            # NumPy advises to save again what Python 2 wrote; these stay as they are.
            warnings.filterwarnings("ignore", ".*Python 2", UserWarning)
            names = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise MissingInputError(f"Expected a list {path}, found none; {REMEDY}.") from None
    except Exception as error:  # What the parser of a damaged file raises is without end.
        raise InputError(f"Expected an array in {path}, received: {error}; {remedy}.") from None
    is_names = isinstance(names, np.ndarray) and names.ndim == 1 and names.dtype.kind in "SU"
    received = f"{getattr(names, 'dtype', type(names).__name__)} {getattr(names, 'shape', '')}"
    check(is_names, f"one row of strings in {path}", received, remedy)
    return names

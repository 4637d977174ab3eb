"""Which unlabeled images to label next, so that it helps most."""

import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from lst_tf2.errors import check
from lst_tf2.predict.confidence import NEIGHBOURS
from lst_tf2.storage.files import new_folder

TINY = 1e-12


def propose(embeddings: np.ndarray, probs: np.ndarray, count: int) -> list[int]:
    """Returns the rows of images that are unsure, as their neighbours are, best first.

    The label of one tells of its neighbours, so that it is worth the doubt that it takes from
    them; they are then not proposed themselves, as long as there are others in doubt.

    Args:
        embeddings: `[U, D]` of the unlabeled images.
        probs: `[U, N]`; what a row lacks of 1 is for none of the classes.
        count: How many, at most U.
    """
    doubt = doubt_of(probs)
    directions = embeddings - embeddings.mean(axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), TINY)
    cosines = directions @ directions.T
    near = min(NEIGHBOURS, len(cosines) - 1)
    bound = -np.partition(-cosines, near, axis=1)[:, near, np.newaxis]
    ties = np.where(cosines >= bound, np.maximum(cosines, 0), 0)
    chosen: list[int] = []
    for _ in range(min(count, len(probs))):
        worth = ties.T @ doubt
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
        doubt = doubt * (1 - ties[:, chosen[-1]])
    return chosen


def doubt_of(probs: np.ndarray) -> np.ndarray:
    """Returns the entropy of each row, `[U]`, "none of these" one of the possibilities."""
    none = np.maximum(1 - probs.sum(axis=1, keepdims=True), 0)
    everything = np.concatenate([probs, none], axis=1)
    return -np.sum(everything * np.log(np.maximum(everything, TINY)), axis=1)


def link_proposals(paths: Sequence[str], folder: pathlib.Path, *, overwrite: bool) -> None:
    """Makes a folder of links to images, best first by name.

    Raises:
        InputError: If there is such a folder, and it is not to be replaced.
    """
    check_proposals(folder, overwrite=overwrite)
    with new_folder(folder) as new:
        for number, path in enumerate(paths, start=1):
            link = new / f"{number:03d}_{os.path.basename(path)}"
            try:
                link.symlink_to(os.path.realpath(path))
            except OSError:  # Systems without links.
                shutil.copyfile(path, link)


def check_proposals(folder: pathlib.Path, *, overwrite: bool) -> None:
    """Raises `InputError` unless a folder can be replaced: it holds nothing but links."""
    if folder.exists():
        is_ours = folder.is_dir() and all(entry.is_symlink() for entry in folder.iterdir())
        received = "an earlier one" if is_ours else "something else"
        remedy = "pass overwrite, or name another" if is_ours else "name another"
        is_free = overwrite and is_ours
        check(is_free, f"no {folder} yet", received, remedy, "out", "overwrite")

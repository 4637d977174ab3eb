"""Checks stored episode lists against themselves and the images that lie there now."""

import functools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import EpisodeLists, load_lists, stored_config, stored_origin
from lst_tf2.errors import InputError

SOUND = "sound"
COLUMNS = ("left", "right", "left", "left")


class CheckedList(NamedTuple):
    """Says what a stored list is; `problem` is "" if it is sound."""

    name: str
    num_episodes: int
    origin: str
    problem: str


def check_folders(folders: Sequence[pathlib.Path]) -> list[CheckedList]:
    """Returns what is found out about the lists stored in each of `folders`.

    A list that cannot be opened raises nothing: its `problem` says why.
    """
    scan = functools.cache(scan_split)
    return [_check_folder(folder, scan) for folder in folders]


def _check_folder(folder: pathlib.Path, scan) -> CheckedList:
    try:
        config = stored_config(folder)
        lists = load_lists(folder, scan(config.data_folder, config.split), config)
        origin = stored_origin(folder)
    except InputError as error:
        return CheckedList(folder.name, 0, "", str(error))
    return CheckedList(folder.name, len(lists), origin, find_repetition(lists))


def find_repetition(lists: EpisodeLists) -> str:
    """Returns where an episode has a class twice, or a class an image twice; "" for nowhere."""
    classes = np.concatenate([lists.classes, lists.distractor_classes], axis=1)
    rows = {
        "classes, distractors included,": classes,
        "labeled images of a class": lists.labeled,
        "unlabeled images of a class": lists.unlabeled,
        "images of a distractor class": lists.distractors,
    }
    for what, indices in rows.items():
        in_order = np.sort(indices, axis=-1)
        repeated = (in_order[..., 1:] == in_order[..., :-1]).any(axis=-1)
        if repeated.any():
            where = np.argwhere(repeated)[0].tolist()
            return (
                f"Expected distinct {what} in every episode, received some twice in "
                f"{np.count_nonzero(repeated)} places, first in episode {where[0]}"
                + (f", class {where[1]}" if len(where) > 1 else "")
                + "; remove the list's folder, or draw or import it again."
            )
    return ""


def check_lines(checked: Sequence[CheckedList]) -> list[str]:
    """Returns a table with a row for each list, and below it what is wrong."""
    rows = [("list", "episodes", "origin", "state")]
    for entry in checked:
        count, state = str(entry.num_episodes or "?"), "WRONG" if entry.problem else SOUND
        rows.append((entry.name, count, entry.origin or "?", state))
    table = tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=COLUMNS)
    return table.splitlines() + [
        f"{entry.name}: {entry.problem}" for entry in checked if entry.problem
    ]

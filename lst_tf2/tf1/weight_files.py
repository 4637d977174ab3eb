"""The files of the original program: what lies in a folder, and the arrays in them.

The original saves `weights_<n>.npy` (backbone with its head), and for a learner beside it
`ss_weights_<n>.npy` (scales and shifts), `fc_weights_<n>.npy` (initial classifier) and
`swn_weights_<n>.npy` (soft weighting network). Meta-Transfer Learning saves the first three.
A TensorFlow 1 `Saver` keeps all of them in `<name>-<n>.index` and `<name>-<n>.data-*`.
"""

import pathlib
import re

import numpy as np

from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.storage.files import write_bytes
from lst_tf2.tf1.array_dict import array_dict_bytes, read_array_dict
from lst_tf2.tf1.saver import read_saver, saver_prefix

GROUPS = ("weights", "ss_weights", "fc_weights", "swn_weights")
SAVER = "saver"
FILE_NAME = re.compile(r"(weights|ss_weights|fc_weights|swn_weights)_(\d+)\.npy")
KINDS = {
    GROUPS[:1]: "pre-trained backbone",
    GROUPS[:3]: "Meta-Transfer Learning weights",
    GROUPS: "LST checkpoint",
}

# Arrays of the original by group, then by name.
Groups = dict[str, dict[str, np.ndarray]]
# The files of one step: a `.npy` file for each group, or the prefix of a Saver's files.
StepFiles = dict[str, pathlib.Path]


def find_steps(path: pathlib.Path) -> dict[int, StepFiles]:
    """Returns the original's files at `path`, a file or a folder, by step and group.

    Raises:
        MissingInputError: If there are none.
        InputError: If a Saver's files have no number.
    """
    steps = list_steps(path)
    if not steps:
        raise MissingInputError(
            f"Expected weights_<n>.npy, or with it ss_weights_<n>.npy, fc_weights_<n>.npy and "
            f"swn_weights_<n>.npy, or a Saver's <name>-<n>.index, at {path}, found none; name the "
            "file or its folder."
        ).about("source")
    return steps


def list_steps(path: pathlib.Path) -> dict[int, StepFiles]:
    """Returns the same as `find_steps`, nothing where there is nothing."""
    steps: dict[int, StepFiles] = {}
    for candidate in sorted(path.iterdir()) if path.is_dir() else [path]:
        if (match := FILE_NAME.fullmatch(candidate.name)) and candidate.exists():
            steps.setdefault(int(match[2]), {})[match[1]] = candidate
        elif prefix := saver_prefix(candidate):
            steps.setdefault(_step_of(prefix), {})[SAVER] = prefix
    return steps


def _step_of(prefix: pathlib.Path) -> int:
    match = re.search(r"-(\d+)$", prefix.name)
    if not match:
        raise InputError(
            f"Expected the iteration at the end of the names of a Saver's files, as in "
            f"model.ckpt-15000.index, received {prefix.name}.index; rename them."
        )
    return int(match[1])


def read_groups(files: StepFiles, step: int) -> Groups:
    """Returns the arrays of one saved step.

    Raises:
        InputError: If files of the step are missing, or one is damaged or not to be trusted.
    """
    if SAVER in files:
        groups = read_saver(files[SAVER])
    else:
        groups = {group: files[group] for group in GROUPS if group in files}
    if tuple(groups) not in KINDS or (SAVER in files and len(files) > 1):
        raise InputError(
            f"Expected one of {', '.join(' + '.join(kind) for kind in KINDS)} for step {step}, "
            f"found {', '.join(files if SAVER in files and len(files) > 1 else groups) or 'none'}; "
            "add the missing files, or keep one form of them."
        )
    return {
        group: found if isinstance(found, dict) else read_array_dict(found)
        for group, found in groups.items()
    }


def write_groups(groups: Groups, step: int, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes the original's `.npy` files into `folder`; returns them.

    Raises:
        InputError: If others of the same names are there.
    """
    contents = {
        folder / f"{group}_{step}.npy": array_dict_bytes(arrays) for group, arrays in groups.items()
    }
    others = [p for p, content in contents.items() if p.exists() and p.read_bytes() != content]
    check(
        not others,
        f"no other weights in {folder}",
        ", ".join(map(str, others)),
        "name another folder",
        "target",
    )
    for path, content in contents.items():
        write_bytes(path, content)
    return list(contents)

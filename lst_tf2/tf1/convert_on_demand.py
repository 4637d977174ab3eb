"""Takes up weights that lie in the original program's folders, where ours are not there."""

import pathlib
import re
from collections.abc import Sequence

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.runs.checkpoints import saved_steps
from lst_tf2.runs.run_folder import is_trained_here
from lst_tf2.tf1.weight_files import list_steps
from lst_tf2.tf1.weight_import import read_step, write_checkpoint


def convert_on_demand(
    target: pathlib.Path, sources: Sequence[pathlib.Path], settings: ModelConfig
) -> pathlib.Path | None:
    """Converts the original's weights into a checkpoint of ours.

    Nothing is done where that checkpoint is there, or another run of ours.

    Args:
        target: The checkpoint, `<folder>/step_<n>.npz`; `step_last.npz` for the newest.
        sources: Files or folders of the original, the likeliest first.
        settings: Of the model, which the files do not tell.

    Returns:
        What was converted; None if nothing was.

    Raises:
        InputError: If several folders of the original would do, or its files are bad.
    """
    folder = target.parent
    wanted = _wanted_step(target)
    is_there = target.exists() or (wanted is None and saved_steps(folder))
    if is_there or is_trained_here(folder):
        return None
    found = {source: steps for source in sources if (steps := list_steps(source))}
    matching = [source for source, steps in found.items() if wanted in (None, *steps)]
    if not matching:
        return None
    _check_single(matching)
    steps = found[matching[0]]
    step = max(steps) if wanted is None else wanted
    write_checkpoint(read_step(steps[step], step, settings), folder)
    return matching[0]


def _wanted_step(target: pathlib.Path) -> int | None:
    match = re.fullmatch(r"step_(\d+)\.npz", target.name)
    return int(match[1]) if match else None


def _check_single(sources: list[pathlib.Path]) -> None:
    """Raises `InputError` where runs of the same name lie side by side."""
    rivals = [source for source in sources if source.parent == sources[0].parent]
    if len(rivals) > 1:
        raise InputError(
            f"Expected one run of the original program, found {len(rivals)}: "
            f"{', '.join(str(path) for path in rivals)}; pass the flags that it was trained with, "
            "or convert the right one with convert_tf1_weights.py."
        )

"""The folder of a run: its settings, fixed before the first step."""

import contextlib
import dataclasses
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.storage.files import read_json, write_json
from lst_tf2.storage.locks import held

# A run may be prolonged, watched more closely, moved, fed otherwise or divided over other devices
# without becoming another run.
FREE_SETTINGS = ("loop", "run_folder", "jit_compile", "cache", "distribution")
# Parts of the model's settings that say how to compute, not what the weights mean.
COMPUTE_SETTINGS = ("precision", "recompute")
# Parts that say nothing about the backbone.
LEARNER_SETTINGS = ("learn_inner_lr",)
# Checkpoints, and damaged ones that were set aside.
WEIGHTS = ("step_*.npz", "best.npz", "damaged_*.npz")
# What `lst report` leaves in a run folder.
REPORTS = ("stages.png", "report.html")


def flatten_settings(settings: dict, prefix: str = "") -> dict[str, Any]:
    """Returns nested settings as one dict with dotted keys."""
    flat = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten_settings(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def list_differences(stored: dict, wanted: dict) -> list[str]:
    """Returns a line for each setting that differs, sorted by name.

    A setting that only one of the two knows is no difference: a converted checkpoint
    comes without those that its files do not tell.
    """
    ours, theirs = flatten_settings(wanted), flatten_settings(stored)
    return [
        f"{name}: {theirs[name]} there, {ours[name]} now"
        for name in sorted(ours.keys() & theirs.keys())
        if ours[name] != theirs[name] and name.split(".")[0] not in FREE_SETTINGS
    ]


@contextlib.contextmanager
def open_run(folder: str, config: Any, *, overwrite: bool) -> Iterator[pathlib.Path]:
    """Holds the run folder for a run with `config`, and writes `config.json` there.

    A run that stopped before its first checkpoint is no obstacle to other settings.

    Args:
        folder: The run folder; made where there is none.
        config: A dataclass, the run's settings.
        overwrite: Start again where the folder holds a run with other settings; that
            run is kept beside it under another name.

    Raises:
        InputError: If another process writes to the folder, if it holds a run with other
            settings and `overwrite` is not set, or something that is not a run.
    """
    path, settings = pathlib.Path(folder), dataclasses.asdict(config)
    with contextlib.ExitStack() as holds:
        holds.enter_context(held(path))
        if holds_more_than_results(path):
            differences = list_differences(_read_settings(path), settings)
            has_weights = any(any(path.glob(pattern)) for pattern in WEIGHTS)
            if differences and has_weights and not overwrite:
                raise InputError(
                    f"Expected the settings of the run that {path} holds, received others:\n  "
                    + "\n  ".join(differences)
                    + "\nStart again with `overwrite` (that run is kept beside it under another "
                    "name), or name another folder."
                ).about("overwrite", "exp_name", "pretrain_folder")
            if differences and has_weights:
                _set_aside(path)
                holds.enter_context(held(path))
        write_json(path / "config.json", {"settings": settings}, sealed=True)
        yield path


def holds_more_than_results(path: pathlib.Path) -> bool:
    """Returns whether a folder holds anything but what tests leave and temporary files."""
    logs = path / "logs"
    entries = [entry for entry in path.iterdir() if entry != logs]
    entries += logs.iterdir() if logs.is_dir() else ()
    return any(
        not (entry.name.startswith(("results_", ".")) or entry.name in REPORTS) for entry in entries
    )


def _set_aside(path: pathlib.Path) -> None:
    """Renames a run folder to the first free `<name>.<number>`."""
    numbers = itertools.count(1)
    free = next(f for n in numbers if not (f := path.with_name(f"{path.name}.{n}")).exists())
    path.rename(free)


def _read_settings(path: pathlib.Path) -> dict:
    if not (path / "config.json").exists():
        raise InputError(
            f"Expected a run in {path}, found files but no config.json; name another folder."
        )
    return read_json(path / "config.json", settings=dict)["settings"]


def is_trained_here(path: pathlib.Path) -> bool:
    """Returns whether a folder holds a run of ours, not merely converted checkpoints.

    Converted ones come with the settings of their model alone.
    """
    return (path / "config.json").exists() and _read_settings(path).keys() != {"model"}


def _stored_model(path: pathlib.Path) -> dict[str, Any]:
    if not (path / "config.json").exists():
        raise MissingInputError(
            f"Expected a run in {path}, found no config.json; train one first "
            "(a backbone is pre-trained first, then a run meta-trained), or name another folder."
        ).about("exp_name", "dataset", "pretrain_folder", "finetune_path")
    stored = _read_settings(path).get("model")
    check(
        isinstance(stored, dict), f"a model in {path / 'config.json'}", stored, "restore the file"
    )
    return stored


def read_model(path: pathlib.Path) -> ModelConfig:
    """Returns the model of the run in `path`.

    Raises:
        InputError: If there is no run, or no model that can be.
    """
    stored = _stored_model(path)
    try:
        return ModelConfig.from_plain(stored)
    except (TypeError, ValueError) as error:
        expected = f"the settings of a model in {path / 'config.json'}"
        check(False, expected, f"{stored} ({error})", "restore the file")


def check_model(
    path: pathlib.Path, model: ModelConfig, ignored: tuple[str, ...] = COMPUTE_SETTINGS
) -> None:
    """Raises `InputError` unless the run in `path` has the model that the settings describe."""
    stored = _stored_model(path)
    wanted = {k: v for k, v in dataclasses.asdict(model).items() if k not in ignored}
    if differences := list_differences(stored, wanted):
        raise InputError(
            f"Expected the model of the run in {path}, received another: {'; '.join(differences)}; "
            "repeat its settings."
        ).about("filters", "image_size", "activation", "norm", "learn_inner_lr")

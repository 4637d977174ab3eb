"""Between the original program's files and our checkpoints, in both directions.

What its files are and hold is in `lst_tf2.weights.tf1_files`, what its names mean in
`lst_tf2.weights.tf1`.
"""

import dataclasses
import io
import pathlib
import re
from typing import Any

import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.files import write_bytes, write_json
from lst_tf2.models.learner import Learner, PretrainModel
from lst_tf2.weights.checkpoints import FOREIGN_PREFIX, read_arrays, saved_steps
from lst_tf2.weights.tf1 import backbone_names, head_names, learner_names
from lst_tf2.weights.tf1_files import KINDS, Groups, StepFiles, read_groups


@dataclasses.dataclass(frozen=True)
class Conversion:
    """Holds one saved step in both forms."""

    kind: str
    step: int
    model: ModelConfig
    groups: Groups
    targets: dict[tuple[str, str], str]  # our name of each of the original's arrays

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Our checkpoint's arrays by name; scales that pre-training does not have are 1."""
        scales = {
            name.replace("/kernel", "/scale"): np.ones((1, 1, *array.shape[2:]), np.float32)
            for name, array in self._read_arrays.items()
            if name.startswith("backbone/") and name.endswith("/kernel")
        }
        return scales | self._read_arrays

    @property
    def _read_arrays(self) -> dict[str, np.ndarray]:
        return {
            name: self.groups[group][original] for (group, original), name in self.targets.items()
        }


def read_step(files: StepFiles, step: int, settings: ModelConfig) -> Conversion:
    """Returns one saved step of the original, checked against the model that it describes.

    Args:
        files: Its files by group.
        step: Its number.
        settings: Image size, activation and norm, which the files do not tell.

    Raises:
        InputError: If a file is missing or bad, or if arrays are missing, unknown or of
            another shape; all faults are named at once.
    """
    groups = read_groups(files, step)
    model = infer_model(groups, settings)
    targets = name_targets(groups, model)
    return Conversion(KINDS[tuple(groups)], step, model, groups, targets)


def infer_model(groups: Groups, settings: ModelConfig) -> ModelConfig:
    """Returns `settings` with the filters that the backbone's arrays have.

    Raises:
        InputError: If there is no block to tell from.
    """
    weights, filters = groups["weights"], []
    while (kernel := weights.get(f"block{len(filters) + 1}_conv1")) is not None:
        filters.append(kernel.shape[-1] if kernel.ndim else 0)
    if not filters:
        raise InputError(
            f"Expected block1_conv1 among the arrays of the backbone, received "
            f"{sorted(weights) or 'none'}; pass a file of the original program."
        )
    return dataclasses.replace(settings, filters=tuple(filters))


def name_targets(groups: Groups, model: ModelConfig) -> dict[tuple[str, str], str]:
    """Returns our name of every array.

    Raises:
        InputError: If arrays are missing, unknown or of another shape.
    """
    expected = expected_variables(groups, model)
    faults = []
    for group, variables in expected.items():
        found = groups[group]
        faults += [f"{group}/{name} is missing" for name in variables if name not in found]
        faults += [f"{group}/{name} is unknown" for name in found if name not in variables]
        faults += [
            f"{group}/{name} has shape {found[name].shape}, not {shape}"
            for name, (shape, _) in variables.items()
            if name in found and found[name].shape != shape
        ]
    if faults:
        raise InputError(
            f"Expected the arrays of a backbone with filters {model.filters} and image size "
            f"{model.image_size}: {'; '.join(faults)}. Mend --img_size or the files."
        )
    return {
        (group, name): target
        for group, variables in expected.items()
        for name, (_, target) in variables.items()
    }


def expected_variables(groups: Groups, model: ModelConfig) -> dict[str, dict[str, tuple]]:
    """Returns shape and our name of every array, by group and by the original's name."""
    head = groups["weights"].get("b5", np.zeros(2))
    pretrained = PretrainModel(model, max(1, head.size))
    backbone = {
        "weights": backbone_names(pretrained.backbone) | head_names(pretrained.head),
    }
    if "fc_weights" not in groups:
        return _describe(backbone, pretrained.named_variables())
    way = max(1, groups["fc_weights"].get("b5", np.zeros(2)).size)
    learner = Learner(model, way)
    names = learner_names(learner)
    described = _describe(names, learner.named_variables())
    # Meta-training never reads the head and the biases beside the frozen kernels; they are
    # kept as they are, so that the way back gives the same files.
    unused = _describe(backbone, {})["weights"]
    described["weights"] = unused | described["weights"]
    return {group: described[group] for group in groups}


def _describe(groups: dict[str, dict], named_variables: dict[str, Any]) -> dict[str, dict]:
    ours = {id(variable): name for name, variable in named_variables.items()}
    return {
        group: {
            name: (
                tuple(variable.shape),
                ours.get(id(variable), f"{FOREIGN_PREFIX}{group}/{name}"),
            )
            for name, variable in variables.items()
        }
        for group, variables in groups.items()
    }


def write_checkpoint(conversion: Conversion, folder: pathlib.Path) -> pathlib.Path:
    """Writes `step_<n>.npz` and the model's settings into `folder`; returns the file."""
    settings = {"model": dataclasses.asdict(conversion.model)}
    if not (folder / "config.json").exists():
        write_json(folder / "config.json", {"settings": settings})
    buffer = io.BytesIO()
    np.savez(buffer, **conversion.arrays)
    path = folder / f"step_{conversion.step}.npz"
    write_bytes(path, buffer.getvalue())
    return path


def find_checkpoint_files(path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns our checkpoints at `path`, a file or a run folder, by step.

    Raises:
        MissingInputError: If there are none.
    """
    if path.is_file() and (match := re.fullmatch(r"step_(\d+)\.npz", path.name)):
        return {int(match[1]): path}
    files = {step: path / f"step_{step}.npz" for step in saved_steps(path)}
    if not files:
        raise MissingInputError(
            f"Expected step_<n>.npz at {path}, found none; pass the file or its run folder."
        )
    return files


def read_checkpoint(path: pathlib.Path, step: int, settings: ModelConfig) -> Conversion:
    """Returns our checkpoint in the original's arrays.

    The original also keeps a head and biases beside the frozen kernels that nothing reads
    in a learner; where the checkpoint does not have them from the original, the biases are
    the shifts and the head is empty of knowledge: zeros for 64 classes.

    Raises:
        InputError: If it is damaged or not a checkpoint of a backbone or learner.
    """
    ours = read_arrays(path)
    is_learner = "classifier/kernel" in ours
    sides = [a.shape for name, a in ours.items() if name.endswith("/conv1/kernel")]
    filters = tuple(sorted(shape[-1] for shape in sides))
    if not filters:
        raise InputError(f"Expected a backbone in {path}, received {sorted(ours)[:5]}.")
    model = dataclasses.replace(settings, filters=filters)
    sketch: Groups = {"weights": {"b5": _head_bias(ours)}}
    if is_learner:
        sketch |= {"ss_weights": {}, "fc_weights": {"b5": ours["classifier/bias"]}}
    if "soft_weighting/conv1_kernel" in ours:
        sketch["swn_weights"] = {}
    expected = expected_variables(sketch, model)
    groups = {
        group: {
            name: _value(ours, target, shape, group, name)
            for name, (shape, target) in variables.items()
        }
        for group, variables in expected.items()
    }
    return Conversion(KINDS[tuple(groups)], step, model, groups, name_targets(groups, model))


def _head_bias(ours: dict[str, np.ndarray]) -> np.ndarray:
    return ours.get("head/bias", ours.get(f"{FOREIGN_PREFIX}weights/b5", np.zeros(64, np.float32)))


def _value(
    ours: dict[str, np.ndarray], target: str, shape: tuple, group: str, name: str
) -> np.ndarray:
    if target in ours:
        return ours[target]
    if not target.startswith(FOREIGN_PREFIX):
        raise InputError(f"Expected {target} in the checkpoint for {group}/{name}, found none.")
    block, _, number = name.partition("_bias")
    return ours.get(f"backbone/{block}/conv{number}/shift", np.zeros(shape, np.float32))

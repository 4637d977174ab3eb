"""From the original program's files to our checkpoints; `lst_tf2.tf1.weight_export` goes back.

What its files are and hold is in `lst_tf2.tf1.weight_files`, what its names mean in
`lst_tf2.tf1.variable_names`.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.models.learner import Learner, PretrainModel
from lst_tf2.runs.checkpoints import FOREIGN_PREFIX
from lst_tf2.runs.run_folder import check_model, is_trained_here
from lst_tf2.storage.arrays import write_arrays
from lst_tf2.storage.files import write_json
from lst_tf2.tf1.variable_names import backbone_names, head_names, learner_names
from lst_tf2.tf1.weight_files import KINDS, Groups, StepFiles, read_groups


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
    arrays = [array for group in groups.values() for array in group.values()]
    check_size(model, [group["b5"] for group in groups.values() if "b5" in group], arrays)
    targets = name_targets(groups, model)
    return Conversion(KINDS[tuple(groups)], step, model, groups, targets)


def infer_model(groups: Groups, settings: ModelConfig) -> ModelConfig:
    """Returns `settings` with the filters that the backbone's arrays have.

    Raises:
        InputError: If there is no block to tell from.
    """
    weights, shapes = groups["weights"], []
    while (kernel := weights.get(f"block{len(shapes) + 1}_conv1")) is not None:
        shapes.append(kernel.shape)
    if not shapes:
        raise InputError(
            f"Expected block1_conv1 among the arrays of the backbone, received "
            f"{sorted(weights) or 'none'}; pass a file of the original program."
        )
    return with_filters(settings, shapes)


def with_filters(settings: ModelConfig, shapes: list[tuple]) -> ModelConfig:
    """Returns `settings` with the filters that the first kernel of each block has."""
    if not all(len(shape) == 4 and shape[-1] > 0 for shape in shapes):
        raise InputError(
            "Expected a first kernel of 3x3xinputsxfilters in each block, received shapes "
            f"{', '.join(map(str, shapes))}; fetch the files again."
        )
    return dataclasses.replace(settings, filters=tuple(shape[-1] for shape in shapes))


def check_size(
    model: ModelConfig, biases: Iterable[np.ndarray], arrays: Iterable[np.ndarray]
) -> None:
    """Raises `InputError` if `arrays` hold too few numbers for the model that they declare.

    One is built to compare them with: what a file declares must not make room for more than
    it holds.
    """
    num_held = sum(array.size for array in arrays)
    # The second of a block's three kernels, and the dense layers that have these biases.
    num_needed = sum(9 * width**2 for width in model.filters)
    num_needed += model.embedding_width * sum(bias.size for bias in biases)
    if num_needed > num_held:
        raise InputError(
            f"Expected {num_needed} numbers or more for a backbone with filters {model.filters}, "
            f"received {num_held}; fetch the files again."
        )


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
            f"{model.image_size}: {'; '.join(faults)}. Fix the image size or the files."
        ).about("image_size")
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


def check_target(conversions: Sequence[Conversion], folder: pathlib.Path) -> None:
    """Raises `InputError` unless all of `conversions` can be written into one folder.

    It must not hold a run that was trained here, nor another model.
    """
    if is_trained_here(folder):
        raise InputError(
            f"Expected no run of ours in {folder}, found one that was trained there and would be "
            "overwritten; choose another folder."
        ).about("target")
    models = list(dict.fromkeys(conversion.model for conversion in conversions))
    if len(models) > 1:
        raise InputError(
            "Expected steps of one model, received filters "
            f"{', '.join(str(model.filters) for model in models)}; convert one "
            "file at a time, each into a folder of its own."
        ).about("source", "target")
    if (folder / "config.json").exists():
        check_model(folder, models[0])


def write_checkpoint(conversion: Conversion, folder: pathlib.Path) -> pathlib.Path:
    """Writes `step_<n>.npz` and the model's settings into `folder`; returns the file.

    Raises:
        InputError: If the folder holds a run that was trained here, or another model.
    """
    check_target([conversion], folder)
    if not (folder / "config.json").exists():
        settings = {"model": dataclasses.asdict(conversion.model)}
        write_json(folder / "config.json", {"settings": settings}, sealed=True)
    path = folder / f"step_{conversion.step}.npz"
    write_arrays(path, conversion.arrays)
    return path

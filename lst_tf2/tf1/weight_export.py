"""From our checkpoints to the arrays of the original program's files."""

import itertools
import pathlib

import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.errors import InputError
from lst_tf2.runs.checkpoints import FOREIGN_PREFIX, read_arrays
from lst_tf2.tf1.weight_files import KINDS, Groups
from lst_tf2.tf1.weight_import import (
    Conversion,
    check_size,
    expected_variables,
    name_targets,
    with_filters,
)

# Of the initial classifier; of a pre-trained head, ours or taken over from the original.
HEAD_BIASES = ("classifier/bias", "head/bias", f"{FOREIGN_PREFIX}weights/b5")

# Learned rates of the inner loop, which the original does not have.
RATES = "inner_rates/kernel"


def read_saved_step(path: pathlib.Path, step: int, settings: ModelConfig) -> Conversion:
    """Returns our checkpoint in the original's arrays.

    The original also keeps a head and biases beside the frozen kernels that nothing reads
    in a learner; where the checkpoint does not have them from the original, the biases are
    the shifts and the head is empty of knowledge: zeros for 64 classes.

    Raises:
        InputError: If it is damaged, not a checkpoint of a backbone or learner, or of a learner
            that the original cannot have.
    """
    ours = read_arrays(path)
    shapes = _first_kernel_shapes(ours)
    if not shapes:
        raise InputError(f"Expected a backbone in {path}, received {sorted(ours)[:5]}.")
    if RATES in ours:
        raise InputError(
            f"Expected one rate for all inner steps in {path}, as the original program has, "
            "received learned ones; train without learn_inner_lr to convert."
        )
    model = with_filters(settings, shapes)
    check_size(model, [ours[name] for name in HEAD_BIASES if name in ours], ours.values())
    groups = {
        group: {
            name: _value(ours, target, shape, group, name)
            for name, (shape, target) in variables.items()
        }
        for group, variables in expected_variables(_sketch(ours), model).items()
    }
    return Conversion(KINDS[tuple(groups)], step, model, groups, name_targets(groups, model))


def _first_kernel_shapes(ours: dict[str, np.ndarray]) -> list[tuple]:
    """Returns the shapes of the blocks' first kernels, in order."""
    names = (f"backbone/block{number}/conv1/kernel" for number in itertools.count(1))
    return [ours[name].shape for name in itertools.takewhile(ours.__contains__, names)]


def _sketch(ours: dict[str, np.ndarray]) -> Groups:
    """Returns the groups that `ours` fill, with what tells the sizes of their heads."""
    classifier, *heads = HEAD_BIASES
    found = [ours[name] for name in heads if name in ours]
    sketch: Groups = {"weights": {"b5": found[0] if found else np.zeros(64, np.float32)}}
    if "classifier/kernel" in ours:
        sketch |= {"ss_weights": {}, "fc_weights": {"b5": ours.get(classifier, np.zeros(2))}}
    if "soft_weighting/conv1_kernel" in ours:
        sketch["swn_weights"] = {}
    return sketch


def _value(
    ours: dict[str, np.ndarray], target: str, shape: tuple, group: str, name: str
) -> np.ndarray:
    if target in ours:
        return ours[target]
    if not target.startswith(FOREIGN_PREFIX):
        raise InputError(f"Expected {target} in the checkpoint for {group}/{name}, found none.")
    block, _, number = name.partition("_bias")
    return ours.get(f"backbone/{block}/conv{number}/shift", np.zeros(shape, np.float32))

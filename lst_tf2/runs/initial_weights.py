"""What networks have before the first step of a training, where it is not drawn."""

import pathlib
import re

from lst_tf2.config import ModelConfig
from lst_tf2.models.learner import Learner, name_parts
from lst_tf2.models.resnet12 import ResNet12
from lst_tf2.runs.checkpoints import assign, read_arrays, restore
from lst_tf2.runs.run_folder import COMPUTE_SETTINGS, LEARNER_SETTINGS, check_model, read_model
from lst_tf2.storage.packing import unpack


def restore_start(
    learner: Learner, model: ModelConfig, pretrained_path: str, finetune_path: str
) -> None:
    """Restores the pre-trained backbone into a fresh learner.

    Where `finetune_path` is set, restores the backbone, scales, shifts and classifier of the
    meta-trained learner there instead, and the rates where both learn them.

    Raises:
        InputError: If the checkpoint is missing, damaged or of another model.
    """
    start = pathlib.Path(finetune_path or pretrained_path)
    check_model(start.parent, model, COMPUTE_SETTINGS + LEARNER_SETTINGS)
    parts = {"classifier": learner.classifier} if finetune_path else {}
    if finetune_path and read_model(start.parent).learn_inner_lr:
        parts |= learner.rate_parts
    restore(start, name_parts(backbone=learner.backbone, **parts))


def restore_kernels(backbone: ResNet12, path: pathlib.Path) -> None:
    """Restores the kernels of a backbone, to be trained further as by pre-training.

    Args:
        backbone: A fresh one; its scales and shifts stay.
        path: A checkpoint, or the `weights.npz` of a preset.

    Raises:
        InputError: If the checkpoint is missing, damaged or of another model.
    """
    kernels = {id(kernel) for kernel in backbone.kernels}
    named = {
        f"backbone/{name}": variable
        for name, variable in backbone.named_variables().items()
        if id(variable) in kernels
    }
    arrays = read_arrays(path)
    whole = unpack({n: array for n, array in arrays.items() if n.startswith("backbone/")}, path)
    assign(path, {_checkpoint_name(name): array for name, array in whole.items()}, named)


def _checkpoint_name(name: str) -> str:
    """Returns the name of a kernel in checkpoints; presets have those of Keras layers.

    Such as `block1_conv1/kernel` and `block1_shortcut/kernel`.
    """
    name = re.sub(r"(block\d+)_(shortcut|conv\d)", r"\1/\2", name)
    return name.replace("shortcut/kernel", "shortcut")

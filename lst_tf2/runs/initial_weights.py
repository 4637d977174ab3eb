"""What networks have before the first step of a training, where it is not drawn."""

import pathlib
import re

import numpy as np

from lst_tf2.config import ModelConfig
from lst_tf2.models.learner import Learner, name_parts
from lst_tf2.models.resnet12 import ResNet12
from lst_tf2.runs.checkpoints import assign, read_arrays, restore
from lst_tf2.runs.run_folder import COMPUTE_SETTINGS, LEARNER_SETTINGS, check_model, read_model


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
        path: A checkpoint, or the `weights.npz` of a preset that is not packed to 8 bits.

    Raises:
        InputError: If the checkpoint is missing, damaged or of another model.
    """
    kernels = {id(kernel) for kernel in backbone.kernels}
    named = {
        f"backbone/{name}": variable
        for name, variable in backbone.named_variables().items()
        if id(variable) in kernels
    }
    # A preset has the names of Keras layers: `block1_conv1/kernel`, `block1_shortcut/kernel`.
    found = {
        re.sub(r"(block\d+)_(shortcut|conv\d)", r"\1/\2", name).replace(
            "shortcut/kernel", "shortcut"
        ): np.float32(array)
        for name, array in read_arrays(path).items()
    }
    assign(path, found, named)

"""What a learner has before its first step of meta-training."""

import pathlib

from lst_tf2.config import ModelConfig
from lst_tf2.models.learner import Learner, name_parts
from lst_tf2.runs.checkpoints import restore
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

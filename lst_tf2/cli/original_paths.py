"""Where the original program keeps its weights, from the flags that it shares with ours."""

import os
import pathlib
import re

from absl import flags

from lst_tf2.config import MetaTestConfig, MetaTrainConfig

# Fixed in the original program, not among its flags.
ORIGINAL_PRETRAIN_FOLDER = "pretrain_weights_dir"
FINETUNE_STEP = 15000
ORIGINAL_FILE = re.compile(r"(?:ss_|fc_|swn_)?weights_(\d+)\.npy")
NORM_WORDS = {"batch_norm": "batch", "layer_norm": "layer", "None": "none"}


def finetune_path(values: flags.FlagValues) -> str:
    """Returns our checkpoint of the learner to start from; empty without `--meta_finetune`.

    A folder means the step that the original always takes of it, a file of the original its
    own step.
    """
    if not values.meta_finetune:
        return ""
    path = values.finetune_w_path or os.path.join(
        values.pretrain_w_path, values.dataset, _finetune_folder(values)
    )
    folder, name = os.path.split(path)
    if match := ORIGINAL_FILE.fullmatch(name):
        return os.path.join(folder, f"step_{match[1]}.npz")
    return path if name.endswith(".npz") else os.path.join(path, f"step_{FINETUNE_STEP}.npz")


def start(
    values: flags.FlagValues, config: MetaTrainConfig | MetaTestConfig
) -> tuple[str, list[pathlib.Path]]:
    """Returns the checkpoint that a run starts from, and where one of the original may lie."""
    if config.finetune_path:
        return config.finetune_path, finetune_sources(values, config.finetune_path)
    return config.pretrained_path, backbone_sources(values)


def backbone_sources(values: flags.FlagValues) -> list[pathlib.Path]:
    """Returns where the original's pre-trained backbone may lie, the likeliest first."""
    name = f"weights_{values.pretrain_iterations}.npy"
    return [root / "pretrain_weights" / name for root in _pretrain_roots(values)]


def finetune_sources(values: flags.FlagValues, path: str) -> list[pathlib.Path]:
    """Returns where the original's learner for `path`, `finetune_path(values)`, may lie."""
    roots = [*_pretrain_roots(values), pathlib.Path(values.logdir_base, ORIGINAL_PRETRAIN_FOLDER)]
    return [pathlib.Path(path).parent, *(root / _finetune_folder(values) for root in roots)]


def run_sources(values: flags.FlagValues) -> list[pathlib.Path]:
    """Returns the original's folders of the run that the flags name.

    That is the one that its own name for these flags gives, else each of this data set,
    way, shot and `--exp_name`: a test needs flags of the training to give that name.
    """
    root = pathlib.Path(values.logdir_base, values.exp_log_label)
    exact = root / long_name(values)
    if exact.is_dir() or not root.is_dir():
        return [exact]
    start = f"dataset({values.dataset}).cls({values.way_num}).shot({values.shot_num})."
    return sorted(
        path
        for path in root.iterdir()
        if path.name.startswith(start) and path.name.endswith(f").{values.exp_name}")
    )


def long_name(values: flags.FlagValues) -> str:
    """Returns the original's name for the folder of a run."""
    parts = {
        "dataset": values.dataset,
        "cls": values.way_num,
        "shot": values.shot_num,
        "meta_batch": values.meta_batch_size,
        "base_epoch": values.train_base_epoch_num,
        "meta_lr": values.meta_lr,
        "base_lr": values.base_lr,
        "pre_iterations": values.pretrain_iterations,
        "pre_dropout": values.pretrain_dropout_keep,
        "acti": values.activation,
        "lr_drop_step": values.lr_drop_step,
        "base_aug": values.base_augmentation,
        "norm": NORM_WORDS.get(values.norm, values.norm),
    }
    return ".".join([*(f"{name}({value})" for name, value in parts.items()), values.exp_name])


def _finetune_folder(values: flags.FlagValues) -> str:
    return f"{values.shot_num}-shot_MTL_weights"


def _pretrain_roots(values: flags.FlagValues) -> list[pathlib.Path]:
    """Returns the folders of the data set's pre-trained weights, the one of the flag first."""
    original = os.path.join(values.logdir_base, ORIGINAL_PRETRAIN_FOLDER)
    roots = (values.pretrain_w_path, original)
    return [pathlib.Path(root, values.dataset) for root in roots]

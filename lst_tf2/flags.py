"""The command line: the original program's flags, and the settings they make.

Names and defaults are those of the original; inside the package the names of
`lst_tf2.config` are used. Only the commands import this module.
"""

import math
import os

from absl import flags, logging

from lst_tf2 import config
from lst_tf2.command_help import show_on_help
from lst_tf2.config import check, check_choice

FLAGS = flags.FLAGS
# In the original a training episode always has 15 queries per class.
TRAIN_QUERIES = 15

DEFINERS = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
    list: flags.DEFINE_list,
}

COMMON_FLAGS = [
    ("exp_name", "finetune_mini_RN", "Name of the run; it lives in checkpoints/<exp_name>."),
    ("logdir_base", "./", "Folder that holds checkpoints/."),
    ("dataset", "miniImagenet", "Data set: a folder below <data_path>/data, e.g. glyphs."),
    ("data_path", "./", "Folder that holds data/."),
    ("way_num", 5, "N, classes in an episode."),
    ("shot_num", 1, "K, labeled images per class."),
    ("img_size", 84, "Side of the images in pixels."),
    ("filters", ["64", "128", "256", "512"], "Channels of the backbone's blocks."),
    ("activation", "leaky_relu", "Activation: leaky_relu, relu or None."),
    ("norm", "batch_norm", "Normalization: batch_norm (of the batch at hand), layer_norm or None."),
    ("base_lr", 0.01, "Step size of the gradient descent inside an episode."),
    ("pretrain_class_num", 64, "Number of base classes: miniImagenet 64, tieredImagenet 351."),
    ("pretrain_w_path", "pretrain_weights/", "Folder of pre-trained weights, <dataset>/ inside."),
    ("pretrain_iterations", 14000, "Iterations of pre-training; names the file to start from."),
    ("protocol", "paper", "`paper`: queries and distractors as published (K queries per class in "
     "validation and test). `standard`: 15 queries, distractors mixed into the unlabeled images."),
    ("seed", 0, "Seed of episodes, initial weights and dropout."),
    ("unfiles_num", 0, "Files of 10 unlabeled images per class, as in the original; if given it "
     "must be nb_ul_samples / 10."),
]  # fmt: skip

TRAIN_FLAGS = [
    ("phase", "meta", "`pre`: pre-training of the backbone; `meta`: meta-training."),
    ("overwrite", False, "Start the run anew where its folder holds one with other settings."),
    ("nb_ul_samples", 10, "Unlabeled images per class."),
    ("re_train_epoch_num", 5, "Steps on support and pseudo-labeled images; 0: none."),
    ("train_base_epoch_num", 20, "Steps in all, the rest on the support set alone."),
    ("meta_finetune", False, "Start from a meta-trained learner (Meta-Transfer Learning's or "
     "LST's), not from the pre-trained backbone."),
    ("finetune_w_path", "", "With meta_finetune: its checkpoint, <folder>/step_<n>.npz; "
     "convert_tf1_weights.py makes one of the original's files."),
    ("metatrain_iterations", 15000, "Iterations of meta-training."),
    ("meta_batch_size", 2, "T, episodes per iteration."),
    ("meta_lr", 0.001, "Rate for scaling, shifting and initial classifier."),
    ("swn_lr", 0.001, "Rate for the soft weighting network."),
    ("min_meta_lr", 0.0001, "Floor of both rates."),
    ("lr_drop_step", 1000, "Both rates are halved at iterations that are multiples of this and "
     "of meta_val_print_step."),
    ("meta_print_step", 100, "Iterations between log lines (where stderr is no terminal)."),
    ("meta_sum_step", 10, "Iterations between TensorBoard scalars."),
    ("meta_save_step", 1000, "Iterations between checkpoints."),
    ("meta_val_print_step", 1000, "Iterations between validations."),
    ("train_episode_num", 80000, "Length of the list of training episodes."),
    ("val_episode_num", 10, "Episodes of one validation."),
    ("pretrain_batch_size", 64, "Images per iteration of pre-training."),
    ("pretrain_dropout_keep", 0.9, "Share of a block's outputs that dropout keeps."),
    ("pre_lr", 0.001, "Rate of pre-training."),
    ("min_pre_lr", 0.0001, "Floor of that rate, with pre_lr_stop."),
    ("pre_lr_stop", False, "Stop halving the pre-training rate at min_pre_lr."),
    ("pre_lr_dropstep", 5000, "Iterations between halvings of that rate."),
    ("pre_print_step", 1000, "Iterations between log lines of pre-training."),
    ("pre_sum_step", 10, "Iterations between TensorBoard scalars of pre-training."),
    ("pre_save_step", 1000, "Iterations between checkpoints of pre-training."),
]  # fmt: skip

TEST_FLAGS = [
    ("test_iter", "15000", "Checkpoint to test: an iteration, `best` (on validation), `last`, or "
     "0 for the pre-trained weights with a fresh classifier."),
    ("nb_ul_samples", 100, "Unlabeled images per class."),
    ("use_distractors", False, "Add unlabeled images of num_dis classes outside the episode."),
    ("num_dis", 3, "Distractor classes, with use_distractors."),
    ("recurrent_stage_nums", 4, "Stages of self-training."),
    ("nums_in_folders", 30, "Unlabeled images per class that a stage looks at."),
    ("hard_selection", 20, "Images per class that a stage keeps, the most confident ones."),
    ("re_train_epoch_num", 10, "Steps on support and kept images in a stage; 0: none."),
    ("local_update_num", 40, "Steps of a stage in all, the rest on the support set alone."),
    ("test_base_epoch_num", 100, "Steps of the last stage with those after it."),
    ("test_episode_num", 600, "Episodes of the test."),
]  # fmt: skip

CONVERT_FLAGS = [
    ("input", "", "File or folder of the original: weights_<n>.npy, and for a learner beside it "
     "ss_weights_<n>.npy, fc_weights_<n>.npy and swn_weights_<n>.npy; or what a TensorFlow 1 "
     "Saver wrote, <name>-<n>.index and .data-*."),
    ("output", "", "Folder to write into: pretrain_weights/<dataset> for a backbone, "
     "checkpoints/<exp_name> for a learner."),
    ("to_tf1", False, "The other way: step_<n>.npz of ours into the original's files."),
    ("dry_run", False, "Check and print the table, write nothing."),
    ("verify", False, "Read back what was written and compare bit for bit."),
    ("img_size", 84, "Side of the images in pixels."),
    ("activation", "leaky_relu", "Activation: leaky_relu, relu or None."),
    ("norm", "batch_norm", "Normalization: batch_norm, layer_norm or None."),
]  # fmt: skip

# Flags of the original whose job is gone, with what to use instead.
RETIRED_FLAGS = [
    ("device_id", 0, "set CUDA_VISIBLE_DEVICES"),
    ("gpu_rate", 0.9, "memory is taken as needed"),
    ("full_gpu_memory_mode", False, "memory is taken as needed"),
    ("exp_log_label", "weights_saving_dir", "runs live in <logdir_base>/checkpoints"),
    ("metatrain", True, "train.py trains, test.py tests"),
    ("base_augmentation", False, "the original never read it"),
    ("test_base_augmentation", False, "the original never read it"),
    ("pretrain_folders", "", "pre-training reads data/<dataset>"),
    ("pretrain_val_folders", "", "pre-training reads data/<dataset>"),
]


def define_train_flags() -> None:
    """Defines the flags of `train.py`."""
    _define(COMMON_FLAGS + TRAIN_FLAGS + _retired_rows(), "Pre-trains (--phase=pre), meta-trains.")
    _define_foreign(TRAIN_FLAGS, TEST_FLAGS, "test.py")


def define_test_flags() -> None:
    """Defines the flags of `test.py`."""
    _define(COMMON_FLAGS + TEST_FLAGS + _retired_rows(), "Meta-tests a learner.")
    _define_foreign(TEST_FLAGS, TRAIN_FLAGS, "train.py")


def define_convert_flags() -> None:
    """Defines the flags of `convert_tf1_weights.py`."""
    _define(CONVERT_FLAGS, "Converts weights of the original program, and back.")


def _define_foreign(own: list[tuple], other: list[tuple], script: str) -> None:
    """Defines the other script's flags: the original's commands repeat some of them."""
    names = {name for name, *_ in own}
    for name, default, _ in other:
        if name not in names:
            DEFINERS[type(default)](name, default, f"No effect here: a flag of {script}.")


def _define(rows: list[tuple], about: str) -> None:
    for name, default, text in rows:
        DEFINERS[type(default)](name, default, text)
    show_on_help((name for name, *_ in rows), f"{about}\n\nSee the README for whole commands.")


def _retired_rows() -> list[tuple]:
    return [(name, default, f"No effect: {why}.") for name, default, why in RETIRED_FLAGS]


def convert_model_config(values: flags.FlagValues) -> config.ModelConfig:
    """Returns the settings of `convert_tf1_weights.py` that the files do not tell.

    Raises:
        InputError: If a folder is not named or a setting is out of bounds.
    """
    for name in ("input", "output"):
        check(bool(values[name].value), f"--{name}", "none", "name a file or folder; see --help")
    return config.ModelConfig(
        image_size=values.img_size, activation=values.activation, norm=values.norm
    )


def warn_of_retired_flags(values: flags.FlagValues) -> None:
    """Warns once of each given flag that has no effect any more."""
    for name, _, why in RETIRED_FLAGS:
        if values[name].present:
            logging.warning("--%s has no effect: %s.", name, why)


def train_config(values: flags.FlagValues) -> config.PretrainConfig | config.MetaTrainConfig:
    """Returns the settings of `train.py`.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    warn_of_retired_flags(values)
    check_choice("phase", values.phase, ("pre", "meta"))
    return _pretrain_config(values) if values.phase == "pre" else _meta_train_config(values)


def _pretrain_config(values: flags.FlagValues) -> config.PretrainConfig:
    return config.PretrainConfig(
        data_folder=_data_folder(values),
        run_folder=os.path.join(values.pretrain_w_path, values.dataset),
        loop=config.LoopConfig(
            num_steps=values.pretrain_iterations,
            print_every_steps=values.pre_print_step,
            summary_every_steps=values.pre_sum_step,
            save_every_steps=values.pre_save_step,
        ),
        model=_model_config(values),
        optimizer=config.OptimizerConfig(
            initial_lr=values.pre_lr,
            min_lr=values.min_pre_lr if values.pre_lr_stop else 0.0,
            halve_every_steps=values.pre_lr_dropstep,
        ),
        num_classes=values.pretrain_class_num,
        batch_size=values.pretrain_batch_size,
        keep_probability=values.pretrain_dropout_keep,
        seed=values.seed,
    )


def _meta_train_config(values: flags.FlagValues) -> config.MetaTrainConfig:
    config.check_at_least(1, "raise --lr_drop_step", lr_drop_step=values.lr_drop_step)
    check(
        bool(values.finetune_w_path) == values.meta_finetune,
        "--meta_finetune and --finetune_w_path together",
        f"{values.meta_finetune} and {values.finetune_w_path!r}",
        "pass both or neither",
    )
    interval = math.lcm(values.lr_drop_step, max(1, values.meta_val_print_step))

    def optimizer(rate: float) -> config.OptimizerConfig:
        return config.OptimizerConfig(rate, values.min_meta_lr, interval)

    return config.MetaTrainConfig(
        run_folder=_run_folder(values),
        pretrained_path=_pretrained_path(values),
        train_list=_list_config(values, "train", TRAIN_QUERIES, values.train_episode_num),
        val_list=_list_config(values, "val", _queries(values), max(600, values.val_episode_num)),
        loop=config.LoopConfig(
            num_steps=values.metatrain_iterations,
            print_every_steps=values.meta_print_step,
            summary_every_steps=values.meta_sum_step,
            save_every_steps=values.meta_save_step,
            validate_every_steps=values.meta_val_print_step,
        ),
        model=_model_config(values),
        adaptation=config.AdaptationConfig(
            shot=values.shot_num,
            inner_lr=values.base_lr,
            retrain_steps=values.re_train_epoch_num,
            inner_steps=values.train_base_epoch_num,
        ),
        optimizer=optimizer(values.meta_lr),
        swn_optimizer=optimizer(values.swn_lr),
        meta_batch_size=values.meta_batch_size,
        num_val_episodes=values.val_episode_num,
        seed=values.seed,
        finetune_path=values.finetune_w_path if values.meta_finetune else "",
    )


def test_config(values: flags.FlagValues) -> config.MetaTestConfig:
    """Returns the settings of `test.py`.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    warn_of_retired_flags(values)
    return config.MetaTestConfig(
        run_folder=_run_folder(values),
        pretrained_path=_pretrained_path(values),
        test_iter=values.test_iter,
        test_list=_list_config(
            values,
            "test",
            _queries(values),
            values.test_episode_num,
            values.num_dis if values.use_distractors else 0,
        ),
        model=_model_config(values),
        self_training=config.SelfTrainingConfig(
            shot=values.shot_num,
            inner_lr=values.base_lr,
            num_stages=values.recurrent_stage_nums,
            retrain_steps=values.re_train_epoch_num,
            steps_per_stage=values.local_update_num,
            inner_steps=values.test_base_epoch_num,
            selected_per_class=values.hard_selection,
            unlabeled_per_stage=values.nums_in_folders,
        ),
        protocol=values.protocol,
    )


def _list_config(
    values: flags.FlagValues,
    split: str,
    queries_per_class: int,
    num_episodes: int,
    num_distractor_classes: int = 0,
) -> config.ListConfig:
    check(
        values.unfiles_num in (0, values.nb_ul_samples / 10),
        f"unfiles_num to be nb_ul_samples / 10 = {values.nb_ul_samples / 10:g}",
        values.unfiles_num,
        "leave --unfiles_num out",
    )
    episode = config.EpisodeConfig(
        way=values.way_num,
        shot=values.shot_num,
        queries_per_class=queries_per_class,
        unlabeled_per_class=values.nb_ul_samples,
        num_distractor_classes=num_distractor_classes,
    )
    return config.ListConfig(_data_folder(values), split, episode, num_episodes, values.seed)


def _queries(values: flags.FlagValues) -> int:
    """Returns the queries per class of validation and test under the protocol."""
    check_choice("protocol", values.protocol, config.PROTOCOLS)
    return values.shot_num if values.protocol == "paper" else TRAIN_QUERIES


def _model_config(values: flags.FlagValues) -> config.ModelConfig:
    is_numeric = all(text.strip().isdecimal() for text in values.filters)
    check(is_numeric, "--filters to be whole numbers", values.filters, "pass e.g. 64,128,256,512")
    filters = tuple(int(text) for text in values.filters)
    return config.ModelConfig(filters, values.img_size, values.activation, values.norm)


def _data_folder(values: flags.FlagValues) -> str:
    name = _plain_name("dataset", values.dataset)
    return os.path.normpath(os.path.join(values.data_path, "data", name))


def _run_folder(values: flags.FlagValues) -> str:
    name = _plain_name("exp_name", values.exp_name)
    return os.path.normpath(os.path.join(values.logdir_base, "checkpoints", name))


def _pretrained_path(values: flags.FlagValues) -> str:
    name = f"step_{values.pretrain_iterations}.npz"
    return os.path.join(values.pretrain_w_path, values.dataset, name)


def _plain_name(flag: str, name: str) -> str:
    is_plain = name not in ("", ".", "..") and os.path.basename(name) == name
    check(is_plain, f"--{flag} to be the name of a folder", repr(name), "pass one without slashes")
    return name

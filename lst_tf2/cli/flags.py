"""From the flags of `lst_tf2.cli.flag_tables` to the settings of `lst_tf2.config`.

Only the commands import this module.
"""

import json
import math
import os

from absl import flags, logging

from lst_tf2 import config
from lst_tf2.cli.flag_tables import RETIRED_FLAGS
from lst_tf2.cli.original_paths import finetune_path
from lst_tf2.errors import check, check_at_least, check_choice

# In the original a training episode always has 15 queries per class.
TRAIN_QUERIES = 15


def convert_model_config(values: flags.FlagValues) -> config.ModelConfig:
    """Returns the settings of `convert_tf1_weights.py` that the files do not tell.

    Raises:
        InputError: If a folder is not named or a setting is out of bounds.
    """
    for name in ("input", "output"):
        check(bool(values[name].value), f"--{name}", "none", "name a file or folder; see --help")
    to_be_told = (1,)
    return config.ModelConfig(to_be_told, values.img_size, values.activation, values.norm)


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
    check(
        values.distribution == "none",
        "--distribution=none with --phase=pre: batch norm uses the statistics of the batch at "
        "hand, so a divided batch would train another backbone",
        repr(values.distribution),
        "pre-train on one device",
    )
    return config.PretrainConfig(
        data_folder=_data_folder(values),
        run_folder=os.path.join(values.pretrain_w_path, values.dataset),
        loop=config.LoopConfig(
            num_steps=values.pretrain_iterations,
            print_every_steps=values.pre_print_step,
            summary_every_steps=values.pre_sum_step,
            save_every_steps=values.pre_save_step,
            profile_steps=_profile_steps(values),
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
        cache=values.cache,
    )


def _meta_train_config(values: flags.FlagValues) -> config.MetaTrainConfig:
    check_at_least(1, "raise --lr_drop_step", lr_drop_step=values.lr_drop_step)
    interval = math.lcm(values.lr_drop_step, max(1, values.meta_val_print_step))

    def optimizer(name: str, rate: float) -> config.OptimizerConfig:
        return config.OptimizerConfig(rate, values.min_meta_lr, interval, name)

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
            profile_steps=_profile_steps(values),
        ),
        model=_model_config(values),
        adaptation=config.AdaptationConfig(
            shot=values.shot_num,
            inner_lr=values.base_lr,
            retrain_steps=values.re_train_epoch_num,
            inner_steps=values.train_base_epoch_num,
            weighting=values.weighting,
        ),
        optimizer=optimizer(values.meta_optimizer, values.meta_lr),
        swn_optimizer=optimizer(values.swn_optimizer, values.swn_lr),
        meta_batch_size=values.meta_batch_size,
        num_val_episodes=values.val_episode_num,
        seed=values.seed,
        finetune_path=_finetune_path(values),
        jit_compile=values.jit_compile,
        cache=values.cache,
        distribution=_distribution_config(values),
    )


def test_config(values: flags.FlagValues) -> config.MetaTestConfig:
    """Returns the settings of `test.py`.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    warn_of_retired_flags(values)
    check(
        values.unfiles_num in (0, values.nb_ul_samples / 10),
        f"unfiles_num to be nb_ul_samples / 10 = {values.nb_ul_samples / 10:g}",
        values.unfiles_num,
        "leave --unfiles_num out",
    )
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
            selection=values.selection,
            weighting=values.weighting,
        ),
        protocol=values.protocol,
        finetune_path=_finetune_path(values),
        initial_classifier=values.initial_classifier,
        bn_stats=_bn_stats(values),
        jit_compile=values.jit_compile,
        cache=values.cache,
        distribution=_distribution_config(values),
    )


def _distribution_config(values: flags.FlagValues) -> config.DistributionConfig:
    workers, index = tuple(values.workers), values.worker_index
    if values.distribution == "multi_worker" and not workers:
        workers, index = _cluster_of(os.environ.get("TF_CONFIG", ""))
    elif not workers:
        index = 0
    return config.DistributionConfig(values.distribution, workers, index, values.worker_wait)


def _cluster_of(text: str) -> tuple[tuple[str, ...], int]:
    """Returns all workers of a TF_CONFIG, the chief first, and the place of this process."""
    if not text:
        return (), 0
    try:
        settings = json.loads(text)
        cluster, task = settings["cluster"], settings["task"]
        chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
        first = {"chief": 0, "worker": len(chiefs)}[task["type"]]
        return (*chiefs, *workers), first + int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        check(
            False,
            "TF_CONFIG with a cluster of `worker` (and `chief`) and a task among them",
            f"{text!r} ({error!r})",
            "mend it, or pass --workers and --worker_index",
        )


def _list_config(
    values: flags.FlagValues,
    split: str,
    queries_per_class: int,
    num_episodes: int,
    num_distractor_classes: int = 0,
) -> config.ListConfig:
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
    return config.ModelConfig(
        filters,
        values.img_size,
        values.activation,
        values.norm,
        values.precision,
        values.recompute,
    )


def _data_folder(values: flags.FlagValues) -> str:
    name = _plain_name("dataset", values.dataset)
    return os.path.normpath(os.path.join(values.data_path, "data", name))


def _run_folder(values: flags.FlagValues) -> str:
    name = _plain_name("exp_name", values.exp_name)
    return os.path.normpath(os.path.join(values.logdir_base, "checkpoints", name))


def _pretrained_path(values: flags.FlagValues) -> str:
    name = f"step_{values.pretrain_iterations}.npz"
    return os.path.join(values.pretrain_w_path, values.dataset, name)


def _finetune_path(values: flags.FlagValues) -> str:
    check(
        values.meta_finetune or not values.finetune_w_path,
        "--meta_finetune with --finetune_w_path",
        f"{values.finetune_w_path!r} alone",
        "pass both, or leave --finetune_w_path out",
    )
    return finetune_path(values)


def _bn_stats(values: flags.FlagValues) -> str:
    """Returns what batch norm goes by; without batch norm there is nothing to calibrate."""
    check_choice("bn_stats", values.bn_stats, ("auto", *config.BN_STATS))
    if values.bn_stats != "auto":
        return values.bn_stats
    is_paper = values.protocol == "paper" or values.norm != "batch_norm"
    return "batch" if is_paper else "calibrated"


def _profile_steps(values: flags.FlagValues) -> tuple[int, int]:
    words = values.profile_steps
    if not words:
        return 0, 0
    is_pair = len(words) == 2 and all(word.strip().isdecimal() for word in words)
    check(is_pair, "--profile_steps=first,last", ",".join(words), "pass for example 10,12")
    return int(words[0]), int(words[1])


def _plain_name(flag: str, name: str) -> str:
    is_plain = name not in ("", ".", "..") and os.path.basename(name) == name
    check(is_plain, f"--{flag} to be the name of a folder", repr(name), "pass one without slashes")
    return name

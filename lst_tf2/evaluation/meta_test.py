"""Meta-test: recurrent self-training on many episodes of unseen classes.

The third phase (arXiv:1906.00562, algorithm 2): nothing that was learned changes any more, and
every episode adapts a classifier of its own. This module opens a checkpoint and the lists and runs
the episodes; `episode` runs one, and `statistics` makes means of all.
"""

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.stages import tell_of_rows
from lst_tf2.config import MetaTestConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import PROTOCOL_ARRANGEMENTS
from lst_tf2.data.leaks import check_dataset
from lst_tf2.data.lists import EpisodeLists, open_lists
from lst_tf2.data.pipeline import stream_episodes
from lst_tf2.distribution.strategy import Distribution, distribute
from lst_tf2.errors import check
from lst_tf2.evaluation.calibrated import estimate_statistics, run_calibrated
from lst_tf2.evaluation.episode import (
    EpisodeResult,
    EpisodeRun,
    Window,
    embed_episode,
    plan_test_windows,
)
from lst_tf2.evaluation.statistics import summarize
from lst_tf2.evaluation.training_note import check_way, note_differences
from lst_tf2.models.layers import ChannelStats
from lst_tf2.models.learner import Learner
from lst_tf2.models.normalizers import FixedNormalizer
from lst_tf2.progress import Progress
from lst_tf2.runs.checkpoints import assign, find_checkpoint, read_arrays, read_best
from lst_tf2.runs.initial_weights import restore_start
from lst_tf2.runs.run_folder import check_model, read_model
from lst_tf2.structures import Episode, Features


class MetaTestResults(NamedTuple):
    """Holds what a meta-test found."""

    summary: dict[str, Any]  # as `lst_tf2.evaluation.statistics.summarize` gives it
    curves: dict[str, np.ndarray]  # the fields of `EpisodeResult`, one row an episode


class Tested(NamedTuple):
    """Holds what was tested, and on what."""

    learner: Learner
    stats: list[ChannelStats]  # That it normalizes by; none: by the batch.
    lists: EpisodeLists
    windows: list[Window]

    def embed(self, images: tf.Tensor) -> Features:
        """Returns the features of images `[B, H, W, 3]`, as in the test."""
        convs = self.learner.backbone.convs
        return self.learner.embed(
            images, FixedNormalizer(convs, self.stats) if self.stats else None
        )


def meta_test(config: MetaTestConfig) -> MetaTestResults:
    """Tests one checkpoint of a run; raises as `run_meta_test` does."""
    return run_meta_test(config)[0]


def run_meta_test(config: MetaTestConfig) -> tuple[MetaTestResults, Tested]:
    """Tests one checkpoint of a run, and returns what was tested beside the results.

    With several processes, each calls this and runs its share of the episodes; all of them return
    the results of all.

    Args:
        config: What to test, on which episodes, and how.

    Returns:
        The results, and learner, statistics, lists and windows that they are of.

    Raises:
        InputError: If the data, the checkpoint or the settings do not fit.
        LostWorkerError: If another process of the test is gone.
    """
    num_images = config.test_list.episode.way * config.self_training.unlabeled_per_stage
    settings = ("way", "unlabeled_per_stage")
    config.model.check_memory(num_images, "a stage of self-training", *settings)
    config = with_rates_of_run(config)
    distribution = distribute(config.distribution)
    windows = plan_test_windows(config.test_list.episode, config.self_training, config.protocol)
    with distribution.scope():
        learner, test_step = restore_learner(config)
    if distribution.is_chief:
        check_dataset(config.test_list.data_folder)
        if told := note_differences(config):
            print(told, file=sys.stderr)
    lists = distribution.chief_first(lambda: open_lists(config.test_list))
    share = distribution.share_of_list(len(lists))
    tested = Tested(learner, _statistics(config, learner), lists, windows)
    run = functools.partial(run_calibrated, stats=tested.stats) if tested.stats else run_by_batch
    stream = run(config, learner, lists, windows, distribution)
    results = []
    progress = Progress("meta-test", len(share), print_every=max(1, len(share) // 20))
    with progress, tell_of_rows():
        for result in stream:
            results.append(result)
            progress.advance(**running_figures(results))
    curves = {
        name: distribution.merge(np.stack([getattr(r, name) for r in results]), len(lists))
        for name in EpisodeResult._fields
    }
    return MetaTestResults(summarize(config, test_step, curves), curves), tested


def _statistics(config: MetaTestConfig, learner: Learner) -> list[ChannelStats]:
    if config.bn_stats == "batch":
        return []
    test_list = config.test_list
    return estimate_statistics(learner, test_list.data_folder, config.model, test_list.seed)


def run_by_batch(
    config: MetaTestConfig,
    learner: Learner,
    lists: EpisodeLists,
    windows: list[Window],
    distribution: Distribution,
) -> Iterator[EpisodeResult]:
    """Returns the results of this worker's episodes in order, each set normalized by itself."""
    run_features = EpisodeRun(learner, config.self_training)
    arrange = PROTOCOL_ARRANGEMENTS[config.protocol]
    images = distribution.chief_first(
        lambda: open_images(lists.catalogue, config.model.image_size, config.cache)
    )
    episodes = stream_episodes(lists, arrange, distribution.share_of_list(len(lists)), images)

    embed = tf.function(learner.embed, autograph=False)  # One trace for all windows.

    @tf.function(jit_compile=config.jit_compile, autograph=False)
    def run(episode: Episode) -> EpisodeResult:
        return run_features(embed_episode(embed, episode, windows))

    results = distribution.map_episodes(run, episodes)
    return (EpisodeResult(*(value.numpy() for value in result)) for result in results)


def running_figures(results: list[EpisodeResult]) -> dict[str, float]:
    """Returns the mean accuracies so far."""
    return {
        "support_only": float(np.mean([result.baseline[-1] for result in results])),
        "accuracy": float(np.mean([result.final[-1] for result in results])),
    }


def with_rates_of_run(config: MetaTestConfig) -> MetaTestConfig:
    """Returns `config` with learned rates where the learner that it tests has them.

    Raises:
        InputError: If there is no such run, or rates are asked for that it does not have.
    """
    folder = pathlib.Path(config.run_folder)
    if config.test_iter == "0":
        if not config.finetune_path:
            return config
        folder = pathlib.Path(config.finetune_path).parent
    is_learned = read_model(folder).learn_inner_lr
    check(
        is_learned or not config.model.learn_inner_lr,
        f"learn_inner_lr=False, as {folder} was trained",
        True,
        "leave it out",
        "learn_inner_lr",
    )
    return dataclasses.replace(
        config, model=dataclasses.replace(config.model, learn_inner_lr=is_learned)
    )


def restore_learner(config: MetaTestConfig) -> tuple[Learner, int]:
    """Returns the learner of the checkpoint that `config.test_iter` names, and its step.

    With "0" that is what meta-training starts from, as in the original program.

    Raises:
        InputError: If the checkpoint is missing, damaged, or of another model or way.
    """
    keras.utils.set_random_seed(config.test_list.seed)
    learner = Learner(config.model, config.test_list.episode.way)
    learner.start_inner_rates(config.self_training.inner_lr)
    if config.test_iter == "0":
        restore_start(learner, config.model, config.pretrained_path, config.finetune_path)
        return learner, 0
    folder = pathlib.Path(config.run_folder)
    check_model(folder, config.model)
    path = find_checkpoint(folder, config.test_iter)
    arrays, names = read_arrays(path), learner.named_variables()
    if config.initial_classifier == "plain":  # The one drawn above stays.
        names = {n: v for n, v in names.items() if not n.startswith("classifier/")}
    elif "classifier/bias" in arrays:
        check_way(config, len(arrays["classifier/bias"]), folder)
    assign(path, arrays, names)
    step = read_best(folder)["step"] if path.stem == "best" else int(path.stem.split("_")[1])
    return learner, step

"""What a notebook needs: runs, episodes, and what a method makes of them.

All of it is exposed by `lst_tf2` itself.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from lst_tf2.adaptation.method import Method, PseudoLabeled
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train, tell_of_rows
from lst_tf2.adaptation.tunable import with_settings
from lst_tf2.config import EpisodeConfig, ListConfig, MetaTestConfig, SelfTrainingConfig
from lst_tf2.data.feeding_order import arrange_mixed
from lst_tf2.data.images import ImageFiles
from lst_tf2.data.layout import scan_split
from lst_tf2.data.lists import sample_lists
from lst_tf2.data.pipeline import stream_episodes
from lst_tf2.errors import check
from lst_tf2.evaluation.meta_test import MetaTestResults
from lst_tf2.evaluation.meta_test import meta_test as run_meta_test
from lst_tf2.models.learner import Learner
from lst_tf2.runs.checkpoints import find_checkpoint, read_arrays, restore
from lst_tf2.runs.run_folder import read_model
from lst_tf2.runs.tuned import with_tuned
from lst_tf2.structures import DISTRACTOR_LABEL, Classifier, Episode

PathLike = str | os.PathLike
# What the windows of a test hold together.
EPISODE = EpisodeConfig(unlabeled_per_class=100)


class AdaptedStage(NamedTuple):
    """Holds what one stage of self-training found."""

    classifier: Classifier  # kernel [D, N], bias [N]: the last of the stage
    chosen: PseudoLabeled  # the examples that it trained on, with targets and weights
    probs: tf.Tensor  # [U, N] of the unlabeled images; what a row lacks of 1 is for none of them

    @property
    def labels(self) -> tf.Tensor:
        """`[U]` int32 in 0..N-1, the class of each unlabeled image; -1: none of these."""
        best = tf.argmax(self.probs, axis=-1, output_type=tf.int32)
        none = 1 - tf.reduce_sum(self.probs, axis=-1)
        return tf.where(none > tf.reduce_max(self.probs, axis=-1), DISTRACTOR_LABEL, best)

    @property
    def pseudo_labels(self) -> tf.Tensor:
        """`[R]` int32 in 0..N-1, the class of each chosen example."""
        return tf.argmax(self.chosen.targets, axis=-1, output_type=tf.int32)


def load_run(folder: PathLike, step: str = "last") -> Learner:
    """Returns the learner of a meta-trained run.

    Args:
        folder: The run's, `checkpoints/<exp_name>`.
        step: Which checkpoint: a number of steps, `best` on validation, or `last`.

    Raises:
        InputError: If there is no such run or checkpoint, or it is damaged.
    """
    folder = pathlib.Path(folder)
    model, path = read_model(folder), find_checkpoint(folder, str(step))
    arrays = read_arrays(path)
    way = arrays["classifier/bias"].shape[0] if "classifier/bias" in arrays else 1
    learner = Learner(model, way)
    restore(path, learner.named_variables())
    return learner


def sample_episode(
    data_folder: PathLike,
    episode: EpisodeConfig = EPISODE,
    *,
    split: str = "test",
    index: int = 0,
    seed: int = 0,
) -> Episode:
    """Returns a random episode of images, distractors mixed into the unlabeled ones.

    Args:
        data_folder: Of a data set, `data/<dataset>`.
        episode: How many classes, and how many images of each.
        split: Of its classes: train, val or test.
        index: Which of the episodes that the seed draws.
        seed: 0 or more.

    Returns:
        The images of each set `[B, H, W, 3]` uint8, with labels `[B]` int32 in 0..N-1, -1 for
        distractors.

    Raises:
        InputError: If the folder has too few classes or images, or a broken image.
    """
    config = ListConfig(os.fspath(data_folder), split, episode, index + 1, seed)
    lists = sample_lists(scan_split(data_folder, split), config)
    with Image.open(lists.catalogue.path(0)) as image:
        source = ImageFiles(lists.catalogue, image.width)
    return next(stream_episodes(lists, arrange_mixed, [index], source))


def adapt(
    learner: Learner,
    episode: Episode,
    method: str | Method | None = None,
    method_settings: Mapping[str, Any] | None = None,
    stages: SelfTrainingConfig | None = None,
) -> list[AdaptedStage]:
    """Self-trains on an episode, each stage on all of its unlabeled images.

    Runs operation by operation, so that a method of your own can be followed with a debugger;
    `meta_test` and `LSTClassifier` run methods in a graph, which is many times as fast.

    Args:
        learner: Embeds the images, support and unlabeled ones as a batch each.
        episode: Of images. The query set, which may be empty, is not looked at.
        method: One of `METHODS`, `package.module:factory`, or a `Method`; None: that of `stages`.
        method_settings: Settings by name, of a method that is named or that of `stages`.
        stages: How many stages and steps, such as `tuned_stages` returns; by default those of
            the paper, whose method is `lst`.

    Returns:
        The stages; the last one's classifier is the result.

    Raises:
        InputError: If the method cannot be had, gives something that is not asked for, or if a
            label of the support set is out of range.
    """
    _check_labels(learner, episode)
    stages = stages or SelfTrainingConfig()
    if not isinstance(method, Method):
        if method is not None:
            stages = dataclasses.replace(stages, method=method, method_settings=())
        stages = with_settings(stages, method_settings or {})
        method = load_method(stages, learner)
    support = episode.support.map_inputs(learner.embed)
    images = tf.concat([episode.unlabeled.inputs, episode.distractors.inputs], axis=0)
    windows = [learner.embed(images)]
    initial, rates = learner.classifier.read(), learner.read_inner_rates()
    with tell_of_rows():
        training = self_train(method, support, windows, initial, stages, rates)
    return [
        AdaptedStage(stage.path.last(initial), stage.chosen, probs)
        for stage, probs in zip(training.stages, training.probs, strict=True)
    ]


def _check_labels(learner: Learner, episode: Episode) -> None:
    """Raises `InputError` unless support labels name classes of the learner's classifier."""
    labels, way = np.asarray(episode.support.labels), learner.classifier.kernel.shape[-1]
    is_right = labels.size > 0 and labels.min() >= 0 and labels.max() < way
    received = np.unique(labels).tolist()
    check(is_right, f"labels of the support set in 0..{way - 1}", received, "number them again")


def tuned_stages(run_folder: PathLike, method: str = "lst", **settings: Any) -> SelfTrainingConfig:
    """Returns a method with the settings that `lst tune` chose for it, for `adapt`, `meta_test`.

    Args:
        run_folder: `checkpoints/<exp_name>`; where nothing was tuned, defaults count.
        method: One of `METHODS`, or `package.module:factory`.
        **settings: Fields of `SelfTrainingConfig` that count whatever was chosen.

    Raises:
        InputError: If what was chosen is damaged, or does not go with the rest.
    """
    stages = SelfTrainingConfig(method=method, **settings)
    return with_tuned(stages, pathlib.Path(run_folder), settings)[0]


def meta_test(
    run_folder: PathLike,
    data_folder: PathLike,
    episode: EpisodeConfig = EPISODE,
    num_episodes: int = 100,
    **settings: Any,
) -> MetaTestResults:
    """Tests a run on many episodes of unseen classes, as `lst test` does; writes no file.

    Args:
        run_folder: `checkpoints/<exp_name>`.
        data_folder: `data/<dataset>`.
        episode: How many classes, and how many images of each.
        num_episodes: How many episodes to draw.
        **settings: Fields of `MetaTestConfig`, such as `self_training` (see `tuned_stages`),
            `test_iter` (by default `last`), `protocol` (by default `standard`) or `bn_stats`
            (by default `calibrated`, where there is batch norm).

    Returns:
        A summary with means and 95 % intervals, and the accuracies of every episode.

    Raises:
        InputError: If the data, the run or the settings do not fit.
    """
    model = read_model(pathlib.Path(run_folder))
    bn_stats = "calibrated" if model.norm == "batch_norm" else "batch"
    defaults = {"test_iter": "last", "protocol": "standard", "bn_stats": bn_stats}
    config = MetaTestConfig(
        run_folder=os.fspath(run_folder),
        pretrained_path="",
        model=model,
        test_list=ListConfig(os.fspath(data_folder), "test", episode, num_episodes),
        **defaults | settings,
    )
    return run_meta_test(config)

"""Recurrent self-training on one episode of a meta-test, evaluated after every step."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Path, accuracy, classify
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import SelfTraining, plan_windows, pseudo_label_accuracy, self_train
from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.errors import check
from lst_tf2.models.learner import Learner
from lst_tf2.structures import DISTRACTOR_LABEL, Episode, Examples, Features

# At one shot the original moves its window by 15 images per class, whatever its size.
ONE_SHOT_STRIDE = 15


class Window(NamedTuple):
    """Holds the `(start, stop)` rows of one window, each range a batch of its own."""

    unlabeled: tuple[int, int]
    distractors: tuple[int, int]  # (0, 0) where none are kept apart


class MethodResult(NamedTuple):
    """Holds accuracies in 0..1, query accuracies after every gradient step."""

    stages: tf.Tensor  # [num_stages, steps_per_stage]
    final: tf.Tensor  # [inner_steps], the last stage and the steps after it
    pseudo_labels: tf.Tensor  # [num_stages], of the selected unlabeled images; may be NaN
    confidence: tf.Tensor  # [U], of the last window's images: that of the most probable class
    outcomes: tf.Tensor  # [U] int32: `RIGHT`, `WRONG` or `DISTRACTOR`, by that class


class EpisodeResult(NamedTuple):
    """Holds those of a method, and of the support set alone."""

    baseline: tf.Tensor  # [inner_steps], the support set alone
    stages: tf.Tensor
    final: tf.Tensor
    pseudo_labels: tf.Tensor
    confidence: tf.Tensor
    outcomes: tf.Tensor


# What the most probable class of an unlabeled image is.
RIGHT, WRONG, DISTRACTOR = 1, 0, -1

# From what the examples of a set hold to their features.
Embed = Callable[[tf.Tensor], Features]


def plan_test_windows(
    episode: EpisodeConfig, config: SelfTrainingConfig, protocol: str
) -> list[Window]:
    """Returns the windows of unlabeled images, one for each stage in turn.

    With `protocol` "paper" distractors are a batch of their own beside each window; with
    "standard" they are among the unlabeled images, and windows are larger by them.

    Raises:
        InputError: If not one window fits.
    """
    size = config.unlabeled_per_stage
    stride = ONE_SHOT_STRIDE if episode.shot == 1 else size
    mixed = episode.num_distractor_classes if protocol == "standard" else 0
    apart = episode.num_distractor_classes - mixed
    windows = {
        classes: plan_windows(
            classes * episode.unlabeled_per_class, classes * size, classes * stride
        )
        for classes in (episode.way + mixed, apart)
        if classes
    }
    unlabeled = windows[episode.way + mixed]
    check(
        bool(unlabeled),
        f"unlabeled_per_stage of at most unlabeled_per_class={episode.unlabeled_per_class}",
        size,
        "lower the former or raise the latter",
        *("unlabeled_per_stage", "unlabeled_per_class"),
    )
    return [
        Window(*pair)
        for pair in zip(unlabeled, windows.get(apart, [(0, 0)] * len(unlabeled)), strict=True)
    ]


class EpisodeFeatures(NamedTuple):
    """Holds what the backbone makes of an episode; the inputs of all examples are `Features`."""

    support: Examples
    query: Examples
    windows: list[Examples]


def embed_window(embed: Embed, episode: Episode, window: Window) -> Examples:
    """Returns the features of a window: of its unlabeled images, then of its distractors."""
    pairs = ((episode.unlabeled, window.unlabeled), (episode.distractors, window.distractors))
    batches = [
        Examples(*(values[slice(*rows)] for values in examples))
        for examples, rows in pairs
        if rows != (0, 0)
    ]
    embedded = [batch.map_inputs(embed) for batch in batches]
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *embedded)


def embed_episode(embed: Embed, episode: Episode, windows: list[Window]) -> EpisodeFeatures:
    """Embeds support, query and each window as batches of their own."""
    return EpisodeFeatures(
        support=episode.support.map_inputs(embed),
        query=episode.query.map_inputs(embed),
        windows=[embed_window(embed, episode, window) for window in windows],
    )


def outcomes_of(probs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns `[U]` int32: `RIGHT`, `WRONG`, or `DISTRACTOR` for what is of no class at all.

    Args:
        probs: `[U, N]`, of the unlabeled images.
        labels: `[U]` int32, the true ones, -1 for distractors.
    """
    is_right = tf.argmax(probs, axis=-1, output_type=labels.dtype) == labels
    return tf.where(labels == DISTRACTOR_LABEL, DISTRACTOR, tf.where(is_right, RIGHT, WRONG))


class MethodRun:
    """Self-trains on episodes by a method."""

    dtypes = MethodResult(*[tf.float32] * 4, tf.int32)

    def __init__(self, learner: Learner, config: SelfTrainingConfig):
        """Loads the method; raises `InputError` where it cannot be had."""
        self.learner, self.config = learner, config
        self.method = load_method(config, learner)

    def __call__(self, features: EpisodeFeatures) -> MethodResult:
        """Returns how it fares on the query set, which it does not see."""
        query, windows = features.query, features.windows

        def accuracy_of(path: Path) -> tf.Tensor:
            return accuracy(classify(path.joined(), query.inputs.embeddings), query.labels)

        training = self.train(features)
        labels = [windows[i % len(windows)].labels for i in range(len(training.stages))]
        return MethodResult(
            stages=tf.stack([accuracy_of(stage.path) for stage in training.stages]),
            final=accuracy_of(training.final_path),
            pseudo_labels=tf.stack(
                [
                    pseudo_label_accuracy(stage.chosen, truth)
                    for stage, truth in zip(training.stages, labels, strict=True)
                ]
            ),
            confidence=tf.reduce_max(training.probs[-1], axis=-1),
            outcomes=outcomes_of(training.probs[-1], labels[-1]),
        )

    def train(self, features: EpisodeFeatures) -> SelfTraining:
        """Returns the stages of self-training on an episode."""
        windows = [window.inputs for window in features.windows]
        initial, rates = self.learner.classifier.read(), self.learner.read_inner_rates()
        return self_train(self.method, features.support, windows, initial, self.config, rates)


class EpisodeRun:
    """Self-trains on episodes by a method and, beside it, learns from their support sets alone."""

    dtypes = EpisodeResult(tf.float32, *MethodRun.dtypes)

    def __init__(self, learner: Learner, config: SelfTrainingConfig):
        """Loads the method; raises `InputError` where it cannot be had."""
        alone = dataclasses.replace(config, method="support", method_settings=(), num_stages=1)
        self.baseline = MethodRun(learner, alone)
        self.method = MethodRun(learner, config)

    def __call__(self, features: EpisodeFeatures) -> EpisodeResult:
        """Returns how both fare."""
        baseline = self.baseline(features).final
        return EpisodeResult(baseline, *self.method(features))

"""Recurrent self-training on one episode of a meta-test, judged after every step."""

from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import (
    accuracy,
    classify,
    descent_path,
    shot_of,
    support_loss,
)
from lst_tf2.adaptation.self_training import Pool, SupportSet, plan_windows, self_train
from lst_tf2.config import EpisodeConfig, SelfTrainingConfig
from lst_tf2.errors import check
from lst_tf2.models.learner import Learner
from lst_tf2.structures import Classifier, Episode, Examples, Features

# At one shot the original moves its window by 15 images per class, whatever its size.
ONE_SHOT_STRIDE = 15


class Window(NamedTuple):
    """Holds the `(start, stop)` rows of one window, each range a batch of its own."""

    unlabeled: tuple[int, int]
    distractors: tuple[int, int]  # (0, 0) where none are kept apart


class EpisodeResult(NamedTuple):
    """Holds accuracies in 0..1, query accuracies after every gradient step."""

    baseline: tf.Tensor  # [inner_steps], the support set alone
    stages: tf.Tensor  # [num_stages, steps_per_stage]
    final: tf.Tensor  # [inner_steps], the last stage and the steps after it
    pseudo_labels: tf.Tensor  # [num_stages], of the selected unlabeled images; may be NaN


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
    """Holds what the backbone makes of an episode."""

    support: SupportSet
    query: Examples
    windows: list[Features]
    window_labels: list[tf.Tensor]  # [rows] int32 each, -1 for distractors


def embed_window(learner: Learner, episode: Episode, window: Window) -> Features:
    """Returns the features of a window: of its unlabeled images, then of its distractors."""
    batches = [episode.unlabeled_images[slice(*window.unlabeled)]]
    if window.distractors != (0, 0):
        batches.append(episode.distractor_images[slice(*window.distractors)])
    features = [learner.embed(batch) for batch in batches]
    return Features(*(tf.concat(parts, axis=0) for parts in zip(*features, strict=True)))


def true_labels(unlabeled_labels: tf.Tensor, window: Window) -> tf.Tensor:
    """Returns the labels of a window's rows, -1 for distractors."""
    start, stop = window.distractors
    return tf.concat(
        [unlabeled_labels[slice(*window.unlabeled)], tf.fill([stop - start], -1)], axis=0
    )


def embed_episode(learner: Learner, episode: Episode, windows: list[Window]) -> EpisodeFeatures:
    """Embeds support, query and each window as batches of their own."""
    query_embeddings = learner.embed(episode.query_images).embeddings
    return EpisodeFeatures(
        support=SupportSet(learner.embed(episode.support_images), episode.support_labels),
        query=Examples(query_embeddings, episode.query_labels),
        windows=[embed_window(learner, episode, window) for window in windows],
        window_labels=[true_labels(episode.unlabeled_labels, window) for window in windows],
    )


def pseudo_label_accuracy(pool: Pool, labels: tf.Tensor) -> tf.Tensor:
    """Returns the share of right labels among the selected unlabeled rows.

    Args:
        pool: What a stage re-trains on; its support rows do not count.
        labels: `[U]` int32, the window's true labels.

    Returns:
        A scalar in 0..1; NaN where only support rows were selected.
    """
    rows = pool.selection.rows
    counts = tf.cast(rows < labels.shape[0], tf.float32)
    truth = tf.gather(labels, tf.minimum(rows, labels.shape[0] - 1))
    hits = tf.cast(truth == pool.selection.labels, tf.float32)
    return tf.reduce_sum(counts * hits) / tf.reduce_sum(counts)


def run_features(
    learner: Learner, features: EpisodeFeatures, config: SelfTrainingConfig
) -> EpisodeResult:
    """Self-trains on an episode and beside it learns from the support set alone."""
    support, query, windows, window_labels = features
    initial = learner.classifier.read()
    baseline = descent_path(
        initial,
        support_loss(support.examples, shot_of(support.labels, initial)),
        lr=config.inner_lr,
        steps=config.inner_steps,
    )
    training = self_train(initial, support, windows, learner.soft_weighting, config)
    labels = [window_labels[i % len(windows)] for i in range(config.num_stages)]

    def judge(path: Classifier) -> tf.Tensor:
        return accuracy(classify(path, query.embeddings), query.labels)

    return EpisodeResult(
        baseline=judge(baseline),
        stages=tf.stack([judge(stage.path) for stage in training.stages]),
        final=judge(training.final_path),
        pseudo_labels=tf.stack(
            [
                pseudo_label_accuracy(stage.pool, truth)
                for stage, truth in zip(training.stages, labels, strict=True)
            ]
        ),
    )


def run_episode(
    learner: Learner, episode: Episode, windows: list[Window], config: SelfTrainingConfig
) -> EpisodeResult:
    """Runs `run_features` on the images of an episode."""
    return run_features(learner, embed_episode(learner, episode, windows), config)

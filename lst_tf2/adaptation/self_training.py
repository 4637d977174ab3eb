"""Recurrent self-training at meta-test (arXiv:1906.00562, algorithm 2)."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import (
    WEIGH,
    classify,
    descend,
    descent_path,
    join_paths,
    last_of,
    retrain_loss,
    shot_of,
    support_loss,
)
from lst_tf2.adaptation.pseudo_labels import SELECT, Selection, class_prototypes
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples, Features

# Prototypes [N, H, W, D] and maps [U, H, W, D] to scores [U, N].
ScoreFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class SupportSet(NamedTuple):
    """Holds the features of the support set with their labels."""

    features: Features
    labels: tf.Tensor  # [S] int32

    @property
    def examples(self) -> Examples:
        """The same without the maps."""
        return Examples(self.features.embeddings, self.labels)


class Pool(NamedTuple):
    """Holds what a stage re-trains on: selected examples, pseudo-labeled and scored."""

    selection: Selection
    examples: Examples  # [R, D], [R]
    scores: tf.Tensor  # [R, N], raw output of the soft weighting network


class Stage(NamedTuple):
    """Holds one round of self-training: its pool and its classifiers step by step."""

    pool: Pool
    path: Classifier  # [steps_per_stage, ...]


class SelfTraining(NamedTuple):
    """Holds all rounds, and the classifiers of the last round continued to the end."""

    stages: list[Stage]
    final_path: Classifier  # [inner_steps, ...]


def plan_windows(total: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Returns the `(start, stop)` rows of each window of unlabeled images, as many as fit.

    A stride below the size makes neighbours overlap; one above it skips images.
    """
    count = (total + stride - size) // stride
    return [(i * stride, i * stride + size) for i in range(count)]


def build_pool(
    labeler: Classifier,
    support: SupportSet,
    window: Features,
    score_fn: ScoreFn,
    config: SelfTrainingConfig,
) -> Pool:
    """Labels a window of unlabeled examples, selects among them, scores those."""
    way = labeler.bias.shape[-1]
    logits = classify(labeler, window.embeddings)
    selection = SELECT[config.selection](logits, support.labels, config.selected_per_class)
    candidates = Features(
        *(tf.concat(pair, axis=0) for pair in zip(window, support.features, strict=True))
    )
    chosen = Features(*(tf.gather(rows, selection.rows) for rows in candidates))
    prototypes = class_prototypes(support.features.maps, support.labels, way)
    scores = score_fn(prototypes, chosen.maps)
    return Pool(selection, Examples(chosen.embeddings, selection.labels), scores)


def run_stage(
    initial: Classifier, support: SupportSet, pool: Pool, config: SelfTrainingConfig
) -> Stage:
    """Re-trains on support and pool, then fine-tunes on support, from `initial`."""
    soft_weights = WEIGH[config.weighting](pool.scores)
    shot = shot_of(support.labels, initial)
    retrained = descent_path(
        initial,
        retrain_loss(support.examples, pool.examples, soft_weights, shot),
        lr=config.inner_lr,
        steps=config.retrain_steps,
    )
    finetuned = descent_path(
        last_of(retrained, initial),
        support_loss(support.examples, shot),
        lr=config.inner_lr,
        steps=config.steps_per_stage - config.retrain_steps,
    )
    return Stage(pool, join_paths(retrained, finetuned))


def self_train(
    initial: Classifier,
    support: SupportSet,
    windows: list[Features],
    score_fn: ScoreFn,
    config: SelfTrainingConfig,
) -> SelfTraining:
    """Runs all stages of recurrent self-training.

    The first stage labels with a classifier of the support set alone, each later one
    with the last classifier of the stage before; every stage starts again from
    `initial` and takes the next window, the first one after the last.

    Args:
        initial: The meta-learned classifier.
        support: The labeled set.
        windows: Features of the windows of unlabeled images, distractors included.
        score_fn: The soft weighting network.
        config: Numbers of stages, steps and selected examples.

    Returns:
        The stages, and the path of the last stage continued on the support set alone
        up to `config.inner_steps` steps.
    """
    support_loss_fn = support_loss(support.examples, shot_of(support.labels, initial))
    labeler = descend(initial, support_loss_fn, lr=config.inner_lr, steps=config.pseudo_label_steps)
    stages = []
    for index in range(config.num_stages):
        window = windows[index % len(windows)]
        pool = build_pool(labeler, support, window, score_fn, config)
        stage = run_stage(initial, support, pool, config)
        labeler = last_of(stage.path, initial)
        stages.append(stage)
    continued = descent_path(
        labeler,
        support_loss_fn,
        lr=config.inner_lr,
        steps=config.inner_steps - config.steps_per_stage,
    )
    return SelfTraining(stages, join_paths(stages[-1].path, continued))

"""Self-trains a head on the embeddings of labeled images and of a pile."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.method import PseudoLabeled
from lst_tf2.adaptation.registry import load_method, read_settings
from lst_tf2.adaptation.stages import first_evidence, fit, self_train, tell_of_rows
from lst_tf2.adaptation.tunable import with_settings
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.config.piles import RECURRENT, RECURRENT_STAGES
from lst_tf2.predict.backbones import Backbone
from lst_tf2.runs.tuned import FILE, take_tuned
from lst_tf2.structures import Classifier, Examples, Features

# Mean length of the embeddings of `glyphs`. All embeddings get it, so that the step sizes of
# gradient descent mean the same with any backbone.
RADIUS = 16.0
TINY = 1e-12


class StageRecord(NamedTuple):
    """Holds what a stage made of the pile."""

    probs: np.ndarray  # [U, N]; what a row lacks of 1 is for none of the classes
    rows: np.ndarray  # [R] of what was kept; those of U and more are support images
    labels: np.ndarray  # [R] int
    weights: np.ndarray  # [R], in the loss
    soft_weights: np.ndarray  # [R, N], multiply the logits


class Trained(NamedTuple):
    """Holds the linear head and its stages; none where there was no pile."""

    kernel: np.ndarray  # [D, N] float32, for embeddings of length `RADIUS`
    bias: np.ndarray  # [N] float32
    stages: list[StageRecord]


def stages_of(
    method: str, settings: Mapping[str, Any], backbone: Backbone | None
) -> SelfTrainingConfig:
    """Returns how a pile is self-trained on: all of it in each stage.

    Args:
        method: One of `METHODS`, or `package.module:factory`.
        settings: Of the method and its stages, by name; what was tuned for the backbone, else the
            defaults count for the others.
        backbone: May have a soft weighting network; None: there is no backbone.

    Raises:
        InputError: If there can be no such method or settings.
    """
    has_weights = backbone is not None and backbone.soft_weighting is not None
    stages = SelfTrainingConfig(
        method=method,
        num_stages=RECURRENT_STAGES["num_stages"] if method in RECURRENT else 1,
        weighting="soft" if has_weights else "none",
    )
    if backbone is not None:
        where = f"{FILE} of the backbone {backbone.name}"
        stages, _ = take_tuned(stages, backbone.tuned, where, settings)
    return with_settings(stages, settings)


def looks_at_maps(config: SelfTrainingConfig) -> bool:
    """Returns whether the method weighs softly, which takes maps; others take embeddings."""
    return getattr(read_settings(config), "weighting", "none") == "soft"


def to_sphere(embeddings: np.ndarray) -> np.ndarray:
    """Returns embeddings `[B, D]` as float32 of length `RADIUS`; what has no length stays 0."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.float32(RADIUS * embeddings / np.maximum(lengths, TINY))


def train(
    support: Features, labels: np.ndarray, pile: Features, config: SelfTrainingConfig, backbone
) -> Trained:
    """Self-trains from a classifier of zeros.

    Args:
        support: S labeled images, their embeddings of length `RADIUS`.
        labels: `[S]` int in 0..N-1, each once or more.
        pile: U unlabeled images, 0 or more, in the same way.
        config: Method and stages.
        backbone: Has `soft_weighting`, which methods may use.

    Raises:
        InputError: If there is no such method, or it does not do what is asked of it.
    """
    way = int(labels.max()) + 1
    support, pile = (Features(*map(tf.constant, features)) for features in (support, pile))
    initial = Classifier(tf.zeros([support.embeddings.shape[1], way]), tf.zeros([way]))
    examples = Examples(support, tf.constant(labels.astype(np.int32)))
    if not len(pile.embeddings):
        method = load_method(dataclasses.replace(config, weighting="none"), backbone)
        evidence = first_evidence(examples, pile, initial, config)
        nothing = evidence.accepted._replace(loss_weights=tf.zeros([0]))
        stage = fit(method, evidence, nothing)
        last = method.finish(evidence, stage.path).last(initial)
        return Trained(last.kernel.numpy(), last.bias.numpy(), [])
    method = load_method(config, backbone)
    with tell_of_rows():
        training = self_train(method, examples, [pile], initial, config)
    last = training.final_path.last(initial)
    stages = [
        _record(stage.chosen, probs)
        for stage, probs in zip(training.stages, training.probs, strict=True)
    ]
    return Trained(last.kernel.numpy(), last.bias.numpy(), stages)


def _record(chosen: PseudoLabeled, probs: tf.Tensor) -> StageRecord:
    rows = chosen.rows.numpy()
    weights = chosen.loss_weights
    return StageRecord(
        probs.numpy(),
        rows,
        chosen.targets.numpy().argmax(axis=1),
        np.ones(len(rows), np.float32) if weights is None else weights.numpy(),
        chosen.logit_weights.numpy(),
    )

"""Self-trains a head on the embeddings of labeled images and of a pile."""

import dataclasses
import functools
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


class HeadTrainer:
    """Self-trains heads by one method, from a classifier of zeros.

    Heads of as many images and classes share a graph: the first takes seconds, others are fast.
    """

    def __init__(self, config: SelfTrainingConfig, backbone: Any):
        """Loads the method.

        Args:
            config: Method and stages.
            backbone: Has `soft_weighting`, which methods may use.

        Raises:
            InputError: If there is no such method.
        """
        self.config, self.method = config, load_method(config, backbone)
        # Without a pile there is nothing to weigh.
        self.plain = load_method(dataclasses.replace(config, weighting="none"), backbone)
        # One of its own: of the same one, TensorFlow counts all traces, and warns of many.
        self._run = tf.function(functools.partial(self._train), autograph=False)

    def train(self, support: Features, labels: np.ndarray, pile: Features) -> Trained:
        """Returns what S labeled and U unlabeled images teach.

        Args:
            support: S labeled images, their embeddings of length `RADIUS`.
            labels: `[S]` int in 0..N-1, each once or more.
            pile: U unlabeled images, 0 or more, in the same way.

        Raises:
            InputError: If the method does not do what is asked of it.
        """
        examples = Examples(Features(*map(tf.constant, support)), tf.constant(np.int32(labels)))
        with tell_of_rows():
            trained = self._run(
                examples, Features(*map(tf.constant, pile)), way=int(labels.max()) + 1
            )
        return tf.nest.map_structure(lambda value: value.numpy(), trained)

    def _train(self, examples: Examples, pile: Features, way: int) -> Trained:
        initial = Classifier(tf.zeros([examples.inputs.embeddings.shape[1], way]), tf.zeros([way]))
        if not pile.embeddings.shape[0]:
            evidence = first_evidence(examples, pile, initial, self.config)
            nothing = evidence.accepted._replace(loss_weights=tf.zeros([0]))
            stage = fit(self.plain, evidence, nothing)
            return Trained(*self.plain.finish(evidence, stage.path).last(initial), [])
        training = self_train(self.method, examples, [pile], initial, self.config)
        stages = zip(training.stages, training.probs, strict=True)
        records = [_record(stage.chosen, probs) for stage, probs in stages]
        return Trained(*training.final_path.last(initial), records)


def _record(chosen: PseudoLabeled, probs: tf.Tensor) -> StageRecord:
    weights = chosen.loss_weights
    return StageRecord(
        probs,
        chosen.rows,
        tf.argmax(chosen.targets, axis=1),
        tf.ones_like(chosen.targets[:, 0]) if weights is None else weights,
        chosen.logit_weights,
    )

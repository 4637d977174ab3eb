"""Parts of methods that several share."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import (
    LossFn,
    Path,
    classify,
    summed_cross_entropy,
)
from lst_tf2.adaptation.method import Evidence, Finish, Fit, PseudoLabeled, Selection
from lst_tf2.settings import Settings, setting
from lst_tf2.structures import Classifier


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageConfig(Settings):
    """Describes the gradient descent of a stage; a method's own settings add to it.

    The flags of training and test give these values, those of `steps_per_stage` in training
    `inner_steps`.
    """

    inner_lr: float = setting(0.01, above=0)
    retrain_steps: int = setting(10, at_least=0)
    steps_per_stage: int = setting(40, at_least=1)
    inner_steps: int = setting(100, at_least=1)


def label_by_classifier(evidence: Evidence) -> tf.Tensor:
    """Returns the probabilities `[U, N]` that the labeler gives."""
    return tf.nn.softmax(classify(evidence.labeler, evidence.unlabeled.embeddings))


def keep_all(evidence: Evidence, probs: tf.Tensor) -> Selection:
    """Keeps every unlabeled example as the class that is most probable for it."""
    return Selection(tf.range(tf.shape(probs)[0]), harden(probs))


def keep_settled(evidence: Evidence, probs: tf.Tensor) -> Selection:
    """Keeps all rows; those with more than one class that is possible do not count."""
    is_settled = tf.math.count_nonzero(probs, axis=-1) == 1
    return Selection(tf.range(probs.shape[0]), harden(probs), tf.cast(is_settled, probs.dtype))


def harden(probs: tf.Tensor) -> tf.Tensor:
    """Returns `[B, N]`, 1 at the largest entry of each row, the first of equal ones."""
    return tf.one_hot(tf.argmax(probs, axis=-1), probs.shape[-1], dtype=probs.dtype)


def leave_unweighted(evidence: Evidence, chosen: PseudoLabeled) -> PseudoLabeled:
    """Returns `chosen` with the weights that it has, ones but for the losses."""
    return chosen


def support_loss(evidence: Evidence) -> LossFn:
    """Returns the loss of a classifier on the support set alone."""

    def loss_fn(classifier: Classifier) -> tf.Tensor:
        logits = classify(classifier, evidence.support.embeddings)
        return summed_cross_entropy(logits, evidence.support_labels, evidence.shot)

    return loss_fn


def retrain_loss(evidence: Evidence, chosen: PseudoLabeled) -> LossFn:
    """Returns the loss of a classifier on support and pseudo-labeled examples together.

    Cross-entropies are summed over the examples of both sets and divided by the shot. Pseudo-
    labeled examples can have weights of two kinds: `logit_weights` `[R, N]` multiply logits, as
    the soft weights of LST do (arXiv:1906.00562), `loss_weights` `[R]` cross-entropies.
    """
    support_loss_fn = support_loss(evidence)

    def loss_fn(classifier: Classifier) -> tf.Tensor:
        logits = chosen.logit_weights * classify(classifier, chosen.features.embeddings)
        losses = tf.nn.softmax_cross_entropy_with_logits(chosen.targets, logits)
        if chosen.loss_weights is not None:
            losses *= chosen.loss_weights
        return support_loss_fn(classifier) + tf.reduce_sum(losses) / evidence.shot

    return loss_fn


def fit_by_descent(config: StageConfig) -> Fit:
    """Returns a fit that re-trains on all examples, then fine-tunes on the support set alone.

    Both descend by the gradient from the initial classifier (arXiv:1906.00562).

    Args:
        config: The rate, the steps of the first part and those of both.
    """

    def fit(evidence: Evidence, chosen: PseudoLabeled) -> Path:
        initial, lr = evidence.initial, config.inner_lr
        retrained = evidence.descend(
            initial, retrain_loss(evidence, chosen), lr=lr, steps=config.retrain_steps
        )
        finetuned = evidence.descend(
            retrained.last(initial),
            support_loss(evidence),
            lr=lr,
            steps=config.steps_per_stage - config.retrain_steps,
        )
        return retrained + finetuned

    return fit


def finish_on_support(config: StageConfig) -> Finish:
    """Returns what descends on the support set alone up to `inner_steps` steps."""

    def finish(evidence: Evidence, path: Path) -> Path:
        last, loss_fn = path.last(evidence.initial), support_loss(evidence)
        steps = config.inner_steps - len(path)
        return path + evidence.descend(last, loss_fn, lr=config.inner_lr, steps=steps)

    return finish


def repeat(steps: int, fn: Callable, start):
    """Returns what `fn` makes of `start`, of that, and so on, after `steps` times."""
    return tf.while_loop(
        lambda i, _: i < steps,
        lambda i, state: (i + 1, fn(state)),
        (tf.constant(0), start),
        maximum_iterations=steps,
    )[1]


def mean_directions(on_sphere: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Returns the mean directions `[D, N]` of the classes, columns of norm 1.

    Args:
        on_sphere: Embeddings `[B, D]`, rows of norm 1.
        shares: `[B, N]`, how much each counts in each class.
    """
    return tf.nn.l2_normalize(tf.matmul(on_sphere, shares, transpose_a=True), axis=0)


def first_in_class(members: tf.Tensor, costs: tf.Tensor, most: int) -> tf.Tensor:
    """Returns the places 1, 2, ... `[U, N]` by cost in each class up to `most`; else 0.

    Args:
        members: `[U, N]`, 1 or 0.
        costs: `[U]`; the least comes first.
        most: Places that each class has.
    """
    costs = tf.where(members > 0, costs[:, tf.newaxis], np.inf)
    order = tf.argsort(tf.argsort(tf.transpose(costs), stable=True))  # The inverse permutation.
    places = members * tf.cast(1 + tf.transpose(order), members.dtype)
    return tf.where(places <= most, places, 0)

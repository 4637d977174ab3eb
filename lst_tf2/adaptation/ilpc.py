"""Iterative label propagation and cleaning (arXiv:2012.07962)."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.graph import TINY, cosine_graph, normalize_both_ways
from lst_tf2.adaptation.logistic import fit_on_sphere
from lst_tf2.adaptation.method import (
    Evidence,
    Label,
    Method,
    Selection,
    candidates,
)
from lst_tf2.adaptation.parts import first_in_class, harden, leave_unweighted, repeat
from lst_tf2.settings import Settings, setting

# Of similarities, and of the shares that are balanced.
POWER = 3
# Of the descent that cleans.
RATE, MOMENTUM, DECAY = 0.1, 0.9, 5e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class IlpcConfig(Settings):
    """Describes the rounds, as in the paper; `balancing_steps` stand for its tolerance.

    Most of the time goes into `cleaning_steps`, and a tenth of them cleans about as well.

    `is_balanced` tells that the unlabeled examples are as many of each class. For piles with
    distractors say that they are not: then nothing balances the labels, what spreads most
    surely moves first, and in the end each class keeps as many as the smallest one has.
    """

    neighbours: int = setting(15, at_least=1)
    alpha: float = setting(0.8, above=0, at_most=0.999)
    is_balanced: bool = True
    balancing_steps: int = setting(100, at_least=1)
    cleaning_steps: int = setting(1000, at_least=1)
    moved_per_class: int = setting(3, at_least=1)
    penalty: float = setting(0.1, above=0)


class Spread(NamedTuple):
    """Holds where labels have spread in a round."""

    embeddings: tf.Tensor  # [U + S, D], of norm 1
    known: tf.Tensor  # [U + S, N], one-hot where a label is known, else 0
    scores: tf.Tensor  # [U, N], 0 or more
    is_left: tf.Tensor  # [U], 1 where none is known, else 0


# Labels `[U, N]`, one-hot, and the costs `[U]` of trusting them.
Assign = Callable[[Spread], tuple[tf.Tensor, tf.Tensor]]


def build(config: IlpcConfig, learner) -> Method:
    """Returns the method; it needs nothing of `learner`."""
    return Method(
        label=label_in_rounds(config),
        select=keep_labeled,
        weigh=leave_unweighted,
        fit=fit_on_sphere(config.penalty),
    )


def label_in_rounds(config: IlpcConfig) -> Label:
    """Returns labels that propagate in rounds, one-hot; 0 for what is cut in the end.

    Each round moves a few unlabeled examples of each class to the labeled set, the last one all
    that are left.
    """
    assign = assign_by_loss(config) if config.is_balanced else assign_by_score

    def label(evidence: Evidence) -> tf.Tensor:
        count, way = evidence.unlabeled.embeddings.shape[0], evidence.way
        embeddings = tf.nn.l2_normalize(candidates(evidence).embeddings, axis=1)
        operator = propagation(embeddings, config)
        support = tf.one_hot(evidence.support_labels, way)
        rounds = count // (way * config.moved_per_class)

        def move(queue, most):
            moved = tf.sign(queue)
            known = tf.concat([moved, support], axis=0)
            scores = tf.nn.relu(operator @ known)[:count]
            is_left = 1 - tf.reduce_sum(moved, axis=1)
            labels, costs = assign(Spread(embeddings, known, scores, is_left))
            places = first_in_class(labels * is_left[:, tf.newaxis], costs, most)
            return queue + places + tf.sign(places) * tf.reduce_sum(moved, axis=0)

        queue = tf.zeros([count, way])
        queue = repeat(rounds, lambda queue: move(queue, config.moved_per_class), queue)
        queue = move(queue, count)
        smallest = tf.reduce_min(tf.reduce_sum(tf.sign(queue), axis=0))
        most = count if config.is_balanced else smallest
        return tf.where(queue <= most, tf.sign(queue), 0)

    return label


def propagation(embeddings: tf.Tensor, config: IlpcConfig) -> tf.Tensor:
    """Returns `(I - alpha W)^-1` `[B, B]` of the graph of neighbours of `embeddings` `[B, D]`.

    The inverse serves all rounds, as the graph stays; it is what the paper approaches by
    conjugate gradients.
    """
    graph = cosine_graph(embeddings, config.neighbours, POWER)
    graph = normalize_both_ways(graph)
    return tf.linalg.inv(tf.eye(graph.shape[0]) - config.alpha * graph)


def assign_by_loss(config: IlpcConfig) -> Assign:
    """Returns what balances labels, and trusts those that a linear layer learns early."""

    def assign(spread: Spread) -> tuple[tf.Tensor, tf.Tensor]:
        shares = spread.scores + TINY
        shares = (shares / tf.reduce_sum(shares, axis=1, keepdims=True)) ** POWER
        labels = harden(balance(shares, spread.is_left, config.balancing_steps))
        count = labels.shape[0]
        pseudo = spread.known[:count] + labels * spread.is_left[:, tf.newaxis]
        targets = tf.concat([pseudo, spread.known[count:]], axis=0)
        centres = tf.matmul(spread.known, spread.embeddings, transpose_a=True)
        centres = tf.nn.l2_normalize(centres, axis=1)
        losses = mean_losses(spread.embeddings, targets, centres, config.cleaning_steps)
        return labels, losses[:count]

    return assign


def assign_by_score(spread: Spread) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the labels of largest score; the more reaches an example, the more it is trusted."""
    return harden(spread.scores), -tf.reduce_max(spread.scores, axis=1)


def balance(shares: tf.Tensor, weights: tf.Tensor, steps: int) -> tf.Tensor:
    """Returns `shares` `[U, N]`, scaled so that rows sum to `weights` `[U]`, columns equally.

    Sinkhorn's way, by steps that scale rows, then columns.
    """
    shares = tf.maximum(shares, TINY)
    of_column = tf.reduce_sum(weights) / shares.shape[1]

    def scale_rows(columns):
        return tf.math.divide_no_nan(weights, tf.linalg.matvec(shares, columns))

    def scale_columns(columns):
        sums = tf.linalg.matvec(shares, scale_rows(columns), transpose_a=True)
        return tf.math.divide_no_nan(of_column, sums)

    columns = repeat(steps, scale_columns, tf.ones_like(shares[0]))
    return scale_rows(columns)[:, tf.newaxis] * shares * columns


def mean_losses(
    embeddings: tf.Tensor, targets: tf.Tensor, centres: tf.Tensor, steps: int
) -> tf.Tensor:
    """Returns the cross-entropy of each example, averaged over a descent on their mean.

    The layer descends from the centres, without a bias, by all examples in each step.

    Args:
        embeddings: `[B, D]`, of norm 1.
        targets: `[B, N]`, one-hot.
        centres: `[N, D]`.
        steps: Of descent; the losses are those before each.

    Returns:
        `[B]`, 0 or more.
    """
    columns, wanted = tf.transpose(embeddings), tf.transpose(targets)

    def descend(state):
        layer, velocity, layers, log_sums = state
        # Decay keeps the layer too small for these to overflow.
        shares = tf.exp(layer @ columns)
        sums = tf.reduce_sum(shares, axis=0)
        slope = (shares / sums - wanted) @ embeddings / embeddings.shape[0]
        velocity = MOMENTUM * velocity + slope + DECAY * layer
        return layer - RATE * velocity, velocity, layers + layer, log_sums + tf.math.log(sums)

    start = (centres, tf.zeros_like(centres), tf.zeros_like(centres), tf.zeros_like(columns[0]))
    _, _, layers, log_sums = repeat(steps, descend, start)
    # Logits are linear in the layer, so their mean is that of the mean layer.
    return (log_sums - tf.reduce_sum(wanted * (layers @ columns), axis=0)) / steps


def keep_labeled(evidence: Evidence, labels: tf.Tensor) -> Selection:
    """Keeps all rows; those without a label count as nothing."""
    return Selection(tf.range(labels.shape[0]), harden(labels), tf.reduce_sum(labels, axis=1))

"""MUSIC: rules out classes one by one until one is left (arXiv:2209.13777)."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Path
from lst_tf2.adaptation.method import Evidence, Fit, Label, Method, PseudoLabeled
from lst_tf2.adaptation.parts import harden, keep_settled, leave_unweighted
from lst_tf2.settings import Settings, setting
from lst_tf2.structures import Classifier

# Keeps the logarithm of a probability finite.
TINY = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicConfig(Settings):
    """Describes when a class is ruled out, and the descent on positive and negative labels."""

    reject_below: float = setting(0.2, above=0, at_most=1)
    positive_lr: float = setting(0.1, above=0)
    positive_steps: int = setting(100, at_least=1)
    negative_lr: float = setting(0.02, above=0)
    negative_steps: int = setting(10, at_least=1)
    momentum: float = setting(0.9, at_least=0, at_most=0.999)
    decay: float = setting(5e-4, at_least=0)


def build(config: MusicConfig, learner) -> Method:
    """Returns the method; `learner` has no part in it."""
    return Method(
        label=label_by_exclusion(config),
        select=keep_settled,
        weigh=leave_unweighted,
        fit=fit_on_settled(config),
    )


def label_by_exclusion(config: MusicConfig) -> Label:
    """Returns probabilities of the classes not ruled out; those of the others are 0."""

    def label(evidence: Evidence) -> tf.Tensor:
        kernel, is_left = rule_out(config, evidence)
        inputs = tf.nn.l2_normalize(evidence.unlabeled.embeddings, axis=1)
        return probs_of_left(inputs @ kernel, is_left)

    return label


def fit_on_settled(config: MusicConfig) -> Fit:
    """Returns a fit that goes on from the negative labels, on support and settled examples.

    Its classifier has no bias: then what it prefers does not depend on the length of a query.
    """

    def fit(evidence: Evidence, chosen: PseudoLabeled) -> Path:
        kernel, _ = rule_out(config, evidence)
        known = tf.one_hot(evidence.support_labels, evidence.way)
        targets = tf.concat([known, chosen.targets], axis=0)
        weights = tf.concat([tf.ones_like(known[:, 0]), chosen.loss_weights], axis=0)
        embeddings = [evidence.support.embeddings, chosen.features.embeddings]
        inputs = tf.nn.l2_normalize(tf.concat(embeddings, axis=0), axis=1)
        kernel = learn_positives(config, kernel, inputs, targets, weights)
        return Path(Classifier(kernel, tf.zeros_like(kernel[0])))

    return fit


def rule_out(config: MusicConfig, evidence: Evidence) -> tuple[tf.Tensor, tf.Tensor]:
    """Rules out at most one class of each unlabeled example in each of N - 1 rounds.

    Returns:
        The kernel `[D, N]` that learned this, and whether a class is left, bool `[U, N]`.
    """
    known = tf.one_hot(evidence.support_labels, evidence.way)
    support = tf.nn.l2_normalize(evidence.support.embeddings, axis=1)
    kernel = tf.zeros([support.shape[1], evidence.way], support.dtype)
    kernel = learn_positives(config, kernel, support, known, tf.ones_like(known[:, 0]))
    inputs = tf.nn.l2_normalize(evidence.unlabeled.embeddings, axis=1)
    is_left = tf.ones([inputs.shape[0], evidence.way], tf.bool)
    for _ in range(evidence.way - 1):
        probs = probs_of_left(inputs @ kernel, is_left)
        negatives = unlikely_classes(probs, is_left, config.reject_below)
        kernel = learn_negatives(config, kernel, inputs, negatives)
        is_left &= negatives == 0
    return kernel, is_left


def probs_of_left(logits: tf.Tensor, is_left: tf.Tensor) -> tf.Tensor:
    """Returns probabilities `[U, N]` among the classes left, 0 of the others."""
    return tf.nn.softmax(tf.where(is_left, logits, logits.dtype.min))


def unlikely_classes(probs: tf.Tensor, is_left: tf.Tensor, bound: float) -> tf.Tensor:
    """Returns `[U, N]`, 1 at the least probable class left, if that is `bound` or less.

    Rows with one class left are 0.
    """
    least = harden(tf.where(is_left, -probs, -2.0))
    has_choice = tf.math.count_nonzero(is_left, axis=-1) > 1
    is_unlikely = tf.reduce_sum(least * probs, axis=-1) <= bound
    return least * tf.cast(has_choice & is_unlikely, probs.dtype)[:, tf.newaxis]


def learn_positives(
    config: MusicConfig,
    kernel: tf.Tensor,
    inputs: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
) -> tf.Tensor:
    """Returns the kernel after descent on the weighted mean of cross-entropy and entropy."""
    shares = weights[:, tf.newaxis] / tf.reduce_sum(weights)

    def slope(logits: tf.Tensor) -> tf.Tensor:
        probs = tf.nn.softmax(logits)
        return shares * (probs - targets + entropy_slope(probs))

    lr, steps = config.positive_lr, config.positive_steps
    return descend(config, kernel, inputs, slope, lr=lr, steps=steps)


def learn_negatives(
    config: MusicConfig, kernel: tf.Tensor, inputs: tf.Tensor, negatives: tf.Tensor
) -> tf.Tensor:
    """Returns the kernel after descent on the mean of `-log(1 - p)` and entropy.

    Here `p` is the probability of what was ruled out, and only examples count that lost a
    class. Without any the kernel stays, hence every later round finds none either.
    """
    lost = tf.reduce_sum(negatives, axis=-1, keepdims=True)
    count = tf.reduce_sum(lost)
    shares = lost / tf.maximum(count, 1)

    def slope(logits: tf.Tensor) -> tf.Tensor:
        probs = tf.nn.softmax(logits)
        wrong = tf.reduce_sum(negatives * probs, axis=-1, keepdims=True)
        odds = wrong / (1 - wrong + TINY)
        return shares * (odds * (negatives - probs) + entropy_slope(probs))

    lr = config.negative_lr * tf.minimum(count, 1)
    return descend(config, kernel, inputs, slope, lr=lr, steps=config.negative_steps)


def entropy_slope(probs: tf.Tensor) -> tf.Tensor:
    """Returns the gradient `[B, N]` of the entropy of each row by its logits."""
    logs = tf.math.log(probs + TINY)
    return -probs * (logs - tf.reduce_sum(probs * logs, axis=-1, keepdims=True))


def descend(
    config: MusicConfig,
    kernel: tf.Tensor,
    inputs: tf.Tensor,
    slope: Callable[[tf.Tensor], tf.Tensor],
    *,
    lr: float | tf.Tensor,
    steps: int,
) -> tf.Tensor:
    """Returns the kernel `[D, N]` after descent with momentum from rest.

    Args:
        config: Momentum, and decay of the kernel.
        kernel: `[D, N]`, where it starts.
        inputs: `[B, D]`.
        slope: Returns the gradient `[B, N]` of the loss by the logits `[B, N]`.
        lr: Rate.
        steps: Number of steps.
    """

    def step(i, kernel, velocity):
        pull = tf.matmul(inputs, slope(inputs @ kernel), transpose_a=True) + config.decay * kernel
        velocity = config.momentum * velocity + pull
        return i + 1, kernel - lr * velocity, velocity

    start = (tf.constant(0), kernel, tf.zeros_like(kernel))
    return tf.while_loop(lambda i, *_: i < steps, step, start, maximum_iterations=steps)[1]

"""Gradient descent on the classifier inside an episode.

Losses are cross-entropies summed over examples and divided by the shot, as in the
original program, so the step grows with the number of examples (arXiv:1906.00562).
"""

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from lst_tf2.structures import Classifier

LossFn = Callable[[Classifier], tf.Tensor]


class Path:
    """Holds the classifiers after 1, 2, ... steps.

    It is made of stretches: a classifier each, or several along a new first axis. They stay
    apart as long as they can: joined, they would be in the way of the gradients of an outer
    tape.
    """

    def __init__(self, *stretches: Classifier):
        """Makes a path of classifiers `[D, N]`, or `[steps, D, N]`."""
        self.stretches = stretches

    def __len__(self) -> int:
        """Returns the number of steps."""
        return sum(map(_count, self.stretches))

    def __add__(self, other: "Path") -> "Path":
        """Returns this path and then the `other`."""
        return Path(*self.stretches, *other.stretches)

    def after(self, steps: int, start: Classifier) -> Classifier:
        """Returns the classifier after some steps, the last where the path is shorter.

        That is `start` where `steps` is 0 or the path has none.
        """
        place = min(steps, len(self)) - 1
        for stretch in self.stretches:
            count = _count(stretch)
            if 0 <= place < count:
                return stretch if _is_one(stretch) else _pick(stretch, place)
            place -= count
        return start

    def last(self, start: Classifier) -> Classifier:
        """Returns the last classifier, or `start` where the path has no step."""
        return self.after(len(self), start)

    def joined(self) -> Classifier:
        """Returns all classifiers along a new first axis; there must be one or more."""
        stretches = [_pick(s, tf.newaxis) if _is_one(s) else s for s in self.stretches]
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *stretches)


def _is_one(stretch: Classifier) -> bool:
    return stretch.bias.shape.rank == 1


def _count(stretch: Classifier) -> int:
    return 1 if _is_one(stretch) else stretch.bias.shape[0]


def _pick(stretch: Classifier, place: int | None) -> Classifier:
    return tf.nest.map_structure(lambda p: p[place], stretch)


class Descend(Protocol):
    """Descends on a loss of the classifier: `unrolled_path` or `descent_path`, at `with_rates`."""

    def __call__(self, start: Classifier, loss_fn: LossFn, *, lr: float, steps: int) -> Path:
        """Returns the path of `steps` steps of gradient descent from `start`."""


def classify(classifier: Classifier, embeddings: tf.Tensor) -> tf.Tensor:
    """Returns logits `[..., B, N]` of `embeddings` `[B, D]`.

    The classifier may carry leading axes (`[..., D, N]` and `[..., N]`), as joined paths do.
    """
    return embeddings @ classifier.kernel + classifier.bias[..., tf.newaxis, :]


def summed_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, shot: float) -> tf.Tensor:
    """Returns the cross-entropy summed over examples and divided by `shot`, a scalar.

    Args:
        logits: `[B, N]` float32.
        labels: `[B]` int32 in 0..N-1.
        shot: Support examples for each class of the episode, in the mean.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(losses) / shot


def accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the share of hits, `[...]` in 0..1, of logits `[..., B, N]`, labels `[B]`."""
    hits = tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels
    return tf.reduce_mean(tf.cast(hits, tf.float32), axis=-1)


def with_rates(descend: Descend, rates: Classifier | None) -> Descend:
    """Returns `descend` at learned `rates` in place of its `lr`; as it is where there are none.

    Args:
        descend: `unrolled_path` or `descent_path`.
        rates: One for each parameter of the classifier, `[D, N]` and `[N]` (arXiv:1707.09835).
    """
    if rates is None:
        return descend

    def descend_at_rates(start: Classifier, loss_fn: LossFn, *, lr: float, steps: int) -> Path:
        return descend(start, loss_fn, lr=rates, steps=steps)

    return descend_at_rates


def gradient_step(classifier: Classifier, loss_fn: LossFn, lr: float | Classifier) -> Classifier:
    """Returns `classifier` after one step of gradient descent on `loss_fn`."""
    with tf.GradientTape() as tape:
        tape.watch(classifier)
        loss = loss_fn(classifier)
    grads = tape.gradient(loss, classifier)
    rates = lr if isinstance(lr, Classifier) else Classifier(lr, lr)
    return tf.nest.map_structure(lambda p, g, rate: p - rate * g, classifier, grads, rates)


def unrolled_path(
    start: Classifier, loss_fn: LossFn, *, lr: float | Classifier, steps: int
) -> Path:
    """Returns the path of `steps` steps of gradient descent from `start`.

    Assigns nothing, so an outer tape can differentiate the path with respect to `start` and
    to rates: gradients of gradients are kept.

    Args:
        start: Where it begins.
        loss_fn: What it descends on.
        lr: Its rate, or one for each parameter.
        steps: How many.
    """
    visited = [start]
    for _ in range(steps):  # Unrolled when traced: `steps` is a Python int.
        visited.append(gradient_step(visited[-1], loss_fn, lr))
    return Path(*visited[1:])


def descent_path(start: Classifier, loss_fn: LossFn, *, lr: float | Classifier, steps: int) -> Path:
    """Returns the same as `unrolled_path`.

    For what nothing differentiates: a loop in the graph, where the other would unroll
    hundreds of steps.
    """
    if steps == 0:
        return Path()
    return Path(
        tf.scan(
            lambda current, _: gradient_step(current, loss_fn, lr),
            tf.range(steps),
            initializer=start,
        )
    )

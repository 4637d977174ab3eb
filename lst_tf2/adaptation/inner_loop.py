"""Gradient descent on the classifier inside an episode.

Losses are cross-entropies summed over examples and divided by the shot, as in the
original program, so the step grows with the number of examples (arXiv:1906.00562).
"""

from collections.abc import Callable

import tensorflow as tf

from lst_tf2.structures import Classifier, Examples

LossFn = Callable[[Classifier], tf.Tensor]
# From scores `[U, N]` to what multiplies the logits, by the values of `config.WEIGHTINGS`.
WEIGH = {"soft": tf.nn.softmax, "none": tf.ones_like}


def classify(classifier: Classifier, embeddings: tf.Tensor) -> tf.Tensor:
    """Returns logits `[..., B, N]` of `embeddings` `[B, D]`.

    The classifier may carry leading axes (`[..., D, N]` and `[..., N]`), as
    `descent_path` returns it.
    """
    return embeddings @ classifier.kernel + classifier.bias[..., tf.newaxis, :]


def shot_of(support_labels: tf.Tensor, classifier: Classifier) -> int:
    """Returns K: how many of the labels `[S]` there are for each of the classifier's classes."""
    return support_labels.shape[0] // classifier.bias.shape[-1]


def summed_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, shot: int) -> tf.Tensor:
    """Returns the cross-entropy summed over examples and divided by `shot`, a scalar.

    Args:
        logits: `[B, N]` float32.
        labels: `[B]` int32 in 0..N-1.
        shot: Support examples for each class of the episode.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(losses) / shot


def accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the share of hits, `[...]` in 0..1, of logits `[..., B, N]`, labels `[B]`."""
    hits = tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels
    return tf.reduce_mean(tf.cast(hits, tf.float32), axis=-1)


def support_loss(support: Examples, shot: int) -> LossFn:
    """Returns the loss of a classifier on the support set alone."""

    def loss_fn(classifier: Classifier) -> tf.Tensor:
        logits = classify(classifier, support.embeddings)
        return summed_cross_entropy(logits, support.labels, shot)

    return loss_fn


def retrain_loss(
    support: Examples, pseudo_labeled: Examples, soft_weights: tf.Tensor, shot: int
) -> LossFn:
    """Returns the loss of a classifier on support and pseudo-labeled examples together.

    Args:
        support: The labeled examples.
        pseudo_labeled: Unlabeled examples with the labels that self-training gave them.
        soft_weights: `[U, N]` float32, multiplies their logits (not their losses).
        shot: Support examples for each class.
    """
    labeled_loss_fn = support_loss(support, shot)

    def loss_fn(classifier: Classifier) -> tf.Tensor:
        logits = soft_weights * classify(classifier, pseudo_labeled.embeddings)
        pseudo_loss = summed_cross_entropy(logits, pseudo_labeled.labels, shot)
        return labeled_loss_fn(classifier) + pseudo_loss

    return loss_fn


def gradient_step(classifier: Classifier, loss_fn: LossFn, lr: float) -> Classifier:
    """Returns `classifier` after one step of gradient descent on `loss_fn`."""
    with tf.GradientTape() as tape:
        tape.watch(classifier)
        loss = loss_fn(classifier)
    grads = tape.gradient(loss, classifier)
    return tf.nest.map_structure(lambda p, g: p - lr * g, classifier, grads)


def descend(classifier: Classifier, loss_fn: LossFn, *, lr: float, steps: int) -> Classifier:
    """Returns `classifier` after `steps` of gradient descent on `loss_fn`.

    Assigns nothing, so an outer tape can differentiate the result with respect to the
    `classifier` passed in: gradients of gradients are kept.
    """
    for _ in range(steps):  # Unrolled when traced: `steps` is a Python int.
        classifier = gradient_step(classifier, loss_fn, lr)
    return classifier


def descent_path(classifier: Classifier, loss_fn: LossFn, *, lr: float, steps: int) -> Classifier:
    """Returns the classifiers after 1, 2, ... `steps` steps, along a new first axis.

    For the long descents of meta-test, which nothing differentiates: a loop in the
    graph, where `descend` would unroll hundreds of steps.
    """
    if steps == 0:
        return tf.nest.map_structure(lambda p: tf.zeros([0, *p.shape], p.dtype), classifier)
    return tf.scan(
        lambda current, _: gradient_step(current, loss_fn, lr),
        tf.range(steps),
        initializer=classifier,
    )


def last_of(path: Classifier, start: Classifier) -> Classifier:
    """Returns the last classifier of `path`, or `start` where the path has no step."""
    if path.kernel.shape[0] == 0:
        return start
    return tf.nest.map_structure(lambda p: p[-1], path)


def join_paths(*paths: Classifier) -> Classifier:
    """Returns one path made of several, in order."""
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *paths)

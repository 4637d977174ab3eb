"""Pseudo labels, class prototypes and the hard selection of arXiv:1906.00562."""

from typing import NamedTuple

import tensorflow as tf


class Selection(NamedTuple):
    """Holds the R examples that a stage re-trains on."""

    rows: tf.Tensor  # [R] int32 into the unlabeled rows followed by the support rows
    labels: tf.Tensor  # [R] int32, the pseudo label of each


def class_prototypes(maps: tf.Tensor, labels: tf.Tensor, way: int) -> tf.Tensor:
    """Returns the mean map of each class.

    Args:
        maps: `[S, H, W, D]` float32, feature maps of the support set.
        labels: `[S]` int32 in 0..way-1; every class needs an example.
        way: N, the number of classes.

    Returns:
        `[N, H, W, D]` float32.
    """
    membership = tf.one_hot(labels, way, axis=0)
    counts = tf.reduce_sum(membership, axis=1)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.einsum("ns,shwd->nhwd", membership, maps) / counts


def hard_select(logits: tf.Tensor, support_labels: tf.Tensor, selected_per_class: int) -> Selection:
    """Picks the `selected_per_class` (k) most confident examples of each class.

    A class's candidates are the unlabeled rows predicted as it, then its support rows.
    They rank by the probability of the class, support rows by 0, ties in list order.
    Where they are fewer than k, the candidates follow again from the first, in list
    order, as often as it takes; support rows thus fill up rare classes.

    Args:
        logits: `[U, N]` float32, of the unlabeled examples.
        support_labels: `[S]` int32 in 0..N-1; every class needs an example.
        selected_per_class: k.

    Returns:
        The selection, k for each class, classes in order.
    """
    way = logits.shape[-1]
    probs = tf.nn.softmax(logits)
    predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
    labels = tf.concat([predictions, support_labels], axis=0)
    no_probs = tf.zeros([tf.shape(support_labels)[0], way], probs.dtype)
    values = tf.transpose(tf.concat([probs, no_probs], axis=0))  # [N, U + S]
    is_candidate = labels[tf.newaxis, :] == tf.range(way)[:, tf.newaxis]
    counts = tf.reduce_sum(tf.cast(is_candidate, tf.int32), axis=1, keepdims=True)

    # Both orders hold the candidates first, because the others rank below probability 0.
    ranked = tf.argsort(tf.where(is_candidate, -values, 1.0), axis=1, stable=True)
    listed = tf.argsort(tf.where(is_candidate, 0.0, 1.0), axis=1, stable=True)

    places = tf.range(selected_per_class)[tf.newaxis, :]
    order = tf.concat([ranked, listed], axis=1)  # Place j of `listed` is at U + S + j.
    repeated_places = tf.shape(ranked)[1] + places % counts
    picks = tf.where(places < counts, places, repeated_places)
    rows = tf.gather(order, picks, batch_dims=1)
    return Selection(
        rows=tf.reshape(rows, [-1]),
        labels=tf.repeat(tf.range(way), selected_per_class),
    )


def keep_all(logits: tf.Tensor, support_labels: tf.Tensor, selected_per_class: int) -> Selection:
    """Keeps every unlabeled example with the label predicted for it, no support example.

    Takes what `hard_select` takes.
    """
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return Selection(rows=tf.range(tf.shape(labels)[0]), labels=labels)


# By the values of `lst_tf2.config.SELECTIONS`.
SELECT = {"hard": hard_select, "none": keep_all}

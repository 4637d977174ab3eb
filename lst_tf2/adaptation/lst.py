"""Learning to Self-Train (arXiv:1906.00562): hard selection, soft weights, descent."""

import dataclasses

import tensorflow as tf

from lst_tf2.adaptation.method import Evidence, Method, PseudoLabeled, Select, Selection, Weigh
from lst_tf2.adaptation.parts import (
    StageConfig,
    finish_on_support,
    fit_by_descent,
    keep_all,
    label_by_classifier,
    leave_unweighted,
)
from lst_tf2.config import SELECTIONS, WEIGHTINGS
from lst_tf2.settings import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class LstConfig(StageConfig):
    """Describes what a stage keeps, and how it weighs that."""

    selection: str = setting("hard", choices=SELECTIONS)
    selected_per_class: int = setting(20, at_least=1)
    weighting: str = setting("soft", choices=WEIGHTINGS)


def build(config: LstConfig, learner) -> Method:
    """Returns the method, with `learner.soft_weighting` as the network that weighs."""
    return Method(
        label=label_by_classifier,
        select=SELECT[config.selection](config),
        weigh=WEIGH[config.weighting](learner),
        fit=fit_by_descent(config),
        finish=finish_on_support(config),
    )


def select_hard(config: LstConfig) -> Select:
    """Returns a selection of the most confident examples of each class."""

    def select(evidence: Evidence, probs: tf.Tensor) -> Selection:
        return hard_select(probs, evidence.support_labels, config.selected_per_class)

    return select


def weigh_softly(learner) -> Weigh:
    """Returns weights that the soft weighting network of `learner` gives."""

    def weigh(evidence: Evidence, chosen: PseudoLabeled) -> PseudoLabeled:
        prototypes = class_prototypes(evidence.support.maps, evidence.support_labels, evidence.way)
        scores = learner.soft_weighting(prototypes, chosen.features.maps)
        return chosen._replace(logit_weights=tf.nn.softmax(scores))

    return weigh


# By the values of the settings; `none` is what the ablation of the paper takes away.
SELECT = {"hard": select_hard, "none": lambda config: keep_all}
WEIGH = {"soft": weigh_softly, "none": lambda learner: leave_unweighted}


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


def hard_select(probs: tf.Tensor, support_labels: tf.Tensor, selected_per_class: int) -> Selection:
    """Picks the `selected_per_class` (k) most confident examples of each class.

    A class's candidates are the unlabeled rows predicted as it, then its support rows.
    They rank by the probability of the class, support rows by 0, ties in list order.
    Where they are fewer than k, the candidates follow again from the first, in list
    order, as often as it takes; support rows thus fill up rare classes.

    Args:
        probs: `[U, N]` float32 in 0..1, of the unlabeled examples.
        support_labels: `[S]` int32 in 0..N-1; every class needs an example.
        selected_per_class: k.

    Returns:
        The selection, k for each class, classes in order.
    """
    way = probs.shape[-1]
    predictions = tf.argmax(probs, axis=-1, output_type=tf.int32)
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
    labels = tf.repeat(tf.range(way), selected_per_class)
    return Selection(tf.reshape(rows, [-1]), tf.one_hot(labels, way, dtype=probs.dtype))

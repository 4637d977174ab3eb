"""Soft k-means that leaves out what is far from every prototype (arXiv:1803.00676)."""

import dataclasses

import tensorflow as tf

from lst_tf2.adaptation import soft_kmeans
from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.method import Evidence, Method, Select, Selection
from lst_tf2.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskConfig(Settings):
    """Describes the border of a class, and how sharp it is.

    A meta-learned network gives both in the paper. These two were best, in the mean over 300
    episodes of the glyphs' validation classes for each of 1 and 5 shots, 30 and 50 unlabeled
    images, without and with three distractor classes.
    """

    threshold: float = setting(0.6, above=0, search=(0.4, 0.5, 0.6, 0.7, 0.8))
    slope: float = setting(20.0, above=0, search=(5, 10, 20, 40))


def build(config: MaskConfig, learner) -> Method:
    """Returns soft k-means with another second part; `learner` has no part in it."""
    return dataclasses.replace(soft_kmeans.build({}, learner), select=keep_near(config))


def keep_near(config: MaskConfig) -> Select:
    """Returns what keeps all examples, as members of the classes that they are near to."""

    def select(evidence: Evidence, probs: tf.Tensor) -> Selection:
        excess = normalized_distances(evidence) - config.threshold
        return soft_kmeans.keep_softly(evidence, tf.sigmoid(-config.slope * excess) * probs)

    return select


def normalized_distances(evidence: Evidence) -> tf.Tensor:
    """Returns squared distances `[U, N]` to the prototypes so far, of mean 1 for each class."""
    nearest = soft_kmeans.prototype_classifier(evidence, evidence.accepted)
    embeddings = evidence.unlabeled.embeddings
    lengths = tf.reduce_sum(embeddings**2, axis=-1, keepdims=True)
    distances = lengths - classify(nearest, embeddings)
    return tf.math.divide_no_nan(distances, tf.reduce_mean(distances, axis=0))

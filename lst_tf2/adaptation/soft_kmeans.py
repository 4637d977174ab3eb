"""Soft k-means on prototypes (arXiv:1803.00676); it learns nothing inside an episode."""

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Path, classify
from lst_tf2.adaptation.method import Evidence, Method, PseudoLabeled, Selection
from lst_tf2.adaptation.parts import leave_unweighted
from lst_tf2.structures import Classifier


def build(settings: dict, learner) -> Method:
    """Returns the method; it has no settings, and needs nothing of `learner`."""
    return Method(label=assign, select=keep_softly, weigh=leave_unweighted, fit=fit)


def assign(evidence: Evidence) -> tf.Tensor:
    """Returns the softmax `[U, N]` of negative squared distances to the prototypes so far."""
    nearest = prototype_classifier(evidence, evidence.accepted)
    return tf.nn.softmax(classify(nearest, evidence.unlabeled.embeddings))


def keep_softly(evidence: Evidence, probs: tf.Tensor) -> Selection:
    """Keeps all unlabeled examples, each a member of every class as far as is probable."""
    return Selection(tf.range(tf.shape(probs)[0]), probs)


def fit(evidence: Evidence, chosen: PseudoLabeled) -> Path:
    """Returns a path of one step: the prototypes of support and soft members."""
    return Path(prototype_classifier(evidence, chosen))


def prototype_classifier(evidence: Evidence, members: PseudoLabeled) -> Classifier:
    """Returns the classifier by the nearest prototype.

    Its logits are negative squared distances to the prototypes, less the squared length of
    the embedding, which all classes share.
    """
    known = tf.one_hot(evidence.support_labels, evidence.way)
    shares = tf.concat([known, members.targets], axis=0)
    embeddings = tf.concat([evidence.support.embeddings, members.features.embeddings], axis=0)
    sums = tf.matmul(embeddings, shares, transpose_a=True)
    prototypes = sums / tf.reduce_sum(shares, axis=0)
    return Classifier(kernel=2 * prototypes, bias=-tf.reduce_sum(prototypes**2, axis=0))

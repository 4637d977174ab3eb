"""What methods look at, for tests."""

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import descent_path
from lst_tf2.adaptation.method import PseudoLabeled
from lst_tf2.adaptation.stages import first_evidence
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Examples, Features


def features_of(embeddings):
    """Features whose maps are one cell."""
    embeddings = tf.convert_to_tensor(embeddings)
    return Features(embeddings[:, tf.newaxis, tf.newaxis], embeddings)


def evidence_of(initial, support, labels, unlabeled=None, *, descend=descent_path):
    """The evidence of a first stage, of embeddings."""
    unlabeled = support[:0] if unlabeled is None else unlabeled
    examples = Examples(features_of(support), tf.convert_to_tensor(labels))
    evidence = first_evidence(examples, features_of(unlabeled), initial, SelfTrainingConfig())
    return evidence._replace(descend=descend)


def pseudo_labeled(embeddings, labels, way, logit_weights):
    """Examples with hard labels and these weights."""
    count = embeddings.shape[0]
    return PseudoLabeled(
        tf.range(count),
        features_of(embeddings),
        tf.one_hot(labels, way),
        logit_weights,
        None,
    )

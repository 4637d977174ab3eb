"""What methods look at, for tests."""

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import descent_path
from lst_tf2.adaptation.method import PseudoLabeled
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import first_evidence, self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples, Features


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


def train_by(name, support, unlabeled, *settings):
    """The classifier and the choice of one stage, of one support image for each class."""
    config = SelfTrainingConfig(method=name, method_settings=settings, num_stages=1)
    way, width = support.shape
    initial = Classifier(tf.zeros([width, way]), tf.zeros([way]))
    examples = Examples(features_of(support), tf.range(way))
    method = load_method(config, None)
    stage = self_train(method, examples, [features_of(unlabeled)], initial, config).stages[0]
    return stage.path.last(initial), stage.chosen


def assert_batched_as_one_by_one(name, support, unlabeled, *settings):
    """A batch of episodes gives what each gives alone."""

    def run(sets):
        classifier, chosen = train_by(name, *sets, *settings)
        return chosen.targets, classifier.kernel

    batched = tf.function(lambda sets: tf.vectorized_map(run, sets), autograph=False)
    targets, kernels = batched((support, unlabeled))
    for i in range(len(support)):
        expected_targets, expected_kernel = run((support[i], unlabeled[i]))
        np.testing.assert_array_equal(targets[i], expected_targets)
        np.testing.assert_allclose(kernels[i], expected_kernel, rtol=1e-3, atol=1e-4)

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation import soft_kmeans
from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import evidence_of, features_of

NO_CLASSIFIER = Classifier(tf.zeros([1, 2]), tf.zeros([2]))


def test_one_step_worked_by_hand():
    # Prototypes 0 and 2, one unlabeled example at 0.5: squared distances 0.25 and 2.25, so it
    # is of class 0 with 1 / (1 + e^-2) = 0.8808. New prototypes: 0.5 * 0.8808 / 1.8808 = 0.2342
    # and (2 + 0.5 * 0.1192) / 1.1192 = 1.8402; the border lies at their middle, 1.0372.
    support, unlabeled = tf.constant([[0.0], [2.0]]), tf.constant([[0.5]])
    evidence = evidence_of(NO_CLASSIFIER, support, np.array([0, 1], np.int32), unlabeled)
    probs = soft_kmeans.assign(evidence)
    np.testing.assert_allclose(probs, [[0.8808, 0.1192]], atol=1e-4)

    config = SelfTrainingConfig(method="soft_kmeans", num_stages=1)
    method, initial = load_method(config, None), NO_CLASSIFIER
    examples = Examples(features_of(support), tf.constant([0, 1]))
    training = self_train(method, examples, [features_of(unlabeled)], initial, config)
    assert len(training.final_path) == 1
    classifier = training.final_path.last(initial)
    np.testing.assert_allclose(classifier.kernel / 2, [[0.2342, 1.8402]], atol=1e-4)
    logits = classify(classifier, tf.constant([[1.03], [1.04]]))
    np.testing.assert_array_equal(tf.argmax(logits, axis=1), [0, 1])


def test_later_stages_start_from_the_members_of_the_one_before():
    rng = np.random.default_rng(0)
    support = tf.constant(rng.normal(size=(2, 3)), tf.float32)
    windows = [features_of(tf.constant(rng.normal(size=(5, 3)), tf.float32)) for _ in range(2)]
    config = SelfTrainingConfig(method="soft_kmeans", num_stages=2)
    initial = Classifier(tf.zeros([3, 2]), tf.zeros([2]))
    examples = Examples(features_of(support), tf.constant([0, 1]))
    first, second = self_train(load_method(config, None), examples, windows, initial, config).stages
    expected = tf.nn.softmax(classify(first.path.last(initial), windows[1].embeddings))
    np.testing.assert_allclose(second.chosen.targets, expected, rtol=1e-5)

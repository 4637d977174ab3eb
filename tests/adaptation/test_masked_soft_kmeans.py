import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import masked_soft_kmeans, soft_kmeans
from lst_tf2.adaptation.method import Selection
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.errors import InputError
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import evidence_of, features_of

NO_CLASSIFIER = Classifier(tf.zeros([1, 2]), tf.zeros([2]))
LABELS = np.array([0, 1], np.int32)
# Prototypes 0 and 2. Squared distances of 1, 2, 5 to them: 1, 4, 25 (mean 10) and 1, 0, 9
# (mean 10/3); normalized: 0.1, 0.4, 2.5 and 0.3, 0.0, 2.7.
SUPPORT = tf.constant([[0.0], [2.0]])
UNLABELED = tf.constant([[1.0], [2.0], [5.0]])


def method_of(*settings):
    config = SelfTrainingConfig(method="masked_soft_kmeans", method_settings=settings, num_stages=1)
    return load_method(config, None), config


def last_classifier(support, unlabeled, *settings):
    method, config = method_of(*settings)
    way, width = support.shape
    initial = Classifier(tf.zeros([width, way]), tf.zeros([way]))
    examples = Examples(features_of(support), tf.range(way))
    training = self_train(method, examples, [features_of(unlabeled)], initial, config)
    return training.final_path.last(initial)


def test_distances_worked_by_hand():
    evidence = evidence_of(NO_CLASSIFIER, SUPPORT, LABELS, UNLABELED)
    distances = masked_soft_kmeans.normalized_distances(evidence)
    np.testing.assert_allclose(distances, [[0.1, 0.3], [0.4, 0.0], [2.5, 2.7]], atol=1e-6)


def test_one_step_worked_by_hand():
    # With slope 2 and threshold 1 the masks are 1 / (1 + e^(2 (d - 1))): 0.8581, 0.7685, 0.0474
    # and 0.8022, 0.8808, 0.0323. Shares: softmax(-1, -1), (-4, 0), (-25, -9): 0.5, 0.0180, 0.0000
    # and 0.5, 0.9820, 1.0000. Members: 0.4290, 0.0138, 0 and 0.4011, 0.8650, 0.0323.
    # Prototypes: (0.4290 + 2 * 0.0138) / 1.4428 = 0.3165 and
    # (2 + 0.4011 + 2 * 0.8650 + 5 * 0.0323) / 2.2984 = 1.8676.
    classifier = last_classifier(SUPPORT, UNLABELED, "slope=2", "threshold=1")
    np.testing.assert_allclose(classifier.kernel / 2, [[0.3165, 1.8676]], atol=1e-4)
    np.testing.assert_allclose(classifier.bias, [-(0.3165**2), -(1.8676**2)], atol=1e-3)


def test_a_mask_that_lets_all_pass_is_soft_kmeans():
    evidence = evidence_of(NO_CLASSIFIER, SUPPORT, LABELS, UNLABELED)
    probs = soft_kmeans.assign(evidence)
    config = masked_soft_kmeans.MaskConfig(threshold=1e3)
    selection = masked_soft_kmeans.keep_near(config)(evidence, probs)
    assert isinstance(selection, Selection)
    np.testing.assert_array_equal(selection.targets, probs)


def test_a_distractor_moves_no_prototype():
    # Of 0.1, squared distances 0.01 and 3.61, class 0 gets 1 / (1 + e^-3.6) = 0.9734, of 1.9 the
    # rest, 0.0266. All of both count, and nothing of what is far: the prototype of class 0 is
    # (0.0973 + 0.0505) / 2 = 0.0739, that of class 1 its mirror image.
    unlabeled = tf.constant([[0.1], [1.9], [40.0], [41.0]])
    prototypes = last_classifier(SUPPORT, unlabeled).kernel / 2
    np.testing.assert_allclose(prototypes, [[0.0739, 1.9261]], atol=1e-4)


def test_images_that_are_all_prototypes_give_finite_ones():
    support = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    assert np.isfinite(last_classifier(support, support).kernel).all()


def test_a_batch_is_its_episodes_one_by_one():
    rng = np.random.default_rng(0)
    support = tf.constant(rng.normal(size=(3, 4, 6)), tf.float32)
    unlabeled = tf.constant(rng.normal(size=(3, 20, 6)), tf.float32)
    batched = tf.function(
        lambda *sets: tf.vectorized_map(
            lambda pair: tuple(last_classifier(*pair)), sets, fallback_to_while_loop=False
        ),
        autograph=False,
    )(support, unlabeled)
    for i in range(3):
        single = last_classifier(support[i], unlabeled[i])
        for found, expected in zip(batched, single, strict=True):
            np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("word", ["threshold=0", "slope=-1"])
def test_settings_out_of_bounds_are_refused(word):
    with pytest.raises(InputError, match=f"a finite {word.partition('=')[0]} above 0"):
        method_of(word)

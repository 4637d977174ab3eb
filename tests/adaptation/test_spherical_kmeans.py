import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import features_of

# Along the two axes, of any length; the unlabeled one lies at 30 degrees from the first.
SUPPORT = tf.constant([[3.0, 0.0], [0.0, 0.5]])
UNLABELED = tf.constant([[4 * np.sqrt(0.75), 2.0]], tf.float32)


def train(*settings, support=SUPPORT, labels=(0, 1), unlabeled=UNLABELED):
    config = SelfTrainingConfig(
        method="spherical_kmeans", method_settings=settings, num_stages=1, unlabeled_per_stage=1
    )
    initial = Classifier(tf.zeros([support.shape[1], 2]), tf.zeros([2]))
    examples = Examples(features_of(support), tf.constant(labels))
    method = load_method(config, None)
    training = self_train(method, examples, [features_of(unlabeled)], initial, config)
    return training.probs[0].numpy(), training.final_path.last(initial)


def test_one_step_worked_by_hand():
    # Cosines 0.8660 and 0.5; by a temperature of 2 the shares are 1 / (1 + e^-0.7321) = 0.6753
    # and 0.3247. Sums: (1 + 0.6753 * 0.8660, 0.6753 * 0.5) = (1.5848, 0.3377), of length 1.6204,
    # and (0.3247 * 0.8660, 1 + 0.3247 * 0.5) = (0.2812, 1.1624), of length 1.1959.
    probs, classifier = train("temperature=2", "steps=1")
    np.testing.assert_allclose(probs, [[0.6753, 0.3247]], atol=1e-4)
    columns = [[0.9780, 0.2351], [0.2084, 0.9719]]
    np.testing.assert_allclose(classifier.kernel / 2, columns, atol=2e-4)
    np.testing.assert_array_equal(classifier.bias, [0, 0])


def test_a_second_step_goes_on_from_the_first():
    _, first = train("temperature=2", "steps=1")
    probs, _ = train("temperature=2", "steps=2")
    on_sphere = tf.nn.l2_normalize(UNLABELED, axis=1)
    np.testing.assert_allclose(probs, tf.nn.softmax(classify(first, on_sphere)), rtol=1e-5)


def test_no_step_is_the_nearest_mean_direction_of_uneven_support():
    support = tf.constant([[2.0, 0.0], [0.0, 2.0], [0.0, 9.0]])
    probs, classifier = train("temperature=1", "steps=0", support=support, labels=(0, 0, 1))
    np.testing.assert_allclose(classifier.kernel, [[0.7071, 0], [0.7071, 1]], atol=1e-4)
    assert probs.shape == (1, 2)
    _, moved = train("temperature=1", "steps=0", unlabeled=-UNLABELED)
    np.testing.assert_allclose(moved.kernel, np.eye(2), atol=1e-6)

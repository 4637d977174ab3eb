import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import ilpc, logistic
from lst_tf2.adaptation.ilpc import IlpcConfig, balance, mean_losses, propagation
from lst_tf2.adaptation.method import PseudoLabeled
from lst_tf2.adaptation.parts import first_in_class
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import assert_batched_as_one_by_one, evidence_of, features_of


def on_circle(*degrees):
    radians = np.deg2rad(degrees)
    return tf.constant(np.stack([np.cos(radians), np.sin(radians)], axis=1), tf.float32)


def evidence_on_circle(support, unlabeled):
    initial = Classifier(tf.zeros([2, len(support)]), tf.zeros([len(support)]))
    labels = np.arange(len(support), dtype=np.int32)
    return evidence_of(initial, 3 * on_circle(*support), labels, 2 * on_circle(*unlabeled))


def run(config, support, windows):
    way = support.shape[0]
    examples = Examples(features_of(support), tf.range(way))
    initial = Classifier(tf.zeros([support.shape[1], way]), tf.zeros([way]))
    method = load_method(config, None)
    return self_train(method, examples, [features_of(windows)], initial, config)


def test_propagation_worked_by_hand():
    # Angles 0, 60 and 90, one neighbour each: 0-60 with 0.5^3 = 1/8 and 60-90 with 0.75^(3/2) =
    # 0.6495. Whose only neighbour is mutual counts twice: a = 1/8, b = 2 * 0.6495 = 1.2990.
    # Degrees are a, a + b, b, hence W has s = sqrt(a / (a + b)) = 0.2963 and
    # t = sqrt(b / (a + b)) = 0.9551. With alpha 0.8 the label of 0 gives the middle
    # F_1 = 0.8 (s F_0 + t F_2), F_0 = 1 + 0.8 s F_1, F_2 = 0.8 t F_1, and s^2 + t^2 = 1:
    # F_1 = 0.8 s / (1 - 0.64) = 0.6584, F_0 = 1.1561, F_2 = 0.5031.
    spread = propagation(on_circle(0, 60, 90), IlpcConfig(neighbours=1))
    np.testing.assert_allclose(spread[:, 0], [1.1561, 0.6584, 0.5031], atol=1e-4)


def test_balance_worked_by_hand():
    # Rows (1, 1) and (1, 4): scaled to [[p, 1 - p], [1 - p, p]] of the same cross ratio
    # 4 = p^2 / (1 - p)^2, so p = 2/3. The third row does not count.
    shares = tf.constant([[1.0, 1.0], [1.0, 4.0], [5.0, 1.0]])
    balanced = balance(shares, tf.constant([1.0, 1.0, 0.0]), steps=50)
    np.testing.assert_allclose(balanced, [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 0]], rtol=1e-5)


def test_nothing_left_to_balance_stays_finite():
    balanced = balance(tf.ones([3, 2]), tf.zeros([3]), steps=3)
    np.testing.assert_array_equal(balanced, np.zeros([3, 2]))


def test_mean_losses_are_those_of_the_descent_in_full():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(7, 4))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    targets = np.eye(3)[rng.integers(0, 3, 7)]
    kernel = centres = rng.normal(size=(3, 4))
    total, velocity = np.zeros(7), 0.0
    for _ in range(5):
        logits = embeddings @ kernel.T
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        total -= np.log((probs * targets).sum(axis=1))
        slope = (probs - targets).T @ embeddings / 7 + 5e-4 * kernel
        velocity = 0.9 * velocity + slope
        kernel = kernel - 0.1 * velocity
    given = [tf.constant(values, tf.float32) for values in (embeddings, targets, centres)]
    np.testing.assert_allclose(mean_losses(*given, steps=5), total / 5, rtol=1e-5)


def test_places_are_by_cost_within_the_class():
    members = tf.constant([[1, 0], [1, 0], [0, 1], [0, 0], [1, 0]], tf.float32)
    costs = tf.constant([0.3, 0.1, 0.7, 0.0, 0.2])
    places = [[3, 0], [1, 0], [0, 1], [0, 0], [2, 0]]
    np.testing.assert_array_equal(first_in_class(members, costs, most=5), places)
    places[0][0] = 0
    np.testing.assert_array_equal(first_in_class(members, costs, most=2), places)


def test_labels_follow_a_chain_that_the_nearest_support_example_does_not():
    # From class 0 at 0 a chain leads up to 60, closer to class 1 at 90; each class has as many.
    unlabeled = [10, 20, 30, 40, 50, 60, 91, 92, 93, 94, 95, 96]
    config = IlpcConfig(neighbours=2, moved_per_class=1, cleaning_steps=20)
    labels = ilpc.label_in_rounds(config)(evidence_on_circle([0, 90], unlabeled))
    np.testing.assert_array_equal(labels, np.eye(2)[[0] * 6 + [1] * 6])


def test_without_balance_classes_are_cut_to_the_smallest():
    # Five hang on class 0 and two on class 1, which is the most that each can keep: of class 0
    # those that moved first, in the round before the others.
    unlabeled = [2, 4, 6, 8, 10, 88, 86]
    kept = np.array([1, 1, 0, 0, 0, 1, 1])
    config = IlpcConfig(neighbours=2, moved_per_class=1, is_balanced=False)
    evidence = evidence_on_circle([0, 90], unlabeled)
    labels = ilpc.label_in_rounds(config)(evidence)
    np.testing.assert_array_equal(labels, np.eye(2)[[0, 0, 0, 0, 0, 1, 1]] * kept[:, np.newaxis])
    selection = ilpc.keep_labeled(evidence, labels)
    np.testing.assert_array_equal(selection.loss_weights, kept)
    config = IlpcConfig(neighbours=2, moved_per_class=1, cleaning_steps=5)
    balanced = ilpc.label_in_rounds(config)(evidence)
    np.testing.assert_array_equal(tf.reduce_sum(balanced, axis=1), np.ones(7))


@pytest.mark.slow
def test_what_does_not_count_does_not_move_the_head():
    rng = np.random.default_rng(1)
    evidence = evidence_on_circle([0, 90], rng.uniform(0, 90, 6))
    labels = tf.one_hot([0, 1, 0, 1, -1, -1], 2)
    selection = ilpc.keep_labeled(evidence, labels)
    chosen = [
        PseudoLabeled(rows, evidence.unlabeled, targets, tf.ones([6, 2]), weights)
        for rows, targets, weights in (
            selection,
            selection._replace(targets=tf.one_hot([0, 1, 0, 1, 1, 1], 2)),
        )
    ]
    first, second = (logistic.fit_on_sphere(0.1)(evidence, one).last(None) for one in chosen)
    np.testing.assert_allclose(first.kernel, second.kernel, rtol=1e-6)
    np.testing.assert_array_equal(first.bias, [0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("is_balanced", ["true", "false"])
def test_episodes_in_a_batch_are_as_one_by_one(is_balanced):
    rng = np.random.default_rng(0)
    support = tf.constant(rng.normal(size=(3, 3, 4)), tf.float32)
    unlabeled = tf.constant(rng.normal(size=(3, 20, 4)), tf.float32)
    words = (f"is_balanced={is_balanced}", "neighbours=4", "cleaning_steps=10")
    assert_batched_as_one_by_one("ilpc", support, unlabeled, *words)

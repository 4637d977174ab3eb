import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.lst import class_prototypes, hard_select


def reference_select(probs, support_labels, k):
    """The rule in plain Python: rank, and where candidates run out, list them again."""
    rows = []
    for c in range(probs.shape[1]):
        listed = [i for i in range(len(probs)) if probs[i].argmax() == c]
        listed += [len(probs) + i for i in range(len(support_labels)) if support_labels[i] == c]
        value = {i: probs[i, c] if i < len(probs) else 0.0 for i in listed}
        ranked = sorted(listed, key=lambda i: -value[i])  # Stable: ties keep list order.
        filled = ranked + [listed[j % len(listed)] for j in range(k)]
        rows += filled[:k]
    return rows


def random_probs(rng, count, way):
    return rng.dirichlet(np.ones(way), size=count).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "shot", "k"), [(12, 1, 3), (12, 2, 9), (3, 1, 7), (40, 5, 20)])
def test_selection_follows_the_rule(count, shot, k, seed):
    rng = np.random.default_rng(seed)
    probs = random_probs(rng, count, 4)
    support_labels = rng.permutation(np.repeat(np.arange(4), shot)).astype(np.int32)
    selection = hard_select(tf.constant(probs), tf.constant(support_labels), k)
    np.testing.assert_array_equal(selection.rows, reference_select(probs, support_labels, k))
    np.testing.assert_array_equal(selection.targets, np.repeat(np.eye(4), k, axis=0))


def test_class_that_nothing_is_predicted_as_keeps_its_support():
    probs = tf.constant([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1]])
    selection = hard_select(probs, tf.constant([0, 1]), 4)
    # Class 0: by probability 2, 0, 1, then its support row 3. Class 1: its support row 4.
    np.testing.assert_array_equal(selection.rows, [2, 0, 1, 3, 4, 4, 4, 4])


def test_ties_keep_list_order_and_repeats_follow_it():
    probs = tf.constant([[0.3, 0.7], [0.7, 0.3], [0.9, 0.1], [0.7, 0.3]])
    selection = hard_select(probs, tf.constant([1, 0]), 6)
    # Class 0 ranks 2 before the tied 1 and 3, then support 5, then repeats as listed: 1, 2.
    np.testing.assert_array_equal(selection.rows[:6], [2, 1, 3, 5, 1, 2])


def test_permuting_unlabeled_rows_selects_the_same_examples():
    rng = np.random.default_rng(1)
    probs = random_probs(rng, 30, 3)
    order = rng.permutation(30)
    support_labels = tf.constant([0, 1, 2])
    rows = hard_select(tf.constant(probs), support_labels, 5).rows.numpy()
    permuted = hard_select(tf.constant(probs[order]), support_labels, 5).rows.numpy()
    np.testing.assert_array_equal(np.append(order, [30, 31, 32])[permuted], rows)


def test_prototypes_are_class_means():
    maps = np.random.default_rng(2).normal(size=(5, 2, 2, 3)).astype(np.float32)
    labels = np.array([1, 0, 1, 0, 1], np.int32)
    prototypes = class_prototypes(maps, labels, 2)
    np.testing.assert_allclose(prototypes[0], maps[[1, 3]].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(prototypes[1], maps[[0, 2, 4]].mean(axis=0), rtol=1e-6)

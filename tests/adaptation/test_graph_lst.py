"""Tests of `adaptation/graph_lst.py` and `adaptation/graph.py`."""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import graph_lst
from lst_tf2.adaptation.graph import cosine_graph, scaled_graph
from lst_tf2.adaptation.graph_lst import GraphLstConfig
from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.registry import load_method
from lst_tf2.adaptation.stages import self_train
from lst_tf2.config import SelfTrainingConfig
from lst_tf2.structures import Classifier, Examples
from tests.adaptation.evidence import evidence_of, features_of

CONFIG = GraphLstConfig()
STAGES = SelfTrainingConfig(method="graph_lst", num_stages=1)
INITIAL = Classifier(tf.zeros([8, 2]), tf.zeros([2]))


def clusters(counts, seed=0, width=8):
    """Points around the axes, and the place of each one's axis."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    points = 3 * np.eye(len(counts), width)[labels] + rng.normal(0, 0.3, (len(labels), width))
    return points.astype(np.float32), labels


def test_meeting_worked_by_hand():
    # From u a step leads to v or to s of class 0, from v to u or to t of class 1, 0.35 each; with
    # 0.3 it ends. Class 0: u = 0.35 + 0.35 v and v = 0.35 u, so u = 0.35 / (1 - 0.35^2) = 0.3989
    # and v = 0.1396; class 1 the other way round.
    walk = tf.transpose(tf.constant([[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0] * 4, [0] * 4]))
    known = tf.pad(tf.eye(2), [[2, 0], [0, 0]])
    settings = {"alpha": 0.7, "steps": 20}
    reached, scores = graph_lst.meet(walk, known, tf.zeros([2, 4]), **settings)
    np.testing.assert_allclose(scores[:2], [[0.3989, 0.1396], [0.1396, 0.3989]], atol=1e-4)
    np.testing.assert_allclose(reached[:, 2:], tf.eye(2))
    # Once v is known to be of class 1, walks end there: u = 0.35 of either class. From v itself
    # they still go to its neighbours: 0.35 u + 0.35 of t.
    known += tf.pad([[0.0, 1.0]], [[1, 2], [0, 0]])
    _, scores = graph_lst.meet(walk, known, reached, **settings)
    np.testing.assert_allclose(scores[:2], [[0.35, 0.35], [0.1225, 0.4725]], atol=1e-4)


@pytest.mark.parametrize(("alpha", "steps"), [(0.7, 8), (0.97, 25)])
def test_few_steps_are_near_the_closed_form(alpha, steps):
    points, _ = clusters((30, 30, 30))
    walk = graph_lst.neighbour_walk(tf.constant(points), GraphLstConfig(neighbours=8))
    known = tf.one_hot([*([-1] * 30), 0, *([-1] * 58), 1], 2)
    _, scores = graph_lst.meet(walk, known, tf.zeros([2, 90]), alpha=alpha, steps=steps)
    rows, ends = alpha * walk.numpy().T.astype(np.float64), known.numpy()
    inner = rows * (ends.sum(axis=1) == 0)  # Walks go on from what is not known.
    expected = np.linalg.solve(np.eye(90) - inner, rows @ ends)
    np.testing.assert_allclose(scores, expected, atol=1e-2)


def test_joining_worked_by_hand():
    config = GraphLstConfig(share=0.7, cohesion=0.5, grown_per_round=2)
    scores = [
        [0.60, 0.10],  # known
        [0.50, 0.05],  # first of class 0
        [0.40, 0.30],  # not sure: 0.4 / 0.7 < 0.7
        [0.29, 0.00],  # not near: below half of 0.6
        [0.35, 0.01],  # second
        [0.34, 0.01],  # third, one too many
        [0.01, 0.05],  # of class 1, of which none is known yet: near enough
    ]
    members = tf.one_hot([0, -1, -1, -1, -1, -1, -1], 2)
    joined = graph_lst.join(config, tf.constant(scores), members)
    np.testing.assert_array_equal(tf.where(joined), [[1, 0], [4, 0], [6, 1]])


@pytest.mark.parametrize(
    ("pile", "neighbours", "grown"), [(1, 1, 8), (100, 8, 8), (400, 15, 8), (4000, 15, 54)]
)
def test_neighbours_and_growth_follow_the_pile(pile, neighbours, grown):
    config = graph_lst.fit_to_pile(GraphLstConfig(), pile, 5)
    assert (config.neighbours, config.grown_per_round) == (neighbours, grown)


def test_walks_lead_to_the_nearest_alone():
    points, _ = clusters((6, 6, 6))
    walk = graph_lst.neighbour_walk(tf.constant(points), GraphLstConfig(neighbours=3)).numpy()
    np.testing.assert_allclose(walk.sum(axis=0), np.ones(18), rtol=1e-5)
    assert (np.diag(walk) == 0).all()
    assert ((walk > 0).sum(axis=0) >= 3).all()


def test_graph_of_neighbours_worked_by_hand():
    # Unit vectors at 0, 60 and 90 degrees: cosines 1/2, 0 and sqrt(3)/2, nearest 60-90 of either,
    # and 60 of the one at 0.
    angles = np.deg2rad([0.0, 60.0, 90.0])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    graph = cosine_graph(tf.constant(points), 1, 2)
    np.testing.assert_allclose(graph, [[0, 0.25, 0], [0.25, 0, 1.5], [0, 1.5, 0]], atol=1e-6)
    # 1 less the cosine is 0.5 and 0.1340, the squared scales are 0.5, 0.1340 and 0.1340: between
    # 0 and 60 exp(-0.5 / sqrt(0.5 * 0.1340)) = exp(-1.9319), between 60 and 90 twice exp(-1).
    graph = scaled_graph(tf.constant(points), 1, 1.0)
    far, near = np.exp(-1.9319), 2 * np.exp(-1.0)
    np.testing.assert_allclose(graph, [[0, far, 0], [far, 0, near], [0, near, 0]], atol=1e-4)


@pytest.mark.parametrize(
    ("counts", "neighbours"),
    # A graph of more neighbours than a class has images would join it to another.
    [((40, 40, 40), 15), ((60, 12, 40), 15), ((8, 60, 10), 8)],
)
def test_what_is_of_no_class_is_told_apart(counts, neighbours):
    config = GraphLstConfig(neighbours=neighbours, pile_root=2.0)  # Not fewer.
    points, labels = clusters(counts)
    unlabeled = labels >= 0
    unlabeled[[0, counts[0]]] = False  # One support image of the first two classes.
    evidence = evidence_of(
        INITIAL,
        tf.constant(points[~unlabeled]),
        np.array([0, 1], np.int32),
        tf.constant(points[unlabeled]),
    )
    probs = graph_lst.label_by_growth(config)(evidence).numpy()
    assert (probs.sum(axis=1) <= 1 + 1e-6).all()
    truth = labels[unlabeled]
    is_kept = graph_lst.keep_likely(config)(evidence, tf.constant(probs)).loss_weights.numpy() > 0
    assert (probs.argmax(axis=1)[is_kept] == truth[is_kept]).all()
    assert is_kept[truth < 2].mean() > 0.9
    assert not is_kept[truth == 2].any()


def test_probability_is_logistic_in_short_and_long_walks():
    points, _ = clusters((6, 6, 6))
    config = GraphLstConfig(rounds=0, neighbours=3, slope=0.5, offset=-1.0, long_weight=0.3)
    is_support = np.isin(np.arange(18), [0, 6])
    ordered = np.concatenate([points[~is_support], points[is_support]])
    evidence = evidence_of(
        INITIAL, tf.constant(ordered[16:]), np.array([0, 1], np.int32), tf.constant(ordered[:16])
    )
    probs = graph_lst.label_by_growth(config)(evidence).numpy()
    # Of walks that support images alone end, in closed form: (I - alpha W_uu)^-1 alpha W_us.
    walk = graph_lst.neighbour_walk(tf.constant(ordered), config).numpy().T.astype(np.float64)

    def met(alpha):
        inner = np.eye(16) - alpha * walk[:16, :16]
        return np.linalg.solve(inner, alpha * walk[:16, 16:])

    near, far = np.clip(met(0.7), 1e-4, 1), met(0.97) + 1e-4
    scores = np.log(near / (1 - near)) + 0.3 * np.log(far)
    expected = 1 / (1 + np.exp(1.0 - 0.5 * scores))
    expected /= np.maximum(expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(probs, expected, atol=0.02)


def train(points, labels, kept, config=CONFIG, shift=0.0):
    """The classifier of two support images, at the axes, and of kept ones, all moved by `shift`."""
    support, points = tf.eye(2, 8) + shift, points + np.float32(shift)
    evidence = evidence_of(INITIAL, support, np.array([0, 1], np.int32), tf.constant(points))
    chosen = evidence.accepted._replace(
        features=features_of(points),
        targets=tf.one_hot(labels, 2),
        loss_weights=tf.constant(kept, tf.float32),
    )
    return graph_lst.fit_balanced(config)(evidence, chosen).last(INITIAL)


def test_head_weighs_classes_the_same_and_leaves_out_what_is_not_kept():
    points, labels = clusters((5, 5))
    expected = train(points, labels, np.ones(10))
    # Whether class 0 comes once or three times makes no difference, nor does what is not kept.
    rows = [0, 1, 2, 3, 4] * 3 + [5, 6, 7, 8, 9] + [0, 9]
    kept = [1] * 20 + [0, 0]
    others = train(points[rows], np.append(labels[rows[:-2]], [1, 0]), kept)
    np.testing.assert_allclose(others.kernel, expected.kernel, atol=1e-4)
    np.testing.assert_array_equal(expected.bias, [0, 0])


def test_head_of_a_class_without_kept_images_has_its_support():
    points, labels = clusters((5, 5))
    classifier = train(points, labels, [1] * 5 + [0] * 5)
    logits = classify(classifier, tf.eye(2, 8))
    assert logits[1, 1] > logits[1, 0]
    # The support image of class 1 has all of the weight of its class: as if it were kept.
    rows = np.concatenate([points[:5], np.eye(2, 8, dtype=np.float32)[[1]]])
    same = train(rows, [0] * 5 + [1], [1] * 6)
    np.testing.assert_allclose(same.kernel, classifier.kernel, atol=1e-4)


def test_head_of_centred_embeddings_does_not_see_what_all_share():
    points, labels = clusters((5, 5))
    config = GraphLstConfig(centring=1.0)
    there = classify(train(points, labels, np.ones(10), config, shift=7.0), points + 7)
    here = classify(train(points, labels, np.ones(10), config), points)
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-3)


def test_wrong_labels_move_to_the_nearest_direction():
    points, labels = clusters((5, 5))
    wrong = np.append(labels[:-1], 0)
    right = train(points, labels, np.ones(10))
    moved = train(points, wrong, np.ones(10), GraphLstConfig(refine_steps=1, temperature=100.0))
    np.testing.assert_allclose(moved.kernel, right.kernel, atol=1e-3)
    assert not np.allclose(train(points, wrong, np.ones(10)).kernel, right.kernel, atol=0.1)


def test_what_is_kept_counts_as_likely_as_it_is_of_a_class():
    evidence = evidence_of(INITIAL, tf.eye(2, 8), np.array([0, 1], np.int32), tf.zeros([3, 8]))
    probs = tf.constant([[0.9, 0.0], [0.3, 0.35], [0.2, 0.1]])
    for trust, weights in ((0.0, [1, 1, 0]), (2.0, [0.81, 0.4225, 0])):
        select = graph_lst.keep_likely(GraphLstConfig(keep_above=0.3, trust=trust))
        np.testing.assert_allclose(select(evidence, probs).loss_weights, weights, rtol=1e-5)


def test_classes_with_unlike_numbers_of_support_images_weigh_the_same():
    points, labels = clusters((3, 1))
    nothing = features_of(points[:0])

    def head(rows):
        support = tf.constant(points[rows])
        evidence = evidence_of(INITIAL, support, labels[rows].astype(np.int32))
        chosen = evidence.accepted._replace(features=nothing, loss_weights=tf.zeros([0]))
        assert evidence.shot == len(rows) / 2
        return graph_lst.fit_balanced(CONFIG)(evidence, chosen).last(INITIAL)

    # Class 1 once or four times: its images weigh a quarter then.
    few, many = head([0, 1, 2, 3]), head([0, 1, 2, 3, 3, 3, 3])
    np.testing.assert_allclose(few.kernel, many.kernel, atol=1e-4)


@pytest.mark.slow
def test_batched_episodes_are_those_one_by_one():
    batch = []
    for seed in range(3):
        points, _ = clusters((12, 9, 7), seed)
        order = np.random.default_rng(seed).permutation(np.r_[1:12, 13:28])
        batch.append((points[[0, 12]], points[order]))

    def run(pair):
        support, unlabeled = map(features_of, pair)
        examples = Examples(support, tf.constant([0, 1]))
        method = load_method(STAGES, None)
        training = self_train(method, examples, [unlabeled], INITIAL, STAGES)
        return training.final_path.last(INITIAL).kernel

    one_by_one = [run(tuple(map(tf.constant, pair))) for pair in batch]
    stacked = tuple(tf.constant(np.stack(part)) for part in zip(*batch, strict=True))
    together = tf.function(lambda pairs: tf.vectorized_map(run, pairs), autograph=False)(stacked)
    np.testing.assert_allclose(together, one_by_one, atol=1e-4)

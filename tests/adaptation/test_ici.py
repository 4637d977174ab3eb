import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import ici
from lst_tf2.adaptation.ici import IciConfig, first_penalties, local_basis
from lst_tf2.structures import Classifier
from tests.adaptation.evidence import assert_batched_as_one_by_one, evidence_of


@pytest.mark.slow
def test_penalties_worked_by_hand():
    # The basis is one column, (1, 1, 1, 1) / 2, so labels are fitted by their mean. Labels 1, 1,
    # 1, 0 have mean 3/4 and rests 1/4, 1/4, 1/4, -3/4: the last row leaves 0 at 3/4, the first
    # penalty. Below it, at p, it is g with rest -3/4 - g + g/4 = -p, so g = -1 + 4p/3, and the
    # rests of the others are 1/4 + g/4 = p/3: never p, so they stay 0 down to the end, where
    # p = 3/4000. Their norms there: 1/4000.
    basis = tf.fill([4, 1], 0.5)
    labels = tf.constant([[1.0], [1.0], [1.0], [0.0]])
    config = IciConfig(path_steps=20)
    penalties = first_penalties(basis, labels, config)
    # At the first penalty the row is 0 still: it leaves by the second of 100.
    second = 0.75 * 1e-3 ** (1 / 99)
    np.testing.assert_allclose(penalties, [0.00025] * 3 + [second], rtol=1e-3)


@pytest.mark.slow
def test_rows_of_the_path_meet_the_conditions_of_the_optimum():
    # At a minimum rest - (I - QQ') G is of norm p, along the row, where a row is not 0, and of
    # norm p or less elsewhere. Whether rows are 0 at penalty p shows in what paths that end
    # there return: p or more if not.
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(30, 3)))[0].astype(np.float32)
    labels = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 30)]
    found = first_penalties(tf.constant(basis), tf.constant(labels), IciConfig()).numpy()
    annihilator = np.eye(30) - basis @ basis.T
    rest = annihilator @ labels
    first = np.linalg.norm(rest, axis=1).max()
    penalties = first * 1e-3 ** (np.arange(100) / 99)
    for index in (10, 40, 70):
        rows = np.zeros_like(labels, dtype=np.float64)
        for _ in range(300):  # Block coordinate descent, another way to the minimum.
            for i in range(30):
                own = rest[i] - annihilator[i] @ rows + annihilator[i, i] * rows[i]
                norm = np.linalg.norm(own)
                rows[i] = own * max(0, 1 - penalties[index] / norm) / annihilator[i, i]
        is_entered = found > penalties[index] * 0.999
        np.testing.assert_array_equal(np.linalg.norm(rows, axis=1) > 0, is_entered)
        assert 0 < is_entered.sum() < 30


def test_a_wrong_label_is_the_least_credible():
    # Two groups on a basis of their indicators; one label of the first group is wrong.
    basis = np.kron(np.eye(2), np.full((6, 1), 6**-0.5)).astype(np.float32)
    labels = np.eye(2, dtype=np.float32)[[0] * 5 + [1] + [1] * 6]
    penalties = first_penalties(tf.constant(basis), tf.constant(labels), IciConfig()).numpy()
    assert penalties.argmax() == 5
    assert (penalties[6:] < penalties[:5].min()).all()


def test_local_basis_of_a_curve_is_its_parameter():
    # Locally linear embedding unrolls an arc: one dimension, in order.
    angles = np.linspace(0, 4, 30)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    basis = local_basis(tf.constant(places), neighbours=2, dimensions=1).numpy()[:, 0]
    steps = np.diff(basis)
    assert (steps > 0).all() or (steps < 0).all()


def test_local_basis_keeps_the_mixes_of_neighbours():
    rng = np.random.default_rng(0)
    places = rng.normal(size=(20, 8))
    mixes = np.zeros((20, 20))
    for i in range(20):
        nearest = np.argsort(((places - places[i]) ** 2).sum(axis=1))[1:5]
        offsets = places[nearest] - places[i]
        products = offsets @ offsets.T
        shares = np.linalg.solve(products + 1e-3 * np.trace(products) * np.eye(4), np.ones(4))
        mixes[i, nearest] = shares / shares.sum()
    residuals = np.eye(20) - mixes
    vectors = np.linalg.eigh(residuals.T @ residuals)[1][:, 1:4]
    basis = local_basis(tf.constant(places, tf.float32), neighbours=4, dimensions=3).numpy()
    # Signs of eigenvectors are free, the projection is not.
    np.testing.assert_allclose(basis @ basis.T, vectors @ vectors.T, atol=1e-3)


def test_equal_examples_have_a_finite_basis():
    assert np.isfinite(local_basis(tf.ones([6, 3]), neighbours=5, dimensions=5)).all()


@pytest.mark.slow
def test_labels_follow_groups_that_the_support_set_does_not_show():
    # Groups around (0, 0, 1) and (1, 0, 0); the support example of the first lies half way to
    # the second, so that the first classifier, by the bisector of the two, is wrong about a part.
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0, 1], [1, 0, 0]], 20, axis=0)
    unlabeled = tf.constant(centres + 0.2 * rng.normal(size=(40, 3)), tf.float32)
    support = tf.constant([[0.6, 0, 0.8], [0.9, 0.3, -0.3]])
    initial = Classifier(tf.zeros([3, 2]), tf.zeros([2]))
    evidence = evidence_of(initial, support, np.array([0, 1], np.int32), unlabeled)
    truth = np.repeat([0, 1], 20)
    nearest = tf.argmax(unlabeled @ tf.transpose(tf.nn.l2_normalize(support, axis=1)), axis=1)
    probs = ici.label_in_rounds(IciConfig(dimensions=2))(evidence)
    hits = (np.argmax(probs, axis=1) == truth).mean()
    assert hits > (nearest.numpy() == truth).mean()
    assert hits == 1


@pytest.mark.slow
def test_episodes_in_a_batch_are_as_one_by_one():
    rng = np.random.default_rng(0)
    support = tf.constant(rng.normal(size=(3, 3, 4)), tf.float32)
    unlabeled = tf.constant(rng.normal(size=(3, 30, 4)), tf.float32)
    words = ("moved_per_class=3", "dimensions=3", "logistic_steps=50", "path_points=30")
    assert_batched_as_one_by_one("ici", support, unlabeled, *words)

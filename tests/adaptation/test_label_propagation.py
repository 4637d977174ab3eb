import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.label_propagation import (
    LabelPropagationConfig,
    neighbour_graph,
    propagate,
)
from lst_tf2.structures import Classifier
from tests.adaptation.evidence import evidence_of


def evidence_on_a_line(unlabeled, support):
    initial = Classifier(tf.zeros([1, len(support)]), tf.zeros([len(support)]))
    column = [tf.constant(places, tf.float32)[:, tf.newaxis] for places in (support, unlabeled)]
    return evidence_of(initial, column[0], np.arange(len(support), dtype=np.int32), column[1])


def test_labels_of_a_chain_worked_by_hand():
    # Places 0 (class 0), 1 (unlabeled), 3 (class 1), one neighbour each: 0-1 and 1-3.
    # Nearest squared distances 1, 1, 4: mean 2, so a = exp(-1/4) = 0.7788, b = exp(-4/4) = 0.3679.
    # Degrees: a, a + b, b; hence S has s = sqrt(a / (a + b)) and t = sqrt(b / (a + b)).
    # Row u of (I - alpha S) F = Y reads F_u = alpha (s F_0 + t F_1), the others F_0 = e_0 +
    # alpha s F_u and F_1 = e_1 + alpha t F_u, so F_u is proportional to (s, t).
    a, b = np.exp(-1 / 4), np.exp(-1)
    shares = np.sqrt([a, b]) / np.sqrt([a, b]).sum()
    config = LabelPropagationConfig(neighbours=1)
    probs = propagate(config)(evidence_on_a_line([1.0], [0.0, 3.0]))
    np.testing.assert_allclose(probs, [shares], rtol=1e-4)
    np.testing.assert_allclose(shares, [0.593, 0.407], atol=1e-3)


def test_labels_follow_a_chain_that_the_nearest_support_example_does_not():
    # From class 0 at 0 a chain leads up to 6, closer to class 1 at 9.
    chain = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    probs = propagate(LabelPropagationConfig(neighbours=2))(evidence_on_a_line(chain, [0.0, 9.0]))
    np.testing.assert_array_equal(tf.argmax(probs, axis=1), [0] * 6)
    np.testing.assert_allclose(tf.reduce_sum(probs, axis=1), np.ones(6), rtol=1e-5)


def test_graph_is_symmetric_and_keeps_neighbours_alone():
    embeddings = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    graph = neighbour_graph(tf.constant(embeddings), 3).numpy()
    np.testing.assert_array_equal(graph, graph.T)
    distances = ((embeddings[:, None] - embeddings) ** 2).sum(axis=-1)
    for i in range(12):
        nearest = np.argsort(distances[i])[1:4]  # After itself.
        assert (graph[i, nearest] > 0).all()
    assert (np.diag(graph) == 0).all()
    assert ((graph > 0).sum(axis=1) >= 3).all()


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_examples_than_neighbours(count):
    places = list(np.linspace(1, 2, count))
    probs = propagate(LabelPropagationConfig())(evidence_on_a_line(places, [0.0, 9.0]))
    assert probs.shape == (count, 2)
    assert np.isfinite(probs).all()


def test_equal_images_share_the_labels_evenly():
    probs = propagate(LabelPropagationConfig())(evidence_on_a_line([0.0, 0.0], [0.0, 0.0]))
    np.testing.assert_allclose(probs, np.full((2, 2), 0.5), rtol=1e-3)

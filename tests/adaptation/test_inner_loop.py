import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import inner_loop
from lst_tf2.structures import Classifier, Examples

WAY, WIDTH, SHOT, LR = 3, 7, 2, 0.05


@pytest.fixture(name="problem")
def fixture_problem():
    rng = np.random.default_rng(0)
    initial = Classifier(rng.normal(size=(WIDTH, WAY)), rng.normal(size=WAY))
    support = Examples(rng.normal(size=(6, WIDTH)), np.array([0, 1, 2, 0, 1, 2], np.int32))
    pseudo = Examples(rng.normal(size=(8, WIDTH)), rng.integers(0, WAY, 8).astype(np.int32))
    weights = rng.dirichlet(np.ones(WAY), size=8)
    return initial, support, pseudo, weights


def as_tensors(structure):
    """The same in float32; labels stay integers."""
    return tf.nest.map_structure(
        lambda a: tf.constant(a, tf.int32 if np.asarray(a).dtype == np.int32 else tf.float32),
        structure,
    )


def softmax(logits):
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def oracle_step(kernel, bias, sets):
    """One step by hand: the gradient of softmax regression is E^T (w * (p - y))."""
    kernel_grad, bias_grad = np.zeros_like(kernel), np.zeros_like(bias)
    for embeddings, labels, weights in sets:
        errors = weights * (softmax(weights * (embeddings @ kernel + bias)) - np.eye(WAY)[labels])
        kernel_grad += embeddings.T @ errors / SHOT
        bias_grad += errors.sum(axis=0) / SHOT
    return kernel - LR * kernel_grad, bias - LR * bias_grad


def test_descent_matches_a_numpy_oracle(problem):
    initial, support, pseudo, weights = problem
    kernel, bias = initial
    labeled = (*support, np.ones((6, WAY)))
    for _ in range(4):
        kernel, bias = oracle_step(kernel, bias, [labeled, (*pseudo, weights)])
    for _ in range(3):
        kernel, bias = oracle_step(kernel, bias, [labeled])

    start, support, pseudo, weights = as_tensors(problem)
    retrain = inner_loop.retrain_loss(support, pseudo, weights, SHOT)
    middle = inner_loop.descend(start, retrain, lr=LR, steps=4)
    labeled_only = inner_loop.support_loss(support, SHOT)
    end = inner_loop.descend(middle, labeled_only, lr=LR, steps=3)
    np.testing.assert_allclose(end.kernel, kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(end.bias, bias, rtol=1e-5, atol=1e-6)


def test_descend_matches_closed_form_and_is_twice_differentiable():
    # loss = w^2, so one step is w <- (1 - 2 lr) w = 0.8 w:
    # 4 -> 3.2 -> 2.56 -> 2.048, and dw3/dw0 = 0.8^3 = 0.512.
    # A first-order loop would give the same w3 but dw3/dw0 = 1.
    w0 = tf.constant([4.0])
    with tf.GradientTape() as tape:
        tape.watch(w0)
        w3 = inner_loop.descend(w0, lambda w: tf.reduce_sum(w**2), lr=0.1, steps=3)
    np.testing.assert_allclose(w3, [2.048], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(w3, w0), [0.512], rtol=1e-6)


def test_path_visits_what_descend_returns(problem):
    start, support, *_ = as_tensors(problem)
    loss_fn = inner_loop.support_loss(support, SHOT)
    path = inner_loop.descent_path(start, loss_fn, lr=LR, steps=5)
    for steps in range(1, 6):
        expected = inner_loop.descend(start, loss_fn, lr=LR, steps=steps)
        np.testing.assert_allclose(path.kernel[steps - 1], expected.kernel, rtol=1e-6)
        np.testing.assert_allclose(path.bias[steps - 1], expected.bias, rtol=1e-5, atol=1e-7)


def test_empty_path_ends_where_it_starts(problem):
    start, support, *_ = as_tensors(problem)
    loss_fn = inner_loop.support_loss(support, SHOT)
    path = inner_loop.descent_path(start, loss_fn, lr=LR, steps=0)
    assert path.kernel.shape == (0, WIDTH, WAY)
    assert inner_loop.last_of(path, start) is start
    longer = inner_loop.descent_path(start, loss_fn, lr=LR, steps=2)
    assert inner_loop.join_paths(path, longer).kernel.shape == (2, WIDTH, WAY)


def test_loss_is_summed_and_divided_by_the_shot():
    logits, labels = tf.zeros([6, 3]), tf.constant([0, 1, 2, 0, 1, 2])
    loss = inner_loop.summed_cross_entropy(logits, labels, shot=2)
    np.testing.assert_allclose(loss, 6 * np.log(3) / 2, rtol=1e-6)


def test_permuting_classes_permutes_the_result(problem):
    start, support, pseudo, weights = as_tensors(problem)
    order = np.array([2, 0, 1])  # New class i is old class order[i].
    relabel = np.argsort(order).astype(np.int32)
    loss_fn = inner_loop.retrain_loss(support, pseudo, weights, SHOT)
    expected = inner_loop.descend(start, loss_fn, lr=LR, steps=3)

    renamed = [Examples(s.embeddings, tf.gather(relabel, s.labels)) for s in (support, pseudo)]
    permuted_weights = tf.gather(weights, order, axis=1)
    loss_fn = inner_loop.retrain_loss(*renamed, permuted_weights, SHOT)
    permuted = Classifier(tf.gather(start.kernel, order, axis=1), tf.gather(start.bias, order))
    actual = inner_loop.descend(permuted, loss_fn, lr=LR, steps=3)
    np.testing.assert_allclose(actual.kernel, tf.gather(expected.kernel, order, axis=1), rtol=1e-5)


def test_accuracy_counts_hits_along_leading_axes():
    logits = tf.constant([[[2.0, 1.0], [2.0, 1.0]], [[2.0, 1.0], [1.0, 2.0]]])
    np.testing.assert_allclose(inner_loop.accuracy(logits, tf.constant([0, 1])), [0.5, 1.0])

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import inner_loop, parts
from lst_tf2.structures import Classifier
from tests.adaptation.evidence import evidence_of, pseudo_labeled

WAY, WIDTH, SHOT, LR = 3, 7, 2, 0.05


@pytest.fixture(name="problem")
def fixture_problem():
    rng = np.random.default_rng(0)
    initial = Classifier(rng.normal(size=(WIDTH, WAY)), rng.normal(size=WAY))
    support = rng.normal(size=(6, WIDTH)), np.array([0, 1, 2, 0, 1, 2], np.int32)
    pseudo = rng.normal(size=(8, WIDTH)), rng.integers(0, WAY, 8).astype(np.int32)
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


@pytest.mark.parametrize("descend", [inner_loop.unrolled_path, inner_loop.descent_path])
def test_descent_matches_a_numpy_oracle(problem, descend):
    initial, support, pseudo, weights = problem
    kernel, bias = initial
    labeled = (*support, np.ones((6, WAY)))
    for _ in range(4):
        kernel, bias = oracle_step(kernel, bias, [labeled, (*pseudo, weights)])
    for _ in range(3):
        kernel, bias = oracle_step(kernel, bias, [labeled])

    start, support, pseudo, weights = as_tensors(problem)
    evidence = evidence_of(start, *support, descend=descend)
    config = parts.StageConfig(inner_lr=LR, retrain_steps=4, steps_per_stage=7, inner_steps=7)
    path = parts.fit_by_descent(config)(evidence, pseudo_labeled(*pseudo, WAY, weights))
    end = path.last(start)
    np.testing.assert_allclose(end.kernel, kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(end.bias, bias, rtol=1e-5, atol=1e-6)


def test_descent_matches_closed_form_and_is_twice_differentiable():
    def square(classifier):
        return tf.reduce_sum(classifier.bias**2) + tf.reduce_sum(classifier.kernel)

    # loss = w^2, so one step is w <- (1 - 2 lr) w = 0.8 w:
    # 4 -> 3.2 -> 2.56 -> 2.048, and dw3/dw0 = 0.8^3 = 0.512.
    # A first-order loop would give the same w3 but dw3/dw0 = 1.
    w0 = tf.constant([4.0])
    with tf.GradientTape() as tape:
        tape.watch(w0)
        bias = Classifier(tf.zeros([0, 1]), w0)
        path = inner_loop.unrolled_path(bias, square, lr=0.1, steps=3)
        w3 = path.last(None).bias
    np.testing.assert_allclose(w3, [2.048], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(w3, w0), [0.512], rtol=1e-6)


@pytest.mark.parametrize("descend", [inner_loop.unrolled_path, inner_loop.descent_path])
def test_step_at_learned_rates_and_its_gradient_match_closed_form(descend):
    def loss_fn(classifier):
        return tf.reduce_sum(classifier.bias**2) + 3 * tf.reduce_sum(classifier.kernel)

    # The slopes at the start are 2 w = 8 and 2 of the biases 4 and 1, and 3 of each kernel entry:
    # 4 - 0.1 * 8 = 3.2, 1 - 0.25 * 2 = 0.5, 1 - 0.5 * 3 = -0.5, 2 - 0 * 3 = 2.
    # Of half the sum of squares after the step, the slope by a rate is the new value times minus
    # the slope at the start: 3.2 * -8 = -25.6, 0.5 * -2 = -1, -0.5 * -3 = 1.5, 2 * -3 = -6.
    start = Classifier(tf.constant([[1.0, 2.0]]), tf.constant([4.0, 1.0]))
    rates = Classifier(tf.constant([[0.5, 0.0]]), tf.constant([0.1, 0.25]))
    with tf.GradientTape() as tape:
        tape.watch(rates)
        path = inner_loop.with_rates(descend, rates)(start, loss_fn, lr=99.0, steps=1)
        end = path.last(start)
        loss = tf.add_n([tf.reduce_sum(values**2) / 2 for values in end])
    np.testing.assert_allclose(end.kernel, [[-0.5, 2.0]], rtol=1e-6)
    np.testing.assert_allclose(end.bias, [3.2, 0.5], rtol=1e-6)
    slopes = tape.gradient(loss, rates)
    np.testing.assert_allclose(slopes.kernel, [[1.5, -6.0]], rtol=1e-6)
    np.testing.assert_allclose(slopes.bias, [-25.6, -1.0], rtol=1e-6)


def test_without_learned_rates_descent_is_as_it_was():
    assert inner_loop.with_rates(inner_loop.unrolled_path, None) is inner_loop.unrolled_path


def test_loop_visits_what_unrolled_steps_visit(problem):
    start, support, *_ = as_tensors(problem)
    loss_fn = parts.support_loss(evidence_of(start, *support))
    loop = inner_loop.descent_path(start, loss_fn, lr=LR, steps=5).joined()
    unrolled = inner_loop.unrolled_path(start, loss_fn, lr=LR, steps=5).joined()
    np.testing.assert_allclose(loop.kernel, unrolled.kernel, rtol=1e-6)
    np.testing.assert_allclose(loop.bias, unrolled.bias, rtol=1e-5, atol=1e-7)
    assert loop.kernel.shape == (5, WIDTH, WAY)


@pytest.mark.parametrize("descend", [inner_loop.unrolled_path, inner_loop.descent_path])
def test_empty_path_ends_where_it_starts(problem, descend):
    start, support, *_ = as_tensors(problem)
    loss_fn = parts.support_loss(evidence_of(start, *support))
    path = descend(start, loss_fn, lr=LR, steps=0)
    assert len(path) == 0
    assert path.last(start) is start
    longer = path + descend(start, loss_fn, lr=LR, steps=2)
    assert longer.joined().kernel.shape == (2, WIDTH, WAY)


def test_classifier_after_some_steps_of_a_path(problem):
    start, *_ = as_tensors(problem)

    def stretch(*added):
        return tf.nest.map_structure(lambda p: tf.stack([p + a for a in added]), start)

    path = inner_loop.Path(stretch(1)) + inner_loop.Path(stretch(2, 3))
    assert len(path) == 3
    assert path.after(0, start) is start
    for steps, added in ((1, 1), (2, 2), (3, 3), (9, 3)):  # The last where it is shorter.
        kernel = path.after(steps, start).kernel
        np.testing.assert_array_equal(kernel, start.kernel + added)


def test_loss_is_summed_and_divided_by_the_shot():
    logits, labels = tf.zeros([6, 3]), tf.constant([0, 1, 2, 0, 1, 2])
    loss = inner_loop.summed_cross_entropy(logits, labels, shot=2)
    np.testing.assert_allclose(loss, 6 * np.log(3) / 2, rtol=1e-6)


def test_permuting_classes_permutes_the_result(problem):
    start, support, pseudo, weights = as_tensors(problem)
    order = np.array([2, 0, 1])  # New class i is old class order[i].
    relabel = np.argsort(order).astype(np.int32)
    permuted = Classifier(tf.gather(start.kernel, order, axis=1), tf.gather(start.bias, order))
    renamed = [(embeddings, tf.gather(relabel, labels)) for embeddings, labels in (support, pseudo)]

    def kernel(start, support, pseudo, weights):
        config = parts.StageConfig(inner_lr=LR, retrain_steps=3, steps_per_stage=3)
        chosen = pseudo_labeled(*pseudo, WAY, weights)
        return parts.fit_by_descent(config)(evidence_of(start, *support), chosen).last(start).kernel

    expected = kernel(start, support, pseudo, weights)
    actual = kernel(permuted, *renamed, tf.gather(weights, order, axis=1))
    np.testing.assert_allclose(actual, tf.gather(expected, order, axis=1), rtol=1e-5)


def test_accuracy_counts_hits_along_leading_axes():
    logits = tf.constant([[[2.0, 1.0], [2.0, 1.0]], [[2.0, 1.0], [1.0, 2.0]]])
    np.testing.assert_allclose(inner_loop.accuracy(logits, tf.constant([0, 1])), [0.5, 1.0])

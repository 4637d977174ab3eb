import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation.logistic import fit_logistic, largest_eigenvalue

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 40)
EMBEDDINGS = (RNG.normal(size=(40, 6)) + np.eye(3, 6)[LABELS]).astype(np.float32)
TARGETS = np.eye(3, dtype=np.float32)[LABELS]


def slopes(classifier, weights, penalty):
    """The gradient in float64, by the formula."""
    kernel = np.array(classifier.kernel, np.float64)
    logits = EMBEDDINGS @ kernel + np.array(classifier.bias, np.float64)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    errors = weights[:, np.newaxis] * (probs - TARGETS)
    return EMBEDDINGS.T @ errors + penalty * kernel, errors.sum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_nothing_is_left_to_descend(penalty):
    weights = RNG.uniform(0, 2, 40).astype(np.float32)
    classifier = fit_logistic(
        tf.constant(EMBEDDINGS), tf.constant(TARGETS), tf.constant(weights), penalty=penalty
    )
    for slope in slopes(classifier, weights, penalty):
        np.testing.assert_allclose(slope, np.zeros(slope.shape), atol=2e-3)


@pytest.mark.slow
def test_a_weight_is_a_count_of_examples():
    weights = np.repeat([0.0, 1.0, 2.0, 3.0], 10).astype(np.float32)
    weighted = fit_logistic(
        tf.constant(EMBEDDINGS), tf.constant(TARGETS), tf.constant(weights), penalty=1.0
    )
    rows = np.repeat(np.arange(40), weights.astype(int))
    repeated = fit_logistic(tf.constant(EMBEDDINGS[rows]), tf.constant(TARGETS[rows]), penalty=1.0)
    np.testing.assert_allclose(weighted.kernel, repeated.kernel, atol=1e-4)
    np.testing.assert_allclose(weighted.bias, repeated.bias, atol=1e-4)


def test_bound_of_the_largest_eigenvalue():
    matrix = (EMBEDDINGS.T @ EMBEDDINGS).astype(np.float32)
    largest = np.linalg.eigvalsh(matrix)[-1]
    assert largest <= float(largest_eigenvalue(tf.constant(matrix))) <= 1.2 * largest

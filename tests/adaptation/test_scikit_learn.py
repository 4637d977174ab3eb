import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.errors import InputError
from tests.adaptation.evidence import train_by

METHODS = ["label_spreading", "self_training_classifier"]
WAY = 3
# In an episode with this threshold some images get labels, others do not.
SOME = "threshold=0.52"


def episode(seed, way=WAY):
    """One support and 12 unlabeled images for each class, around its centre."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(way, 6))
    noise = rng.normal(size=(12 * way, 6))
    unlabeled = np.repeat(centres, 12, axis=0) + 0.6 * noise
    return tf.constant(centres, tf.float32), tf.constant(unlabeled, tf.float32)


def arrays_of(support, unlabeled):
    """What a user would pass to scikit-learn."""
    inputs = np.concatenate([support, unlabeled])
    labels = np.concatenate([np.arange(len(support)), np.full(len(unlabeled), -1)])
    return inputs / np.linalg.norm(inputs, axis=1, keepdims=True), labels


def test_labels_spread_within_their_direction():
    # Two bundles of directions with 4 images each, one labeled: neighbours are in the bundle.
    support = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    slants = np.array([0.01, 0.02, 0.03])
    bundle = np.stack([np.ones(3), slants], axis=1)
    unlabeled = tf.constant(np.concatenate([7 * bundle, bundle[:, ::-1]]), tf.float32)
    _, chosen = train_by("label_spreading", support, unlabeled, "neighbours=4")
    np.testing.assert_array_equal(tf.argmax(chosen.targets, axis=1), [0, 0, 0, 1, 1, 1])


def test_label_spreading_is_that_of_scikit_learn():
    support, unlabeled = episode(0)
    inputs, labels = arrays_of(support, unlabeled)
    found = LabelSpreading(kernel="knn").fit(inputs, labels).transduction_
    classifier, chosen = train_by("label_spreading", support, unlabeled)
    assert chosen.loss_weights is None
    np.testing.assert_array_equal(tf.argmax(chosen.targets, axis=1), found[WAY:])
    model = LogisticRegression(fit_intercept=False).fit(inputs, found)
    np.testing.assert_allclose(classifier.kernel, model.coef_.T, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.05, 0.52, 0.75])
def test_self_training_is_that_of_scikit_learn(threshold):
    support, unlabeled = episode(0)
    inputs, labels = arrays_of(support, unlabeled)
    model = SelfTrainingClassifier(LogisticRegression(fit_intercept=False), threshold=threshold)
    model.fit(inputs, labels)
    found = model.transduction_[WAY:]
    classifier, chosen = train_by(
        "self_training_classifier", support, unlabeled, f"threshold={threshold}"
    )
    np.testing.assert_array_equal(chosen.loss_weights, found != -1)
    labeled = tf.argmax(chosen.targets, axis=1).numpy()[found != -1]
    np.testing.assert_array_equal(labeled, found[found != -1])
    logits = classify(classifier, tf.constant(inputs, tf.float32))
    np.testing.assert_allclose(tf.nn.softmax(logits), model.predict_proba(inputs), atol=1e-5)


def test_a_smaller_penalty_makes_more_images_sure():
    support, unlabeled = episode(0)
    _, few = train_by("self_training_classifier", support, unlabeled)
    _, many = train_by("self_training_classifier", support, unlabeled, "inverse_penalty=100")
    np.testing.assert_array_equal(few.loss_weights, np.zeros(36))
    assert np.mean(many.loss_weights) > 0.5


def test_kernel_solves_the_equation_of_logistic_regression():
    # Where the summed cross-entropy and half the squared kernel are least, E^T (p - y) + W = 0.
    support, unlabeled = episode(1)
    classifier, chosen = train_by("self_training_classifier", support, unlabeled, SOME)
    assert 0 < np.mean(chosen.loss_weights) < 1
    inputs, _ = arrays_of(support, unlabeled)
    targets = np.concatenate([np.eye(WAY), chosen.targets])
    counts = np.concatenate([np.ones(WAY), chosen.loss_weights])[:, np.newaxis]
    probs = tf.nn.softmax(inputs @ classifier.kernel.numpy()).numpy()
    slope = inputs.T @ (counts * (probs - targets)) + classifier.kernel
    np.testing.assert_allclose(slope, np.zeros(slope.shape), atol=2e-3)


@pytest.mark.parametrize("name", METHODS)
def test_two_classes_have_a_column_each(name):
    support, unlabeled = episode(2, way=2)
    classifier, _ = train_by(name, support, unlabeled)
    assert classifier.kernel.shape == (6, 2)
    np.testing.assert_array_equal(tf.argmax(classify(classifier, support), axis=1), [0, 1])


@pytest.mark.parametrize("name", METHODS)
def test_lengths_of_embeddings_do_not_matter(name):
    support, unlabeled = episode(3)
    expected, _ = train_by(name, support, unlabeled)
    found, _ = train_by(name, 8 * support, 0.5 * unlabeled)
    np.testing.assert_allclose(found.kernel, expected.kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.bias, np.zeros(WAY))


def test_fewer_images_than_neighbours():
    support, unlabeled = episode(4)
    _, chosen = train_by("label_spreading", support, unlabeled[:2])
    assert chosen.targets.shape == (2, WAY)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), [(METHODS[0], ()), (METHODS[1], (SOME,))])
def test_a_batch_is_its_episodes_one_by_one(name, settings):
    episodes = [episode(seed) for seed in range(3)]

    def run(pair):
        return train_by(name, *pair, *settings)[0].kernel

    batched = tf.function(lambda *sets: tf.vectorized_map(run, sets), autograph=False)(
        *(tf.stack(sets) for sets in zip(*episodes, strict=True))
    )
    for kernel, pair in zip(batched, episodes, strict=True):
        np.testing.assert_allclose(kernel, run(pair), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("label_spreading", "alpha=1", "alpha of at most 0.999"),
        ("label_spreading", "neighbours=0", "neighbours of at least 1"),
        ("self_training_classifier", "threshold=1", "threshold of at most 0.999"),
        ("self_training_classifier", "inverse_penalty=0", "a finite inverse_penalty above 0"),
    ],
)
def test_settings_out_of_bounds_are_refused(name, word, message):
    with pytest.raises(InputError, match=message):
        train_by(name, *episode(0), word)

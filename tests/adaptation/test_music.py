import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.adaptation import music
from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.music import MusicConfig
from lst_tf2.errors import InputError
from lst_tf2.structures import Classifier
from tests.adaptation.evidence import evidence_of, train_by

ONE_STEP = MusicConfig(positive_steps=1, negative_steps=1)
RNG = np.random.default_rng(0)
INPUTS = tf.constant(RNG.normal(size=(7, 4)), tf.float32)
KERNEL = tf.constant(RNG.normal(size=(4, 3)), tf.float32)
CLASSES = tf.one_hot(RNG.integers(0, 3, 7), 3)
# Support on the axes; an unlabeled image like each, and one as far from all.
AXES = tf.eye(3)
UNLABELED = tf.concat([5 * AXES, tf.ones([1, 3])], axis=0)


def evidence_on_axes():
    initial = Classifier(tf.zeros([3, 3]), tf.zeros([3]))
    return evidence_of(initial, AXES, np.arange(3, dtype=np.int32), UNLABELED)


def entropies(probs):
    return -tf.reduce_sum(probs * tf.math.log(probs), axis=-1)


def step_against(loss_fn, lr, decay):
    """One step of gradient descent from `KERNEL`, the gradient by differentiation."""
    with tf.GradientTape() as tape:
        tape.watch(KERNEL)
        loss = loss_fn(tf.nn.softmax(INPUTS @ KERNEL)) + decay / 2 * tf.reduce_sum(KERNEL**2)
    return KERNEL - lr * tape.gradient(loss, KERNEL)


def test_the_least_probable_class_left_is_unlikely():
    probs = tf.constant([[0.5, 0.2, 0.3], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0]])
    is_left = tf.constant([[1, 1, 1], [1, 1, 1], [1, 1, 0], [0, 1, 0]]) == 1
    unlikely = music.unlikely_classes(probs, is_left, 0.2)
    # 0.2 is not above the bound; 0.3 is; of two left the lesser; the last one left stays.
    np.testing.assert_array_equal(unlikely, [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_probabilities_are_shared_among_what_is_left():
    # e^0 : e^ln 3 is 1 : 3, whatever the third logit.
    logits = tf.constant([[0.0, np.log(3.0), 9.0]])
    probs = music.probs_of_left(logits, tf.constant([[True, True, False]]))
    np.testing.assert_allclose(probs, [[0.25, 0.75, 0.0]], rtol=1e-6)


def test_momentum_and_decay_worked_by_hand():
    # Loss w^2 / 2, and 0.5 of decay: the pull is 1.5 w. From 1 with rate 0.1 and momentum 0.5:
    # velocity 1.5, w = 0.85; velocity 0.75 + 1.275 = 2.025, w = 0.6475.
    config = MusicConfig(momentum=0.5, decay=0.5)
    found = music.descend(config, tf.ones([1, 1]), tf.ones([1, 1]), lambda z: z, lr=0.1, steps=2)
    np.testing.assert_allclose(found, [[0.6475]], rtol=1e-6)


def test_entropy_slope_worked_by_hand():
    # Logarithms -0.2231 and -1.6094, entropy 0.5004: -0.8 * 0.2773 and -0.2 * -1.1090.
    slope = music.entropy_slope(tf.constant([[0.8, 0.2]]))
    np.testing.assert_allclose(slope, [[-0.2218, 0.2218]], atol=1e-4)


def test_negative_step_worked_by_hand():
    # p = (1/2, 1/4, 1/4), the last is wrong, its odds are 1/3: (n - p) / 3 = (-0.1667, -0.0833,
    # 0.2500). Entropy 1.0397 adds -p (log p + 1.0397) = (-0.1733, 0.0866, 0.0866).
    kernel = tf.math.log([[0.5, 0.25, 0.25]])
    config = MusicConfig(negative_steps=1, negative_lr=1.0, decay=0.0)
    negatives = tf.constant([[0.0, 0.0, 1.0]])
    found = music.learn_negatives(config, kernel, tf.ones([1, 1]), negatives)
    np.testing.assert_allclose(kernel - found, [[-0.3400, 0.0033, 0.3366]], atol=1e-4)


def test_positive_step_descends_on_the_weighted_mean():
    weights = tf.constant([1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])

    def loss_fn(probs):
        losses = entropies(probs) - tf.reduce_sum(CLASSES * tf.math.log(probs), axis=-1)
        return tf.reduce_sum(weights * losses) / 5

    found = music.learn_positives(ONE_STEP, KERNEL, INPUTS, CLASSES, weights)
    np.testing.assert_allclose(found, step_against(loss_fn, 0.1, 5e-4), rtol=1e-5, atol=1e-6)


def test_negative_step_descends_on_the_mean_of_those_that_lost_a_class():
    negatives = CLASSES * tf.constant([1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0])[:, tf.newaxis]

    def loss_fn(probs):
        losses = entropies(probs) - tf.math.log(1 - tf.reduce_sum(CLASSES * probs, axis=-1))
        return tf.reduce_sum(tf.reduce_sum(negatives, axis=-1) * losses) / 4

    found = music.learn_negatives(ONE_STEP, KERNEL, INPUTS, negatives)
    np.testing.assert_allclose(found, step_against(loss_fn, 0.02, 5e-4), rtol=1e-5, atol=1e-6)


def test_a_round_in_which_nothing_is_unlikely_changes_nothing():
    found = music.learn_negatives(MusicConfig(), KERNEL, INPUTS, tf.zeros([7, 3]))
    np.testing.assert_array_equal(found, KERNEL)


def test_classes_are_ruled_out_until_one_is_left_where_that_is_clear():
    _, is_left = music.rule_out(MusicConfig(), evidence_on_axes())
    np.testing.assert_array_equal(is_left, np.concatenate([np.eye(3), np.ones([1, 3])]))


def test_no_class_is_ruled_out_below_a_tiny_bound():
    _, is_left = music.rule_out(MusicConfig(reject_below=1e-9), evidence_on_axes())
    assert np.all(is_left)


@pytest.mark.slow
def test_settled_images_count_and_pull_the_classifier():
    classifier, chosen = train_by("music", AXES, UNLABELED)
    np.testing.assert_array_equal(chosen.loss_weights, [1, 1, 1, 0])
    np.testing.assert_array_equal(chosen.targets[:3], np.eye(3))
    np.testing.assert_array_equal(classifier.bias, np.zeros(3))
    np.testing.assert_array_equal(tf.argmax(classify(classifier, AXES), axis=1), [0, 1, 2])
    # An image along (0.9, 0, 0.3) is settled too, and pulls class 0 towards the third axis.
    leaning = tf.concat([UNLABELED, [[0.9, 0.0, 0.3]]], axis=0)
    assert train_by("music", AXES, leaning)[0].kernel[2, 0] > classifier.kernel[2, 0]


@pytest.mark.slow
def test_lengths_of_embeddings_do_not_matter():
    support, unlabeled = INPUTS[:3], INPUTS[3:]
    lengths = tf.constant([[0.5], [4.0], [16.0], [2.0]])  # Powers of two: exact.
    expected, _ = train_by("music", support, unlabeled)
    found, _ = train_by("music", 8 * support, lengths * unlabeled)
    np.testing.assert_allclose(found.kernel, expected.kernel, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_batch_is_its_episodes_one_by_one():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(3, 3, 6))
    support = tf.constant(centres, tf.float32)
    noise = rng.normal(size=(3, 24, 6))
    unlabeled = tf.constant(np.repeat(centres, 8, axis=1) + 0.5 * noise, tf.float32)

    def run(pair):
        classifier, chosen = train_by("music", *pair)
        return classifier.kernel, chosen.loss_weights

    batched = tf.function(
        lambda *sets: tf.vectorized_map(run, sets, fallback_to_while_loop=False),
        autograph=False,
    )(support, unlabeled)
    assert 0 < np.mean(batched[1]) < 1
    for i in range(3):
        kernel, weights = run((support[i], unlabeled[i]))
        np.testing.assert_array_equal(batched[1][i], weights)
        np.testing.assert_allclose(batched[0][i], kernel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("reject_below=2", "reject_below of at most 1"),
        ("momentum=1", "momentum of at most 0.999"),
        ("negative_steps=0", "negative_steps of at least 1"),
    ],
)
def test_settings_out_of_bounds_are_refused(word, message):
    with pytest.raises(InputError, match=message):
        train_by("music", AXES, UNLABELED, word)

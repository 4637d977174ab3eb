"""What images go through in pre-training: by seeds alone, and each by draws of its own."""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import RecipeConfig
from lst_tf2.training.augmentation import Augmentation, Mix, draw_mix, draw_turns, resize, turn

SEED = tf.constant([3, 7])
FULL = RecipeConfig(is_flipped=True, crop_pixels=2, jitter=0.4)


@pytest.fixture(scope="module", name="images")
def fixture_images():
    return tf.random.stateless_uniform([16, 12, 12, 3], SEED)


@tf.function
def augment_in_graph(augment, images, seed):
    return augment(images, seed)


def test_draws_go_by_the_seed_alone(images):
    augment, other = Augmentation(FULL, 12), Augmentation(FULL, 12)
    first = augment(images, SEED)
    further = augment(images, SEED + 1)
    np.testing.assert_array_equal(other(images, SEED), first)  # Whatever was drawn before.
    np.testing.assert_array_equal(augment(images, SEED), first)
    np.testing.assert_allclose(augment_in_graph(augment, images, SEED), first, atol=1e-6)
    assert np.abs(further - first).max() > 0.1
    assert first.shape == images.shape
    assert np.min(first) >= 0
    assert np.max(first) <= 1


def test_each_image_is_flipped_or_not(images):
    flipped = Augmentation(RecipeConfig(is_flipped=True), 12)(images, SEED).numpy()
    kept = (flipped == images.numpy()).all(axis=(1, 2, 3))
    mirrored = (flipped == images.numpy()[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert kept.any()
    assert mirrored.any()


def test_each_image_is_shifted_by_whole_pixels(images):
    shifted = Augmentation(RecipeConfig(crop_pixels=2), 12)(images, SEED).numpy()
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="symmetric")
    found = []
    for image, source in zip(shifted, padded, strict=True):
        places = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if (source[y : y + 12, x : x + 12] == image).all()
        ]
        assert len(places) == 1
        found += places
    assert len(set(found)) > 4


def test_brightness_and_contrast_differ_by_image(images):
    tinted = Augmentation(RecipeConfig(jitter=0.3), 12)(images, SEED).numpy()
    changes = (tinted - images.numpy()).mean(axis=(1, 2, 3))
    assert changes.std() > 0.01
    assert np.abs(changes).max() < 0.31


def test_nothing_asked_is_nothing_done(images):
    assert Augmentation(RecipeConfig(), 12)(images, SEED) is images
    assert resize(images, 12) is images
    assert resize(images, 9).shape == (16, 9, 9, 3)


def test_turns_are_those_of_numpy(images):
    turns = tf.constant([0, 1, 2, 3] * 4)
    expected = [np.rot90(image, k) for image, k in zip(images.numpy(), turns, strict=True)]
    np.testing.assert_array_equal(turn(images, turns), expected)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_so_many_are_turned_each_way_alike(share):
    turns = draw_turns(30000, share, SEED).numpy()
    shares = np.bincount(turns, minlength=4) / 30000
    np.testing.assert_allclose(shares, [1 - share, *[share / 3] * 3], atol=0.01)


def test_mix_is_of_mirrored_places_before_one_block():
    mix = Mix(tf.constant(0.75), tf.constant(1))
    values = tf.constant([[1.0], [2.0], [5.0]])
    np.testing.assert_array_equal(mix(values, 0), values)
    np.testing.assert_allclose(mix(values, 1), [[2.0], [2.0], [4.0]])


@pytest.mark.slow
def test_shares_of_mixes_are_of_the_beta_distribution():
    draws = [draw_mix(2.0, 4, tf.constant([0, step])) for step in range(400)]
    shares = np.array([draw.share for draw in draws])
    assert shares.mean() == pytest.approx(0.5, abs=0.04)
    assert shares.var() == pytest.approx(0.05, abs=0.01)  # 1 / (4 * (2 * 2 + 1)).
    assert set(np.bincount([int(draw.block) for draw in draws]) > 60) == {True}
    tiny = [float(draw_mix(1e-3, 4, tf.constant([0, step])).share) for step in range(50)]
    assert np.isfinite(tiny).all()

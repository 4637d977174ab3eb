import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.models.calibration import calibrate
from lst_tf2.models.learner import Learner, scale_pixels

MODEL = ModelConfig(filters=(4, 8), image_size=8)


def random_images(count, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.integers(0, 256, (count, 8, 8, 3), np.uint8))


@pytest.fixture(name="backbone")
def fixture_backbone():
    backbone = Learner(MODEL, way=3).backbone
    rng = np.random.default_rng(1)
    for scale, shift in zip(backbone.scales, backbone.shifts, strict=True):
        scale.assign(rng.uniform(0.5, 1.5, scale.shape))
        shift.assign(rng.normal(size=shift.shape))
    return backbone


def test_statistics_of_one_batch_give_its_own_features(backbone):
    images = random_images(12)
    stats = calibrate(backbone, [images])
    scaled = scale_pixels(images)
    np.testing.assert_allclose(
        backbone.normalized(scaled, stats), backbone(scaled), rtol=1e-3, atol=1e-4
    )


def test_features_do_not_depend_on_the_batch(backbone):
    stats = calibrate(backbone, [random_images(16, seed) for seed in range(3)])
    images = scale_pixels(random_images(6, 9))
    whole = backbone.normalized(images, stats)
    alone = tf.concat([backbone.normalized(images[i : i + 1], stats) for i in range(6)], axis=0)
    np.testing.assert_allclose(whole, alone, rtol=1e-4, atol=1e-5)
    # By the batch at hand they do depend on it.
    assert np.abs(backbone(images)[:2] - backbone(images[:2])).max() > 1e-2


def test_batches_pool_to_the_statistics_of_all_their_images(backbone):
    parts = [random_images(10, seed) for seed in range(4)]
    first = calibrate(backbone, parts)[0]
    whole = calibrate(backbone, [tf.concat(parts, axis=0)])[0]
    np.testing.assert_allclose(first.mean, whole.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.variance, whole.variance, rtol=1e-4)


def test_no_batches_are_refused(backbone):
    with pytest.raises(ValueError, match="one batch of images or more, received none"):
        calibrate(backbone, [])

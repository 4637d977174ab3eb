"""Tests of `models/calibration.py` and `models/normalizers.py`."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.models.calibration import calibrate
from lst_tf2.models.layers import BatchStatsNorm
from lst_tf2.models.learner import Learner
from lst_tf2.models.normalizers import FixedNormalizer, RecordingNormalizer

MODEL = ModelConfig(filters=(4, 8), image_size=8)


def random_images(count, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.integers(0, 256, (count, 8, 8, 3), np.uint8))


def build_learner(*, recompute=False):
    learner = Learner(dataclasses.replace(MODEL, recompute=recompute), way=3)
    rng = np.random.default_rng(1)
    for scale, shift in zip(learner.backbone.scales, learner.backbone.shifts, strict=True):
        scale.assign(rng.uniform(0.5, 1.5, scale.shape))
        shift.assign(rng.normal(size=shift.shape))
    return learner


@pytest.fixture(name="learner")
def fixture_learner():
    return build_learner()


@pytest.mark.parametrize("recompute", [False, True])
def test_statistics_of_one_batch_give_its_own_features(recompute):
    learner = build_learner(recompute=recompute)
    images = random_images(12)
    stats = calibrate(learner.backbone, [images])
    assert len(stats) == len(learner.backbone.convs)
    fixed = learner.embed(images, FixedNormalizer(learner.backbone.convs, stats))
    np.testing.assert_allclose(fixed.maps, learner.embed(images).maps, rtol=1e-3, atol=1e-4)


def test_features_do_not_depend_on_the_batch(learner):
    stats = calibrate(learner.backbone, [random_images(16, seed) for seed in range(3)])
    normalizer = FixedNormalizer(learner.backbone.convs, stats)
    images = random_images(6, 9)
    whole = learner.embed(images, normalizer).maps
    alone = [learner.embed(images[i : i + 1], normalizer).maps for i in range(6)]
    np.testing.assert_allclose(whole, tf.concat(alone, axis=0), rtol=1e-4, atol=1e-5)
    # By the batch at hand they do depend on it.
    by_batch = learner.embed(images).maps[:2] - learner.embed(images[:2]).maps
    assert np.abs(by_batch).max() > 1e-2


def test_fixed_statistics_are_one_convolution_with_a_bias(learner):
    """The statistics go into kernel and bias: no pass over memory is added."""
    normalizer = FixedNormalizer(
        learner.backbone.convs, calibrate(learner.backbone, [random_images(4)])
    )
    embed = tf.function(lambda images: learner.embed(images, normalizer).maps)
    graph = embed.get_concrete_function(random_images(4)).graph
    types = [op.type for op in graph.get_operations()]
    assert (types.count("Conv2D"), types.count("BiasAdd")) == (8, 6)
    assert "FusedBatchNormV3" not in types


def test_recording_changes_no_feature(learner):
    recorder, images = RecordingNormalizer(BatchStatsNorm()), random_images(5)
    recorded = learner.embed(images, recorder).maps
    np.testing.assert_array_equal(recorded, learner.embed(images).maps)
    assert len(recorder.stats) == len(learner.backbone.convs)


def test_statistics_of_another_backbone_are_refused(learner):
    stats = calibrate(learner.backbone, [random_images(4)])
    with pytest.raises(ValueError, match="each of 6 convolutions, received 5; take them from"):
        FixedNormalizer(learner.backbone.convs, stats[1:])


def test_batches_pool_to_the_statistics_of_all_their_images(learner):
    parts = [random_images(10, seed) for seed in range(4)]
    first = calibrate(learner.backbone, parts)[0]
    whole = calibrate(learner.backbone, [tf.concat(parts, axis=0)])[0]
    np.testing.assert_allclose(first.mean, whole.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.variance, whole.variance, rtol=1e-4)


def test_no_batches_are_refused(learner):
    with pytest.raises(ValueError, match="one batch of images or more, received none"):
        calibrate(learner.backbone, [])

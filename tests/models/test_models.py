"""Tests of `models/layers.py`, `models/learner.py`, `models/resnet12.py` and
`models/soft_weighting.py`.
"""

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.models.layers import BatchStatsNorm, ExampleNorm, activate, leaky_relu
from lst_tf2.models.learner import Learner, PretrainModel, scale_pixels
from lst_tf2.models.soft_weighting import SoftWeightingNetwork
from lst_tf2.tf1.variable_names import learner_names

SMALL = ModelConfig(filters=(4, 8), image_size=16)


def random_images(count, seed=0):
    return np.random.default_rng(seed).random((count, 16, 16, 3), np.float32)


def test_parameter_counts_of_the_paper():
    learner = Learner(ModelConfig(), way=5)
    backbone = learner.backbone

    def count(variables):
        return sum(int(np.prod(variable.shape)) for variable in variables)

    # 3x3 kernels and their scales: the same pairs of channels, nine weights to one.
    pairs = sum(a * b for a, b in [(3, 64), (64, 128), (128, 256), (256, 512)])
    pairs += sum(2 * width**2 for width in (64, 128, 256, 512))
    shortcuts = sum(a * b for a, b in [(3, 64), (64, 128), (128, 256), (256, 512)])
    assert count(backbone.kernels) == 9 * pairs + shortcuts
    assert count(backbone.scales) == pairs
    assert count(backbone.shifts) == 3 * (64 + 128 + 256 + 512)
    swn = 9 * 1024 * 64 + 64 + 9 * 64 + 1 + 25 * 8 + 8 + 8 + 1
    assert count(learner.swn_variables) == swn
    assert count(learner.meta_variables) == pairs + 3 * 960 + 512 * 5 + 5


def test_initial_values():
    learner = Learner(SMALL, way=3)
    assert all((variable.numpy() == 1).all() for variable in learner.backbone.scales)
    assert all((variable.numpy() == 0).all() for variable in learner.backbone.shifts)
    kernel, bias = learner.classifier.read()
    limit = np.sqrt(6 / (8 + 3))  # Glorot uniform
    assert 0 < np.abs(kernel).max() <= limit
    assert not np.any(bias)


@pytest.mark.parametrize("model", [Learner(SMALL, way=3), PretrainModel(SMALL, 6)])
def test_every_variable_is_named_once(model):
    named = list(model.named_variables().values())
    assert len({id(variable) for variable in named}) == len(named) == len(model.variables)


def test_every_variable_has_one_original_name():
    learner = Learner(SMALL, way=3)
    named = [v for group in learner_names(learner).values() for v in group.values()]
    assert {id(variable) for variable in named} == {id(v) for v in learner.variables}
    assert len(named) == len(learner.variables)


def test_features_have_the_stated_shapes():
    features = Learner(SMALL, way=3).embed(random_images(5))
    assert features.maps.shape == (5, 4, 4, 8)
    np.testing.assert_allclose(
        features.embeddings, features.maps.numpy().mean(axis=(1, 2)), rtol=1e-5
    )


def test_bytes_and_floats_are_the_same_pixels():
    images = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    np.testing.assert_array_equal(scale_pixels(tf.constant(images)), images / np.float32(255))


def test_batch_norm_uses_the_batch_in_both_ranks():
    inputs = np.random.default_rng(1).normal(3, 2, size=(2, 6, 4, 4, 3)).astype(np.float32)
    layer = BatchStatsNorm()
    stacked = layer(tf.constant(inputs))
    for i in range(2):
        values = inputs[i].astype(np.float64)
        expected = (values - values.mean(axis=(0, 1, 2))) / np.sqrt(
            values.var(axis=(0, 1, 2)) + 1e-3
        )
        np.testing.assert_allclose(layer(tf.constant(inputs[i])), expected, atol=1e-5)
        np.testing.assert_allclose(stacked[i], expected, atol=1e-5)
    assert not layer.weights


def test_example_norm_and_activations():
    inputs = tf.constant(np.random.default_rng(1).normal(size=(2, 4, 4, 3)), tf.float32)
    outputs = ExampleNorm()(inputs).numpy()
    np.testing.assert_allclose(outputs.mean(axis=(1, 2, 3)), [0, 0], atol=1e-6)
    np.testing.assert_allclose(outputs.std(axis=(1, 2, 3)), [1, 1], rtol=1e-5)
    values = tf.constant([-2.0, 3.0])
    np.testing.assert_allclose(activate(values, "leaky_relu"), [-0.2, 3])
    np.testing.assert_allclose(activate(values, "relu"), [0, 3])
    np.testing.assert_allclose(activate(values, "None"), [-2, 3])


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm", "None"])
def test_features_depend_on_the_batch_with_batch_norm_alone(norm):
    learner = Learner(ModelConfig((4, 8), 16, norm=norm), way=3)
    images = random_images(6)
    alone, together = learner.embed(images[:2]).maps, learner.embed(images).maps[:2]
    assert np.allclose(alone, together, atol=1e-4) == (norm != "batch_norm")


def test_shift_cancels_under_batch_norm():
    learner = Learner(SMALL, way=3)
    before = learner.embed(random_images(6)).maps
    for shift in learner.backbone.shifts:
        shift.assign(np.random.default_rng(2).normal(size=shift.shape))
    np.testing.assert_allclose(learner.embed(random_images(6)).maps, before, atol=1e-4)


@pytest.fixture(name="swn_inputs")
def fixture_swn_inputs():
    rng = np.random.default_rng(3)
    prototypes = rng.normal(size=(3, 4, 4, 8)).astype(np.float32)
    return prototypes, rng.normal(size=(7, 4, 4, 8)).astype(np.float32)


def test_split_convolution_equals_that_of_the_pairs(swn_inputs):
    prototypes, maps = swn_inputs
    network = SoftWeightingNetwork(SMALL)
    joined = network._join(tf.constant(prototypes), tf.constant(maps))
    kernel = tf.convert_to_tensor(network.conv1_kernel)
    for n in range(3):
        pairs = np.concatenate([maps, np.repeat(prototypes[n : n + 1], 7, axis=0)], axis=-1)
        expected = tf.nn.conv2d(pairs, kernel, strides=1, padding="SAME")
        np.testing.assert_allclose(joined[n], expected, rtol=1e-4, atol=1e-5)


def test_scores_permute_with_unlabeled_rows_and_classes(swn_inputs):
    prototypes, maps = (tf.constant(inputs) for inputs in swn_inputs)
    network = SoftWeightingNetwork(SMALL)
    scores = network(prototypes, maps)
    assert scores.shape == (7, 3)
    rows, classes = [6, 2, 0, 1, 5, 4, 3], [2, 0, 1]
    permuted = network(tf.gather(prototypes, classes), tf.gather(maps, rows))
    expected = tf.gather(tf.gather(scores, rows), classes, axis=1)
    np.testing.assert_allclose(permuted, expected, rtol=1e-4, atol=1e-5)


def test_maps_of_two_backbones_are_refused(swn_inputs):
    prototypes, maps = swn_inputs
    with pytest.raises(ValueError, match=r"of one shape, received .4, 4, 8. and .4, 4, 4."):
        SoftWeightingNetwork(SMALL)(prototypes, maps[..., :4])


def test_dropout_is_seeded_and_keeps_the_mean():
    model = PretrainModel(SMALL, 6)
    images = random_images(64)
    first, again, other = (
        model.backbone(images, keep_probability=0.5, seed=tf.constant([0, step]))
        for step in (0, 0, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.4 < np.mean(first == 0) < 0.6


def test_leaky_relu_has_the_gradients_of_the_plain_one():
    inputs = tf.constant([-2.0, -1e-44, -0.0, 0.0, 1e-44, 3.0])
    upstream = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    gradients = []
    for function in (leaky_relu, lambda x: tf.nn.leaky_relu(x, 0.1)):
        with tf.GradientTape() as outer:
            outer.watch([inputs, upstream])
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = function(inputs)
            first = tape.gradient(outputs, inputs, output_gradients=upstream)
            total = tf.reduce_sum(first**2)
        gradients.append((outputs, first, outer.gradient(total, upstream)))
    for ours, plain in zip(*gradients, strict=True):
        np.testing.assert_array_equal(ours, plain)

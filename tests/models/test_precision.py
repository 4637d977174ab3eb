"""Low precision, recomputation and compilation: the same numbers, up to what they round.

Also of `training/gradients.py`.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lst_tf2.config import ModelConfig, OptimizerConfig
from lst_tf2.models.layers import BATCH_NORM_EPSILON, BatchStatsNorm
from lst_tf2.models.learner import Learner
from lst_tf2.training.meta_step import MetaTrainer
from tests.small_training import CONFIG, random_meta_batch

MODEL = ModelConfig(filters=(4, 8), image_size=8)


def build_trainer(precision="float32", *, recompute=False, jit_compile=False):
    tf.keras.utils.set_random_seed(0)
    model = dataclasses.replace(MODEL, precision=precision, recompute=recompute)
    rates = OptimizerConfig(0.01), OptimizerConfig(0.01)
    return MetaTrainer(Learner(model, way=3), CONFIG, *rates, jit_compile=jit_compile)


def relative_errors(actual, expected):
    return [
        float(tf.norm(a - e) / (tf.norm(e) + 1e-3)) for a, e in zip(actual, expected, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 0.2), ("float16", 0.03)])
def test_low_precision_is_close_and_leaves_float32_outside(precision, bound):
    batch = random_meta_batch()
    exact, low = build_trainer(), build_trainer(precision)
    expected, meta_expected, _ = exact.gradients(batch)
    scalars, meta_gradients, swn_gradients = low.gradients(batch)
    assert float(scalars["finetune_query_loss"]) == pytest.approx(
        float(expected["finetune_query_loss"]), rel=bound
    )
    assert {g.dtype for g in [*meta_gradients, *swn_gradients]} == {tf.float32}
    # The classifier's gradient passes through features alone, not through the backbone's.
    assert max(relative_errors(meta_gradients[-2:], meta_expected[-2:])) < bound
    features = low.learner.embed(batch.query.inputs[0])
    assert features.maps.dtype == features.embeddings.dtype == tf.float32
    difference = np.abs(features.maps - exact.learner.embed(batch.query.inputs[0]).maps).max()
    assert 1e-6 < difference < 0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_convolution_of_the_backbone_is_in_that_precision(precision):
    learner = build_trainer(precision).learner
    graph = tf.function(learner.embed).get_concrete_function(tf.zeros([3, 8, 8, 3])).graph
    types = [op.outputs[0].dtype for op in graph.get_operations() if op.type == "Conv2D"]
    assert len(types) == 8
    assert set(types) == {tf.as_dtype(precision)}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_steps_learn_in_low_precision(precision):
    trainer, batch = build_trainer(precision), random_meta_batch()
    losses = [float(trainer.train_step(batch)["finetune_query_loss"]) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
def test_step_that_overflows_is_left_out_and_halves_the_scale():
    trainer, batch = build_trainer("float16"), random_meta_batch()
    kernel = trainer.learner.classifier.kernel
    before = kernel.numpy()
    trainer.loss_scale.scale.assign(1e38)
    scalars = trainer.train_step(batch)
    np.testing.assert_array_equal(kernel.numpy(), before)
    assert float(scalars["loss_scale"]) == pytest.approx(5e37)
    assert float(scalars["meta_gradient_norm"]) == 0
    trainer.loss_scale.scale.assign(2.0**10)
    trainer.train_step(batch)
    assert np.abs(kernel.numpy() - before).max() > 1e-3


@pytest.mark.slow
def test_scale_divides_out():
    trainer, batch = build_trainer("float16"), random_meta_batch()
    gradients = []
    for scale in (2.0**6, 2.0**10):
        trainer.loss_scale.scale.assign(scale)
        gradients.append(trainer.gradients(batch)[1])
    assert max(relative_errors(*gradients)) < 0.02


@pytest.mark.slow
def test_recomputation_gives_the_same_gradients():
    batch = random_meta_batch()
    kept, again = (
        tf.function(build_trainer(recompute=flag).gradients)(batch) for flag in (False, True)
    )
    for left, right in zip(tf.nest.flatten(kept), tf.nest.flatten(again), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


@pytest.mark.large
def test_compiled_step_gives_the_same_numbers():
    batch = random_meta_batch()
    plain, compiled = (build_trainer(jit_compile=flag).train_step(batch) for flag in (False, True))
    for name, value in plain.items():
        np.testing.assert_allclose(compiled[name], value, rtol=1e-2, err_msg=name)


def test_batch_norm_can_be_differentiated_twice():
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(4, 3, 3, 2)), tf.float32)
    weights = tf.constant(rng.normal(size=(4, 3, 3, 2)), tf.float32)

    def by_moments(values):
        mean, variance = tf.nn.moments(values, axes=[0, 1, 2], keepdims=True)
        return (values - mean) * tf.math.rsqrt(variance + BATCH_NORM_EPSILON)

    def second_derivative(norm):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                value = tf.reduce_sum(weights * norm(inputs) ** 3)
            gradient = inner.gradient(value, inputs)
            norm_of_gradient = tf.reduce_sum(gradient**2)
        return outer.gradient(norm_of_gradient, inputs)

    np.testing.assert_allclose(
        second_derivative(BatchStatsNorm()), second_derivative(by_moments), rtol=2e-3, atol=2e-3
    )

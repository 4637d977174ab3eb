"""Lets the package compute in float64 wherever it says float32, as a pytest plugin.

`python -m pytest -p tests.double_precision tests/...` loads it before any test and before the
package. The recorded float64 runs of the original were made alike: in its graph every float32
is a float64. Rounding then hides nothing, and what differs is the computation.
"""

import functools

import keras
import numpy as np
import tensorflow as tf


def install():
    """Replaces in TensorFlow and Keras what would give float32."""
    tf.float32 = tf.float64
    keras.backend.set_floatx("float64")
    tf.cast = _in_double(tf.cast)
    tf.zeros, tf.ones = _double_by_default(tf.zeros), _double_by_default(tf.ones)
    tf.where = _take_floats_as_double(tf.where)
    tf.one_hot = functools.partial(tf.one_hot, dtype=tf.float64)
    tf.compat.v1.nn.fused_batch_norm = fused_batch_norm
    tf.nn.leaky_relu = leaky_relu
    tf.raw_ops.LeakyReluGrad = leaky_relu_gradient


def _double_by_default(fill):
    return lambda shape, dtype=tf.float64, **kwargs: fill(shape, dtype, **kwargs)


def _widen(value):
    """Keeps a Python float from becoming a float32 on its way."""
    return np.float64(value) if isinstance(value, float) else value


def _take_floats_as_double(where):
    return lambda condition, x=None, y=None: where(condition, _widen(x), _widen(y))


def _in_double(cast):
    """Casts to float64 what would be cast to float32, also where the type is given by name."""

    def cast_in_double(x, dtype, **kwargs):
        return cast(_widen(x), tf.float64 if dtype == "float32" else dtype, **kwargs)

    return cast_in_double


def fused_batch_norm(inputs, scale, offset, epsilon):
    """Computes what the kernel, which knows no float64, computes of a batch."""
    mean, variance = tf.nn.moments(inputs, axes=[0, 1, 2])
    return tf.nn.batch_normalization(inputs, mean, variance, offset, scale, epsilon), mean, variance


def leaky_relu(inputs, alpha):
    """Computes the rectifier, whose kernel keeps its slope in float32: 0.1 to 1.5e-8."""
    return tf.maximum(inputs, alpha * inputs)


def leaky_relu_gradient(gradients, features, alpha):
    """Computes its gradient."""
    return tf.where(features > 0, gradients, alpha * gradients)


install()

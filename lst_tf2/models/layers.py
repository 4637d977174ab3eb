"""Layers of the backbone and of the soft weighting network."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from lst_tf2.models.serializable import Rebuildable, registered

# Fixed in the original program (`tf.contrib.layers` defaults and its own constants).
BATCH_NORM_EPSILON = 1e-3
LAYER_NORM_EPSILON = 1e-12
LEAKY_SLOPE = 0.1


def activate(inputs: tf.Tensor, activation: str) -> tf.Tensor:
    """Applies `activation`, one of `leaky_relu`, `relu`, `None`."""
    if activation == "leaky_relu":
        return leaky_relu(inputs)
    return tf.nn.relu(inputs) if activation == "relu" else inputs


@tf.custom_gradient
def leaky_relu(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Applies the leaky rectifier; its gradient goes by the outputs, whose signs are the inputs'.

    The next convolution keeps the outputs anyway, so that the inputs, a third of what a
    step holds, need not stay.
    """
    outputs = tf.nn.leaky_relu(inputs, LEAKY_SLOPE)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=outputs, alpha=LEAKY_SLOPE)

    return outputs, gradient


class UncastLayer(Rebuildable, keras.layers.Layer):
    """Computes in the type of its inputs; Keras would turn them into float32."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)


@registered
class BatchStatsNorm(UncastLayer):
    """Normalizes each channel by the statistics of the batch at hand.

    There are no moving averages, no scale and no offset, in training and testing alike:
    what an image looks like afterwards depends on the images it shares the batch with.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` `[..., B, H, W, C]` with mean 0, variance 1 over B, H and W.

        Further leading axes are batches of their own.
        """
        if inputs.shape.rank == 4:  # The fused kernel knows no leading axes.
            channels = inputs.shape[-1]
            outputs, *_ = tf.compat.v1.nn.fused_batch_norm(
                inputs, tf.ones([channels]), tf.zeros([channels]), epsilon=BATCH_NORM_EPSILON
            )
            return outputs
        mean, variance = tf.nn.moments(inputs, axes=[-4, -3, -2], keepdims=True)
        return (inputs - mean) * tf.math.rsqrt(variance + BATCH_NORM_EPSILON)


@registered
class ExampleNorm(UncastLayer):
    """Normalizes each example by its own statistics; the original's `layer_norm`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` `[..., H, W, C]` with mean 0, variance 1 over H, W and C."""
        exact = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(exact, axes=[-3, -2, -1], keepdims=True)
        outputs = (exact - mean) * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)
        return tf.cast(outputs, inputs.dtype)


def build_norm(norm: str) -> keras.layers.Layer:
    """Returns the layer for `norm`, one of `batch_norm`, `layer_norm`, `None`."""
    if norm == "batch_norm":
        return BatchStatsNorm()
    return ExampleNorm() if norm == "layer_norm" else keras.layers.Identity(autocast=False)


class ChannelStats(NamedTuple):
    """Holds statistics of a convolution's output, float32, one value a channel."""

    mean: tf.Tensor  # [C]
    variance: tf.Tensor  # [C], biased


@registered
class ScaleShiftConv(UncastLayer):
    """Convolves 3x3 with `kernel * scale` and adds `shift` (arXiv:1812.02391).

    `scale` holds one factor for each pair of input and output channel, broadcast over
    the window; it starts at 1, so a layer that never trains it is a plain convolution
    with `shift` as its bias.
    """

    def __init__(self, in_channels: int, out_channels: int, *, is_centred: bool, **kwargs):
        """Makes a convolution; `is_centred` where a norm takes the mean out after it."""
        super().__init__(**kwargs)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.is_centred = is_centred
        self.kernel = self.add_weight(
            name="kernel",
            shape=(3, 3, in_channels, out_channels),
            initializer="glorot_uniform",
            trainable=True,
        )
        self.scale = self.add_weight(
            name="scale",
            shape=(1, 1, in_channels, out_channels),
            initializer="ones",
            trainable=True,
        )
        self.shift = self.add_weight(
            name="shift", shape=(out_channels,), initializer="zeros", trainable=True
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `[B, H, W, out_channels]` for `inputs` `[B, H, W, in_channels]`.

        Computes in the type of `inputs`.
        """
        outputs = convolve(inputs, self._scaled_kernel())
        # A mean taken out afterwards takes the shift with it: two passes over memory for
        # rounding noise.
        if self.is_centred:
            return outputs
        return tf.nn.bias_add(outputs, tf.cast(tf.convert_to_tensor(self.shift), inputs.dtype))

    def normalized(self, inputs: tf.Tensor, stats: ChannelStats) -> tf.Tensor:
        """Returns the same, normalized by fixed statistics, as one convolution with a bias."""
        factor = tf.math.rsqrt(stats.variance + BATCH_NORM_EPSILON)
        outputs = convolve(inputs, self._scaled_kernel() * factor)
        return tf.nn.bias_add(outputs, tf.cast(-stats.mean * factor, inputs.dtype))

    def _scaled_kernel(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.kernel) * tf.convert_to_tensor(self.scale)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the convolution, SAME and with stride 1, in the type of `inputs`."""
    kernel = tf.cast(tf.convert_to_tensor(kernel), inputs.dtype)
    return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")

"""The soft weighting network (SWN) of arXiv:1906.00562."""

import keras
import tensorflow as tf

from lst_tf2.config import ModelConfig
from lst_tf2.models.layers import LEAKY_SLOPE, activate, build_norm, convolve
from lst_tf2.models.serializable import Rebuildable, registered

HIDDEN_CHANNELS = 64
HIDDEN_UNITS = 8


@registered
class SoftWeightingNetwork(Rebuildable, keras.Model):
    """Scores how well each unlabeled example fits each class.

    For one class it sees the unlabeled maps joined with the class's prototype along the
    channels: two 3x3 convolutions, then two dense layers. Its batch statistics belong to
    one class's pass over the unlabeled examples.
    """

    def __init__(self, config: ModelConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.conv1_kernel = self._add(
            "conv1_kernel", (3, 3, 2 * config.embedding_width, HIDDEN_CHANNELS)
        )
        self.conv1_bias = self._add("conv1_bias", (HIDDEN_CHANNELS,))
        self.conv2_kernel = self._add("conv2_kernel", (3, 3, HIDDEN_CHANNELS, 1))
        self.conv2_bias = self._add("conv2_bias", (1,))
        self.dense1_kernel = self._add("dense1_kernel", (config.map_side**2, HIDDEN_UNITS))
        self.dense1_bias = self._add("dense1_bias", (HIDDEN_UNITS,))
        self.dense2_kernel = self._add("dense2_kernel", (HIDDEN_UNITS, 1))
        self.dense2_bias = self._add("dense2_bias", (1,))
        self.norm = build_norm(config.norm)

    def _add(self, name: str, shape: tuple[int, ...]):
        initializer = "zeros" if len(shape) == 1 else "glorot_uniform"
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=True)

    def named_variables(self) -> dict:
        """Returns all variables by names that do not depend on Keras."""
        layers = ("conv1", "conv2", "dense1", "dense2")
        names = (f"{layer}_{part}" for layer in layers for part in ("kernel", "bias"))
        return {name: getattr(self, name) for name in names}

    def call(self, prototypes: tf.Tensor, unlabeled_maps: tf.Tensor) -> tf.Tensor:
        """Returns the scores of every unlabeled example for every class.

        Args:
            prototypes: `[N, H, W, D]` float32, class means of the support feature maps.
            unlabeled_maps: `[U, H, W, D]` float32, feature maps of the same backbone.

        Returns:
            `[U, N]` float32; their softmax over classes multiplies the logits of the
            unlabeled examples.

        Raises:
            ValueError: If the two sets of maps differ in `H`, `W` or `D`.
        """
        if prototypes.shape[1:] != unlabeled_maps.shape[1:]:
            raise ValueError(
                f"Expected prototypes and unlabeled maps of one shape, received "
                f"{prototypes.shape[1:]} and {unlabeled_maps.shape[1:]}; "
                "take both from one backbone and one image size."
            )
        hidden = activate(self.norm(self._join(prototypes, unlabeled_maps)), self.config.activation)
        way, count, height, width, channels = hidden.shape
        pairs = tf.reshape(hidden, [-1, height, width, channels])
        fit = convolve(pairs, self.conv2_kernel) + tf.convert_to_tensor(self.conv2_bias)
        fit = tf.reshape(fit, [way, count, height, width, 1])
        fit = activate(self.norm(fit), self.config.activation)
        fit = tf.reshape(fit, [way * count, height * width])
        fit = _dense(fit, self.dense1_kernel, self.dense1_bias)
        fit = _dense(tf.nn.leaky_relu(fit, LEAKY_SLOPE), self.dense2_kernel, self.dense2_bias)
        return tf.transpose(tf.reshape(fit, [way, count]))

    def _join(self, prototypes: tf.Tensor, unlabeled_maps: tf.Tensor) -> tf.Tensor:
        """Returns `[N, U, H, W, 64]`, the first convolution of every pair.

        A convolution is linear, so that of the joined maps is the sum of one over the
        unlabeled maps and one over the prototypes: N + U maps instead of N * U pairs.
        """
        kernel = tf.convert_to_tensor(self.conv1_kernel)
        unlabeled_kernel, prototype_kernel = tf.split(kernel, 2, axis=2)
        joined = convolve(unlabeled_maps, unlabeled_kernel)[tf.newaxis]
        joined += convolve(prototypes, prototype_kernel)[:, tf.newaxis]
        return joined + tf.convert_to_tensor(self.conv1_bias)


def _dense(inputs: tf.Tensor, kernel, bias) -> tf.Tensor:
    return inputs @ tf.convert_to_tensor(kernel) + tf.convert_to_tensor(bias)
